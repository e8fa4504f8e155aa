// Which archives have most of what is to be packed, by their sketches (docs/format.md, "Content id and sketch").

import type { Sketch } from "../format/root.ts";
import { TARGETS } from "../limits.ts";

/** A base that adds less than this part of the input is not worth a parent. */
const LEAST_GAIN = 0.02;
const MOST_BASES = 8;

export interface Choice<Candidate> {
  readonly candidate: Candidate;
  /** The estimated part of the input's chunks that this one has and those chosen before have not, 0 to 1. */
  readonly gain: number;
}

export function sameChunking(a: Sketch, b: Sketch): boolean {
  return a.chunking === b.chunking && a.avg === b.avg;
}

/** The best one first, then whichever adds most to those before it. */
export function chooseBases<Candidate extends { readonly sketch: Sketch }>(
  input: Sketch,
  candidates: readonly Candidate[],
): Choice<Candidate>[] {
  const open = new Set(input.values);
  let left = candidates.filter(({ sketch }) => sameChunking(sketch, input));
  const chosen: Choice<Candidate>[] = [];
  while (left.length > 0 && chosen.length < MOST_BASES) {
    const ranked = left.map((candidate) => ({ candidate, gain: gainOf(input, open, candidate.sketch) }));
    const best = ranked.reduce((a, b) => (b.gain > a.gain ? b : a));
    if (best.gain < LEAST_GAIN) break;
    chosen.push(best);
    for (const value of best.candidate.sketch.values) open.delete(value);
    left = left.filter((candidate) => candidate !== best.candidate);
  }
  return chosen;
}

/** Sketches can be compared up to the end of the one that ends first. */
function gainOf(input: Sketch, open: ReadonlySet<bigint>, sketch: Sketch): number {
  const bound = endOf(input) < endOf(sketch) ? endOf(input) : endOf(sketch);
  const comparable = input.values.filter((value) => value <= bound).length;
  if (comparable === 0) return 0;
  return sketch.values.filter((value) => value <= bound && open.has(value)).length / comparable;
}

/** A sketch with fewer values than it may have has all there are. */
function endOf({ values }: Sketch): bigint {
  return values.length < TARGETS.sketch ? 2n ** 64n : values.at(-1)!;
}
