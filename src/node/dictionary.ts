// Training a Zstandard dictionary on pieces of the input, by the system's libzstd (ZDICT: fast COVER).

import { HexzError } from "../core/errors.ts";
import { loadLibrary } from "./native-engine.ts";

/** What Zstandard's own tools make. */
const DICTIONARY_BYTES = 112_640;
/** The sample is about a hundred times the dictionary: more costs time and gains nothing. */
export const SAMPLE_PIECE = 16 * 1024;
export const SAMPLE_PIECES = 1024;
/** Of the input, the dictionary is at most this part: it is stored twice, and what is not in it has to profit. */
const PART_OF_INPUT = 256;
const LEAST_DICTIONARY = 1024;

/**
 * Makes a dictionary of samples from an input of that length; undefined when they are too few or have nothing in common.
 */
export type Trainer = (samples: readonly Uint8Array[], inputLength: number) => Uint8Array | undefined;

export function canTrain(): boolean {
  return bindTrainer() !== undefined;
}

/** @throws HexzError `not_available` where the system has no libzstd that trains */
export function loadTrainer(): Trainer {
  const trainer = bindTrainer();
  if (trainer !== undefined) return trainer;
  throw new HexzError("not_available", "training a dictionary needs libzstd, which this machine does not have", {
    hint: "install libzstd and the optional package koffi, or pack without --dictionary",
  });
}

function bindTrainer(): Trainer | undefined {
  return loadLibrary<Trainer>("zstd", (library, koffi) => {
    const train = library.func(
      "size_t ZDICT_trainFromBuffer(uintptr_t, size_t, uintptr_t, uintptr_t, unsigned int)",
    ) as unknown as (...values: unknown[]) => number;
    const isError = library.func("unsigned int ZDICT_isError(size_t)") as unknown as (code: number | bigint) => number;
    return (samples, inputLength) => {
      const bytes = Buffer.concat(samples);
      const most = Math.min(DICTIONARY_BYTES, Math.floor(inputLength / PART_OF_INPUT));
      if (most < LEAST_DICTIONARY) return undefined;
      const sizes = BigUint64Array.from(samples, ({ length }) => BigInt(length));
      const out = Buffer.allocUnsafeSlow(most);
      const length = train(koffi.address(out), most, koffi.address(bytes), koffi.address(sizes), samples.length);
      return isError(length) ? undefined : new Uint8Array(out.subarray(0, Number(length)));
    };
  });
}
