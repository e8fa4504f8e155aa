// Repair of archives that say what they like: pages that are changed and sealed again, with and without a root. Each gives
// a HexzError of a known code, or an archive that the check accepts; soon, and with little memory.

import { expect, test } from "vitest";
import { checkArchive, createMemorySink, createMemorySource } from "../src/core/index.ts";
import { salvageArchive } from "../src/core/salvage/salvage.ts";
import { createMemoryScratch } from "../src/core/write/scratch.ts";
import { findAmong } from "./support/archives.ts";
import { changedAndSealed, loadSeeds, mangle, randomOf } from "./support/fuzz.ts";
import { fuzz, inputs, PATIENT, SEED } from "./support/fuzz-run.ts";
import { codeOf, machinery, openQuickly, WrongOutcome } from "./support/outcomes.ts";

const seeds = await loadSeeds();
/** A repair reads an archive in all ways and writes another: three hundred in a second. */
const REPAIRS = inputs(100);

test(`${REPAIRS} changed archives are repaired`, PATIENT, async () => {
  const tally = await fuzz("repair", REPAIRS, async (number, keep) => {
    const random = randomOf(SEED, number);
    const seed = seeds[random(seeds.length)]!;
    const bytes = random(3) === 0 ? mangle(seed.bytes, random) : changedAndSealed(seed, random);
    // Without the root, or an inner page, leaves are taken at their word.
    const above = seed.pages.filter(({ kind }) => kind === 7 || kind === 2 || kind === 4);
    if (random(2) === 0) for (const { start, end } of above) bytes.fill(0, start, Math.min(end, bytes.length));
    keep(bytes);
    const sink = createMemorySink();
    const { parents } = seed.truth;
    try {
      const source = createMemorySource(bytes, "the damaged archive");
      const options = { findParent: findAmong(parents), keepPartial: random(2) === 0 };
      await salvageArchive(source, machinery, async () => sink, createMemoryScratch, options);
    } catch (error) {
      return codeOf(error);
    }
    const { problems } = await checkArchive(await openQuickly(sink.bytes(), parents));
    // What a root says of its parents is kept as it is.
    if (problems.some(({ code }) => code !== "parent_missing"))
      throw new WrongOutcome(`the check tells of ${problems[0]!.message}`);
    return "repaired";
  });
  // Pages that contradict each other are lost pages, not failures.
  const known = ["repaired", "truncated", "not_an_archive", "version_unknown", "feature_unknown", "limit_exceeded"];
  expect(known).toEqual(expect.arrayContaining([...tally.keys()]));
  expect(tally.get("repaired")).toBeGreaterThan(REPAIRS / 2);
});
