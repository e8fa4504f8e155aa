// The conductor of an analysis: all candidates are measured in one pass over the input. Slots go through it in order:
// read, scan for places that may be cut (any thread), cut for every chunking, hash the chunks (any thread), tell new ones
// from others, put together the blocks of the sample, code those (any thread).

import { HexzError } from "../errors.ts";
import type { Crew } from "../work/crew.ts";
import { REGION, setHashTask, setScanTask } from "../work/survey-task.ts";
import type { ContentInput } from "../write/content-input.ts";
import { BlockPlan } from "./block-plan.ts";
import type { Remaining } from "./model.ts";
import { type PlanSample, SampleCoder } from "./sample-coder.ts";
import type { PlanSpec, SurveySpec } from "./spec.ts";
import {
  allocateSurveySlot,
  joinProbes,
  probedUpTo,
  resetSurveySlot,
  SLOT_SEGMENTS,
  type SlotShape,
  type SurveySlot,
  slotBytes,
} from "./survey-slot.ts";
import { ChunkTally } from "./tally.ts";
import { type Edges, Walker, WHOLE } from "./walker.ts";

const MIB = 1024 * 1024;
/** Milliseconds of work after which the event loop gets a turn, for signals and progress. */
const TURN = 100;

/** Bytes that decide whether a place may be cut, at most. */
const WINDOW = 64;
/** What the survey found of one plan. */
export interface PlanFindings extends PlanSample {
  readonly spec: PlanSpec;
  readonly tally: ChunkTally;
  readonly plan: BlockPlan;
}

interface Shape {
  readonly slot: SlotShape;
  readonly slots: number;
  readonly sampleLength: number;
  readonly samples: number;
}

function shapeOf({ chunkings, plans }: SurveySpec, threads: number): Shape {
  const longest = Math.max(...chunkings.map(({ sizes }) => sizes.max));
  const front = Math.ceil(longest / REGION) * REGION;
  const length = Math.max(4 * MIB, front);
  // With an odd minimum a chunk may be one byte shorter.
  const bounds = chunkings.map(
    ({ method, sizes }) =>
      Math.ceil((front + length) / Math.max(1, method === "cdc" ? sizes.min - 1 : sizes.min)) + SLOT_SEGMENTS + 1,
  );
  const sampleLength = Math.max(longest, ...plans.map(({ blockSize }) => blockSize));
  return { slot: { front, length, bounds }, slots: threads + 2, sampleLength, samples: plans.length + 2 * threads + 2 };
}

/** Bytes that a survey allocates, and the longest block that it codes. */
export function surveyMemory(spec: SurveySpec, threads: number): { heapBytes: number; gatherBytes: number } {
  const { slot, slots, sampleLength, samples } = shapeOf(spec, threads);
  const sampleBytes = sampleLength + 128 + 8 * 128;
  return {
    heapBytes: slots * slotBytes(slot) + samples * sampleBytes + slot.front + MIB,
    gatherBytes: Math.max(sampleLength, REGION),
  };
}

function segmentAt({ filled }: SurveySlot, begins: Edges | undefined) {
  return { start: filled, end: filled, begins, final: false };
}

/** Measures one input. Contents go in one after the other, then `finish`; after any error, `drainTasks`. */
export class Survey {
  readonly #crew: Crew;
  readonly #spec: SurveySpec;
  readonly #walkers: Walker[];
  readonly #tallies: ChunkTally[];
  readonly #findings: PlanFindings[];
  readonly #free: SurveySlot[];
  readonly #scanning: SurveySlot[] = [];
  readonly #hashing: SurveySlot[] = [];
  readonly #coder: SampleCoder;
  /** What the slot that was cut last left open, and how it was probed. */
  readonly #carry: Uint8Array;
  #carryLength = 0;
  /** The last bytes that were read: the scan of the next slot begins with them. */
  readonly #tail = new Uint8Array(WINDOW);
  #before: { readonly filled: number; readonly densities: Float32Array } | undefined;
  #current: SurveySlot | undefined;
  #lastTurn = performance.now();
  /** Bytes that were read or skipped. */
  bytes = 0;

  constructor(crew: Crew, spec: SurveySpec) {
    this.#crew = crew;
    this.#spec = spec;
    const { engine } = crew;
    const shape = shapeOf(spec, crew.threads);
    this.#free = Array.from({ length: shape.slots }, () => allocateSurveySlot(engine, shape.slot));
    this.#carry = new Uint8Array(shape.slot.front);
    this.#walkers = spec.chunkings.map((chunking) => new Walker(chunking, engine));
    this.#coder = new SampleCoder(crew, spec, { length: shape.sampleLength, count: shape.samples });
    const plans = spec.plans.map((_, number) => this.#planOf(number));
    this.#tallies = spec.chunkings.map((_, number) => {
      const own = plans.filter((__, at) => spec.plans[at]!.chunking === number);
      return new ChunkTally(own, spec.tableLimit);
    });
    this.#findings = spec.plans.map((plan, number) => {
      const tally = this.#tallies[plan.chunking]!;
      return { spec: plan, tally, plan: plans[number]!, ...this.#coder.samples[number]! };
    });
  }

  #planOf(number: number): BlockPlan {
    const { plans, expected, sampleFactor } = this.#spec;
    return new BlockPlan({
      blockSize: plans[number]!.blockSize,
      expected,
      sampleFactor,
      take: () => this.#coder.take(),
      complete: (block) => this.#coder.code(number, block),
    });
  }

  /** Reads a content, or a stretch of one, and measures it. @returns its size */
  async content(input: ContentInput, edges = WHOLE): Promise<number> {
    const start = this.bytes;
    let slot = await this.#slotFor();
    let segment = segmentAt(slot, edges);
    slot.segments.push(segment);
    let inHole = 0;
    for (;;) {
      const hole = input.hole?.() ?? 0;
      const skipped = this.#skippable(hole, inHole);
      if (skipped > 0) {
        input.skip!(skipped);
        slot.segments.push({ hole: skipped });
        this.#count(skipped);
        segment = segmentAt(slot, undefined);
        slot.segments.push(segment);
        inHole = 0;
        continue;
      }
      if (this.bytes - start === input.size) break;
      if (slot.filled === slot.bytes.length || slot.segments.length >= SLOT_SEGMENTS - 2) {
        this.#submit(slot);
        slot = await this.#slotFor();
        segment = segmentAt(slot, undefined);
        slot.segments.push(segment);
      }
      const room = slot.bytes.subarray(slot.filled);
      const pending = input.read(input.size === undefined ? room : room.subarray(0, input.size - this.bytes + start));
      const length = typeof pending === "number" ? pending : await pending;
      if (length === 0) break;
      slot.filled += length;
      segment.end = slot.filled;
      inHole = hole >= length ? inHole + length : 0;
      this.#count(length);
    }
    segment.final = true;
    return this.bytes - start;
  }

  #count(length: number): void {
    this.bytes += length;
    this.#spec.onProgress?.(length);
  }

  /**
   * How much of a hole need not be read. Behind two maximal chunks of zeros every chunking has only zeros open, and would
   * go on with maximal chunks.
   */
  #skippable(hole: number, inHole: number): number {
    const { chunkings } = this.#spec;
    const longest = Math.max(...chunkings.map(({ sizes }) => sizes.max));
    if (hole < longest || inHole < 2 * longest) return 0;
    if (chunkings.some(({ sizes }) => longest % sizes.max !== 0)) return 0;
    return Math.floor(hole / longest) * longest;
  }

  async #slotFor(): Promise<SurveySlot> {
    if (this.#current !== undefined) {
      const { filled, bytes, segments } = this.#current;
      if (filled < bytes.length && segments.length < SLOT_SEGMENTS - 2) return this.#current;
      this.#submit(this.#current);
    }
    while (this.#free.length === 0) await this.#advance(true);
    this.#current = this.#free.pop()!;
    resetSurveySlot(this.#current);
    this.#current.bytes.set(this.#tail, this.#current.front - WINDOW);
    return this.#current;
  }

  #submit(slot: SurveySlot): void {
    this.#tail.set(slot.bytes.subarray(slot.filled - WINDOW, slot.filled));
    setScanTask(slot.scanTask, { ...slot, start: slot.front, end: slot.filled });
    this.#crew.start(slot.scanTask);
    this.#scanning.push(slot);
    this.#current = undefined;
  }

  /** Takes the steps that are ready; when asked to wait, at least one. */
  async #advance(wait: boolean): Promise<void> {
    const crew = this.#crew;
    let waits = wait;
    for (;;) {
      let stepped = false;
      while (this.#hashing.length > 0 && crew.isDone(this.#hashing[0]!.hashTask)) {
        this.#settle(this.#hashing.shift()!);
        stepped = true;
      }
      while (this.#scanning.length > 0 && crew.isDone(this.#scanning[0]!.scanTask)) {
        this.#cut(this.#scanning.shift()!);
        stepped = true;
      }
      this.#coder.collectDone();
      if (stepped) waits = false;
      else if (!waits) break;
      else if (this.#hashing.length > 0) crew.wait(this.#hashing[0]!.hashTask);
      else crew.wait(this.#scanning[0]!.scanTask);
    }
    if (performance.now() - this.#lastTurn > TURN) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#lastTurn = performance.now();
      this.#spec.signal?.throwIfAborted();
    }
  }

  /** Cuts a slot for every chunking, and has the chunks hashed. */
  #cut(slot: SurveySlot): void {
    const { bytes, found, front } = slot;
    const count = slot.foundCount[0]!;
    bytes.set(this.#carry.subarray(0, this.#carryLength), front - this.#carryLength);
    if (this.#before !== undefined) for (const walker of this.#walkers) walker.at += front - this.#before.filled;
    joinProbes(slot, this.#before);
    const offsets = new Uint32Array(found.buffer, found.byteOffset, Math.max(0, count) * 4);
    let from = 0;
    for (const segment of slot.segments) {
      if ("hole" in segment) continue;
      while (from < count && offsets[from * 4]! < segment.start) from++;
      for (const [number, walker] of this.#walkers.entries()) {
        if (segment.begins !== undefined) walker.begin(segment.start, segment.begins);
        walker.walk({ bytes, found, count }, from, segment.end, segment.final, slot.lists[number]!);
      }
    }
    const open = Math.min(...this.#walkers.map(({ at }) => at));
    this.#carryLength = slot.filled - open;
    this.#carry.set(bytes.subarray(open, slot.filled));
    // The slot itself may be in use again before the next one is cut.
    this.#before = { filled: slot.filled, densities: slot.allDensities.slice() };
    setHashTask(
      slot.hashTask,
      slot.lists.map((list) => ({ ...list, bytes })),
      slot.jobs,
    );
    this.#crew.start(slot.hashTask);
    this.#hashing.push(slot);
  }

  #settle(slot: SurveySlot): void {
    for (const [number, tally] of this.#tallies.entries()) {
      tally.settle({ ...slot.lists[number]!, bytes: slot.bytes, probedUpTo: (offset) => probedUpTo(slot, offset) });
      for (const segment of slot.segments) if ("hole" in segment) tally.hole(segment.hole);
    }
    this.#free.push(slot);
  }

  /** Measures what is still on its way. */
  async finish(): Promise<readonly PlanFindings[]> {
    if (this.#current !== undefined) this.#submit(this.#current);
    while (this.#scanning.length + this.#hashing.length > 0) await this.#advance(true);
    for (const tally of this.#tallies) tally.finish();
    this.#coder.finish();
    const [first] = this.#tallies;
    const counted = first!.bytes + first!.notWholeBytes;
    if (counted !== this.bytes) {
      throw new HexzError("io", `${counted} bytes were measured of ${this.bytes} that were read`);
    }
    return this.#findings;
  }

  /** What remains with each chunking. */
  remaining(): Remaining[] {
    return this.#tallies.map((tally, number) => {
      const { chunks, bytes: total, modelRemaining } = tally;
      return { chunking: this.#spec.chunkings[number]!, chunks, total, bytes: modelRemaining };
    });
  }

  /** Leaves no task running in memory that others will use. */
  drainTasks(): void {
    for (const { scanTask } of this.#scanning) this.#crew.wait(scanTask);
    for (const { hashTask } of this.#hashing) this.#crew.wait(hashTask);
    this.#coder.drain();
  }
}
