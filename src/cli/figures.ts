// The figures of an archive that `pack` and `inspect` both report, as JSON has them.

import { CODEC } from "../core/engine.ts";
import type { CodecTally, Coding, Counts } from "../core/format/root.ts";
import { isZstd } from "../core/zstd.ts";

const CODEC_NAMES = new Map<number, string>([
  [CODEC.stored, "none"],
  [CODEC.lz4, "lz4"],
  [CODEC.zstd, "zstd"],
  [CODEC.zstdDictionary, "zstd-dictionary"],
]);

export function codecName(codec: number): string {
  return CODEC_NAMES.get(codec) ?? `codec ${codec}`;
}

/** What an archive was packed with: a dictionary is told of apart. */
export function compressionName({ codec }: Coding): string {
  return codecName(isZstd(codec) ? CODEC.zstd : codec);
}

/** The level counts for Zstandard only. */
export function levelOf({ codec, level }: Coding): number | null {
  return isZstd(codec) ? level : null;
}

export function ratioOf(originalSize: number, compressedSize: number): number {
  return compressedSize === 0 ? 0 : originalSize / compressedSize;
}

export interface ChunkFigures {
  total: number;
  unique: number;
  unique_bytes: number;
  duplicate: number;
  duplicate_bytes: number;
  parent: number;
  parent_bytes: number;
  zero: number;
  zero_bytes: number;
}

/** `zero` counts every fill: nearly all of them are zeros. */
export function chunkFigures({ unique, duplicate, parent, fill }: Counts): ChunkFigures {
  return {
    total: unique.count + duplicate.count + parent.count + fill.count,
    unique: unique.count,
    unique_bytes: unique.bytes,
    duplicate: duplicate.count,
    duplicate_bytes: duplicate.bytes,
    parent: parent.count,
    parent_bytes: parent.bytes,
    zero: fill.count,
    zero_bytes: fill.bytes,
  };
}

export function blockFigures({ codecs }: Counts) {
  const sum = (of: (tally: CodecTally) => number) => codecs.reduce((total, tally) => total + of(tally), 0);
  return {
    count: sum(({ blocks }) => blocks),
    stored_bytes: sum(({ storedBytes }) => storedBytes),
    by_codec: Object.fromEntries(
      codecs.map(({ codec, blocks, storedBytes, plainBytes }) => [
        codecName(codec),
        { count: blocks, stored_bytes: storedBytes, plain_bytes: plainBytes },
      ]),
    ),
  };
}
