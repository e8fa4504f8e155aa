// From stretches of an input to all of it. How much compresses is like how much of the stretches does; how much repeats
// is not, for two stretches see only what both have.
//
// Let a part f of the input be read. What occurs twice is seen twice with probability f², so duplicates between stretches
// stand for at most 1/f² as many; for those that occur more often, and those within a stretch, it is less, at
// least 1/f. Between these two lies what is distinct.

import type { Estimate } from "./estimate.ts";
import type { CodedBlock } from "./sample-coder.ts";
import type { StretchPlan } from "./stretches.ts";
import type { ChunkTally } from "./tally.ts";

const Z95 = 1.96;
/** When nothing was seen, so many cases are possible (95 of 100). */
const UNSEEN = 3;

/** Distinct bytes of the whole input that are no fills. */
export function scaleUnique(tally: ChunkTally, { total, count, length }: StretchPlan): Estimate {
  const { bytes: counted, fillBytes, nearDuplicates, farDuplicates } = tally;
  if (counted === 0) return { value: total, error: total };
  const scale = total / counted;
  const { bytes: distinct, error } = tally.unique();
  const stored = counted - fillBytes;
  // What stretches have in common comes in runs, half as long as a stretch as a rule.
  const run = length / 2;
  const farBound = farDuplicates + (Z95 * Math.sqrt(farDuplicates / run) + UNSEEN) * run;
  const high = (stored - nearDuplicates - farDuplicates) * scale;
  const low = Math.max(distinct, (stored - nearDuplicates) * scale - farBound * scale * scale);
  const fills = fillBytes / counted;
  const spread = Z95 * Math.sqrt((fills * (1 - fills)) / count) * total;
  return { value: (low + high) / 2, error: Math.min(total, (high - low) / 2 + spread + error * scale) };
}

/** By what part the density of blocks may be off because only some stretches were read. */
export function spreadOf(sample: readonly CodedBlock[], codec: number, { count }: StretchPlan): number {
  const ratios = sample.flatMap(({ coded, plainLength }) => {
    const length = coded[codec];
    return length === undefined ? [] : [length / plainLength];
  });
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
  const variance = ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0) / ratios.length;
  return mean > 0 ? (Z95 * Math.sqrt(variance / count)) / mean : 1;
}
