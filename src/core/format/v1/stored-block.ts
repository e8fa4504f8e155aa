// What surrounds a coded block of format 1 (docs/format-1.md, "Blocks"): LZ4 blocks have their plain length before them,
// Zstandard blocks nothing.

import { CODEC } from "../../engine.ts";
import type { BlockRef } from "../index-page.ts";

const LZ4_PREFIX_LENGTH = 4;

/** @param coded a raw LZ4 block or a Zstandard frame @returns what is stored, before encryption */
export function encodeStoredBlock(compression: "lz4" | "zstd", coded: Uint8Array, plainLength: number): Uint8Array {
  if (compression === "zstd") return coded;
  const stored = new Uint8Array(LZ4_PREFIX_LENGTH + coded.length);
  new DataView(stored.buffer).setUint32(0, plainLength, true);
  stored.set(coded, LZ4_PREFIX_LENGTH);
  return stored;
}

/**
 * The coded block in one that is stored, and decrypted; a view. The length before an LZ4 block is not compared: the
 * original does not look at it, and the block must give the length that the index says anyway. Blocks of format 2,
 * which have no seal, are stored as they are coded.
 */
export function codedPart({ codec, seal }: BlockRef, stored: Uint8Array): Uint8Array {
  return seal !== undefined && codec === CODEC.lz4 ? stored.subarray(LZ4_PREFIX_LENGTH) : stored;
}
