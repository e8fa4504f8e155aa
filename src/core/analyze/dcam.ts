// DCAM, the model that the original program chose its chunk sizes by: how much of some data remains after deduplication,
// from how much remained with one setting. After Randall et al., "Optimizing Deduplication Parameters via a
// Change-Estimation Analytical Model", 2025, as the original computes it. It knows nothing of compression, and its
// probability of a change cannot exceed one in a chunk, so its choice lies at the edge of what it may choose from; a
// measurement stands beside it (docs/design.md, "Analysis").

/** Bytes, except for the bits. */
export interface DcamSetting {
  /** log2 of the average distance of places that may be cut. */
  readonly fingerprintBits: number;
  readonly minChunk: number;
  readonly maxChunk: number;
  /** Bytes that decide about a place. */
  readonly window: number;
  /** Bytes that a chunk costs in the index. */
  readonly metadata: number;
}

/** What the original chunks with to see how much remains. */
export const DCAM_BASELINE: DcamSetting = {
  fingerprintBits: 13,
  minChunk: 2048,
  maxChunk: 65_536,
  window: 48,
  metadata: 8,
};

/** E[min(G, count)] of a geometric G with success probability p: the sum of q, q^2, … q^count. */
function truncatedMean(p: number, count: number): number {
  return ((1 - p) * -Math.expm1(count * Math.log1p(-p))) / p;
}

/** The expected length of a chunk, in bytes. NaN when the minimum is not below the maximum, where the original fails. */
export function expectedLength({ fingerprintBits, minChunk, maxChunk }: DcamSetting): number {
  if (minChunk >= maxChunk) return Number.NaN;
  return minChunk + truncatedMean(2 ** -fingerprintBits, maxChunk - minChunk);
}

/** The sum of (m + i) t^i for i from 0 to count − 1, where t = 1 − gap. */
function weightedSum(m: number, gap: number, count: number): number {
  const t = 1 - gap;
  // The closed form loses digits where little decays over the sum; there it is added up, with what rounding lost.
  if (count * gap < 1) {
    let sum = 0;
    let lost = 0;
    let power = 1;
    for (let i = 0; i < count; i++) {
      const term = power * (m + i) - lost;
      const next = sum + term;
      lost = next - sum - term;
      sum = next;
      power *= t;
    }
    return sum;
  }
  const last = Math.exp(count * Math.log1p(-gap));
  const powers = -Math.expm1(count * Math.log1p(-gap)) / gap;
  return m * powers + (t * powers - count * last) / gap;
}

/** The expected bytes of a chunk that has no change, when each byte is changed with probability `change`. */
export function expectedUnchanged(change: number, setting: DcamSetting): number {
  const { fingerprintBits, minChunk, maxChunk, window } = setting;
  if (minChunk >= maxChunk) return Number.NaN;
  if (change >= 1) return 0;
  const p = 2 ** -fingerprintBits;
  const count = maxChunk - minChunk;
  const kept = Math.exp((minChunk + window) * Math.log1p(-change));
  const gap = p + change - p * change;
  return kept * (p * weightedSum(minChunk, gap, count) + Math.exp(count * Math.log1p(-gap)) * maxChunk);
}

/**
 * The probability of a change of a byte, from what remained of some data when it was chunked with the baseline.
 * @param total bytes @param remaining bytes of distinct chunks
 */
export function changeProbability(total: number, remaining: number, baseline = DCAM_BASELINE): number {
  if (remaining >= total) return 1;
  return Math.min(1, Math.max(0, remaining / (total * expectedLength(baseline))));
}

/** What part of `total` bytes the model expects to remain, index included; all of nothing is 1. */
export function predictedRatio(total: number, change: number, setting: DcamSetting): number {
  if (total === 0) return 1;
  const length = expectedLength(setting);
  const saved = (total * expectedUnchanged(change, setting)) / length;
  const index = setting.metadata * (total / length + 1);
  const left = total - (saved - index);
  return left < 0 ? (total + index) / total : left / total;
}

export interface DcamChoice {
  readonly setting: DcamSetting;
  readonly ratio: number;
}

function choiceOf(total: number, change: number, setting: DcamSetting): DcamChoice {
  return { setting, ratio: predictedRatio(total, change, setting) };
}

const ROUNDS = 100;
const BITS = { min: 8, max: 20 };
const MIN_CHUNK = { min: 64, max: 16_384 };

/** The settings one step away, in the order in which they are tried. */
function neighboursOf(setting: DcamSetting): DcamSetting[] {
  const { fingerprintBits, minChunk, maxChunk } = setting;
  const bits = [fingerprintBits - 1, fingerprintBits + 1].filter((value) => value >= BITS.min && value <= BITS.max);
  const minima = [minChunk / 2, minChunk * 2].filter(
    (value) => value >= MIN_CHUNK.min && value <= MIN_CHUNK.max && value < maxChunk,
  );
  return [
    ...bits.map((value) => ({ ...setting, fingerprintBits: value, maxChunk: 2 ** (value + 3) })),
    ...minima.map((value) => ({ ...setting, minChunk: value })),
  ];
}

/**
 * The search of the original's `analyze`: from the baseline, step by step, to where no step is better. Settings on which
 * the original fails are passed over. The result is the path, its end last.
 */
export function climbHill(total: number, change: number): DcamChoice[] {
  const path = [choiceOf(total, change, DCAM_BASELINE)];
  for (let round = 0; round < ROUNDS; round++) {
    let best = path.at(-1)!;
    for (const setting of neighboursOf(best.setting)) {
      const choice = choiceOf(total, change, setting);
      if (choice.ratio < best.ratio) best = choice;
    }
    if (best === path.at(-1)) break;
    path.push(best);
  }
  return path;
}

/** The choice of the original's `pack --dcam` (0.8.2). */
export function optimizeParams(total: number, change: number): DcamChoice {
  let best: DcamChoice | undefined;
  for (let bits = 10; bits <= 18; bits++) {
    const minChunk = Math.max(2 ** bits / 4, 1024);
    const maxChunk = Math.min(8 * 2 ** bits, 2 ** 20);
    const choice = choiceOf(total, change, { ...DCAM_BASELINE, fingerprintBits: bits, minChunk, maxChunk });
    if (best === undefined || choice.ratio < best.ratio) best = choice;
  }
  return best!;
}
