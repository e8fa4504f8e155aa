// The blocks of the sample: buffers in which they are put together, and what any thread makes of them.

import type { Crew } from "../work/crew.ts";
import { CODING_WORDS, setCodeTask } from "../work/survey-task.ts";
import { allocateTask, type Task } from "../work/task-record.ts";
import type { SampledBlock } from "./block-plan.ts";
import { DictionaryTrial } from "./dictionary-trial.ts";
import type { SurveySpec } from "./spec.ts";

const MIB = 1024 * 1024;
/** So many bytes are coded with every codec, however long it takes; not where the input is known to be much longer. */
const SLOW_CODEC_BYTES = 4 * MIB;
const LONG_INPUT = 64 * MIB;

/** A buffer for a block of the sample, with what is made of it. */
interface Sample extends SampledBlock {
  readonly codings: Uint32Array;
  readonly lengths: Uint32Array;
  readonly task: Task;
}

/** One way in which a block of the sample is coded. */
interface Coding {
  /** Number in the plan's codecs. */
  readonly codec: number;
  readonly pieceLength: number;
  readonly compares: boolean;
}

/** A block that is being coded. */
interface Running {
  readonly sample: Sample;
  readonly plan: number;
  readonly codings: readonly Coding[];
  readonly isScarce: boolean;
}

/** A block of the sample whose coded lengths are known. */
export interface CodedBlock {
  readonly plainLength: number;
  readonly probed: number;
  readonly weight: number;
  /** For each codec of the plan; undefined where this block was not coded with it. */
  readonly coded: readonly (number | undefined)[];
  /** The same for blocks of the size that the plan is compared with. */
  readonly compared: readonly (number | undefined)[];
  /** Codecs that take long coded one such block of every few only. */
  readonly isScarce: boolean;
}

/** The sample of one plan. */
export interface PlanSample {
  readonly blocks: CodedBlock[];
  /** Where a dictionary is tried. */
  readonly trial: DictionaryTrial | undefined;
}

export class SampleCoder {
  readonly #crew: Crew;
  readonly #spec: SurveySpec;
  readonly #free: Sample[];
  readonly #running: Running[] = [];
  /** For each plan, bytes of blocks that were taken, and how many of these are scarce. */
  readonly #taken: { bytes: number; scarce: number }[];
  readonly samples: readonly PlanSample[];

  /** @param length of the longest block @param count of blocks that are in work at once: more than there are plans */
  constructor(crew: Crew, spec: SurveySpec, { length, count }: { length: number; count: number }) {
    this.#crew = crew;
    this.#spec = spec;
    this.#free = Array.from({ length: count }, () => this.#allocate(length));
    this.#taken = spec.plans.map(() => ({ bytes: 0, scarce: 0 }));
    this.samples = spec.plans.map(({ tryDictionary, blockSize }) => {
      return { blocks: [], trial: tryDictionary && spec.train && new DictionaryTrial(blockSize) };
    });
  }

  #allocate(length: number): Sample {
    const { engine } = this.#crew;
    const most = 2 * Math.max(...this.#spec.plans.map(({ codecs }) => codecs.length));
    const words = (count: number) => {
      const bytes = engine.allocate(count * 4);
      return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
    };
    const buffer = engine.allocate(length);
    const task = allocateTask(engine);
    return { length: 0, probed: 0, weight: 0, buffer, codings: words(most * CODING_WORDS), lengths: words(most), task };
  }

  /** A buffer for a block. */
  take(): SampledBlock {
    while (this.#free.length === 0) this.#collect();
    return this.#free.pop()!;
  }

  /** Codes a complete block with every codec of the plan whose turn it is. */
  code(plan: number, block: SampledBlock): void {
    const sample = block as Sample;
    const { plans, expected = 0 } = this.#spec;
    const { codecs, compareWith } = plans[plan]!;
    const taken = this.#taken[plan]!;
    const isScarce = taken.bytes >= SLOW_CODEC_BYTES || expected > LONG_INPUT;
    taken.bytes += sample.length;
    const turn = isScarce ? taken.scarce++ : 0;
    const codings: Coding[] = [];
    for (const [codec, { every }] of codecs.entries()) {
      if (turn % every !== 0) continue;
      codings.push({ codec, pieceLength: sample.length, compares: false });
      if (compareWith === undefined || every > 1) continue;
      codings.push({ codec, pieceLength: plans[compareWith]!.blockSize, compares: true });
    }
    for (const [at, { codec, pieceLength }] of codings.entries()) {
      sample.codings.set([codecs[codec]!.codec, codecs[codec]!.level, pieceLength], at * CODING_WORDS);
    }
    const plain = sample.buffer.subarray(0, sample.length);
    setCodeTask(sample.task, { plain, codings: sample.codings, lengths: sample.lengths.subarray(0, codings.length) });
    this.#crew.start(sample.task);
    this.samples[plan]!.trial?.offer(plain);
    this.#running.push({ sample, plan, codings, isScarce });
  }

  #collect(): void {
    const { sample, plan, codings, isScarce } = this.#running.shift()!;
    this.#crew.wait(sample.task);
    const lengthsOf = (compares: boolean) =>
      this.#spec.plans[plan]!.codecs.map((_, codec) => {
        const at = codings.findIndex((coding) => coding.codec === codec && coding.compares === compares);
        return at < 0 ? undefined : sample.lengths[at]!;
      });
    const { length: plainLength, probed, weight } = sample;
    const about = { plainLength, probed, weight, isScarce };
    this.samples[plan]!.blocks.push({ ...about, coded: lengthsOf(false), compared: lengthsOf(true) });
    this.#free.push(sample);
  }

  /** Takes in what is coded already. */
  collectDone(): void {
    while (this.#running.length > 0 && this.#crew.isDone(this.#running[0]!.sample.task)) this.#collect();
  }

  /** Waits for the rest. */
  finish(): void {
    while (this.#running.length > 0) this.#collect();
  }

  /** Leaves no task running. */
  drain(): void {
    for (const { sample } of this.#running) this.#crew.wait(sample.task);
  }
}
