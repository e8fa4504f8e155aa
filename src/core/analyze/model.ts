// What the model says of an input, beside what was measured.

import {
  changeProbability,
  climbHill,
  DCAM_BASELINE,
  type DcamChoice,
  optimizeParams,
  predictedRatio,
} from "./dcam.ts";
import type { Chunking } from "./walker.ts";

/** One chunking: what part of the input remains, index included, as the model counts it. */
export interface ModelCheck {
  readonly chunking: Chunking;
  readonly predicted: number;
  readonly measured: number;
}

export interface ModelFindings {
  readonly changeProbability: number;
  /** What the original's `pack --dcam` would choose. */
  readonly choice: DcamChoice;
  /** Where the original's `analyze` would end. */
  readonly climbed: DcamChoice;
  /** For every content-defined chunking that was measured. */
  readonly checks: readonly ModelCheck[];
}

/** What was measured of one chunking. */
export interface Remaining {
  readonly chunking: Chunking;
  readonly chunks: number;
  /** Bytes of them all. */
  readonly total: number;
  /** Bytes that remain, as the model counts them. */
  readonly bytes: number;
}

/**
 * @param total bytes of the input, of which all or a part was measured
 * @param baseline what remained with the chunks that the model starts from
 */
export function applyModel(total: number, baseline: Remaining, measured: readonly Remaining[]): ModelFindings {
  const change = changeProbability(baseline.total, baseline.bytes);
  const checks = measured
    .filter(({ chunking }) => chunking.method === "cdc")
    .map(({ chunking, chunks, total: seen, bytes }): ModelCheck => {
      const { min: minChunk, avg, max: maxChunk } = chunking.sizes;
      const setting = { ...DCAM_BASELINE, fingerprintBits: Math.log2(avg), minChunk, maxChunk };
      const index = DCAM_BASELINE.metadata * chunks;
      const measured = seen === 0 ? 1 : (bytes + index) / seen;
      return { chunking, predicted: predictedRatio(total, change, setting), measured };
    });
  const climbed = climbHill(total, change).at(-1)!;
  return { changeProbability: change, choice: optimizeParams(total, change), climbed, checks };
}

/** The measured chunking that comes nearest to the model's choice. */
export function nearestCheck({ choice, checks }: ModelFindings): ModelCheck | undefined {
  const distance = ({ chunking }: ModelCheck) =>
    Math.abs(Math.log2(chunking.sizes.avg) - choice.setting.fingerprintBits);
  return [...checks].sort((a, b) => distance(a) - distance(b))[0];
}
