// Changed archives and records, many of them: each gives a HexzError of a known code or the right bytes, soon and
// without much memory. `npm run fuzz -- --count 1000000 --seed 1` does more of the same. What fails is kept in
// tests/crashes and read again by every later run.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkArchive } from "../src/core/index.ts";
import { entriesOf } from "./support/archives.ts";
import { decodersOf, fuzzArchive, fuzzDecoder, loadSeeds, randomOf } from "./support/fuzz.ts";
import { fuzzFormat1, loadFormat1Seeds, outcomeOfFormat1 } from "./support/fuzz-format1.ts";
import { COUNT, CRASHES, fuzz, SEED } from "./support/fuzz-run.ts";
import { codeOf, openQuickly } from "./support/outcomes.ts";

const seeds = await loadSeeds();

test(`${COUNT} changed archives`, { timeout: 2_000_000_000 }, async () => {
  const tally = await fuzz("archive", COUNT, (number, keep) => fuzzArchive(seeds, randomOf(SEED, number), keep));
  process.stdout.write(`seed ${SEED}: ${[...tally].map(([outcome, times]) => `${outcome} ${times}`).join(", ")}\n`);
  // The changes get behind the digests, and not all do harm.
  if (COUNT >= 10_000) {
    for (const code of ["right", "damaged", "invalid", "limit_exceeded", "feature_unknown", "truncated"]) {
      expect(tally.get(code), code).toBeGreaterThan(COUNT / 10_000);
    }
  }
});

test("changed archives of format 1", { timeout: 2_000_000_000 }, async () => {
  const seeds1 = await loadFormat1Seeds();
  const count = Math.ceil(COUNT / 100);
  const tally = await fuzz("format1", count, (number, keep) => fuzzFormat1(seeds1, randomOf(SEED, number), keep));
  process.stdout.write(`seed ${SEED}: ${[...tally].map(([outcome, times]) => `${outcome} ${times}`).join(", ")}\n`);
  if (count >= 500) {
    for (const code of ["right", "damaged", "invalid", "limit_exceeded", "truncated", "parent_missing"]) {
      expect(tally.get(code), code).toBeGreaterThan(0);
    }
  }
});

test("changed records, one decoder at a time", { timeout: 2_000_000_000 }, async () => {
  const decoders = decodersOf(seeds);
  const count = Math.min(COUNT, 100_000_000) * 2;
  const tally = await fuzz("record", count, (number, keep) => fuzzDecoder(decoders, randomOf(SEED, number), keep));
  const names = new Set(decoders.map(({ name }) => name));
  if (COUNT >= 10_000)
    for (const name of names) expect([...tally.keys()].some((key) => key.startsWith(`${name}: `))).toBe(true);
});

test.each(existsSync(CRASHES) ? readdirSync(CRASHES) : [])("what failed once: %s", async (name) => {
  const bytes = new Uint8Array(readFileSync(new URL(name, CRASHES)));
  if (name.startsWith("format1")) {
    await outcomeOfFormat1(bytes);
    return;
  }
  if (name.startsWith("archive")) {
    try {
      const archive = await openQuickly(bytes);
      await checkArchive(archive);
      await entriesOf(archive);
    } catch (error) {
      codeOf(error);
    }
    return;
  }
  for (const { decode } of decodersOf(seeds)) {
    try {
      decode(bytes);
    } catch (error) {
      codeOf(error);
    }
  }
});
