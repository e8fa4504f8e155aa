// The blocks of an archive for whoever copies them: as they are stored, and their chunks, verified.

import type { BlockRef } from "../format/index-page.ts";
import type { Archive } from "./archive.ts";
import { runAtOnce } from "./io.ts";

const ROOM_STEP = 64 * 1024;

export function storedBlocks({ random, dictionaries }: Archive, signal?: AbortSignal) {
  let kept = new Uint8Array(0);
  const room = (length: number) => {
    if (kept.length < length) kept = new Uint8Array(Math.ceil(length / ROOM_STEP) * ROOM_STEP);
    return kept.subarray(0, length);
  };
  return {
    /** A chunk's bytes, verified. */
    chunk: (block: BlockRef, offset: number, length: number, digest: Uint8Array) =>
      runAtOnce(random.chunk(block, offset, offset + length, digest), signal),
    /** That a chunk is there, and is what its digest says. */
    verify: (block: BlockRef, offset: number, length: number, digest: Uint8Array) =>
      runAtOnce(random.verify(block, offset, offset + length, digest), signal),
    /** A block as it is stored, until the next one is asked for. */
    stored: (block: BlockRef) => runAtOnce(random.stored(block, room), signal),
    /** The dictionary of a block that needs one. */
    dictionary: async (block: BlockRef) => (await runAtOnce(dictionaries.of(block), signal))!,
  };
}
