// `hexz ls`: the archives of a directory as a tree of their lineage.

import { join, posix } from "node:path";
import { Command } from "@commander-js/extra-typings";
import type { HexzError, Warning } from "../../core/errors.ts";
import { type ByteString, byteStringFromText, byteStringOf, displayName } from "../../core/format/path.ts";
import { drawLineage, keyOf, type Lineage, lineageOf } from "../../core/lineage.ts";
import { openFileSource } from "../../node/file-source.ts";
import { listArchives } from "../../node/list-archives.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { EXIT } from "../exit-codes.ts";
import { type Looked, lookAt } from "../looked.ts";
import { refuseUrl } from "../open.ts";
import { withRunOptions } from "../options.ts";
import { withReadingOptions } from "../reading-options.ts";
import { formatSize } from "../sizes.ts";
import { createLinePrinter, printDocument, printWarnings } from "../terminal.ts";
import { errorDocument, nameFields, printable, shownName, warningDocument } from "../text.ts";

function define() {
  return withRunOptions(
    withReadingOptions(
      new Command("hexz ls")
        .alias("log")
        .summary("the archives of a directory as a tree of their lineage")
        .description("Lists the archives of a directory (*.hxz), children below their parents, by their ids.")
        .argument("[directory]", "where they are", ".")
        .option("--recursive", "directories below, too"),
    ),
  );
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

interface Listing {
  readonly directory: string;
  readonly archives: readonly Looked[];
  readonly lineage: Lineage;
  readonly warnings: readonly Warning[];
}

function totalOf({ archives }: Listing): number {
  return archives.reduce((sum, { size = 0 }) => sum + size, 0);
}

/** Its id; of format 1, which has none, its path. */
function nameOf({ id, path }: Looked): string {
  return id ?? displayName(path);
}

function archiveDocument({ archives, lineage }: Listing, number: number): object {
  const { path, id, size, facts, error } = archives[number]!;
  const ids = (numbers: readonly number[]) => [...new Set(numbers.map((other) => nameOf(archives[other]!)))];
  return {
    ...nameFields("path", path),
    archive_id: id ?? null,
    size: size ?? null,
    original_size: facts?.originalSize ?? null,
    parents: [...ids(lineage.parents[number]!), ...lineage.missingOf[number]!.map(keyOf)],
    children: ids(lineage.children[number]!),
    new_chunks: facts?.added.count ?? null,
    new_bytes: facts?.added.bytes ?? null,
    note: facts?.note ?? null,
    created: facts?.created ?? null,
    error: error === undefined ? null : errorDocument(error).error,
  };
}

function listingDocument(listing: Listing): object {
  const { archives, lineage, warnings } = listing;
  const roots = lineage.roots
    .filter((root) => archives[root]!.error === undefined)
    .map((root) => nameOf(archives[root]!));
  return {
    archives: archives.map((_, number) => archiveDocument(listing, number)),
    roots: [...new Set(roots)],
    missing_parents: lineage.missing.map(({ id, hint }) => ({ id: id ?? null, hint })),
    total_size: totalOf(listing),
    warnings: warnings.map(warningDocument),
  };
}

/** Format 1 names parents by their paths: as from the child, or as they are called beside it. */
function finderOf(archives: readonly Looked[]): (child: Looked, hint: string) => Looked | undefined {
  const byPath = new Map<string, Looked>(archives.map((archive) => [posix.normalize(archive.path), archive]));
  return (child, hint) => {
    const name = byteStringFromText(hint);
    const at = (path: string) => byPath.get(posix.join(posix.dirname(child.path), path));
    return (posix.isAbsolute(name) ? undefined : at(name)) ?? at(posix.basename(name));
  };
}

/** What stands behind the name of an archive. */
function remarkOf({ facts, error, parents }: Looked): string {
  if (error !== undefined) return `! ${printable(error.message)}`;
  const { added, note, created } = facts!;
  const what = `${parents.length === 0 ? "" : "new "}${added.count === 1 ? "chunk" : "chunks"}`;
  const chunks = `${added.count} ${what} (${formatSize(added.bytes)})`;
  const more = [created, note].filter((text) => text !== null).map(printable);
  return [parents.length === 0 ? chunks : `+${chunks}`, ...more].join("  ");
}

/** Names this long still stand in the column. */
const WIDEST = 60;

function* listingLines(listing: Listing): Generator<string> {
  const { directory, archives, lineage } = listing;
  const base = byteStringFromText(join(directory, "x").slice(0, -1));
  const rows = [...drawLineage(lineage)].map(({ prefix, member, missing, again }) => {
    if (member === undefined) {
      const { id, hint } = missing!;
      return {
        name: `${prefix}? ${printable(hint)}`,
        size: "",
        remark: `not here${id === undefined ? "" : ` (id ${id})`}`,
      };
    }
    const archive = archives[member]!;
    const name = `${prefix}${shownName(archive.path.slice(base.length) as ByteString)}`;
    if (again) return { name, size: "", remark: "(see above)" };
    return { name, size: archive.size === undefined ? "" : formatSize(archive.size), remark: remarkOf(archive) };
  });
  const width = rows.reduce((widest, { name }) => Math.max(widest, Math.min(WIDEST, name.length)), 0);
  yield printable(directory);
  for (const { name, size, remark } of rows) yield `${name.padEnd(width)} ${size.padStart(11)}  ${remark}`;
  const failed = archives.filter(({ error }) => error !== undefined).length;
  const parts = [
    `${archives.length} ${archives.length === 1 ? "archive" : "archives"}, ${formatSize(totalOf(listing))}`,
    ...(failed === 0 ? [] : [`${failed} cannot be read`]),
    ...(lineage.missing.length === 0
      ? []
      : [`${lineage.missing.length} ${lineage.missing.length === 1 ? "parent" : "parents"} not here`]),
  ];
  yield parts.join(", ");
}

async function run(directory: string, options: Options, calling: Calling): Promise<void> {
  refuseUrl(directory);
  const warnings: Warning[] = [];
  const onUnreadable = ({ code, message, data }: HexzError) =>
    void warnings.push({ path: byteStringFromText(String(data.path)), code, message });
  const paths = listArchives(directory, { recursive: options.recursive === true, onUnreadable });
  // A list is no reason to ask for passwords; archives that need one say so.
  const reading = { ...options, prompt: false };
  const archives: Looked[] = [];
  for (const path of paths) archives.push(await lookAt(byteStringOf(path), () => openFileSource(path), reading));
  const listing: Listing = { directory, archives, lineage: lineageOf(archives, finderOf(archives)), warnings };
  printWarnings(warnings);
  if (options.json === true) await printDocument(listingDocument(listing));
  else if (options.quiet !== true && options.silent !== true) {
    const { line, end } = createLinePrinter();
    for (const text of listingLines(listing)) await line(text);
    await end();
  }
  calling.finish(EXIT.done);
}

export const ls: CommandSpec = {
  create: (calling) => define().action((directory, options) => run(directory, options, calling)),
  example: "hexz ls backups --recursive",
};
