// What `hexz diff` has found, as a document and as lines.

import { type ArchiveDiff, type ChangedEntry, type FileDiff, isStream } from "../core/diff/diff.ts";
import type { Warning } from "../core/errors.ts";
import type { Entry } from "../core/format/entry.ts";
import { type ByteString, byteStringFromText } from "../core/format/path.ts";
import type { Coding, Stream } from "../core/format/root.ts";
import type { Archive } from "../core/read/archive.ts";
import type { Problem } from "../core/read/findings.ts";
import { formatSize } from "./sizes.ts";
import { nameFields, printable, shownName, warningDocument } from "./text.ts";

export interface Side {
  /** As it was named. */
  readonly path: string;
  readonly archive: Archive;
}

export interface Sides {
  readonly a: Side;
  readonly b: Side;
}

/** Which parts are wanted. */
export interface Shown {
  readonly chunks: boolean;
  readonly files: boolean;
}

function pathOf(one: Entry | Stream): ByteString {
  return isStream(one) ? byteStringFromText(one.name) : one.path;
}

function typeOf(one: Entry | Stream): string {
  return isStream(one) ? "stream" : one.type;
}

function entryDocument(one: Entry | Stream): object {
  return { ...nameFields("path", pathOf(one)), type: typeOf(one), size: one.size ?? null };
}

function changedDocument({ a, b, changes }: ChangedEntry): object {
  const targets = (key: string, one: Entry | Stream) =>
    isStream(one) || one.target === undefined ? {} : nameFields(key, one.target);
  return {
    ...nameFields("path", pathOf(b)),
    type: typeOf(b),
    ...(typeOf(a) === typeOf(b) ? {} : { a_type: typeOf(a) }),
    a_size: a.size ?? null,
    b_size: b.size ?? null,
    changed_bytes: changes?.changedBytes ?? null,
    removed_bytes: changes?.removedBytes ?? null,
    ranges: changes?.ranges ?? null,
    ...targets("a_target", a),
    ...targets("b_target", b),
  };
}

function filesDocument(files: FileDiff): object {
  return {
    added: files.added.map(entryDocument),
    removed: files.removed.map(entryDocument),
    changed: files.changed.map(changedDocument),
    renamed: files.renamed.map(({ from, to }) => ({
      ...nameFields("from", from.path),
      ...nameFields("to", to.path),
      size: to.size,
    })),
    metadata_only: files.metadataOnly.map(({ path, fields }) => ({ ...nameFields("path", path), fields })),
    undecided: files.undecided.map(entryDocument),
    unchanged: files.unchanged,
  };
}

function cutsText({ chunking, sizes }: Coding): string {
  return chunking === "fixed"
    ? `fixed ${formatSize(sizes.avg)}`
    : `cdc ${[sizes.min, sizes.avg, sizes.max].map(formatSize).join(" / ")}`;
}

export function diffWarnings(diff: ArchiveDiff, sides: Sides): Warning[] {
  const lost = [lostWarnings(sides.a, diff.lost.a), lostWarnings(sides.b, diff.lost.b)].flat();
  return [...lost, ...comparisonWarnings(diff, sides)];
}

/** Each place that is not known, as `check` names it. */
function lostWarnings({ path }: Side, problems: readonly Problem[]): Warning[] {
  return problems.map(({ code, message }) => ({ path: byteStringFromText(path), code, message }));
}

function comparisonWarnings({ cutAlike, hasUnknown, lost, files }: ArchiveDiff, { a, b }: Sides): Warning[] {
  const [ours, theirs] = [a, b].map(({ archive }) => cutsText(archive.root.coding));
  const undecided = files?.undecided.length ?? 0;
  const warn = (message: string): Warning => ({ path: byteStringFromText(b.path), code: "not_available", message });
  if (hasUnknown) {
    const why = lost.a.length + lost.b.length > 0 ? "some contents are not known" : "some chunks have no digest";
    return [warn(`${why}: whether ${undecided} entries of equal size are equal is not known`)];
  }
  if (!cutAlike) {
    return [
      warn(
        `${b.path} is cut as ${theirs}, ${a.path} as ${ours}: few chunks can be equal, changed ranges are not known, ` +
          `and whether ${undecided} entries of equal size are equal`,
      ),
    ];
  }
  if (undecided === 0) return [];
  return [
    warn(`whether ${undecided} entries are equal is not known: contents that lie in others cut them differently`),
  ];
}

function percentOf({ shared, b }: ArchiveDiff["chunks"]): number {
  return b.bytes === 0 ? 100 : (shared.bytes / b.bytes) * 100;
}

function onlyIn(side: { chunks: number; bytes: number }, shared: { chunks: number; bytes: number }) {
  return { chunks: side.chunks - shared.chunks, bytes: side.bytes - shared.bytes };
}

export function diffDocument(diff: ArchiveDiff, sides: Sides, shown: Shown, equal: boolean): object {
  const { chunks, files } = diff;
  const { a, b, shared } = chunks;
  const sideDocument = ({ path, archive }: Side, tally: { chunks: number }) => ({
    path,
    archive_id: archive.idText,
    size: archive.fileLength,
    original_size: archive.root.counts.originalSize,
    chunks: tally.chunks,
  });
  return {
    a: sideDocument(sides.a, a),
    b: sideDocument(sides.b, b),
    equal,
    ...(shown.chunks && {
      shared: { ...shared, percent: Math.round(percentOf(chunks) * 100) / 100, via_parent: chunks.viaParent },
      only_a: onlyIn(a, shared),
      only_b: onlyIn(b, shared),
      storage_saved: shared.bytes,
    }),
    ...(files !== undefined && { files: filesDocument(files) }),
    warnings: diffWarnings(diff, sides).map(warningDocument),
  };
}

function chunkLines({ chunks }: ArchiveDiff, { a, b }: Sides): string[] {
  const { shared } = chunks;
  const row = (title: string, { chunks: count, bytes }: { chunks: number; bytes: number }, more = "") =>
    `${title.padEnd(12)}${formatSize(bytes).padStart(12)}  ${String(count).padStart(9)} chunks${more}`;
  const viaParent = chunks.viaParent === 0 ? "" : `, ${chunks.viaParent} of them in parents`;
  return [
    row("A", chunks.a, `  ${printable(a.path)}`),
    row("B", chunks.b, `  ${printable(b.path)}`),
    row("shared", shared, `  (${percentOf(chunks).toFixed(1)} % of B${viaParent})`),
    row("only in A", onlyIn(chunks.a, shared)),
    row("only in B", onlyIn(chunks.b, shared)),
  ];
}

function changedLine({ a, b, changes }: ChangedEntry): string {
  const name = shownName(pathOf(b));
  if (typeOf(a) !== typeOf(b)) return `changed   ${name} (${typeOf(a)} to ${typeOf(b)})`;
  if (!isStream(a) && !isStream(b) && a.target !== undefined && b.target !== undefined) {
    return `changed   ${name} (to ${shownName(b.target)}, was ${shownName(a.target)})`;
  }
  if (a.size === undefined || b.size === undefined) return `changed   ${name}`;
  const sizes = a.size === b.size ? formatSize(b.size) : `${formatSize(a.size)} to ${formatSize(b.size)}`;
  if (changes === undefined) return `changed   ${name} (${sizes})`;
  const { changedBytes, removedBytes, ranges } = changes;
  const places = ranges.length === 1 ? "1 place" : `${ranges.length} places`;
  return `changed   ${name} (${sizes}: ${formatSize(changedBytes)} new in ${places}, ${formatSize(removedBytes)} gone)`;
}

/** @param all also what has another time only: copying a tree changes all of them */
function* fileLines(files: FileDiff, all: boolean): Generator<string> {
  const sized = (one: Entry | Stream) =>
    `${shownName(pathOf(one))} (${one.size === undefined ? typeOf(one) : formatSize(one.size)})`;
  for (const one of files.added) yield `added     ${sized(one)}`;
  for (const one of files.removed) yield `removed   ${sized(one)}`;
  for (const one of files.changed) yield changedLine(one);
  for (const { from, to } of files.renamed) yield `renamed   ${shownName(from.path)} to ${shownName(to.path)}`;
  for (const { path, fields } of files.metadataOnly) {
    if (all || fields.join() !== "mtime") yield `metadata  ${shownName(path)} (${fields.join(", ")})`;
  }
  for (const one of files.undecided) yield `unknown   ${sized(one)}`;
  const { added, removed, changed, renamed, metadataOnly, undecided, unchanged } = files;
  const counts = { added, removed, changed, renamed, "other metadata": metadataOnly, unknown: undecided };
  const parts = Object.entries(counts).filter(([, list]) => list.length > 0);
  yield [...parts.map(([name, list]) => `${list.length} ${name}`), `${unchanged} unchanged`].join(", ");
}

export function* diffLines(diff: ArchiveDiff, sides: Sides, shown: Shown): Generator<string> {
  if (shown.chunks) yield* chunkLines(diff, sides);
  if (shown.chunks && diff.files !== undefined) yield "";
  if (diff.files !== undefined) yield* fileLines(diff.files, !shown.chunks);
}
