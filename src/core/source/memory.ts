// An archive in memory.

import { HexzError } from "../errors.ts";
import type { RangeSource } from "./source.ts";

/** @param name for messages */
export function createMemorySource(bytes: Uint8Array, name = "memory"): RangeSource {
  const readSync = (start: number, end: number): Uint8Array => {
    if (start < 0 || end > bytes.length || start > end) {
      throw new HexzError("io", `cannot read bytes ${start} to ${end} of ${name}: it has ${bytes.length}`);
    }
    return bytes.subarray(start, end);
  };
  return {
    name,
    size: bytes.length,
    read: async (start, end) => readSync(start, end),
    readSync,
    readIntoSync: (start, into) => into.set(readSync(start, start + into.length)),
  };
}
