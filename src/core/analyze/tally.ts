// What becomes of the chunks of one chunking: new, there before, or a fill.

import type { BlockPlan } from "./block-plan.ts";
import { ChunkTable, UNKNOWN } from "./chunk-table.ts";

/** Set in the length of the first chunk of a content. */
export const FIRST_OF_CONTENT = 0x8000_0000;
/** Set where a stretch of a content begins or ends inside of a chunk: what is there is none. */
export const NOT_WHOLE = 0x4000_0000;
const LENGTH = 0x3fff_ffff;

/** Chunks of one stretch of input, as a thread hashed them. */
export interface HashedChunks {
  readonly bytes: Uint8Array;
  /** Offset and length, by turns; FIRST_OF_CONTENT and NOT_WHOLE are in the length. */
  readonly list: Uint32Array;
  readonly count: number;
  readonly hashes: Uint32Array;
  readonly fills: Int32Array;
  /** How long the probe says that the bytes up to an offset would be coded. */
  probedUpTo(offset: number): number;
}

export class ChunkTally {
  readonly #table: ChunkTable;
  readonly #plans: readonly BlockPlan[];
  /** Chunks that are stored; also those of which it is only assumed that they are new. */
  #stored = 0;
  #run: { value: number; length: number } | undefined;
  #lastWasNew = true;
  /** Fills by value and length: the model counts each once, as it counts chunks. */
  readonly #fillKinds = new Set<number>();
  /** Chunks of any kind; neighbouring fills of one value are one. */
  chunks = 0;
  bytes = 0;
  fillBytes = 0;
  /** Bytes that belong to no whole chunk; `bytes` does not have them. */
  notWholeBytes = 0;
  /** Bytes of chunks that occurred before: in the same content or stretch of it, and in others. */
  nearDuplicates = 0;
  farDuplicates = 0;
  /** The number of the first chunk that the current content stores. */
  #firstStored = 0;
  #modelFillBytes = 0;

  constructor(plans: readonly BlockPlan[], tableLimit?: number) {
    this.#plans = plans;
    this.#table = new ChunkTable(tableLimit);
  }

  settle(chunks: HashedChunks): void {
    const { list, count, hashes, fills } = chunks;
    for (let number = 0; number < count; number++) {
      const start = list[number * 2]!;
      const length = list[number * 2 + 1]! & LENGTH;
      if (list[number * 2 + 1]! >= FIRST_OF_CONTENT) {
        this.#endRun();
        this.#firstStored = this.#stored;
      }
      if ((list[number * 2 + 1]! & NOT_WHOLE) !== 0) {
        this.notWholeBytes += length;
        continue;
      }
      this.bytes += length;
      if (fills[number]! >= 0) this.#fill(fills[number]!, length);
      else this.#chunk(chunks, start, length, hashes[number * 2]!, hashes[number * 2 + 1]!);
    }
  }

  #fill(value: number, length: number): void {
    this.fillBytes += length;
    const kind = length * 256 + value;
    if (!this.#fillKinds.has(kind)) {
      this.#fillKinds.add(kind);
      this.#modelFillBytes += length;
    }
    if (this.#run?.value === value) this.#run.length += length;
    else {
      this.#endRun();
      this.#run = { value, length };
    }
    for (const plan of this.#plans) plan.fill();
  }

  /** Zeros that nobody read, behind others of the same content. */
  hole(length: number): void {
    this.bytes += length;
    this.fillBytes += length;
    if (this.#run !== undefined) this.#run.length += length;
  }

  #endRun(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    this.chunks++;
    for (const { index } of this.#plans) index.fill(run.length);
  }

  #chunk(chunks: HashedChunks, start: number, length: number, low: number, high: number): void {
    this.#endRun();
    this.chunks++;
    const seen = this.#table.see(low, high, length, this.#stored);
    if (seen >= 0) {
      this.#lastWasNew = false;
      if (seen >= this.#firstStored) this.nearDuplicates += length;
      else this.farDuplicates += length;
      for (const plan of this.#plans) plan.duplicate(length, seen);
      return;
    }
    // Of a chunk that a full table does not keep it is not known; new ones and others come in runs.
    if (seen === UNKNOWN.fresh) this.#lastWasNew = true;
    else if (!this.#lastWasNew) {
      this.farDuplicates += length;
      for (const plan of this.#plans) plan.duplicate(length, this.#stored - 1);
      return;
    }
    this.#stored++;
    const probed = chunks.probedUpTo(start + length) - chunks.probedUpTo(start);
    const chunk = { bytes: chunks.bytes, start, length, probed };
    for (const plan of this.#plans) plan.add(chunk);
  }

  /** Ends what is open. */
  finish(): void {
    this.#endRun();
    for (const plan of this.#plans) plan.close();
  }

  /** Bytes of distinct chunks that are no fills. */
  unique(): { bytes: number; error: number } {
    return this.#table.distinct();
  }

  /** The same as the model counts it. */
  get modelRemaining(): number {
    return this.#table.distinct().bytes + this.#modelFillBytes;
  }
}
