// The conductor of `hexz diff`: what two archives have in common, by chunk and by file. Reads index pages and trees,
// never a block: a content is its chunks' digests (docs/design.md, "Diff").

import type { Derived, Entry } from "../format/entry.ts";
import { type ByteString, displayName } from "../format/path.ts";
import type { Stream } from "../format/root.ts";
import type { Archive } from "../read/archive.ts";
import { Findings, type Problem } from "../read/findings.ts";
import { Aligner, type Changes } from "./align.ts";
import { ChunkNumbers, type ChunkTallies, type Run } from "./chunk-run.ts";
import { compareContents, sameElements, type Verdict } from "./compare.ts";
import { changedMetadata, type MetadataField, mergeEntries, sameSpecial } from "./entries.ts";
import { findRenames, type Rename, type Single } from "./renames.ts";

/** One path whose content, or what it is, changed. */
export interface ChangedEntry {
  readonly a: Entry | Stream;
  readonly b: Entry | Stream;
  /** Of two files that were cut alike; undefined: not known without reading. */
  readonly changes?: Changes;
}

export interface FileDiff {
  readonly added: readonly (Entry | Stream)[];
  readonly removed: readonly (Entry | Stream)[];
  readonly changed: readonly ChangedEntry[];
  readonly renamed: readonly Rename[];
  readonly metadataOnly: readonly { readonly path: ByteString; readonly fields: readonly MetadataField[] }[];
  /** Of equal size, cut at different places: their chunks do not tell whether they are equal. */
  readonly undecided: readonly (Entry | Stream)[];
  /** Entries and streams that are equal. */
  readonly unchanged: number;
}

export interface ArchiveDiff {
  readonly chunks: ChunkTallies;
  /** Equal contents have equal chunks in both: same method, same sizes. */
  readonly cutAlike: boolean;
  /** Some chunks have no digest, as those of encrypted archives of format 1; or it is not known which they are. */
  readonly hasUnknown: boolean;
  /** What is not known of either archive, and why: parts of an index of format 1, references that nothing resolves. */
  readonly lost: { readonly a: readonly Problem[]; readonly b: readonly Problem[] };
  readonly files: FileDiff | undefined;
}

export function isStream(one: Entry | Stream): one is Stream {
  return "name" in one;
}

/**
 * Compares two archives by their chunks, and unless `chunksOnly`, their streams and entries.
 * @throws HexzError `damaged`, `invalid`, `io`
 */
export async function diffArchives(
  a: Archive,
  b: Archive,
  options: { readonly chunksOnly?: boolean } = {},
): Promise<ArchiveDiff> {
  const numbers = new ChunkNumbers();
  const findings = { a: new Findings(), b: new Findings() };
  const load = (archive: Archive, side: "a" | "b") =>
    numbers.load(archive, side, (start, end, error) => findings[side].lose(start, end, error));
  const runs = { a: await load(a, "a"), b: await load(b, "b") };
  const lost = { a: await lostOf(a, findings.a), b: await lostOf(b, findings.b) };
  const cutAlike = sameCuts(a, b) && !numbers.hasUnknown;
  const files = options.chunksOnly ? undefined : await new FileComparison(a, b, numbers, runs, cutAlike).run();
  return { chunks: numbers.tallies, cutAlike, hasUnknown: numbers.hasUnknown, lost, files };
}

/** Which bytes of which streams and files are not known. */
async function lostOf(archive: Archive, findings: Findings): Promise<Problem[]> {
  if (findings.lost.length === 0) return [];
  for (const { name, start, size } of archive.ownStreams) findings.tellLost(name, start, start + size);
  for await (const entry of archive.entries()) {
    if (!hasContent(entry)) continue;
    findings.tellLost(displayName(entry.path), entry.start, entry.start + entry.size);
  }
  findings.tellRest();
  return findings.problems();
}

function sameCuts(one: Archive, other: Archive): boolean {
  const [a, b] = [one.root.coding, other.root.coding];
  const { min, avg, max } = a.sizes;
  return (
    one.version === other.version &&
    a.chunking === b.chunking &&
    min === b.sizes.min &&
    avg === b.sizes.avg &&
    max === b.sizes.max
  );
}

/** A file or stream: what has a content. */
type Holder = (Entry | Stream) & { readonly start: number; readonly size: number };

function hasContent(one: Entry | Stream): one is Holder {
  return isStream(one) || (one.type === "file" && one.computed !== true);
}

/** A file whose content is computed when it is read: its bytes have no chunks. */
const isComputed = (one: Entry | Stream): one is Entry => !isStream(one) && one.computed === true;

/** One comparison of two trees. */
class FileComparison {
  readonly #archives: { readonly a: Archive; readonly b: Archive };
  readonly #numbers: ChunkNumbers;
  readonly #runs: { readonly a: Run; readonly b: Run };
  readonly #cutAlike: boolean;
  readonly #aligner: Aligner;
  /** Bytes of all contents; more than the root's original size where contents lie in each other. */
  readonly #sizes = { a: 0, b: 0 };
  readonly #removed: (Single | Stream | Entry)[] = [];
  readonly #added: (Single | Stream | Entry)[] = [];
  readonly #changed: ChangedEntry[] = [];
  /** Changed when equal contents would have been cut alike. */
  readonly #byCuts = new Set<ChangedEntry>();
  readonly #metadataOnly: { path: ByteString; fields: readonly MetadataField[] }[] = [];
  readonly #undecided: (Entry | Stream)[] = [];
  #unchanged = 0;

  constructor(a: Archive, b: Archive, numbers: ChunkNumbers, runs: { a: Run; b: Run }, cutAlike: boolean) {
    this.#archives = { a, b };
    this.#numbers = numbers;
    this.#runs = runs;
    this.#cutAlike = cutAlike;
    this.#aligner = new Aligner(numbers.limit);
  }

  async run(): Promise<FileDiff> {
    const { a, b } = this.#archives;
    for (const name of ["disk", "memory"] as const) {
      const find = ({ ownStreams }: Archive) => ownStreams.find((stream) => stream.name === name);
      this.#pair(find(a), find(b));
    }
    for await (const { a: left, b: right } of mergeEntries(a.entries(), b.entries())) this.#pair(left, right);
    return this.#result();
  }

  #result(): FileDiff {
    const nested = this.#isNested("a") || this.#isNested("b");
    const changed = this.#changed.filter((one) => !(nested && this.#byCuts.has(one)));
    const doubtful = nested ? [...this.#byCuts].map(({ b }) => b) : [];
    const singles = (list: readonly (Single | Stream | Entry)[]) => list.filter((one) => "run" in one);
    const renamed = findRenames(singles(this.#removed), singles(this.#added));
    const gone = new Set<Entry | Stream>(renamed.flatMap(({ from, to }) => [from, to]));
    const left = (list: readonly (Single | Stream | Entry)[]) =>
      list.map((one) => ("run" in one ? one.entry : one)).filter((one) => !gone.has(one));
    return {
      added: left(this.#added),
      removed: left(this.#removed),
      changed,
      renamed,
      metadataOnly: this.#metadataOnly,
      undecided: [...this.#undecided, ...doubtful],
      unchanged: this.#unchanged,
    };
  }

  /** Contents that lie in others cut these: equal contents may then be cut differently. */
  #isNested(side: "a" | "b"): boolean {
    return this.#sizes[side] > this.#archives[side].root.counts.originalSize;
  }

  #contentOf(one: Holder, side: "a" | "b"): Run {
    const archive = this.#archives[side];
    const { start, size } = one;
    archive.checkRange(isStream(one) ? one.name : one.path, start, size);
    if (isStream(one) || one.hardLink === undefined) this.#sizes[side] += size;
    return this.#numbers.slice(this.#runs[side], start, size);
  }

  #pair(a: Entry | Stream | undefined, b: Entry | Stream | undefined): void {
    if (a === undefined && b !== undefined) this.#added.push(this.#single(b, "b"));
    if (b === undefined && a !== undefined) this.#removed.push(this.#single(a, "a"));
    if (a === undefined || b === undefined) return;
    if (hasContent(a) && hasContent(b)) this.#contents(a, b);
    else if (isComputed(a) || isComputed(b)) this.#computed(a, b);
    else if (!hasContent(a) && !hasContent(b) && sameSpecial(a as Entry, b as Entry)) this.#equal(a, b);
    else this.#changed.push({ a, b, changes: this.#otherType(a, b) });
  }

  /** Two contents that are not both stored: equal when they are computed alike from the same bytes. */
  #computed(a: Entry | Stream, b: Entry | Stream): void {
    const isFile = (one: Entry | Stream) => isComputed(one) || hasContent(one);
    if (!isFile(a) || !isFile(b)) this.#changed.push({ a, b, changes: this.#otherType(a, b) });
    else if (a.size !== b.size) this.#changed.push({ a, b });
    else if (a.size === 0 || this.#computedAlike(a, b)) this.#equal(a, b);
    else this.#undecided.push(b);
  }

  #computedAlike(a: Entry | Stream, b: Entry | Stream): boolean {
    if (!isComputed(a) || !isComputed(b) || a.derived === undefined || b.derived === undefined) return false;
    if (a.derived.method !== b.derived.method || a.derived.parameter !== b.derived.parameter) return false;
    const rangeOf = ({ from: { start, size } }: Derived, side: "a" | "b") => {
      this.#archives[side].checkRange("a container", start, size);
      return this.#numbers.slice(this.#runs[side], start, size);
    };
    return sameElements(rangeOf(a.derived, "a"), rangeOf(b.derived, "b"));
  }

  /** Of two entries that are not both files. */
  #otherType(a: Entry | Stream, b: Entry | Stream): Changes {
    const sizeOf = (one: Entry | Stream, side: "a" | "b") => {
      if (hasContent(one)) this.#contentOf(one, side);
      return one.size ?? 0;
    };
    const [removedBytes, changedBytes] = [sizeOf(a, "a"), sizeOf(b, "b")];
    return { ranges: changedBytes === 0 ? [] : [[0, changedBytes]], changedBytes, removedBytes };
  }

  #single(one: Entry | Stream, side: "a" | "b"): Single | Stream | Entry {
    if (!hasContent(one)) return one;
    const run = this.#contentOf(one, side);
    return isStream(one) ? one : { entry: one, run };
  }

  #contents(a: Holder, b: Holder): void {
    const runs = { a: this.#contentOf(a, "a"), b: this.#contentOf(b, "b") };
    const verdict = this.#verdictOf(runs.a, runs.b, a.size === b.size);
    if (verdict === "same") this.#equal(a, b);
    else if (verdict === "open" && !this.#cutAlike) this.#undecided.push(b);
    else {
      const change = this.#cutAlike ? { a, b, changes: this.#aligner.changes(runs.a, runs.b) } : { a, b };
      this.#changed.push(change);
      if (verdict === "open") this.#byCuts.add(change);
    }
  }

  /** The content is equal. */
  #equal(a: Entry | Stream, b: Entry | Stream): void {
    const fields = isStream(a) || isStream(b) ? [] : changedMetadata(a, b);
    if (fields.length === 0) this.#unchanged++;
    else this.#metadataOnly.push({ path: (b as Entry).path, fields });
  }

  #verdictOf(a: Run, b: Run, sameSize: boolean): Verdict {
    if (!sameSize) return "different";
    return sameElements(a, b) ? "same" : compareContents(a, b, this.#numbers.hiddenFills);
  }
}
