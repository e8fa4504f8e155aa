// Changed archives and records, many of them: each gives a HexzError of a known code or the right bytes, soon and
// without much memory. `npm run fuzz -- --count 1000000 --seed 1` does more of the same. What fails is kept in
// tests/crashes and read again by every later run.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkArchive } from "../src/core/index.ts";
import { entriesOf } from "./support/archives.ts";
import { decodersOf, fuzzArchive, fuzzDecoder, loadSeeds, randomOf } from "./support/fuzz.ts";
import { codeOf, openQuickly } from "./support/outcomes.ts";

const COUNT = Number(process.env.HEXZ_FUZZ_COUNT ?? 100_000);
const SEED = Number(process.env.HEXZ_SEED ?? 1);
const FROM = Number(process.env.HEXZ_FUZZ_FROM ?? 0);
const MOST_MILLISECONDS = 5000;
const MOST_MEMORY = 1 << 30;
const CRASHES = new URL("crashes/", import.meta.url);
/** Inputs between looks at the memory. */
const STRIDE = 1000;

const seeds = await loadSeeds();

/** Runs inputs by number; keeps the one that fails and says how to repeat it. */
async function fuzz(kind: string, count: number, run: (number: number, keep: (bytes: Uint8Array) => void) => unknown) {
  const tally = new Map<string, number>();
  for (let number = FROM; number < FROM + count; number++) {
    let input = new Uint8Array(0) as Uint8Array;
    const began = performance.now();
    try {
      const outcome = (await run(number, (bytes) => {
        input = bytes;
      })) as string;
      tally.set(outcome, (tally.get(outcome) ?? 0) + 1);
      const took = performance.now() - began;
      if (took > MOST_MILLISECONDS) throw new Error(`it took ${took} ms`);
      if (number % STRIDE === 0 && process.memoryUsage().rss > MOST_MEMORY)
        throw new Error("too much memory is in use");
    } catch (error) {
      mkdirSync(CRASHES, { recursive: true });
      writeFileSync(new URL(`${kind}-${SEED}-${number}.bin`, CRASHES), input);
      throw new Error(`${kind} ${number} with seed ${SEED}: ${(error as Error).message}`, { cause: error });
    }
  }
  return tally;
}

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
