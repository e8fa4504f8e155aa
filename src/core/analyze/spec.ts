// What an analysis measures: chunkings, and for each the block sizes and codecs to try with it.

import { CODEC, type CodecId } from "../engine.ts";
import type { Train } from "./dictionary-trial.ts";
import type { Chunking } from "./walker.ts";

/** How blocks are coded. */
export interface Codec {
  readonly codec: CodecId;
  /** Of Zstandard; else 0. */
  readonly level: number;
  /** Of the sample's blocks, one of so many is coded: for codecs that take long. */
  readonly every: number;
}

/** Blocks of one size over one chunking. */
export interface PlanSpec {
  /** Number in `chunkings`. */
  readonly chunking: number;
  readonly blockSize: number;
  readonly codecs: readonly Codec[];
  /**
   * Number of a plan with the same codecs (but the scarce ones) and smaller blocks: of long blocks the sample has few, so
   * what they gain over short ones is measured.
   */
  readonly compareWith?: number;
  /** Try what a dictionary does with the last codec that is not scarce, which is Zstandard. */
  readonly tryDictionary?: true;
}

export interface SurveySpec {
  readonly chunkings: readonly Chunking[];
  readonly plans: readonly PlanSpec[];
  /** Bytes of input, if known. */
  readonly expected: number | undefined;
  /** Distinct chunks that are kept for each chunking; default 2^21. */
  readonly tableLimit?: number;
  /** By how much more blocks are sampled than is right for many candidates; default 1. */
  readonly sampleFactor?: number;
  /** Makes dictionaries; without it none is tried. */
  readonly train?: Train | undefined;
  /** Told of every stretch of input, in bytes. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

const KIB = 1024;

const LZ4: Codec = { codec: CODEC.lz4, level: 0, every: 1 };
const ZSTD: Codec = { codec: CODEC.zstd, level: 3, every: 1 };
/** Takes a hundred times as long as LZ4. */
const ZSTD_BEST: Codec = { codec: CODEC.zstd, level: 19, every: 8 };

const cdc = (min: number, avg: number, max: number): Chunking => {
  return { method: "cdc", sizes: { min: min * KIB, avg: avg * KIB, max: max * KIB } };
};
const fixed = (size: number): Chunking => {
  return { method: "fixed", sizes: { min: size * KIB, avg: size * KIB, max: size * KIB } };
};

/**
 * The candidates of `analyze`. The chunks of 1 KiB and of 256 KiB are the edges between which the model chooses; those of
 * 8 KiB are its baseline; 64 KiB is the default of `pack`.
 */
export const CHUNKINGS: readonly Chunking[] = [
  cdc(1, 1, 8),
  cdc(1, 4, 16),
  cdc(2, 8, 64),
  cdc(4, 16, 64),
  cdc(16, 64, 256),
  cdc(64, 256, 1024),
  fixed(4),
  fixed(16),
  fixed(64),
  fixed(256),
];

/** What the model starts from, and its number among the candidates. */
export const BASELINE_CHUNKING = 2;
/** The default of `pack`. */
const DEFAULT_CHUNKING = 4;

export const PLANS: readonly PlanSpec[] = [
  ...CHUNKINGS.map(({ method, sizes }, chunking): PlanSpec => {
    const blockSize = method === "fixed" ? sizes.max : Math.max(64 * KIB, sizes.avg);
    const plan = { chunking, blockSize, codecs: [LZ4, ZSTD] };
    if (blockSize > 64 * KIB) return { ...plan, compareWith: DEFAULT_CHUNKING };
    return chunking === DEFAULT_CHUNKING ? { ...plan, tryDictionary: true } : plan;
  }),
  { chunking: 3, blockSize: 16 * KIB, codecs: [LZ4, ZSTD], tryDictionary: true },
  { chunking: 3, blockSize: 256 * KIB, codecs: [LZ4, ZSTD, ZSTD_BEST], compareWith: 3 },
];
