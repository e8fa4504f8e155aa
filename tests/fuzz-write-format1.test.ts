// Random archives of format 1, written, read back and compared; `npm run fuzz` makes more of them.

import { expect, test } from "vitest";
import { randomOf } from "./support/fuzz.ts";
import { fuzz, inputs, PATIENT, SEED } from "./support/fuzz-run.ts";
import { fuzzWriteFormat1 } from "./support/fuzz-write-format1.ts";

/** Each packs up to a megabyte, and reads it in four ways: some fifty in a second. */
const ARCHIVES = inputs(500);

test(`${ARCHIVES} random archives of format 1`, PATIENT, async () => {
  const tally = await fuzz("write1", ARCHIVES, (number, keep) => fuzzWriteFormat1(randomOf(SEED, number), keep));
  if (ARCHIVES < 150) return;
  const seen = [...tally.keys()].join("\n");
  for (const feature of ["lz4 cdc", "lz4 fixed", "zstd cdc", "zstd fixed", "dictionary", "encrypted", "thin"]) {
    expect(seen).toContain(feature);
  }
});
