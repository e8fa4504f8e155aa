// Changed archives and records, many of them: each gives a HexzError of a known code or the right bytes, soon and
// without much memory. `npm run fuzz -- --count 1000000 --seed 1` does more of the same. What fails is kept in
// tests/crashes and read again by every later run.

import { expect, test } from "vitest";
import { checkArchive } from "../src/core/index.ts";
import { entriesOf } from "./support/archives.ts";
import { decodersOf, fuzzArchive, loadSeeds, randomOf } from "./support/fuzz.ts";
import { fuzzDecoder, outcomeOfRecord } from "./support/fuzz-records.ts";
import { COUNT, fuzz, PATIENT, replay, SEED } from "./support/fuzz-run.ts";
import { codeOf, openQuickly } from "./support/outcomes.ts";

const seeds = await loadSeeds();
const decoders = decodersOf(seeds);

test(`${COUNT} changed archives`, PATIENT, async () => {
  const tally = await fuzz("archive", COUNT, (number, keep) => fuzzArchive(seeds, randomOf(SEED, number), keep));
  // The changes get behind the digests, and not all do harm.
  if (COUNT < 10_000) return;
  for (const code of ["right", "damaged", "invalid", "limit_exceeded", "feature_unknown", "truncated"]) {
    expect(tally.get(code), code).toBeGreaterThan(COUNT / 10_000);
  }
});

test(`${2 * COUNT} changed records, one decoder at a time`, PATIENT, async () => {
  const tally = await fuzz("record", 2 * COUNT, (number, keep) => fuzzDecoder(decoders, randomOf(SEED, number), keep));
  if (COUNT < 10_000) return;
  for (const name of new Set(decoders.map((decoder) => decoder.name)))
    expect([...tally.keys()].some((key) => key.startsWith(`${name}: `))).toBe(true);
});

replay("archive", async (bytes) => {
  try {
    const archive = await openQuickly(bytes);
    const { problems } = await checkArchive(archive);
    await entriesOf(archive);
    return problems.length === 0 ? ["right"] : problems.map(({ code }) => code);
  } catch (error) {
    return [codeOf(error)];
  }
});

replay("record", async (bytes) => decoders.map(({ decode }) => outcomeOfRecord(decode, bytes)));
