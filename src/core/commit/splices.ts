// Which chunks a changed content has: cut anew from the last border before each change to the first border behind it that
// was one before, and as they were everywhere else. Cuts depend on nothing before a border, so the
// result is that of cutting all of it (docs/format.md, "Chunking"), and costs what the change is.

import type { DigestOf } from "../digest.ts";
import { type ByteRange, firstBehind } from "../disk/overlay.ts";
import { type Engine, ZERO_CHUNK } from "../engine.ts";
import type { IndexLeaf } from "../format/index-page.ts";
import type { Coding } from "../format/root.ts";
import { lastAtMost } from "../read/search.ts";

/** The content as it is now. */
export interface ChangedContent {
  readonly size: number;
  /** What may differ, ascending and apart. */
  readonly changed: readonly ByteRange[];
  read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Up to where it is known to be zero, from a position behind the old end on. */
  zeroUntil(position: number): number;
}

export type NewChunk = { readonly length: number } & ({ readonly fill: number } | { readonly digest: Uint8Array });

/** Chunks in the place of those of [start, end). Positions count from the beginning of the content. */
export interface Splice {
  readonly start: number;
  /** As the content was: at its end, the new chunks may go on behind it. */
  readonly end: number;
  readonly chunks: readonly NewChunk[];
}

export interface SpliceOptions {
  readonly content: ChangedContent;
  /** Where the content is in the address space of the archive that it was in, and how long it was. */
  readonly before: { readonly start: number; readonly size: number };
  readonly coding: Coding;
  /** The index page of an address of that archive. */
  readonly leafAt: (address: number) => Promise<IndexLeaf>;
  readonly engine: Engine;
  readonly digestOf: DigestOf;
  readonly signal?: AbortSignal | undefined;
}

/** What is read at once where much has changed. */
const PIECE = 2 * 1024 * 1024;
const MOST_CUTS = 512;

/** Finds all splices, in order. */
export async function planSplices(options: SpliceOptions): Promise<Splice[]> {
  const { content, before, coding } = options;
  // FastCDC looks at the byte behind a border before it cuts there, so a change right there may move it.
  const margin = coding.chunking === "cdc" ? 1 : 0;
  const changes = [...content.changed.filter(({ start }) => start < before.size)];
  // Behind the old end everything is new; the last chunk ended there because the content did.
  if (content.size > before.size) changes.push({ start: before.size, end: content.size });
  const borders = new Borders(options);
  const splices: Splice[] = [];
  let at = 0;
  for (const change of changes) {
    if (change.end <= at) continue;
    const start = Math.max(at, await borders.before(Math.max(change.start - margin, at)));
    const splice = await new Recutter(options, borders, changes).from(start);
    splices.push(splice);
    at = splice.end;
    if (at >= before.size) break;
  }
  return splices;
}

/** Where chunks of the old content begin. */
class Borders {
  readonly #options: SpliceOptions;

  constructor(options: SpliceOptions) {
    this.#options = options;
  }

  /** The record that a position lies in. */
  async record(position: number): Promise<{ start: number; end: number; fill: number }> {
    const { before, leafAt } = this.#options;
    const { starts, fills } = await leafAt(before.start + position);
    const number = lastAtMost(starts.subarray(0, fills.length), before.start + position);
    return { start: starts[number]! - before.start, end: starts[number + 1]! - before.start, fill: fills[number]! };
  }

  /** How far apart cuts are inside a fill; undefined when that is not known. */
  #step(fill: number): number | undefined {
    const { chunking, sizes } = this.#options.coding;
    return fill === 0 || (fill > 0 && chunking === "fixed") ? sizes.max : undefined;
  }

  /** The last border at or before a position. */
  async before(position: number): Promise<number> {
    const { size } = this.#options.before;
    if (size === 0) return 0;
    const inside = Math.min(position, size - 1);
    const { start, fill } = await this.record(inside);
    const step = this.#step(fill);
    return Math.max(0, step === undefined ? start : start + Math.floor((inside - start) / step) * step);
  }

  /** Whether a chunk begins there, and not because the content ended before. */
  async is(position: number): Promise<boolean> {
    return position < this.#options.before.size && (await this.before(position)) === position;
  }
}

/** Cuts from a border on until it meets an old one behind the changes. */
class Recutter {
  readonly #options: SpliceOptions;
  readonly #borders: Borders;
  readonly #changes: readonly ByteRange[];
  readonly #chunks: NewChunk[] = [];
  /** Bytes from #at on. */
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(options: SpliceOptions, borders: Borders, changes: readonly ByteRange[]) {
    this.#options = options;
    this.#borders = borders;
    this.#changes = changes;
  }

  async from(start: number): Promise<Splice> {
    const { before, content, signal } = this.#options;
    this.#at = start;
    while (this.#at < content.size) {
      signal?.throwIfAborted();
      if (await this.#skipZeros()) continue;
      await this.#fetch();
      for (const length of this.#cuts()) {
        this.#add(length);
        if (await this.#isOld()) return { start, end: this.#at, chunks: this.#chunks };
      }
    }
    return { start, end: before.size, chunks: this.#chunks };
  }

  /** Whether the old chunks go on from here: no change reaches over, and one of them begins here. */
  async #isOld(): Promise<boolean> {
    const next = this.#changes[firstBehind(this.#changes, this.#at)];
    return (next === undefined || next.start >= this.#at) && (await this.#borders.is(this.#at));
  }

  /** Zeros that nobody has to read, in whole maximal chunks: there FastCDC cuts in zeros. */
  async #skipZeros(): Promise<boolean> {
    const { max } = this.#options.coding.sizes;
    const length = Math.floor(((await this.#zeroUntil()) - this.#at) / max) * max;
    if (length === 0) return false;
    this.#chunks.push({ length, fill: 0 });
    this.#at += length;
    this.#bytes = this.#bytes.subarray(Math.min(length, this.#bytes.length));
    return true;
  }

  /** Up to where the content is known to be zero: where it was and has not changed, and in gaps behind its old end. */
  async #zeroUntil(): Promise<number> {
    const { content, before } = this.#options;
    if (this.#at >= before.size) return content.zeroUntil(this.#at);
    const next = this.#changes[firstBehind(this.#changes, this.#at)];
    const unchanged = Math.min(next?.start ?? before.size, before.size);
    if (unchanged <= this.#at) return this.#at;
    const { end, fill } = await this.#borders.record(this.#at);
    return fill === 0 ? Math.min(end, unchanged) : this.#at;
  }

  /** Has at least one maximal chunk, or all that is left; more where more has changed. */
  async #fetch(): Promise<void> {
    const { content, coding, signal } = this.#options;
    const at = this.#at;
    const have = at + this.#bytes.length;
    const change = this.#changes[firstBehind(this.#changes, at)];
    const far = change === undefined || change.start > at ? at : Math.min(change.end, at + PIECE);
    const end = Math.min(content.size, Math.max(at + coding.sizes.max, far));
    if (end <= have) return;
    const bytes = new Uint8Array(end - at);
    bytes.set(this.#bytes);
    bytes.set(await content.read(have, end, signal), have - at);
    this.#bytes = bytes;
  }

  /** Lengths of chunks from #at on; at least one. */
  #cuts(): number[] {
    const { content, coding, engine } = this.#options;
    const isFinal = this.#at + this.#bytes.length === content.size;
    if (coding.chunking === "fixed") return [Math.min(coding.blockSize, this.#bytes.length)];
    const lengths = new Uint32Array(MOST_CUTS);
    const found = engine.findCuts(this.#bytes, coding.sizes, isFinal, lengths);
    return Array.from(lengths.subarray(0, found), (length) => (length & ~ZERO_CHUNK) >>> 0);
  }

  #add(length: number): void {
    const { engine, digestOf } = this.#options;
    const bytes = this.#bytes.subarray(0, length);
    const fill = engine.fillValue(bytes);
    this.#chunks.push(fill >= 0 ? { length, fill } : { length, digest: digestOf(bytes).slice() });
    this.#bytes = this.#bytes.subarray(length);
    this.#at += length;
  }
}
