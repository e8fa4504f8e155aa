// The hot loops behind one interface: chunking, digest, block codecs. The portable engine runs everywhere; the native
// one replaces codecs and digest by the system's libraries. Chunk boundaries and digests are the same in both.

import type { Kernels } from "./kernels.ts";

/** FastCDC parameters in bytes; `avg` is a power of two. */
export interface ChunkSizes {
  readonly min: number;
  readonly avg: number;
  readonly max: number;
}

/** Codecs by their number in the file (docs/format.md, "Codecs"). */
export const CODEC = { stored: 0, lz4: 1, zstd: 2, zstdDictionary: 3 } as const;
export type CodecId = (typeof CODEC)[keyof typeof CODEC];

/** Set in a chunk length of `findCuts` when every byte of that chunk is zero. */
export const ZERO_CHUNK = 0x8000_0000;

/** An incremental BLAKE3-256. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** The digest of everything so far, 32 bytes. The hasher must not be used afterwards. */
  digest(): Uint8Array;
}

/**
 * All methods take any Uint8Array; views from `allocate` cost no copy. Nothing is kept between calls but scratch
 * memory, so one engine serves one thread.
 */
export interface Engine {
  readonly name: "native" | "wasm";
  /** What codes and hashes, with versions, for `--version` and the root: "wasm 1", "lz4 1.9.4, zstd 1.5.4, …". */
  readonly description: string;
  readonly memory: WebAssembly.Memory;
  /** On addresses of `memory`: copying there, and what only analysis uses. */
  readonly kernels: Pick<Kernels, "copy" | "scanCuts" | "walkCuts" | "hashChunks" | "HASH_SCRATCH">;
  /** A buffer in `memory` with 64 bytes of slack behind it, 64-byte aligned, never given back. */
  allocate(length: number): Uint8Array;
  /**
   * FastCDC v2020, normalization level 1. Writes the lengths of the chunks of `bytes`, in order, to `lengths`, the
   * top bit set for chunks of zeros only. Without `final`, stops when fewer than `sizes.max` bytes are left.
   * @returns the number of lengths written; stops when `lengths` is full
   */
  findCuts(bytes: Uint8Array, sizes: ChunkSizes, final: boolean, lengths: Uint32Array): number;
  /** The value of all bytes when they are equal, -1 when they are not or there are none. */
  fillValue(bytes: Uint8Array): number;
  /** BLAKE3-256 of `bytes` into the first 32 bytes of `out`. */
  digest(bytes: Uint8Array, out: Uint8Array): void;
  /** The same on addresses of `memory`. */
  digestAt(address: number, length: number, out: number): void;
  createHasher(): Hasher;
  /** CRC-32 (IEEE 802.3) of `bytes`, which format 1 has of every stored block. */
  crc32(bytes: Uint8Array): number;
  /** Makes a codec usable: Zstandard is loaded on first use. Encoding or decoding before that is a programming error. */
  load(codec: CodecId): Promise<void>;
  /**
   * Codes `plain` into `out`; returns the length, or 0 when it would not fit. Level is for Zstandard, 1 to 19.
   * @param dictionary for the codec that needs one: an engine prepares each object once, so it is the same one every time
   */
  encode(codec: CodecId, level: number, plain: Uint8Array, out: Uint8Array, dictionary?: Uint8Array): number;
  /**
   * Decodes `stored` into all of `out`.
   * @param dictionary as for `encode`; with the codec that needs one, blocks must name it, with plain Zstandard they may
   * @throws HexzError `damaged` when it is not a valid block of exactly that length; never touches other memory
   */
  decode(codec: CodecId, stored: Uint8Array, out: Uint8Array, dictionary?: Uint8Array): void;
  /**
   * Decodes only the first `out.length` bytes of a longer block, where that is quicker; false when it is not. The rest
   * of the block is not looked at.
   * @throws HexzError `damaged`
   */
  decodeFront?(codec: CodecId, stored: Uint8Array, out: Uint8Array): boolean;
}
