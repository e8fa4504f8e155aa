// Which of the measured candidates to take. Size decides, but what costs time, memory or waiting has to save enough for it.

import { CODEC } from "../engine.ts";
import type { Candidate } from "./findings.ts";

const KIB = 1024;

/** By how much more a setting has to be smaller than the one it is compared with: factors of its size. */
export const PRICES = {
  /** LZ4 against storing. */
  lz4: 1.01,
  /** Zstandard against LZ4: a third of the speed, both ways. */
  zstd: 1.05,
  /** The best levels against the quick ones: a hundredth of the speed. */
  slowZstd: 1.2,
  /** A dictionary: up to a third slower, and every reader fetches it first. */
  dictionary: 1.03,
  /** A block of twice 64 KiB: a random read decodes twice as much. */
  blockDoubling: 1.04,
  /** Chunks of half of 64 KiB: twice the index, in memory and in the file of a child. */
  chunkHalving: 1.01,
  /** Fixed chunks: where something is inserted, nothing behind it is found again in the next version. */
  fixed: 1.02,
} as const;

const SLOW_LEVEL = 10;

/** The size that a setting is judged by; where that is not sure, the largest that it is likely to be. */
export function priceOf({ chunking, blockSize, codec, level, compressedSize, error }: Candidate): number {
  let price = compressedSize + error;
  if (codec !== CODEC.stored) price *= PRICES.lz4;
  if (codec === CODEC.zstd || codec === CODEC.zstdDictionary) price *= PRICES.zstd;
  if (codec === CODEC.zstdDictionary) price *= PRICES.dictionary;
  if (level >= SLOW_LEVEL) price *= PRICES.slowZstd;
  price *= PRICES.blockDoubling ** Math.max(0, Math.log2(blockSize / (64 * KIB)));
  price *= PRICES.chunkHalving ** Math.max(0, Math.log2((64 * KIB) / chunking.sizes.avg));
  if (chunking.method === "fixed") price *= PRICES.fixed;
  return price;
}

/** What `pack` does when nothing else is said. */
export function isDefault({ chunking: { method, sizes }, blockSize, codec }: Candidate): boolean {
  return method === "cdc" && sizes.avg === 64 * KIB && blockSize === 64 * KIB && codec === CODEC.lz4;
}

/** The candidate of the lowest price; the default where nothing is stored whatever is done. */
export function recommend(candidates: readonly Candidate[]): Candidate {
  const usual = candidates.find(isDefault)!;
  if (usual.uniqueBytes === 0) return usual;
  return candidates.reduce((best, candidate) => (priceOf(candidate) < priceOf(best) ? candidate : best), usual);
}
