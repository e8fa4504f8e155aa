// Changed HDF5 files: reading structure, places and values gives a HexzError of a known code or some values, soon.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HexzError } from "../src/core/errors.ts";
import { placeOfValues, readAddressing } from "../src/node/hdf5/layout.ts";
import { openHdf5 } from "../src/node/hdf5/library.ts";
import { objectsOf } from "../src/node/hdf5/structure.ts";
import { readElements } from "../src/node/hdf5/values.ts";
import { hdf5Files } from "./support/hdf5.ts";
import { randomFrom } from "./support/random.ts";

const SEED = Number(process.env.HEXZ_SEED ?? 1);
const COUNT = Number(process.env.HEXZ_FUZZ_COUNT ?? 100_000) / 200;
const MOST_MILLISECONDS = 5000;
const CODES = ["invalid", "damaged", "limit_exceeded", "unsupported"];

/** Reads everything there is, a little of each. @returns how many datasets were read */
async function readAll(bytes: Uint8Array): Promise<number> {
  const read = (start: number, end: number) => {
    if (end > bytes.length) throw new HexzError("damaged", `bytes ${start} to ${end} are behind the end`);
    return bytes.subarray(start, end);
  };
  const source = {
    name: "changed.h5",
    size: bytes.length,
    readIntoSync: (start: number, into: Uint8Array) => into.set(read(start, start + into.length)),
  };
  const file = await openHdf5(source);
  let count = 0;
  try {
    const addressing = readAddressing(read, bytes.length, source.name);
    for (const object of objectsOf(file)) {
      if (object.kind !== "dataset") continue;
      try {
        placeOfValues(read, addressing, object.address, source.name);
        readElements(file, object.dataset, 0, Math.min(object.dataset.count, 1000)).next();
        count++;
      } catch (error) {
        check(error);
      }
    }
  } finally {
    file.close();
  }
  return count;
}

function check(error: unknown): void {
  if (!(error instanceof HexzError) || !CODES.includes(error.code)) throw error;
}

test(`${COUNT} changed HDF5 files`, { timeout: 2_000_000_000 }, async () => {
  const seeds = ["earliest", "latest"].map((name) => readFileSync(join(hdf5Files(), `${name}.h5`)));
  let refused = 0;
  let read = 0;
  for (let number = 0; number < COUNT; number++) {
    const random = randomFrom(SEED * 1_000_003 + number);
    const bytes = Uint8Array.from(seeds[random(2)]!);
    // Values are most of a file, and what is changed in them is no concern: aim at the rest.
    for (let times = 1 + random(8); times > 0; times--) {
      const at = random(4) ? random(16_384) : bytes.length - 1 - random(40_000);
      bytes[at] = random(2) ? random(256) : bytes[at]! ^ (1 << random(8));
    }
    const began = performance.now();
    try {
      read += await readAll(bytes);
    } catch (error) {
      refused++;
      try {
        check(error);
      } catch (cause) {
        throw new Error(`HDF5 file ${number} with seed ${SEED}: ${(cause as Error).message}`, { cause });
      }
    }
    expect(performance.now() - began, `file ${number}`).toBeLessThan(MOST_MILLISECONDS);
  }
  expect(refused).toBeGreaterThan(COUNT / 100);
  expect(read).toBeGreaterThan(COUNT);
});
