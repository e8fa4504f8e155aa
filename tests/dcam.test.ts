// The formulas of DCAM against the figures that the original's formulas give, and against their sums, term by term.

import { expect, test } from "vitest";
import {
  changeProbability,
  climbHill,
  DCAM_BASELINE,
  type DcamSetting,
  expectedLength,
  expectedUnchanged,
  optimizeParams,
  predictedRatio,
} from "../src/core/analyze/dcam.ts";
import { randomFrom, SEED } from "./support/random.ts";

const setting = (fingerprintBits: number, minChunk: number, maxChunk: number): DcamSetting => ({
  ...DCAM_BASELINE,
  fingerprintBits,
  minChunk,
  maxChunk,
});
const near = (found: number, expected: number, what = "") =>
  expect(Math.abs(found - expected) / Math.abs(expected), `${what} ${found}, expected ${expected}`).toBeLessThan(1e-9);
const GB = 1e9;
const MIB100 = 104_857_600;

test.each([
  [13, 2048, 65_536, 10235.473456514848],
  [12, 2048, 65_536, 6142.999241653689],
  [14, 2048, 65_536, 18091.0218909491],
  [15, 2048, 65_536, 30094.605640409725],
  [16, 2048, 65_536, 42708.90351881973],
  [16, 16_384, 131_072, 70530.87666638716],
  [16, 16_384, 262_144, 80377.80862024485],
])("expectedLength() of %i bits, %i to %i bytes", (bits, min, max, expected) => {
  near(expectedLength(setting(bits, min, max)), expected);
});

test.each([
  [0, 10235.473456514848],
  [1e-6, 10065.638316206367],
  [1e-5, 8705.70508824704],
  [1e-4, 2919.9546610541206],
  [1e-3, 39.26428405197887],
])("expectedUnchanged() of the baseline at a change probability of %f", (change, expected) => {
  near(expectedUnchanged(change, DCAM_BASELINE), expected);
});

test.each([
  [4e8, 3.907977502940044e-5, 0.4380156179940867],
  [5e8, 4.884971878675056e-5, 0.5032860470990873],
  [999_999_999, 9.769943747580168e-5, 0.7090394254393835],
  [GB, 1, 1.000781603500588],
])("changeProbability() and predictedRatio() when %i bytes of 1e9 remain", (remaining, change, ratio) => {
  near(changeProbability(GB, remaining), change, "probability");
  near(predictedRatio(GB, changeProbability(GB, remaining), DCAM_BASELINE), ratio, "ratio");
});

test("predictedRatio() without any change is the index", () => {
  near(predictedRatio(GB, 0, DCAM_BASELINE), 0.0007816035005880595);
});

test("climbHill() goes the original's way when half remains", () => {
  const path = climbHill(MIB100, changeProbability(MIB100, 52_428_800));
  expect(path.slice(1).map(({ setting: s }) => [s.fingerprintBits, s.minChunk])).toEqual([
    [12, 2048],
    [11, 2048],
    [10, 2048],
    [10, 1024],
    [9, 1024],
    [9, 512],
    [8, 512],
    [8, 256],
  ]);
  expect(path.at(-1)!.setting).toMatchObject({ fingerprintBits: 8, minChunk: 256, maxChunk: 2048 });
  near(path.at(-1)!.ratio, 0.04844492531298215);
});

test("climbHill() passes over the setting on which the original fails", () => {
  const path = climbHill(MIB100, changeProbability(MIB100, 1_048_576));
  const settings = path.map(({ setting: s }) => [s.fingerprintBits, s.minChunk]);
  expect(settings).toContainEqual([9, 2048]);
  expect(settings).not.toContainEqual([8, 2048]);
  expect(path.every(({ ratio }) => ratio > 0)).toBe(true);
  expect(expectedLength(setting(8, 2048, 2048))).toBeNaN();
  expect(expectedUnchanged(0.5, setting(8, 2048, 2048))).toBeNaN();
});

test("climbHill() takes the largest chunks when everything remains", () => {
  const { setting: end, ratio } = climbHill(MIB100, changeProbability(MIB100, MIB100)).at(-1)!;
  expect([end.fingerprintBits, end.minChunk, end.maxChunk]).toEqual([20, 16_384, 8_388_608]);
  near(ratio, 1.0000075908413748);
});

test("optimizeParams() chooses as the original does", () => {
  const { setting: chosen, ratio } = optimizeParams(MIB100, changeProbability(MIB100, 52_428_800));
  expect([chosen.fingerprintBits, chosen.minChunk, chosen.maxChunk]).toEqual([10, 1024, 8192]);
  near(ratio, 0.12137486743259998);
  const all = optimizeParams(MIB100, changeProbability(MIB100, MIB100)).setting;
  expect([all.fingerprintBits, all.minChunk, all.maxChunk]).toEqual([18, 65_536, 1_048_576]);
});

/** Both formulas as sums in increasing i, with what each addition loses. */
function sums(change: number, { fingerprintBits, minChunk, maxChunk, window }: DcamSetting): [number, number] {
  const p = 2 ** -fingerprintBits;
  const count = maxChunk - minChunk;
  const totals = [0, 0];
  const lost = [0, 0];
  const add = (at: 0 | 1, term: number) => {
    const sum = totals[at]! + term;
    lost[at]! += Math.abs(totals[at]!) >= Math.abs(term) ? totals[at]! - sum + term : term - sum + totals[at]!;
    totals[at] = sum;
  };
  for (let i = 0; i < count; i++) {
    const term = (1 - p) ** i * p * (minChunk + i);
    add(0, term);
    add(1, term * (1 - change) ** (i + minChunk + window));
  }
  add(0, (1 - p) ** count * maxChunk);
  add(1, (1 - p) ** count * maxChunk * (1 - change) ** (maxChunk + window));
  return [totals[0]! + lost[0]!, totals[1]! + lost[1]!];
}

test("the closed forms equal the sums for any setting", () => {
  const random = randomFrom(SEED);
  for (let round = 0; round < 60; round++) {
    const bits = 8 + random(13);
    const minChunk = 64 + random(16_384);
    const some = setting(bits, minChunk, minChunk + 1 + random(round % 2 ? 200_000 : 300));
    const change = round % 5 === 0 ? 0 : 10 ** -(2 + random(60) / 10);
    const [length, unchanged] = sums(change, some);
    near(expectedLength(some), length, `seed ${SEED}, round ${round}: length`);
    near(expectedUnchanged(change, some), unchanged, `seed ${SEED}, round ${round}: unchanged`);
  }
});
