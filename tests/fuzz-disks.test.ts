// Changed disk images, file systems and overlays, many of them: each is read, or refused with a code, soon and without
// much memory.

import { expect, test } from "vitest";
import { randomOf } from "./support/fuzz.ts";
import {
  fuzzFileSystem,
  fuzzImage,
  loadFileSystems,
  loadImages,
  outcomeOfFileSystem,
  outcomeOfImage,
  overlayDecoders,
} from "./support/fuzz-disks.ts";
import { fuzzDecoder, outcomeOfRecord } from "./support/fuzz-records.ts";
import { COUNT, fuzz, PATIENT, replay, SEED } from "./support/fuzz-run.ts";

test(`${COUNT} changed qcow2 images`, PATIENT, async () => {
  const seeds = loadImages();
  for (const { bytes } of seeds) expect(await outcomeOfImage(bytes)).toBe("read");
  const tally = await fuzz("qcow2", COUNT, (number, keep) => fuzzImage(seeds, randomOf(SEED, number), keep));
  if (COUNT < 10_000) return;
  for (const code of ["read", "invalid", "truncated", "limit_exceeded", "feature_unknown", "damaged"]) {
    expect(tally.get(code), code).toBeGreaterThan(COUNT / 10_000);
  }
});

test(`${COUNT} changed file systems`, PATIENT, async () => {
  const seeds = loadFileSystems();
  for (const { bytes } of seeds) expect(await outcomeOfFileSystem(bytes)).toBe("mapped");
  const tally = await fuzz("fs", COUNT, (number, keep) => fuzzFileSystem(seeds, randomOf(SEED, number), keep));
  expect([...tally.keys()].sort()).toEqual(["mapped", "not mapped"]);
  expect(Math.min(...tally.values())).toBeGreaterThan(COUNT / 10);
});

const decoders = overlayDecoders();

test(`${COUNT} changed logs of overlays`, PATIENT, async () => {
  const run = (number: number, keep: (bytes: Uint8Array) => void) =>
    fuzzDecoder(decoders, randomOf(SEED, number), keep);
  const tally = await fuzz("overlay", COUNT, run);
  for (const code of ["right", "truncated", "limit_exceeded"]) {
    expect(tally.get(`overlay log: ${code}`), code).toBeGreaterThan(COUNT / 1000);
  }
});

replay("qcow2", async (bytes) => [await outcomeOfImage(bytes)]);
replay("fs", async (bytes) => [await outcomeOfFileSystem(bytes)]);
replay("overlay", async (bytes) => decoders.map(({ decode }) => outcomeOfRecord(decode, bytes)));
