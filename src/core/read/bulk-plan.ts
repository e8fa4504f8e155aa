// How much memory bulk reading takes, and what a group of blocks may hold.

import type { Coding } from "../format/root.ts";
import { LIMITS } from "../limits.ts";
import { DECODE_BLOCK_WORDS, DECODE_CHUNK_WORDS } from "../work/task.ts";

const MIB = 1024 * 1024;
/** Memory that slots should stay within; with the largest blocks there are fewer of them. */
const SLOTS_BYTES = 96 * MIB;
/** Blocks, chunks and pieces of one slot, at most. */
export const SLOT_BLOCKS = 4096;
export const SLOT_CHUNKS = 8192;
export const SLOT_PIECES = 16_384;

/** How long slots are, how many there are, and the memory that they take. */
export interface BulkPlan {
  readonly length: number;
  readonly count: number;
  readonly heapBytes: number;
  /** Of it, for dictionaries. */
  readonly dictionaryBytes: number;
}

/** What an allocation may take beyond its length. */
const ALIGNMENT = 192;

/**
 * @param codings of the archives whose blocks will be read
 * @param dictionaryBytes of all dictionaries that they may need
 */
export function bulkPlan(codings: readonly Coding[], threads: number, dictionaryBytes: number): BulkPlan {
  const longest = Math.max(MIB, ...codings.flatMap(({ blockSize, sizes }) => [blockSize, sizes.max]));
  // Blocks of format 1 are coded even where that makes them longer.
  const length = longest + (longest >> 6) + 1024;
  const affordable = Math.floor(SLOTS_BYTES / (2 * length));
  const count = threads === 1 ? 1 : Math.max(threads + 1, Math.min(threads + 6, affordable));
  const words = SLOT_BLOCKS * (DECODE_BLOCK_WORDS + 1) + SLOT_CHUNKS * DECODE_CHUNK_WORDS;
  const slots = count * (2 * length + 4 * words + 1024);
  const heapBytes = slots + dictionaryBytes + (dictionaryBytes === 0 ? 0 : LIMITS.dictionaries * ALIGNMENT);
  return { length, count, heapBytes, dictionaryBytes };
}
