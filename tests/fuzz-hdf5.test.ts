// Changed HDF5 files. Our reader of object headers gives a place or a HexzError; libhdf5, in its thread, gives values or a
// HexzError, or is given up.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HexzError } from "../src/core/errors.ts";
import { placeOfValues, readAddressing } from "../src/node/hdf5/layout.ts";
import { Hdf5Reader } from "../src/node/hdf5/reader.ts";
import { randomOf } from "./support/fuzz.ts";
import { Scratch } from "./support/fuzz-records.ts";
import { COUNT, fuzz, inputs, PATIENT, replay, SEED } from "./support/fuzz-run.ts";
import { hdf5Files } from "./support/hdf5.ts";
import { codeOf, WrongOutcome } from "./support/outcomes.ts";

/** Every file takes a thread with libhdf5 in it: four in a second. */
const FILES = inputs(5000);
const PATIENCE = 3000;
const CODES = ["invalid", "damaged", "limit_exceeded", "unsupported"];

function checkedCode(error: unknown): string {
  const code = codeOf(error);
  if (!CODES.includes(code)) throw new WrongOutcome(`the code is ${code}`, { cause: error });
  return code;
}

const NAMES = ["earliest", "latest", "user-block"];
const load = (name: string) => new Uint8Array(readFileSync(join(hdf5Files(), `${name}.h5`)));

function reading(bytes: Uint8Array, name: string) {
  const readSync = (start: number, end: number) => {
    if (end > bytes.length) throw new HexzError("damaged", `bytes ${start} to ${end} are behind the end`);
    return bytes.subarray(start, end);
  };
  return { name, size: bytes.length, readSync };
}

const seeds = NAMES.map((name) => {
  const bytes = load(name);
  const reader = new Hdf5Reader(reading(bytes, name));
  const addresses = reader.objects().flatMap((object) => (object.kind === "dataset" ? [object.address] : []));
  reader.close();
  return { bytes, scratch: new Scratch(bytes), base: name === "user-block" ? 1024 : 0, addresses };
});

test(`${COUNT} changed object headers`, PATIENT, async () => {
  const tally = await fuzz("header", COUNT, (number, keep) => {
    const random = randomOf(SEED, number);
    const { scratch, base, addresses } = seeds[random(seeds.length)]!;
    const address = addresses[random(addresses.length)]!;
    const places = Array.from({ length: 4 }, () => base + (random(20) === 0 ? random(64) : address + random(300)));
    const bytes = scratch.changedNear(places, 1 + random(3), random, 8);
    keep(bytes);
    return outcomeOfHeader(bytes, address);
  });
  for (const outcome of ["place", "none", "invalid"]) {
    expect(tally.get(outcome), outcome).toBeGreaterThan(COUNT / 200);
  }
});

function outcomeOfHeader(bytes: Uint8Array, address: number): string {
  try {
    const { readSync, size } = reading(bytes, "changed.h5");
    const addressing = readAddressing(readSync, size, "changed.h5");
    return placeOfValues(readSync, addressing, address, "changed.h5") === undefined ? "none" : "place";
  } catch (error) {
    return checkedCode(error);
  }
}

test(`${FILES} changed HDF5 files`, PATIENT, async () => {
  const tally = await fuzz("hdf5", FILES, (number, keep) => {
    const random = randomOf(SEED, number);
    const { bytes: seed, base, addresses } = seeds[random(seeds.length)]!;
    const bytes = seed.slice();
    // Values are most of a file, and what is changed in them is no concern: aim at the rest.
    for (let times = 1 + random(8); times > 0; times--) {
      const at = random(2) ? base + addresses[random(addresses.length)]! + random(300) : random(16_384);
      bytes[at] = random(2) ? random(256) : bytes[at]! ^ (1 << random(8));
    }
    keep(bytes);
    return outcomeOfFile(bytes);
  });
  if (FILES < 20) return;
  expect(tally.get("read")).toBeGreaterThan(0);
  expect(tally.size).toBeGreaterThan(1);
});

/** @returns "read", "partly" when that is true of some datasets only, or why the file is not opened */
function outcomeOfFile(bytes: Uint8Array): string {
  let reader: Hdf5Reader | undefined;
  let refused = 0;
  try {
    reader = new Hdf5Reader(reading(bytes, "changed.h5"), PATIENCE);
    for (const object of reader.objects()) {
      if (object.kind !== "dataset" || object.dataset.count === 0) continue;
      try {
        reader.values(object.path, 0, 1);
      } catch (error) {
        checkedCode(error);
        refused++;
      }
    }
  } catch (error) {
    return checkedCode(error);
  } finally {
    reader?.close();
  }
  return refused === 0 ? "read" : "partly";
}

replay("hdf5", async (bytes) => [outcomeOfFile(bytes)]);
