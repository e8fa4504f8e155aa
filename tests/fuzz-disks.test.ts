// Changed disk images, many of them: each is read, or refused with a code, soon and without much memory.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { randomOf } from "./support/fuzz.ts";
import { fuzzImage, loadImages, outcomeOfImage } from "./support/fuzz-disks.ts";
import { COUNT, CRASHES, fuzz, SEED } from "./support/fuzz-run.ts";

const IMAGES = Math.ceil(COUNT / 20);

test(`${IMAGES} changed qcow2 images`, { timeout: 2_000_000_000 }, async () => {
  const seeds = loadImages();
  const tally = await fuzz("qcow2", IMAGES, (number, keep) => fuzzImage(seeds, randomOf(SEED, number), keep));
  process.stdout.write(`seed ${SEED}: ${[...tally].map(([outcome, times]) => `${outcome} ${times}`).join(", ")}\n`);
  if (IMAGES >= 5000) {
    for (const code of ["read", "invalid", "truncated", "limit_exceeded", "feature_unknown", "damaged"]) {
      expect(tally.get(code), code).toBeGreaterThan(IMAGES / 10_000);
    }
  }
});

const crashes = existsSync(CRASHES) ? readdirSync(CRASHES).filter((name) => name.startsWith("qcow2")) : [];

test.skipIf(crashes.length === 0).each(crashes)("what failed once: %s", async (name) => {
  await outcomeOfImage(new Uint8Array(readFileSync(new URL(name, CRASHES))));
});
