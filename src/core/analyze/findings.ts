// What a survey found, as figures: for every plan and codec the archive that `pack` would make.

import { CODEC, type CodecId } from "../engine.ts";
import { type Estimate, estimateTotal, type Observation } from "./estimate.ts";
import type { CodedBlock, PlanFindings } from "./survey.ts";
import type { Chunking } from "./walker.ts";

/** Head, root without its children, sketch, end mark. */
const ARCHIVE_FRAME = 16 + 24 + 56 + 180 + 96;
const SKETCH_VALUES = 256;

/** One setting, and what it makes of the input. Sizes are bytes. */
export interface Candidate {
  readonly chunking: Chunking;
  readonly blockSize: number;
  readonly codec: CodecId;
  /** Of Zstandard; else 0. */
  readonly level: number;
  /** Of any kind: distinct, duplicate, fills. */
  readonly chunks: number;
  readonly uniqueBytes: number;
  readonly uniqueError: number;
  readonly compressedSize: number;
  /** `compressedSize` is within this on either side in 95 of 100 cases; 0 when all was coded. */
  readonly error: number;
  /** Plain bytes of the blocks that were coded. */
  readonly codedBytes: number;
}

function observations(sample: readonly CodedBlock[], codec: number, by: (block: CodedBlock) => number): Observation[] {
  return sample.flatMap((block): Observation[] => {
    const coded = block.coded[codec];
    if (coded === undefined) return [];
    return [{ known: [block.plainLength, by(block)], coded, weight: block.weight }];
  });
}

/** All coded blocks of a plan, for one of its codecs. */
function storedBytes({ spec, plan, sample }: PlanFindings, codec: number, plainBytes: number): Estimate {
  if (plan.plainBytes === 0) return { value: 0, error: 0 };
  const scale = plainBytes / plan.plainBytes;
  const probed = { value: plan.probedBytes * scale, error: 0 };
  const { every } = spec.codecs[codec]!;
  if (every === 1)
    return estimateTotal(
      observations(sample, codec, (block) => block.probed),
      [plainBytes, probed],
    );
  // Of the few blocks that were coded with this one, another codec tells more than the probe.
  const other = spec.codecs.findLastIndex((one, at) => at < codec && one.every === 1);
  const rest = observations(sample, codec, (block) => block.coded[other]!);
  const isWhole = rest.length === sample.length;
  const weighted = isWhole ? rest : rest.map((one) => ({ ...one, weight: one.weight * every }));
  return estimateTotal(weighted, [plainBytes, storedBytes({ spec, plan, sample } as PlanFindings, other, plainBytes)]);
}

function candidateOf(
  findings: PlanFindings,
  chunking: Chunking,
  codec: number | undefined,
  treeBytes: number,
): Candidate {
  const { spec, plan, tally, sample } = findings;
  const unique = tally.unique();
  const stored = codec === undefined ? { value: unique.bytes, error: 0 } : storedBytes(findings, codec, unique.bytes);
  // What is not sure about how much is stored is not sure about how much is coded of it either.
  const uncertain = unique.bytes === 0 ? 0 : (unique.error / unique.bytes) * stored.value;
  const frame = ARCHIVE_FRAME + 8 * Math.min(SKETCH_VALUES, tally.chunks);
  const coded =
    codec === undefined
      ? 0
      : sample.reduce((sum, block) => sum + (block.coded[codec] === undefined ? 0 : block.plainLength), 0);
  return {
    chunking,
    blockSize: spec.blockSize,
    codec: codec === undefined ? CODEC.stored : spec.codecs[codec]!.codec,
    level: codec === undefined ? 0 : spec.codecs[codec]!.level,
    chunks: tally.chunks,
    uniqueBytes: Math.round(unique.bytes),
    uniqueError: Math.ceil(unique.error),
    compressedSize: Math.round(stored.value + plan.index.total() + treeBytes + frame),
    error: Math.ceil(Math.hypot(stored.error, uncertain)),
    codedBytes: coded,
  };
}

/** Every plan stored, and with each of its codecs. */
export function candidatesOf(
  findings: readonly PlanFindings[],
  chunkings: readonly Chunking[],
  treeBytes: number,
): Candidate[] {
  return findings.flatMap((one) => {
    const codecs = [undefined, ...one.spec.codecs.keys()];
    return codecs.map((codec) => candidateOf(one, chunkings[one.spec.chunking]!, codec, treeBytes));
  });
}
