// One stretch of input on its way through an analysis. In front of what is read stands what the slot before left open.

import type { Engine } from "../engine.ts";
import { FOUND_BYTES, REGION } from "../work/survey-task.ts";
import { allocateTask, type Task } from "../work/task-record.ts";
import type { ChunkList, Edges } from "./walker.ts";

/** Contents, and holes, that begin in one slot, at most. */
export const SLOT_SEGMENTS = 2048;
/** More places than that are found in nothing but made-up data; then they are looked for in another way. */
const FOUND = 65_536;

/** A part of a content, or a hole behind it. */
export type Segment =
  | { readonly start: number; end: number; readonly begins: Edges | undefined; final: boolean }
  | { readonly hole: number };

export interface SurveySlot {
  /** [front, filled) was read into this slot. */
  readonly bytes: Uint8Array;
  readonly front: number;
  filled: number;
  readonly segments: Segment[];
  readonly found: Uint8Array;
  readonly foundCount: Int32Array;
  /** Of the regions that were read, and of all from the start of `bytes` on. */
  readonly densities: Float32Array;
  readonly allDensities: Float32Array;
  /** How long the probe says that all regions before one would be coded. */
  readonly probed: Float64Array;
  /** One for each chunking. */
  readonly lists: (ChunkList & { readonly hashes: Uint32Array; readonly fills: Int32Array })[];
  readonly jobs: Uint32Array;
  readonly scanTask: Task;
  readonly hashTask: Task;
}

export interface SlotShape {
  /** Bytes in front, a multiple of REGION, and bytes to read. */
  readonly front: number;
  readonly length: number;
  /** For each chunking, how many chunks there may be. */
  readonly bounds: readonly number[];
}

/** Bytes of the engine's memory that one slot takes. */
export function slotBytes({ front, length, bounds }: SlotShape): number {
  const lists = bounds.reduce((sum, bound) => sum + bound * 20 + 512, 0);
  return front + length + FOUND * FOUND_BYTES + (length / REGION + 1) * 4 + lists + 8192;
}

export function allocateSurveySlot(engine: Engine, { front, length, bounds }: SlotShape): SurveySlot {
  const view = (count: number) => engine.allocate(count * 4);
  const words = (count: number) => {
    const bytes = view(count);
    return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
  };
  const integers = (count: number) => {
    const bytes = view(count);
    return new Int32Array(bytes.buffer, bytes.byteOffset, count);
  };
  const regions = Math.ceil(length / REGION);
  const densities = view(regions);
  const allRegions = regions + front / REGION;
  return {
    bytes: engine.allocate(front + length),
    front,
    filled: front,
    segments: [],
    found: engine.allocate(FOUND * FOUND_BYTES),
    foundCount: integers(1),
    densities: new Float32Array(densities.buffer, densities.byteOffset, regions),
    allDensities: new Float32Array(allRegions),
    probed: new Float64Array(allRegions + 1),
    lists: bounds.map((bound) => ({
      list: words(bound * 2),
      count: 0,
      hashes: words(bound * 2),
      fills: integers(bound),
    })),
    jobs: words(bounds.length * 5),
    scanTask: allocateTask(engine),
    hashTask: allocateTask(engine),
  };
}

export function resetSurveySlot(slot: SurveySlot): void {
  slot.filled = slot.front;
  slot.segments.length = 0;
  for (const list of slot.lists) list.count = 0;
}

/** Puts the probes of the slot's regions in a row behind those of what stands in front. */
export function joinProbes(
  slot: SurveySlot,
  before: { readonly filled: number; readonly densities: Float32Array } | undefined,
): void {
  const { allDensities, densities, front, probed } = slot;
  const shift = (before?.filled ?? 0) - front;
  for (let region = 0; region < allDensities.length; region++) {
    const at = region * REGION;
    if (at >= front) allDensities[region] = densities[(at - front) / REGION]!;
    else allDensities[region] = before?.densities[Math.floor((at + REGION / 2 + shift) / REGION)] ?? 1;
    probed[region + 1] = probed[region]! + REGION * allDensities[region]!;
  }
}

/** How long the probe says that the bytes up to an offset of the slot would be coded. */
export function probedUpTo({ probed, allDensities }: SurveySlot, offset: number): number {
  const region = Math.floor(offset / REGION);
  return probed[region]! + (offset % REGION) * (allDensities[region] ?? 0);
}
