// What the write line allocates in its engine's memory.

import type { Coding } from "../format/root.ts";
import { slotPlan } from "./pipeline.ts";
import { slotLength } from "./slot.ts";

/** The longest block that is put together. */
export function gatherBytes(coding: Coding): number {
  return Math.max(coding.blockSize, coding.sizes.max);
}

/** Bytes that a writer allocates when so many threads run tasks. */
export function writerHeapBytes(coding: Coding, threads: number): number {
  const { length, count } = slotPlan(coding, threads);
  return count * (slotLength(length, coding.blockSize) + 1024) + (count + 1) * (coding.blockSize + 128);
}
