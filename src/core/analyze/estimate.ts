// From a sample of coded blocks to all blocks: a regression estimate (C.-E. Särndal et al., "Model Assisted Survey
// Sampling", 1992, chapter 6). Of every block we know its plain length and what a quick probe of its bytes says; of a
// sample also its coded length. A line is fitted through the sample and its value at the sums of all blocks taken. What
// the sample is off the line gives the error.

/** One coded block. */
export interface Observation {
  /** Two quantities that are known of all blocks, or estimated. */
  readonly known: readonly [number, number];
  readonly coded: number;
  /** How many blocks it stands for. */
  readonly weight: number;
}

export interface Estimate {
  readonly value: number;
  /** The truth is within this on either side in 95 of 100 cases. */
  readonly error: number;
}

/** Of what was not coded: a line may fit by chance. */
const LEAST_ERROR = 0.005;

/** Two-sided 95 % quantile of Student's t, near enough (within 1 % from 3 degrees of freedom on). */
function studentT(freedom: number): number {
  if (freedom < 3) return freedom < 2 ? 12.71 : 4.31;
  return 1.96 + 2.372 / freedom + 2.82 / freedom ** 2 + 2.3 / freedom ** 3;
}

/** Coefficients of the line through the origin, residuals weighted for a variance that grows with the first quantity. */
export function fitLine(sample: readonly Observation[]): [number, number] {
  let [aa, ab, bb, ay, by] = [0, 0, 0, 0, 0];
  for (const { known, coded, weight } of sample) {
    const [a, b] = known;
    const scale = weight / a;
    aa += scale * a * a;
    ab += scale * a * b;
    bb += scale * b * b;
    ay += scale * a * coded;
    by += scale * b * coded;
  }
  const determinant = aa * bb - ab * ab;
  // Where both quantities say the same, one is enough.
  if (sample.length < 4 || determinant <= 1e-9 * aa * bb) return [ay / aa, 0];
  return [(ay * bb - by * ab) / determinant, (aa * by - ab * ay) / determinant];
}

/**
 * The coded length of all blocks.
 * @param totals of the known quantities over all blocks; an error of the second one counts
 */
export function estimateTotal(taken: readonly Observation[], totals: readonly [number, Estimate]): Estimate {
  if (taken.length === 0) return { value: totals[0], error: totals[0] };
  // Together they stand for all: what the choice of blocks left out at the end, the others stand for, too.
  const scale = totals[0] / taken.reduce((sum, { known, weight }) => sum + weight * known[0], 0);
  const sample = taken.map((one) => ({ ...one, weight: Math.max(1, one.weight * scale) }));
  if (sample.every(({ weight }) => weight === 1)) {
    return { value: sample.reduce((sum, { coded }) => sum + coded, 0), error: 0 };
  }
  const [first, second] = fitLine(sample);
  let variance = 0;
  for (const { known, coded, weight } of sample) {
    const residual = coded - first * known[0] - second * known[1];
    variance += weight * (weight - 1) * residual * residual;
  }
  const freedom = Math.max(1, sample.length - 2);
  variance *= sample.length / freedom;
  const value = first * totals[0] + second * totals[1].value;
  const coded = taken.reduce((sum, { known }) => sum + known[0], 0);
  const unseen = LEAST_ERROR * value * (1 - coded / totals[0]);
  const error = Math.hypot(studentT(freedom) * Math.sqrt(variance), second * totals[1].error, unseen);
  return { value: Math.min(Math.max(value, 0), totals[0]), error: Math.min(error, totals[0]) };
}
