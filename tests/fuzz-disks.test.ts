// Changed disk images, many of them: each is read, or refused with a code, soon and without much memory.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { randomOf } from "./support/fuzz.ts";
import {
  fuzzFileSystem,
  fuzzImage,
  loadFileSystems,
  loadImages,
  outcomeOfFileSystem,
  outcomeOfImage,
} from "./support/fuzz-disks.ts";
import { COUNT, CRASHES, fuzz, SEED } from "./support/fuzz-run.ts";

const IMAGES = Math.ceil(COUNT / 40);

test(`${IMAGES} changed qcow2 images`, { timeout: 2_000_000_000 }, async () => {
  const seeds = loadImages();
  const tally = await fuzz("qcow2", IMAGES, (number, keep) => fuzzImage(seeds, randomOf(SEED, number), keep));
  process.stdout.write(`seed ${SEED}: ${[...tally].map(([outcome, times]) => `${outcome} ${times}`).join(", ")}\n`);
  if (IMAGES >= 2500) {
    for (const code of ["read", "invalid", "truncated", "limit_exceeded", "feature_unknown", "damaged"]) {
      expect(tally.get(code), code).toBeGreaterThan(0);
    }
  }
});

const FILE_SYSTEMS = Math.ceil(COUNT / 200);

test(`${FILE_SYSTEMS} changed file systems`, { timeout: 2_000_000_000 }, async () => {
  const seeds = loadFileSystems();
  for (const { bytes } of seeds) expect(await outcomeOfFileSystem(bytes)).toBe("mapped");
  const tally = await fuzz("fs", FILE_SYSTEMS, (number, keep) => fuzzFileSystem(seeds, randomOf(SEED, number), keep));
  process.stdout.write(`seed ${SEED}: ${[...tally].map(([outcome, times]) => `${outcome} ${times}`).join(", ")}\n`);
  expect([...tally.keys()].sort()).toEqual(["mapped", "not mapped"]);
});

const crashes = existsSync(CRASHES) ? readdirSync(CRASHES).filter((name) => /^(qcow2|fs)-/.test(name)) : [];

test.skipIf(crashes.length === 0).each(crashes)("what failed once: %s", async (name) => {
  const bytes = new Uint8Array(readFileSync(new URL(name, CRASHES)));
  await (name.startsWith("fs") ? outcomeOfFileSystem(bytes) : outcomeOfImage(bytes));
});
