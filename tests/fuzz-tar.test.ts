// Changed tars and lists of pieces, many of them: each tar comes back from what was read of it, or is refused with a
// code, soon and without much memory.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { randomOf } from "./support/fuzz.ts";
import { COUNT, CRASHES, fuzz, SEED } from "./support/fuzz-run.ts";
import { fuzzPieces, fuzzTar, listOf, outcomeOfPieces, outcomeOfTar, tarSeeds } from "./support/fuzz-tar.ts";

const TARS = Math.ceil(COUNT / 10);

test(`${TARS} changed tars`, { timeout: 2_000_000_000 }, async () => {
  const seeds = tarSeeds();
  for (const seed of seeds) expect(await outcomeOfTar(seed)).toBe("read");
  const tally = await fuzz("tar", TARS, (number, keep) => fuzzTar(seeds, randomOf(SEED, number), keep));
  process.stdout.write(`seed ${SEED}: ${[...tally].map(([outcome, times]) => `${outcome} ${times}`).join(", ")}\n`);
  if (TARS < 10_000) return;
  for (const code of ["read", "invalid", "truncated", "limit_exceeded", "damaged"]) {
    expect(tally.get(code), code).toBeGreaterThan(TARS / 1000);
  }
});

test(`${TARS} changed lists of pieces`, { timeout: 2_000_000_000 }, async () => {
  const lists = await Promise.all(tarSeeds().map(listOf));
  const tally = await fuzz("pieces", TARS, (number, keep) => {
    const random = randomOf(SEED, number);
    return fuzzPieces(lists[random(lists.length)]!, random, keep);
  });
  if (TARS >= 10_000) for (const code of ["read", "invalid"]) expect(tally.get(code), code).toBeGreaterThan(TARS / 100);
});

const crashes = existsSync(CRASHES) ? readdirSync(CRASHES).filter((name) => /^(tar|pieces)/.test(name)) : [];

test.skipIf(crashes.length === 0).each(crashes)("what failed once: %s", async (name) => {
  const bytes = new Uint8Array(readFileSync(new URL(name, CRASHES)));
  if (name.startsWith("tar")) await outcomeOfTar(bytes);
  else outcomeOfPieces(bytes);
});
