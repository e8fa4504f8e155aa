// What `hexz analyze` found, as a document and as lines.

import type { Candidate } from "../core/analyze/findings.ts";
import { type ModelFindings, nearestCheck } from "../core/analyze/model.ts";
import { isDefault, priceOf } from "../core/analyze/recommend.ts";
import { CODEC } from "../core/engine.ts";
import type { Surveyed } from "../node/survey.ts";
import { candidateDocument, chunkingText, codecText, shortSize } from "./candidate-output.ts";
import { formatSize } from "./sizes.ts";
import { warningDocument } from "./text.ts";

/** A measured input, what the model says of it, and what to do. */
export interface Analysis {
  readonly surveyed: Surveyed;
  readonly model: ModelFindings;
  readonly recommended: Candidate;
  readonly command: string;
}

function modelDocument({ changeProbability, choice, climbed, checks }: ModelFindings): object {
  const setting = ({ setting: { fingerprintBits, minChunk, maxChunk }, ratio }: typeof choice) => ({
    fingerprint_bits: fingerprintBits,
    min_chunk: minChunk,
    avg_chunk: 2 ** fingerprintBits,
    max_chunk: maxChunk,
    predicted_ratio: ratio,
  });
  return {
    change_probability: changeProbability,
    ...setting(choice),
    hill_climb: setting(climbed),
    checks: checks.map(({ chunking, predicted, measured }) => ({
      chunking: { method: chunking.method, ...chunking.sizes },
      predicted_ratio: predicted,
      measured_ratio: measured,
    })),
  };
}

export function analysisDocument({ surveyed, model, recommended, command }: Analysis): object {
  const { inputBytes, sampledBytes, candidates, warnings } = surveyed;
  const documentOf = (candidate: Candidate) => {
    return { ...candidateDocument(candidate, inputBytes), price: Math.round(priceOf(candidate)) };
  };
  return {
    input_bytes: inputBytes,
    sampled_bytes: sampledBytes,
    dcam: modelDocument(model),
    candidates: candidates.map(documentOf),
    recommended: { ...documentOf(recommended), reason: reasonOf(surveyed.candidates, recommended), command },
    warnings: warnings.map(warningDocument),
  };
}

const percent = (part: number) => `${(part * 100).toFixed(1)} %`;

/** What the model says and what is so. */
export function modelText(model: ModelFindings): string {
  const { choice } = model;
  const chosen = shortSize(2 ** choice.setting.fingerprintBits);
  const says = `The model (DCAM) chooses chunks of ${chosen} and expects ${percent(choice.ratio)} of the input to remain`;
  const check = nearestCheck(model);
  if (check === undefined) return `${says}.`;
  const measured = `${percent(check.measured)} remain with ${chunkingText(check.chunking)}`;
  const agrees = Math.abs(check.measured - choice.ratio) <= 0.05 * check.measured;
  return agrees
    ? `${says}; measured, ${measured}: it agrees. It knows nothing of compression.`
    : `${says}; measured, ${measured}: it is off by ${percent(Math.abs(check.measured - choice.ratio))} of the input.`;
}

/** What a dictionary would do, where one was tried. */
export function dictionaryText(candidates: readonly Candidate[]): string {
  const tried = candidates.filter(({ codec }) => codec === CODEC.zstdDictionary);
  if (tried.length === 0)
    return "No dictionary was tried: the input is too small for one or is not read twice, or no libzstd was found.";
  const parts = tried.map((candidate) => {
    const without = candidates.find((other) => sameAs(other, candidate) && other.codec === CODEC.zstd)!;
    const saved = 1 - candidate.compressedSize / without.compressedSize;
    return `${saved >= 0 ? "saves" : "costs"} ${percent(Math.abs(saved))} with blocks of ${shortSize(candidate.blockSize)}`;
  });
  return `A dictionary ${parts.join(", ")}.`;
}

function sameAs(candidate: Candidate, other: Candidate): boolean {
  return candidate.chunking === other.chunking && candidate.blockSize === other.blockSize;
}

/** Why this one, in numbers. */
export function reasonOf(candidates: readonly Candidate[], recommended: Candidate): string {
  const smallest = candidates.reduce((a, b) => (b.compressedSize < a.compressedSize ? b : a));
  const usual = candidates.find(isDefault)!;
  const against = (other: Candidate) => {
    const change = recommended.compressedSize / other.compressedSize - 1;
    if (Math.abs(change) < 0.0005) return "as small as";
    return `${Math.abs(change * 100).toFixed(1)} % ${change <= 0 ? "smaller" : "larger"} than`;
  };
  const parts = [];
  if (recommended === usual) parts.push("what pack does by default: nothing else saves enough for what it costs");
  else parts.push(`${against(usual)} what pack does by default`);
  if (recommended.compressedSize > smallest.compressedSize) {
    const setting = `${sameAs(smallest, recommended) ? "" : `${chunkingText(smallest.chunking)}, blocks ${shortSize(smallest.blockSize)}, `}${codecText(smallest)}`;
    parts.push(`${against(smallest)} the smallest (${setting}), which costs more time, memory or longer reads`);
  } else parts.push("the smallest of all");
  return parts.join("; ");
}

interface Row {
  readonly name: string;
  readonly first: Candidate;
  readonly cells: ReadonlyMap<string, Candidate>;
}

/** One row for each chunking and block size. */
function rowsOf(candidates: readonly Candidate[]): Row[] {
  const rows: { name: string; first: Candidate; cells: Map<string, Candidate> }[] = [];
  for (const candidate of candidates) {
    let row = rows.find(({ first }) => sameAs(first, candidate));
    if (row === undefined) {
      row = { name: chunkingText(candidate.chunking), first: candidate, cells: new Map() };
      rows.push(row);
    }
    row.cells.set(codecText(candidate), candidate);
  }
  return rows;
}

const LEFT_COLUMNS = 1;

function table(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column < LEFT_COLUMNS ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
}

function cellOf(candidate: Candidate | undefined, recommended: Candidate): string {
  if (candidate === undefined) return "";
  const { compressedSize, error } = candidate;
  const within = error === 0 || compressedSize === 0 ? "" : ` ±${((100 * error) / compressedSize).toFixed(1)} %`;
  return `${candidate === recommended ? "→ " : ""}${formatSize(compressedSize)}${within}`;
}

export function analysisLines(analysis: Analysis): string[] {
  const { surveyed, model, recommended, command } = analysis;
  const { inputBytes, sampledBytes, candidates } = surveyed;
  const rows = rowsOf(candidates);
  const codecs = [...new Set(candidates.map(codecText))];
  const head = ["chunks", "blocks", "count", "unique", ...codecs];
  const body = rows.map(({ name, first, cells }) => {
    const { blockSize, chunks, uniqueBytes, uniqueError } = first;
    const within = uniqueError === 0 ? "" : ` ±${((100 * uniqueError) / Math.max(1, uniqueBytes)).toFixed(1)} %`;
    const unique = `${formatSize(uniqueBytes)}${within}`;
    return [
      name,
      shortSize(blockSize),
      String(chunks),
      unique,
      ...codecs.map((codec) => cellOf(cells.get(codec), recommended)),
    ];
  });
  const coded = Math.max(...candidates.map(({ codedBytes }) => codedBytes));
  const isWhole = candidates.every(({ error }) => error === 0);
  const read = sampledBytes === inputBytes ? "all of it read" : `${formatSize(sampledBytes)} of it read`;
  const sample = isWhole
    ? "all blocks coded"
    : `up to ${formatSize(coded)} of blocks coded for each size; ± holds in 95 of 100 cases`;
  const setting = `${chunkingText(recommended.chunking)}, blocks ${shortSize(recommended.blockSize)}, ${codecText(recommended)}`;
  return [
    `${formatSize(inputBytes)} (${inputBytes}), ${read}; ${sample}`,
    "",
    ...table([head, ...body]),
    "",
    modelText(model),
    dictionaryText(candidates),
    "",
    `Recommended: ${setting}: ${reasonOf(candidates, recommended)}.`,
    `  ${command}`,
  ];
}
