// The profiles of `hexz build`: settings for kinds of data, measured by `npm run bench -- profiles` (bench/profiles.mjs).

import type { Compression } from "../core/write/coding.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

export interface Profile {
  /** What it is for, in a few words. */
  readonly summary: string;
  readonly compression: Compression;
  readonly level?: number;
  readonly blockSize: number;
  readonly minChunk: number;
  readonly avgChunk: number;
  readonly maxChunk: number;
  readonly dictionary: boolean;
}

export const PROFILES = {
  generic: {
    summary: "anything: fast to pack and to read",
    compression: "lz4",
    blockSize: 64 * KIB,
    minChunk: 16 * KIB,
    avgChunk: 64 * KIB,
    maxChunk: 256 * KIB,
    dictionary: false,
  },
  eda: {
    summary: "chip design and other trees of text",
    compression: "zstd",
    level: 9,
    blockSize: 128 * KIB,
    minChunk: 16 * KIB,
    avgChunk: 64 * KIB,
    maxChunk: 256 * KIB,
    dictionary: true,
  },
  embedded: {
    summary: "firmware and root file systems: small reads",
    compression: "lz4",
    blockSize: 16 * KIB,
    minChunk: 4 * KIB,
    avgChunk: 16 * KIB,
    maxChunk: 64 * KIB,
    dictionary: false,
  },
  ml: {
    summary: "tensors and datasets: large reads",
    compression: "zstd",
    level: 3,
    blockSize: 256 * KIB,
    minChunk: 64 * KIB,
    avgChunk: 256 * KIB,
    maxChunk: 1 * MIB,
    dictionary: false,
  },
  archival: {
    summary: "smallest: for what is kept and seldom read",
    compression: "zstd",
    level: 19,
    blockSize: 16 * MIB,
    minChunk: 4 * KIB,
    avgChunk: 16 * KIB,
    maxChunk: 64 * KIB,
    dictionary: false,
  },
} as const satisfies Readonly<Record<string, Profile>>;

export type ProfileName = keyof typeof PROFILES;

export const PROFILE_NAMES = Object.keys(PROFILES) as ProfileName[];
