// Changed archives of format 1, and the records in them one at a time: a HexzError of a known code, or bytes in which all
// ways of reading agree, soon and without much memory.

import { expect, test } from "vitest";
import { randomOf } from "./support/fuzz.ts";
import { fuzzFormat1, loadFormat1Seeds, outcomeOfFormat1 } from "./support/fuzz-format1.ts";
import { fuzzDecoder, outcomeOfRecord } from "./support/fuzz-records.ts";
import { COUNT, fuzz, inputs, PATIENT, replay, SEED } from "./support/fuzz-run.ts";

const seeds = await loadFormat1Seeds();
const decoders = seeds.flatMap(({ records }) => records);

test(`${COUNT} changed records of format 1`, PATIENT, async () => {
  const run = (number: number, keep: (bytes: Uint8Array) => void) =>
    fuzzDecoder(decoders, randomOf(SEED, number), keep);
  const tally = await fuzz("record1", COUNT, run);
  if (COUNT < 10_000) return;
  for (const name of ["header", "master index", "index page", "manifest"]) {
    for (const code of ["right", "invalid"]) {
      expect(tally.get(`${name}: ${code}`), `${name}: ${code}`).toBeGreaterThan(COUNT / 1000);
    }
  }
});

/** A whole archive is read in three ways and checked, a thousand of them in a second. */
const ARCHIVES = inputs(10);

test(`${ARCHIVES} changed archives of format 1`, PATIENT, async () => {
  const tally = await fuzz("format1", ARCHIVES, (number, keep) => fuzzFormat1(seeds, randomOf(SEED, number), keep));
  if (ARCHIVES < 500) return;
  for (const code of ["right", "damaged", "invalid", "limit_exceeded", "truncated", "parent_missing"]) {
    expect(tally.get(code), code).toBeGreaterThan(0);
  }
});

replay("format1", async (bytes) => [await outcomeOfFormat1(bytes)]);
replay("record1", async (bytes) => decoders.map(({ decode }) => outcomeOfRecord(decode, bytes)));
