// What a survey found, as figures: for every plan and codec the archive that `pack` would make.

import { CODEC, type CodecId, type Engine } from "../engine.ts";
import type { Train } from "./dictionary-trial.ts";
import { type Estimate, estimateTotal, fitLine, type Observation } from "./estimate.ts";
import type { CodedBlock } from "./sample-coder.ts";
import { scaleUnique, spreadOf } from "./scale.ts";
import type { StretchPlan } from "./stretches.ts";
import type { PlanFindings } from "./survey.ts";
import type { Chunking } from "./walker.ts";

/** Head, root without its children, sketch, end mark. */
const ARCHIVE_FRAME = 16 + 24 + 56 + 180 + 96;
const SKETCH_VALUES = 256;
/** Of a dictionary's page, and a little of what names it. */
const DICTIONARY_FRAME = 24 + 8 + 24;

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
  { blocks, spec }: PlanFindings,
  codec: number,
  by: (block: CodedBlock) => number | undefined,
): Observation[] {
  const { every } = spec.codecs[codec]!;
  return blocks.flatMap((block): Observation[] => {
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

/** What holds for the input as a whole. */
export interface Whole {
  readonly chunkings: readonly Chunking[];
  /** Bytes of the archive's tree. */
  readonly treeBytes: number;
  /** What was read, when that was not all. */
  readonly stretches: StretchPlan | undefined;
  readonly inputLength: number;
  /** Makes dictionaries for trials. */
  readonly train: { readonly engine: Engine; readonly run: Train } | undefined;
}

interface Size {
  readonly unique: Estimate;
  /** Of all blocks. */
  readonly stored: Estimate;
  /** Of the input against what was measured. */
  readonly scale: number;
}

function sizeOf(all: readonly PlanFindings[], number: number, codec: number | undefined, whole: Whole): Size {
  const { tally, blocks } = all[number]!;
  const { stretches } = whole;
  const seen = tally.unique();
  const coded = codec === undefined ? { value: seen.bytes, error: 0 } : storedBytes(all, number, codec);
  const unique = stretches === undefined ? { value: seen.bytes, error: seen.error } : scaleUnique(tally, stretches);
  const ratio = seen.bytes === 0 ? 1 : coded.value / seen.bytes;
  const spread = stretches === undefined || codec === undefined ? 0 : spreadOf(blocks, codec, stretches);
  // What is not sure about how much is stored is not sure about how much is coded of it either.
  const ofCoding = seen.bytes === 0 ? 0 : Math.hypot(coded.error / seen.bytes, spread * ratio) * unique.value;
  return {
    unique,
    stored: { value: ratio * unique.value, error: Math.hypot(ofCoding, ratio * unique.error) },
    scale: stretches === undefined || tally.bytes === 0 ? 1 : stretches.total / tally.bytes,
  };
}

/** A plan with a dictionary, if that was tried and made. */
function withDictionary(all: readonly PlanFindings[], number: number, whole: Whole): Candidate[] {
  const { spec, trial } = all[number]!;
  const codec = spec.codecs.findLastIndex(({ every }) => every === 1);
  const { level } = spec.codecs[codec] ?? { level: 0 };
  const tried = whole.train && trial?.run(whole.train.engine, whole.train.run, level, whole.inputLength);
  if (tried === undefined) return [];
  const without = candidateOf(all, number, codec, whole);
  const known = sizeOf(all, number, codec, whole).stored;
  const { value, error } = estimateTotal(tried.sample, [known.value, { value: 0, error: 0 }]);
  const dictionary = 2 * (tried.dictionaryLength + DICTIONARY_FRAME);
  const compressedSize = Math.round(without.compressedSize - known.value + value + dictionary);
  const codedBytes = Math.min(without.codedBytes, tried.sample.length * spec.blockSize);
  const uncertain = known.value === 0 ? 0 : (known.error * value) / known.value;
  const size = { compressedSize, codedBytes, error: Math.ceil(Math.hypot(error, uncertain)) };
  return [{ ...without, ...size, codec: CODEC.zstdDictionary }];
}

function candidateOf(all: readonly PlanFindings[], number: number, codec: number | undefined, whole: Whole): Candidate {
  const { spec, plan, tally, blocks } = all[number]!;
  const { unique, stored, scale } = sizeOf(all, number, codec, whole);
  const frame = ARCHIVE_FRAME + 8 * Math.min(SKETCH_VALUES, tally.chunks);
  const coded = codec === undefined ? [] : blocks.filter((block) => block.coded[codec] !== undefined);
  return {
    chunking: whole.chunkings[spec.chunking]!,
    blockSize: spec.blockSize,
    codec: codec === undefined ? CODEC.stored : spec.codecs[codec]!.codec,
    level: codec === undefined ? 0 : spec.codecs[codec]!.level,
    chunks: Math.round(tally.chunks * scale),
    uniqueBytes: Math.round(unique.value),
    uniqueError: Math.ceil(unique.error),
    compressedSize: Math.round(stored.value + plan.index.total() * scale + whole.treeBytes + frame),
    error: Math.ceil(stored.error),
    codedBytes: coded.reduce((sum, { plainLength }) => sum + plainLength, 0),
  };
}

/** Every plan stored, and with each of its codecs. */
export function candidatesOf(findings: readonly PlanFindings[], whole: Whole): Candidate[] {
  return findings.flatMap(({ spec }, number) => {
    const codecs = [undefined, ...spec.codecs.keys()];
    const plain = codecs.map((codec) => candidateOf(findings, number, codec, whole));
    return [...plain, ...withDictionary(findings, number, whole)];
  });
}
