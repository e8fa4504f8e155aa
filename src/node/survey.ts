// Measures inputs with this machine's threads: what `pack` would read, or the contents of archives.

import { type Candidate, candidatesOf } from "../core/analyze/findings.ts";
import type { Remaining } from "../core/analyze/model.ts";
import type { SurveySpec } from "../core/analyze/spec.ts";
import { Survey, surveyMemory } from "../core/analyze/survey.ts";
import { TreeSize } from "../core/analyze/tree-size.ts";
import { HexzError, type Warning } from "../core/errors.ts";
import type { Entry } from "../core/format/entry.ts";
import type { ByteString } from "../core/format/path.ts";
import type { ContentRange } from "../core/format/record.ts";
import type { Crew } from "../core/work/crew.ts";
import type { ContentInput } from "../core/write/content-input.ts";
import { type MachineOptions, type OpenOptions, openArchiveFile, openCrew, threadsFor } from "./archive.ts";
import { eachContent, looksLikeArchive } from "./archive-contents.ts";
import { type PackInputs, type PackPlan, type PackTarget, planPack } from "./pack.ts";

/** More work is done for every byte than when packing, so more threads pay sooner. */
const ONE_THREAD_BYTES = 1024 * 1024;

export interface SurveyOptions extends MachineOptions, PackInputs {
  /** What to measure. */
  readonly measure: Pick<SurveySpec, "chunkings" | "plans" | "tableLimit">;
  /** How to open inputs that are archives. */
  readonly reading?: OpenOptions;
  /** Told how many bytes there will be, when that is known, before the first is read. */
  readonly onTotal?: (bytes: number) => void;
  readonly onProgress?: (bytes: number) => void;
}

export interface Surveyed {
  readonly inputBytes: number;
  readonly candidates: readonly Candidate[];
  /** Bytes that were read of them. */
  readonly sampledBytes: number;
  /** What remains with each chunking. */
  readonly remaining: readonly Remaining[];
  /** Inputs that are archives: their contents were measured. */
  readonly archives: readonly string[];
  readonly warnings: readonly Warning[];
}

/** Contents go to the survey, entries to what tells how long the tree becomes. */
function targetOf(survey: Survey, tree: TreeSize): PackTarget {
  const linkable = new Map<ByteString, ContentRange>();
  const measure = async (input: ContentInput): Promise<ContentRange> => {
    const start = survey.bytes;
    return { start, size: await survey.content(input), sparse: input.sparse === true };
  };
  return {
    async addStream(_, input) {
      const content = await measure(input);
      input.finish();
      return content;
    },
    async addFile(entry, input, options) {
      const content = await measure(input);
      if (options?.linkable === true) linkable.set(entry.path, content);
      tree.add(entry, content);
      input.finish();
    },
    async addEntry(entry) {
      tree.add(entry, entry.hardLink === undefined ? undefined : linkable.get(entry.hardLink));
    },
    hasLinkTarget: (path) => linkable.has(path),
  };
}

/** What is read: the contents of archives, else what `pack` would. */
interface Inputs {
  readonly archives: readonly string[];
  readonly packed: PackPlan | undefined;
}

function inputsOf(options: PackInputs): Inputs {
  const { inputs = [] } = options;
  const { facts } = planPack(options);
  const isArchive = (path: string) =>
    facts.some((fact) => fact?.path === path && fact.stat.isFile()) && looksLikeArchive(path);
  const archives = inputs.filter(isArchive);
  const others = inputs.filter((path) => !archives.includes(path));
  if (archives.length > 0 && others.length > 0) {
    throw new HexzError("usage", `${archives[0]} is an archive and ${others[0]} is not: analyze them one by one`);
  }
  return { archives, packed: archives.length > 0 ? undefined : planPack(options) };
}

async function measureArchive(path: string, survey: Survey, tree: TreeSize, reading: OpenOptions): Promise<void> {
  const archive = await openArchiveFile(path, reading);
  try {
    const onEntry = (entry: Entry) => {
      const { start = 0, size = 0, sparse = false } = entry;
      tree.add(entry, entry.type === "file" ? { start, size, sparse } : undefined);
    };
    await eachContent(archive, onEntry, async (input) => {
      await survey.content(input);
      input.finish();
    });
  } finally {
    await archive.close();
  }
}

/** Reads all inputs once. @throws HexzError, as packing does */
export async function surveyInputs(options: SurveyOptions): Promise<Surveyed> {
  const { measure, onProgress, engine = "auto", reading = {} } = options;
  const { archives, packed } = inputsOf(options);
  const total = packed?.total;
  if (total !== undefined) options.onTotal?.(total);
  const spec: SurveySpec = { ...measure, expected: total, ...(onProgress === undefined ? {} : { onProgress }) };
  const threads =
    total !== undefined && total < ONE_THREAD_BYTES && options.workers === undefined
      ? 1
      : threadsFor(options, undefined);
  const codecs = [...new Set(measure.plans.flatMap((plan) => plan.codecs.map(({ codec }) => codec)))];
  const crew: Crew = await openCrew({ threads, ...surveyMemory(spec, threads), engine, codecs });
  try {
    for (const codec of codecs) await crew.load(codec);
    const survey = new Survey(crew, spec);
    const tree = new TreeSize(crew.engine);
    const warnings: Warning[] = [];
    try {
      for (const path of archives) await measureArchive(path, survey, tree, { ...reading, engine });
      await packed?.fill(targetOf(survey, tree), (warning) => warnings.push(warning), { engine });
      const findings = await survey.finish();
      const candidates = candidatesOf(findings, measure.chunkings, tree.total());
      const remaining = survey.remaining();
      return { inputBytes: survey.bytes, sampledBytes: survey.bytes, candidates, remaining, archives, warnings };
    } finally {
      survey.drainTasks();
    }
  } finally {
    await crew.close();
  }
}
