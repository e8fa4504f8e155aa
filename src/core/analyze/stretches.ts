// Which stretches of an input are read when not all of it is: evenly spread, one at a random place of every equal part, always
// the same ones. Stretches at equal distances would never see, or see all of, what repeats at a multiple of it.

import type { Edges } from "./walker.ts";

const MIB = 1024 * 1024;
/** Longer stretches hold more whole chunks, more of them see more of what repeats. */
const LONG_FROM = 128 * MIB;

/** A part of one content; offsets in it. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly edges: Edges;
}

export interface StretchPlan {
  /** Bytes of the input. */
  readonly total: number;
  readonly count: number;
  /** Bytes of one. */
  readonly length: number;
  /** Where they begin, ascending. */
  readonly starts: readonly number[];
}

/** @returns undefined when all is to be read */
export function planStretches(total: number, sampleBytes: number): StretchPlan | undefined {
  const length = sampleBytes >= LONG_FROM ? 2 * MIB : MIB;
  if (sampleBytes + length >= total) return undefined;
  const count = Math.max(1, Math.floor(sampleBytes / length));
  const part = total / count;
  let random = 0x9e3779b9;
  const starts = Array.from({ length: count }, (_, number) => {
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    return Math.floor(number * part + ((random >>> 0) / 2 ** 32) * Math.max(0, part - length));
  });
  return { total, count, length, starts };
}

/**
 * The stretches of a content. Short contents are read whole or not at all; in long ones stretches begin at multiples of
 * 1 MiB, so that fixed chunks are those of the content.
 * @param position of the content among all contents
 */
export function stretchesOf({ starts, length }: StretchPlan, position: number, size: number): Stretch[] {
  const end = position + size;
  // The first one that ends behind the content's start.
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle]! + length <= position) low = middle + 1;
    else high = middle;
  }
  const found: { start: number; end: number }[] = [];
  for (let number = low; number < starts.length && starts[number]! < end; number++) {
    const from = starts[number]!;
    if (size <= length) {
      if (from <= position) found.push({ start: 0, end: size });
      break;
    }
    const start = Math.floor(Math.max(0, from - position) / MIB) * MIB;
    // Of a stretch that begins in the content before, what remains of it.
    const rest = from >= position ? length : Math.round((from + length - position) / MIB) * MIB;
    const stop = Math.min(size, start + rest);
    if (stop === start) continue;
    const last = found.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, stop);
    else found.push({ start, end: stop });
  }
  return found.map((range) => ({ ...range, edges: { cutStart: range.start > 0, cutEnd: range.end < size } }));
}
