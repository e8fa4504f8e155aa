// How an archive is to be chunked and coded: the caller's wishes, checked and completed.

import { CODEC, type CodecId } from "../engine.ts";
import { HexzError } from "../errors.ts";
import { checkDictionary, DICTIONARY_MOST } from "../format/dictionary.ts";
import type { Coding } from "../format/root.ts";
import { LIMITS } from "../limits.ts";
import { isZstd } from "../zstd.ts";
import type { Base } from "./bases.ts";

export type Compression = "lz4" | "zstd" | "none";

/** Sizes are bytes. What is absent has its default. */
export interface CodingOptions {
  /** Default lz4. */
  readonly compression?: Compression;
  /** Zstandard's, 1 to 19; default 3. */
  readonly level?: number;
  /** A Zstandard dictionary with an id, for all blocks; with zstd only. */
  readonly dictionary?: Uint8Array;
  /** Content-defined (the default), or cuts at multiples of the block size. */
  readonly chunking?: "cdc" | "fixed";
  /** Plain bytes that are coded together, 4 KiB to 16 MiB; default 64 KiB. */
  readonly blockSize?: number;
  /** Default 16 KiB; with blocks below 64 KiB a quarter of a block. */
  readonly minChunk?: number;
  /** A power of two. Default 64 KiB; with smaller blocks a block's size, rounded down. */
  readonly avgChunk?: number;
  /** Default 256 KiB; with blocks below 64 KiB four blocks. */
  readonly maxChunk?: number;
}

const CODECS: Record<Compression, CodecId> = { none: CODEC.stored, lz4: CODEC.lz4, zstd: CODEC.zstd };
const KIB = 1024;
const LEVEL_MAX = 19;

function checkRange(what: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new HexzError("usage", `${what} is ${value}; it must be a whole number from ${min} to ${max}`);
  }
}

/** Chunks as those of another archive, so that equal content has equal ones, unless an option says otherwise. */
export function withChunkingOf<Options extends CodingOptions>(
  { chunking, sizes, blockSize }: Coding,
  options: Options,
): Options {
  const { minChunk, avgChunk, maxChunk } = options;
  if ((options.chunking ?? minChunk ?? avgChunk ?? maxChunk) !== undefined) return options;
  const same = { ...options, blockSize: options.blockSize ?? blockSize };
  if (chunking === "fixed") return { ...same, chunking };
  return { ...same, minChunk: sizes.min, avgChunk: sizes.avg, maxChunk: sizes.max };
}

function codecOf({ compression = "lz4", dictionary }: CodingOptions): CodecId | undefined {
  const codec: CodecId | undefined = CODECS[compression];
  if (dictionary === undefined) return codec;
  if (codec !== CODEC.zstd) throw new HexzError("usage", "a dictionary is for zstd only");
  if (dictionary.length > DICTIONARY_MOST) {
    throw new HexzError("usage", `the dictionary has ${dictionary.length} bytes, over ${DICTIONARY_MOST}`);
  }
  checkDictionary(dictionary, "the dictionary");
  return CODEC.zstdDictionary;
}

/** @throws HexzError `usage` naming the option that cannot be */
export function resolveCoding(wishes: CodingOptions & { readonly bases?: readonly Base[] }, encoder: string): Coding {
  const [first] = wishes.bases ?? [];
  const options = first === undefined ? wishes : withChunkingOf(first.root.coding, wishes);
  const codec = codecOf(options);
  if (codec === undefined) {
    throw new HexzError("usage", `the compression is "${options.compression}"; it must be lz4, zstd or none`);
  }
  if (options.level !== undefined && !isZstd(codec)) {
    throw new HexzError("usage", "a level is for zstd only");
  }
  const level = isZstd(codec) ? (options.level ?? 3) : 0;
  if (isZstd(codec)) checkRange("the level", level, 1, LEVEL_MAX);
  const blockSize = options.blockSize ?? 64 * KIB;
  checkRange("the block size", blockSize, LIMITS.blockSizeMin, LIMITS.blockSizeMax);
  const chunking = options.chunking ?? "cdc";
  if (chunking === "fixed") {
    if (options.minChunk ?? options.avgChunk ?? options.maxChunk) {
      throw new HexzError("usage", "fixed chunking takes the block size and no chunk sizes");
    }
    return { chunking, sizes: { min: blockSize, avg: blockSize, max: blockSize }, blockSize, codec, level, encoder };
  }
  const base = 2 ** Math.floor(Math.log2(Math.min(blockSize, 64 * KIB)));
  const sizes = {
    min: options.minChunk ?? base / 4,
    avg: options.avgChunk ?? base,
    max: options.maxChunk ?? base * 4,
  };
  checkRange("the minimal chunk size", sizes.min, LIMITS.chunkMin.min, LIMITS.chunkMin.max);
  checkRange("the average chunk size", sizes.avg, LIMITS.chunkAvg.min, LIMITS.chunkAvg.max);
  checkRange("the maximal chunk size", sizes.max, LIMITS.chunkMax.min, LIMITS.chunkMax.max);
  if (!Number.isInteger(Math.log2(sizes.avg))) {
    throw new HexzError("usage", `the average chunk size is ${sizes.avg}; it must be a power of two`);
  }
  if (sizes.min > sizes.avg || sizes.avg > sizes.max) {
    throw new HexzError("usage", `chunk sizes must ascend: min ${sizes.min}, average ${sizes.avg}, max ${sizes.max}`);
  }
  return { chunking, sizes, blockSize, codec, level, encoder };
}
