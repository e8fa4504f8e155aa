// Changed tars, their headers and records, and lists of pieces, many of them: each tar comes back from what was read of
// it, or is refused with a code, soon and without much memory.

import { expect, test } from "vitest";
import { randomOf } from "./support/fuzz.ts";
import { fuzzDecoder, outcomeOfRecord } from "./support/fuzz-records.ts";
import { COUNT, fuzz, PATIENT, replay, SEED } from "./support/fuzz-run.ts";
import {
  fuzzPieces,
  fuzzTar,
  listOf,
  outcomeOfPieces,
  outcomeOfTar,
  tarDecoders,
  tarSeeds,
} from "./support/fuzz-tar.ts";

test(`${COUNT} changed tars`, PATIENT, async () => {
  const seeds = tarSeeds();
  for (const seed of seeds) expect(await outcomeOfTar(seed)).toBe("read");
  const tally = await fuzz("tar", COUNT, (number, keep) => fuzzTar(seeds, randomOf(SEED, number), keep));
  if (COUNT < 10_000) return;
  for (const code of ["read", "invalid", "truncated", "limit_exceeded", "damaged"]) {
    expect(tally.get(code), code).toBeGreaterThan(COUNT / 1000);
  }
});

const decoders = tarDecoders();

test(`${COUNT} changed headers and records of tars`, PATIENT, async () => {
  const run = (number: number, keep: (bytes: Uint8Array) => void) =>
    fuzzDecoder(decoders, randomOf(SEED, number), keep);
  const tally = await fuzz("pax", COUNT, run);
  if (COUNT < 10_000) return;
  for (const name of ["tar header", "pax records"]) {
    for (const code of ["right", "invalid"]) expect(tally.get(`${name}: ${code}`), name).toBeGreaterThan(COUNT / 1000);
  }
});

test(`${COUNT} changed lists of pieces`, PATIENT, async () => {
  const lists = await Promise.all(tarSeeds().map(listOf));
  const tally = await fuzz("pieces", COUNT, (number, keep) => {
    const random = randomOf(SEED, number);
    return fuzzPieces(lists[random(lists.length)]!, random, keep);
  });
  if (COUNT >= 10_000)
    for (const code of ["read", "invalid"]) expect(tally.get(code), code).toBeGreaterThan(COUNT / 100);
});

replay("tar", async (bytes) => [await outcomeOfTar(bytes)]);
replay("pax", async (bytes) => decoders.map(({ decode }) => outcomeOfRecord(decode, bytes)));
replay("pieces", async (bytes) => [outcomeOfPieces(bytes)]);
