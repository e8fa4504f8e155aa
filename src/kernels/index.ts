// The hot loops, one WebAssembly module. Nothing here keeps state: every function gets the addresses of its input, its
// output and its scratch memory, so that several threads may share one memory. Nothing reads or writes a byte outside
// the ranges it is given.

export { hashChunks, HASH_SCRATCH, scanCuts, walkCuts } from "./analyze";
export { findCuts } from "./chunk";
export { copy } from "./copy";
export { crc32, crc32Init, CRC32_SCRATCH } from "./crc32";
export { fillValue, zeroPrefix } from "./fill";
export { blake3, blake3Init, blake3Update, blake3Final, BLAKE3_SCRATCH } from "./blake3";
export { lz4Encode, LZ4_SCRATCH } from "./lz4-encode";
export { lz4Decode } from "./lz4-decode";

/** First byte after the constant tables: the caller's memory starts here. */
export const HEAP_BASE: i32 = i32(__heap_base);
