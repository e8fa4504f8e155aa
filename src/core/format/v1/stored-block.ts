// What surrounds a coded block of format 1 (docs/format-1.md, "Blocks"): LZ4 blocks have their plain length before them,
// Zstandard blocks nothing.

import { HexzError } from "../../errors.ts";

export const LZ4_PREFIX_LENGTH = 4;

/** @param coded a raw LZ4 block or a Zstandard frame @returns what is stored, before encryption */
export function encodeStoredBlock(compression: "lz4" | "zstd", coded: Uint8Array, plainLength: number): Uint8Array {
  if (compression === "zstd") return coded;
  const stored = new Uint8Array(LZ4_PREFIX_LENGTH + coded.length);
  new DataView(stored.buffer).setUint32(0, plainLength, true);
  stored.set(coded, LZ4_PREFIX_LENGTH);
  return stored;
}

/**
 * @param stored decrypted
 * @returns the coded block, a view. The length before it is not compared: the original does not look at it, and the
 * block must give the length that the index says anyway.
 * @throws HexzError `damaged`
 */
export function decodeStoredBlock(compression: "lz4" | "zstd", stored: Uint8Array): Uint8Array {
  if (compression === "zstd") return stored;
  if (stored.length < LZ4_PREFIX_LENGTH) {
    throw new HexzError("damaged", `an LZ4 block of ${stored.length} bytes is too short`);
  }
  return stored.subarray(LZ4_PREFIX_LENGTH);
}
