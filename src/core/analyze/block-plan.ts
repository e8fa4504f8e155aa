// The blocks that one chunking and block size would make, without making them: only those of the sample are put together.
// The rules are those of write/block-builder.ts.

import { TARGETS } from "../limits.ts";
import { BlockSampler } from "./block-sampler.ts";
import { IndexSize } from "./index-size.ts";

/** A block of the sample that is being put together, or waits to be coded. */
export interface SampledBlock {
  /** As long as any block. */
  readonly buffer: Uint8Array;
  length: number;
  /** How long the probe of its bytes says that it would be coded. */
  probed: number;
  /** How many blocks it stands for. */
  weight: number;
}

export interface PlanParts {
  readonly blockSize: number;
  /** Bytes of input, if known. */
  readonly expected: number | undefined;
  /** By how much more blocks are sampled than for many candidates. */
  readonly sampleFactor: number | undefined;
  /** A buffer for a block of the sample. */
  take(): SampledBlock;
  /** A block of the sample is complete. */
  complete(block: SampledBlock): void;
}

/** A new chunk: where its bytes are, and how long the probe says that they would be coded. */
export interface NewChunk {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly length: number;
  readonly probed: number;
}

export class BlockPlan {
  readonly #parts: PlanParts;
  readonly #sampler: BlockSampler;
  readonly index: IndexSize;
  /** The block of every stored chunk, by its number. */
  #blockOf = new Uint32Array(1024);
  #chunks = 0;
  #blocks = 0;
  #length = 0;
  #chunkCount = 0;
  #age = 0;
  #sampled: SampledBlock | undefined;
  /** Plain bytes of all blocks, and the probe's sum for them. */
  plainBytes = 0;
  probedBytes = 0;

  constructor(parts: PlanParts) {
    this.#parts = parts;
    this.#sampler = new BlockSampler(parts.expected, parts.sampleFactor);
    this.index = new IndexSize(parts.blockSize);
  }

  add(chunk: NewChunk): void {
    const { length, probed } = chunk;
    if (this.#length > 0 && this.#length + length > this.#parts.blockSize) this.close();
    if (this.#length === 0) this.#open();
    if (this.#sampled !== undefined) {
      const { bytes, start } = chunk;
      this.#sampled.buffer.set(bytes.subarray(start, start + length), this.#length);
      this.#sampled.probed += probed;
    }
    this.#length += length;
    this.#chunkCount++;
    this.plainBytes += length;
    this.probedBytes += probed;
    if (this.#chunks === this.#blockOf.length) {
      const grown = new Uint32Array(this.#chunks * 2);
      grown.set(this.#blockOf);
      this.#blockOf = grown;
    }
    this.#blockOf[this.#chunks] = this.#blocks;
    this.index.chunk(length, this.#chunks++, this.#blocks);
    if (this.#length >= this.#parts.blockSize || this.#chunkCount === TARGETS.chunksPerBlock) this.close();
  }

  /** A chunk that is there already. @param ordinal the number of the equal chunk */
  duplicate(length: number, ordinal: number): void {
    this.index.chunk(length, ordinal, this.#blockOf[ordinal]!);
    this.#pass();
  }

  fill(): void {
    this.#pass();
  }

  #pass(): void {
    if (this.#length > 0 && ++this.#age >= TARGETS.chunksWhileBlockOpen) this.close();
  }

  #open(): void {
    const weight = this.#sampler.next();
    if (weight === 0) return;
    this.#sampled = this.#parts.take();
    this.#sampled.probed = 0;
    this.#sampled.weight = weight;
  }

  /** Ends the open block, if any. */
  close(): void {
    if (this.#length === 0) return;
    if (this.#sampled !== undefined) {
      this.#sampled.length = this.#length;
      this.#sampler.took(this.#length);
      this.#parts.complete(this.#sampled);
      this.#sampled = undefined;
    }
    this.index.blockEnd();
    this.#blocks++;
    this.#length = 0;
    this.#chunkCount = 0;
    this.#age = 0;
  }
}
