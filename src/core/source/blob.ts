// An archive in a Blob: a File that a user chose in a browser.

import { HexzError } from "../errors.ts";
import type { RangeSource } from "./source.ts";

/** @param name for messages */
export function createBlobSource(blob: Blob, name = "blob"): RangeSource {
  return {
    name,
    size: blob.size,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      const bytes = new Uint8Array(await blob.slice(start, end).arrayBuffer());
      if (bytes.length !== end - start) {
        throw new HexzError(
          "io",
          `short read of ${name} at ${start}: found ${bytes.length} bytes, expected ${end - start}`,
        );
      }
      return bytes;
    },
  };
}
