// What a survey found, as figures: for every plan and codec the archive that `pack` would make.

import { CODEC, type CodecId } from "../engine.ts";
import { type Estimate, estimateTotal, fitLine, type Observation } from "./estimate.ts";
import type { CodedBlock, PlanFindings } from "./survey.ts";
import type { Chunking } from "./walker.ts";

/** Head, root without its children, sketch, end mark. */
const ARCHIVE_FRAME = 16 + 24 + 56 + 180 + 96;
const SKETCH_VALUES = 256;

/** By how much a line of one plan's blocks may be off for those of another. */
const TRANSFER_ERROR = 0.02;

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

/** The sample of one codec. @param by what else is known of a block */
function observe(
  { sample, spec }: PlanFindings,
  codec: number,
  by: (block: CodedBlock) => number | undefined,
): Observation[] {
  const { every } = spec.codecs[codec]!;
  return sample.flatMap((block): Observation[] => {
    const coded = block.coded[codec];
    const known = by(block);
    if (coded === undefined || known === undefined) return [];
    return [{ known: [block.plainLength, known], coded, weight: block.weight * (block.isScarce ? every : 1) }];
  });
}

/** What the same bytes would be in the short blocks of the plan that this one is compared with. */
function shortBlocks(all: readonly PlanFindings[], number: number, codec: number, probed: number): Estimate {
  const { spec, tally } = all[number]!;
  const { bytes } = tally.unique();
  const other = all[spec.compareWith!]!;
  const short = storedBytes(all, spec.compareWith!, codec);
  if (other.spec.chunking === spec.chunking || short.value === 0) return short;
  // Other chunks are other bytes: the line of the other plan, which has many blocks, is taken for them.
  const [first, second] = fitLine(observe(other, codec, (block) => block.probed));
  const value = Math.max(0, first * bytes + second * probed);
  return { value, error: Math.hypot(short.error / short.value, TRANSFER_ERROR) * value };
}

/** All coded blocks of a plan, for one of its codecs. */
function storedBytes(all: readonly PlanFindings[], number: number, codec: number): Estimate {
  const findings = all[number]!;
  const { spec, plan, tally } = findings;
  const { bytes } = tally.unique();
  if (plan.plainBytes === 0) return { value: 0, error: 0 };
  if (spec.codecs[codec]!.every > 1) {
    // Few blocks were coded with this one, but how it does against another codec hardly varies.
    const other = spec.codecs.findLastIndex((one, at) => at < codec && one.every === 1);
    const known = storedBytes(all, number, other);
    const sample = observe(findings, codec, (block) => block.coded[other]).map((one): Observation => {
      return { ...one, known: [one.known[1], 0] };
    });
    const { value, error } = estimateTotal(sample, [known.value, { value: 0, error: 0 }]);
    return { value, error: Math.hypot(error, (known.error * value) / known.value) };
  }
  const probed = (plan.probedBytes * bytes) / plan.plainBytes;
  if (spec.compareWith !== undefined) {
    const known = shortBlocks(all, number, codec, probed);
    return estimateTotal(
      observe(findings, codec, (block) => block.compared[codec]),
      [bytes, known],
    );
  }
  return estimateTotal(
    observe(findings, codec, (block) => block.probed),
    [bytes, { value: probed, error: 0 }],
  );
}

function candidateOf(
  all: readonly PlanFindings[],
  number: number,
  codec: number | undefined,
  { chunkings, treeBytes }: { chunkings: readonly Chunking[]; treeBytes: number },
): Candidate {
  const { spec, plan, tally, sample } = all[number]!;
  const unique = tally.unique();
  const stored = codec === undefined ? { value: unique.bytes, error: 0 } : storedBytes(all, number, codec);
  // What is not sure about how much is stored is not sure about how much is coded of it either.
  const uncertain = unique.bytes === 0 ? 0 : (unique.error / unique.bytes) * stored.value;
  const frame = ARCHIVE_FRAME + 8 * Math.min(SKETCH_VALUES, tally.chunks);
  const coded =
    codec === undefined
      ? 0
      : sample.reduce((sum, block) => sum + (block.coded[codec] === undefined ? 0 : block.plainLength), 0);
  return {
    chunking: chunkings[spec.chunking]!,
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
  return findings.flatMap(({ spec }, number) => {
    const codecs = [undefined, ...spec.codecs.keys()];
    return codecs.map((codec) => candidateOf(findings, number, codec, { chunkings, treeBytes }));
  });
}
