// Changed HDF5 files. Our reader of object headers gives a place or a HexzError; libhdf5, in its thread, gives values or a
// HexzError, or is given up.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HexzError } from "../src/core/errors.ts";
import { placeOfValues, readAddressing } from "../src/node/hdf5/layout.ts";
import { Hdf5Reader } from "../src/node/hdf5/reader.ts";
import { hdf5Files } from "./support/hdf5.ts";
import { randomFrom } from "./support/random.ts";

const SEED = Number(process.env.HEXZ_SEED ?? 1);
const COUNT = Number(process.env.HEXZ_FUZZ_COUNT ?? 100_000);
/** Every file takes a thread. */
const FILES = COUNT / 5000;
const PATIENCE = 3000;
const CODES = ["invalid", "damaged", "limit_exceeded", "unsupported"];

function check(error: unknown): void {
  if (!(error instanceof HexzError) || !CODES.includes(error.code)) throw error;
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

test(`${COUNT} changed object headers`, { timeout: 2_000_000_000 }, () => {
  const seeds = [];
  for (const name of NAMES) {
    const bytes = load(name);
    const reader = new Hdf5Reader(reading(bytes, name));
    const addresses = reader.objects().flatMap((object) => (object.kind === "dataset" ? [object.address] : []));
    reader.close();
    seeds.push({ bytes, base: name === "user-block" ? 1024 : 0, addresses });
  }
  const tally = { place: 0, none: 0, refused: 0 };
  for (let number = 0; number < COUNT; number++) {
    const random = randomFrom(SEED * 1_000_003 + number);
    const { bytes, base, addresses } = seeds[random(seeds.length)]!;
    const address = addresses[random(addresses.length)]!;
    const changed: [number, number][] = [];
    for (let times = 1 + random(6); times > 0; times--) {
      const at = random(20) === 0 ? base + random(64) : base + address + random(300);
      changed.push([at, bytes[at]!]);
      bytes[at] = random(2) ? random(256) : bytes[at]! ^ (1 << random(8));
    }
    try {
      const { readSync, size } = reading(bytes, "changed.h5");
      const addressing = readAddressing(readSync, size, "changed.h5");
      tally[placeOfValues(readSync, addressing, address, "changed.h5") === undefined ? "none" : "place"]++;
    } catch (error) {
      tally.refused++;
      try {
        check(error);
      } catch (cause) {
        throw new Error(`header ${number} with seed ${SEED}: ${(cause as Error).message}`, { cause });
      }
    }
    for (const [at, byte] of changed.reverse()) bytes[at] = byte;
  }
  expect(Math.min(...Object.values(tally)), JSON.stringify(tally)).toBeGreaterThan(COUNT / 200);
});

test(`${FILES} changed HDF5 files`, { timeout: 2_000_000_000 }, () => {
  let refused = 0;
  let read = 0;
  for (let number = 0; number < FILES; number++) {
    const random = randomFrom(SEED * 1_000_003 + number);
    const bytes = load(NAMES[random(NAMES.length)]!);
    // Values are most of a file, and what is changed in them is no concern: aim at the rest.
    for (let times = 1 + random(8); times > 0; times--) {
      const at = random(4) ? random(16_384) : bytes.length - 1 - random(40_000);
      bytes[at] = random(2) ? random(256) : bytes[at]! ^ (1 << random(8));
    }
    let reader: Hdf5Reader | undefined;
    try {
      reader = new Hdf5Reader(reading(bytes, "changed.h5"), PATIENCE);
      for (const object of reader.objects()) {
        if (object.kind !== "dataset" || object.dataset.count === 0) continue;
        try {
          reader.values(object.path, 0, 1);
          read++;
        } catch (error) {
          refused++;
          check(error);
        }
      }
    } catch (error) {
      refused++;
      try {
        check(error);
      } catch (cause) {
        throw new Error(`HDF5 file ${number} with seed ${SEED}: ${(cause as Error).message}`, { cause });
      }
    } finally {
      reader?.close();
    }
  }
  expect(refused).toBeGreaterThan(0);
  expect(read).toBeGreaterThan(FILES);
});
