// Measures inputs with this machine's threads: what `pack` would read, or the contents of archives; all of it, or evenly
// spread stretches.

import type { Train } from "../core/analyze/dictionary-trial.ts";
import { type Candidate, candidatesOf } from "../core/analyze/findings.ts";
import type { Remaining } from "../core/analyze/model.ts";
import type { SurveySpec } from "../core/analyze/spec.ts";
import { planStretches, type Stretch, type StretchPlan, stretchesOf } from "../core/analyze/stretches.ts";
import { Survey, surveyMemory } from "../core/analyze/survey.ts";
import { TreeSize } from "../core/analyze/tree-size.ts";
import { CODEC } from "../core/engine.ts";
import { HexzError, type Warning } from "../core/errors.ts";
import type { ContentRange } from "../core/format/record.ts";
import type { ContentInput } from "../core/write/content-input.ts";
import { type MachineOptions, type OpenOptions, openArchiveFile, openCrew, threadsFor } from "./archive.ts";
import { contentRanges, eachRange, looksLikeArchive } from "./archive-contents.ts";
import { loadTrainer } from "./dictionary.ts";
import { type PackInputs, type PackPlan, type PackTarget, planPack } from "./pack.ts";

/** More work is done for every byte than when packing, so more threads pay sooner. */
const ONE_THREAD_BYTES = 1024 * 1024;

export interface SurveyOptions extends MachineOptions, PackInputs {
  /** What to measure. */
  readonly measure: Pick<SurveySpec, "chunkings" | "plans" | "tableLimit" | "sampleFactor">;
  /** Try dictionaries, where this machine can make them and the input could be packed with one. */
  readonly dictionaries?: boolean;
  /** Read about so much, in stretches; default: all. */
  readonly sampleBytes?: number;
  /** How to open inputs that are archives. */
  readonly reading?: OpenOptions;
  /** Told how many bytes will be read, when that is known, before the first is. */
  readonly onTotal?: (bytes: number) => void;
  readonly onProgress?: (bytes: number) => void;
}

export interface Surveyed {
  readonly inputBytes: number;
  /** Bytes that were read of them. */
  readonly sampledBytes: number;
  readonly candidates: readonly Candidate[];
  /** What remains with each chunking. */
  readonly remaining: readonly Remaining[];
  /** Inputs that are archives: their contents were measured. */
  readonly archives: readonly string[];
  readonly warnings: readonly Warning[];
}

/** What is done with a content: its position among all of them is known. @returns its size */
type Take = (input: ContentInput, position: number) => Promise<number>;

/** Contents are taken, entries go to what tells how long the tree becomes. */
function createTarget(take: Take, tree: TreeSize | undefined): PackTarget {
  const linkable = new Map<string, ContentRange>();
  let position = 0;
  const add = async (input: ContentInput): Promise<ContentRange> => {
    const size = await take(input, position);
    position += size;
    return { start: position - size, size, sparse: input.sparse === true };
  };
  return {
    async addStream(_, input) {
      const content = await add(input);
      input.finish();
      return content;
    },
    async addFile(entry, input, options) {
      const content = await add(input);
      if (options?.linkable === true) linkable.set(entry.path, content);
      tree?.add(entry, content);
      input.finish();
    },
    async addEntry(entry) {
      tree?.add(entry, entry.hardLink === undefined ? undefined : linkable.get(entry.hardLink));
    },
    hasLinkTarget: (path) => linkable.has(path),
  };
}

/** Moves an input on without reading it. */
function pass(input: ContentInput, length: number): void {
  if (length > 0) input.skip!(length);
}

/** The size of a content of which a part is to be read. @throws HexzError `usage` */
function sizeOf(input: ContentInput): number {
  if (input.size !== undefined && input.skip !== undefined) return input.size;
  throw new HexzError("usage", `${input.name} is read from its start to its end: --sample is not for it`);
}

/** One stretch as an input of its own. */
function partOf(input: ContentInput, { start, end }: Stretch): ContentInput {
  return { name: input.name, size: end - start, read: (into) => input.read(into), finish() {}, close() {} };
}

function takeStretches(survey: Survey, plan: StretchPlan): Take {
  return async (input, position) => {
    const size = sizeOf(input);
    let at = 0;
    for (const stretch of stretchesOf(plan, position, size)) {
      pass(input, stretch.start - at);
      at = stretch.start + (await survey.content(partOf(input, stretch), stretch.edges));
    }
    pass(input, size - at);
    return size;
  };
}

/** What is read: the contents of archives, else what `pack` would. */
type Inputs = { readonly archives: readonly string[] } | { readonly packed: PackPlan };

function findInputs(options: PackInputs): Inputs {
  const { inputs = [] } = options;
  const packed = planPack(options);
  const isFile = (path: string) => packed.facts.some((fact) => fact?.path === path && fact.stat.isFile());
  const archives = inputs.filter((path) => isFile(path) && looksLikeArchive(path));
  if (archives.length === 0) return { packed };
  const others = inputs.filter((path) => !archives.includes(path));
  if (others.length + (options.streams?.length ?? 0) === 0) return { archives };
  throw new HexzError("usage", `${archives[0]} is an archive and other inputs are not: analyze them one by one`);
}

/** Bytes of all that would be packed, when a sample needs to know. */
async function measureTotal({ packed, sampled }: { packed: PackPlan; sampled: boolean }): Promise<number | undefined> {
  if (packed.total !== undefined || !sampled) return packed.total;
  let total = 0;
  const count: Take = async (input) => {
    const size = sizeOf(input);
    pass(input, size);
    total += size;
    return size;
  };
  await packed.fill(createTarget(count, undefined), () => {}, {});
  return total;
}

/** All that takes part in one measurement. */
interface Measuring {
  readonly survey: Survey;
  readonly tree: TreeSize;
  readonly options: SurveyOptions;
}

async function measurePacked(
  packed: PackPlan,
  stretches: StretchPlan | undefined,
  { survey, tree, options }: Measuring,
) {
  const warnings: Warning[] = [];
  let inputBytes = 0;
  const read =
    stretches === undefined ? (input: ContentInput) => survey.content(input) : takeStretches(survey, stretches);
  const take: Take = async (input, position) => {
    const size = await read(input, position);
    inputBytes += size;
    return size;
  };
  const { engine = "auto" } = options;
  await packed.fill(createTarget(take, tree), (warning) => warnings.push(warning), { engine });
  return { inputBytes, stretches, warnings };
}

async function measureArchives(paths: readonly string[], { survey, tree, options }: Measuring) {
  const { engine = "auto", reading = {}, sampleBytes } = options;
  const archives = [];
  let inputBytes = 0;
  try {
    for (const path of paths) {
      const archive = await openArchiveFile(path, { ...reading, engine });
      archives.push({ archive, position: inputBytes, ranges: [] as { start: number; end: number }[] });
      const current = archives.at(-1)!;
      current.ranges = await contentRanges(archive, (entry) => {
        const { start = 0, size = 0, sparse = false } = entry;
        tree.add(entry, entry.type === "file" ? { start, size, sparse } : undefined);
      });
      for (const { start, end } of current.ranges) inputBytes += end - start;
    }
    const stretches = sampleBytes === undefined ? undefined : planStretches(inputBytes, sampleBytes);
    options.onTotal?.(stretches === undefined ? inputBytes : stretches.count * stretches.length);
    for (const { archive, position, ranges } of archives) {
      let at = position;
      const parts = ranges.flatMap(({ start, end }) => {
        const whole = { start: 0, end: end - start, edges: { cutStart: false, cutEnd: false } };
        const wanted = stretches === undefined ? [whole] : stretchesOf(stretches, at, end - start);
        at += end - start;
        return wanted.map((part) => ({ start: start + part.start, end: start + part.end, edges: part.edges }));
      });
      await eachRange(archive, parts, (input, { edges }) => survey.content(input, edges));
    }
    return { inputBytes, stretches, warnings: [] };
  } finally {
    for (const { archive } of archives) await archive.close();
  }
}

/** What makes dictionaries; undefined where the machine has nothing that does. */
function findTrainer(): Train | undefined {
  try {
    return loadTrainer();
  } catch (error) {
    if (error instanceof HexzError && error.code === "not_available") return undefined;
    throw error;
  }
}

/** Reads all inputs once. @throws HexzError, as packing does */
export async function surveyInputs(options: SurveyOptions): Promise<Surveyed> {
  const { measure, onProgress, engine = "auto", sampleBytes } = options;
  const found = findInputs(options);
  const packed = "packed" in found ? found.packed : undefined;
  const total = packed && (await measureTotal({ packed, sampled: sampleBytes !== undefined }));
  const stretches = total === undefined || sampleBytes === undefined ? undefined : planStretches(total, sampleBytes);
  const expected = stretches === undefined ? total : stretches.count * stretches.length;
  if (expected !== undefined) options.onTotal?.(expected);
  const train = options.dictionaries === true && packed?.rereadable !== false ? findTrainer() : undefined;
  const spec: SurveySpec = { ...measure, expected, train, ...(onProgress === undefined ? {} : { onProgress }) };
  const isSmall = expected !== undefined && expected < ONE_THREAD_BYTES && options.workers === undefined;
  const threads = isSmall ? 1 : threadsFor(options, undefined);
  // The probe of every region is coded with Zstandard, whatever else is.
  const codecs = [...new Set([CODEC.zstd, ...measure.plans.flatMap((plan) => plan.codecs.map(({ codec }) => codec))])];
  const crew = await openCrew({ threads, ...surveyMemory(spec, threads), engine, codecs });
  try {
    for (const codec of codecs) await crew.load(codec);
    const survey = new Survey(crew, spec);
    const measuring = { survey, tree: new TreeSize(crew.engine), options };
    const archives = "archives" in found ? found.archives : [];
    try {
      const measured = await (packed === undefined
        ? measureArchives(archives, measuring)
        : measurePacked(packed, stretches, measuring));
      const findings = await survey.finish();
      const { chunkings } = measure;
      const { inputBytes, warnings } = measured;
      const whole = {
        chunkings,
        treeBytes: measuring.tree.total(),
        stretches: measured.stretches,
        inputLength: inputBytes,
        train: train && { engine: crew.engine, run: train },
      };
      const candidates = candidatesOf(findings, whole);
      return { inputBytes, sampledBytes: survey.bytes, candidates, remaining: survey.remaining(), archives, warnings };
    } finally {
      survey.drainTasks();
    }
  } finally {
    await crew.close();
  }
}
