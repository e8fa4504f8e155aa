// Fuzzing of single records: what decodes them gets them changed, without anything around them.

import { change, mangle, type Random } from "./fuzz.ts";
import type { Keep } from "./fuzz-run.ts";
import { codeOf, WrongOutcome } from "./outcomes.ts";

/** A record that is right, and what decodes it; `changed` where bytes at random would get no further than its syntax. */
export interface Decoder {
  readonly name: string;
  readonly input: Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
  readonly changed?: (input: Uint8Array, random: Random) => Uint8Array;
}

/** One changed record, decoded. @throws WrongOutcome */
export function fuzzDecoder(decoders: readonly Decoder[], random: Random, keep: Keep): string {
  const { name, input, decode, changed = mangle } = decoders[random(decoders.length)]!;
  const bytes = random(4) === 0 ? mangle(input, random) : changed(input, random);
  keep(bytes);
  return `${name}: ${outcomeOfRecord(decode, bytes)}`;
}

export function outcomeOfRecord(decode: Decoder["decode"], bytes: Uint8Array): string {
  try {
    decode(bytes);
    return "right";
  } catch (error) {
    if (error instanceof WrongOutcome) throw error;
    return codeOf(error);
  }
}

/** What numbers and texts of JSON may be that is hard to bear. */
const LOADED = [
  null,
  true,
  -1,
  0,
  1.5,
  2 ** 32,
  2 ** 53,
  1e308,
  "",
  "..",
  "/",
  "a\0b",
  "\ud800",
  [],
  {},
  [[]],
  "constructor",
];

/** Changes a value somewhere in JSON. */
export function changeJson(bytes: Uint8Array, random: Random): Uint8Array {
  const value = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  for (let times = 1 + random(2); times > 0; times--) {
    let inside = value;
    for (;;) {
      const keys = Object.keys(inside);
      if (keys.length === 0) break;
      const key = keys[random(keys.length)]!;
      const deeper = inside[key];
      if (typeof deeper === "object" && deeper !== null && random(8) > 0) {
        inside = deeper as Record<string, unknown>;
        continue;
      }
      const how = random(6);
      if (how === 0) delete inside[key];
      else if (how === 1) inside[`${LOADED[random(LOADED.length)]}`] = deeper;
      else inside[key] = structuredClone(LOADED[random(LOADED.length)]);
      break;
    }
  }
  return new TextEncoder().encode(JSON.stringify(value));
}

/** A large seed and a copy of it that is changed in places, and set right again: copies would take most of the time. */
export class Scratch {
  readonly bytes: Uint8Array;
  readonly #seed: Uint8Array;
  readonly #changed: { readonly start: number; readonly end: number }[] = [];

  constructor(seed: Uint8Array) {
    this.#seed = seed;
    this.bytes = seed.slice();
  }

  /** @returns the bytes with nothing but this changed, until the next call */
  changedNear(places: readonly number[], times: number, random: Random, reach: number): Uint8Array {
    for (const { start, end } of this.#changed.splice(0)) this.bytes.set(this.#seed.subarray(start, end), start);
    for (; times > 0; times--) {
      const start = places[random(places.length)]!;
      const end = Math.min(this.bytes.length, start + reach);
      this.#changed.push({ start, end });
      change(this.bytes, start, end, random);
    }
    return this.bytes;
  }
}
