// What the write line allocates in its engine's memory.

import type { Coding } from "../format/root.ts";
import { type BlockRule, carryLength } from "./block-builder.ts";
import { slotPlan } from "./pipeline.ts";
import { slotLength } from "./slot.ts";

/** The longest block that is put together. */
export function gatherBytes(coding: Coding): number {
  return Math.max(coding.blockSize, coding.sizes.max);
}

/** Bytes that a writer allocates when so many threads run tasks. */
export function writerHeapBytes(
  coding: Coding,
  threads: number,
  { format1, dictionary }: { readonly format1?: unknown; readonly dictionary?: Uint8Array },
): number {
  const format = format1 === undefined ? 2 : 1;
  const { length, count } = slotPlan(coding, threads, format);
  const rule: BlockRule = { format, blockSize: coding.blockSize };
  const slots = count * (slotLength(length, rule) + 1024) + (count + 1) * (carryLength(rule) + 128);
  return slots + (dictionary === undefined ? 0 : dictionary.length + 128);
}
