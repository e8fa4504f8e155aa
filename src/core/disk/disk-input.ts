// A disk of layers as content to pack: zeros are holes that nobody reads.

import type { ContentInput } from "../write/content-input.ts";
import type { DiskLayer, Extent } from "./layer.ts";

/** Shorter holes between data are read as zeros. */
const SMALL_HOLE = 64 * 1024;

/** @param close gives back the files of all layers */
export async function createDiskInput(disk: DiskLayer, close: () => void): Promise<ContentInput> {
  const { size, name } = disk;
  let position = 0;
  /** The last stretch that was looked up. */
  let extent: Extent = size === 0 ? { kind: "zero", end: 0 } : await disk.extent(0);
  return {
    name,
    size,
    sparse: true,
    async read(into) {
      for (let filled = 0; ; ) {
        if (position >= extent.end && position < size) extent = await disk.extent(position);
        const left = Math.min(into.length - filled, extent.end - position);
        const atHole = extent.kind === "zero" && extent.end - position >= SMALL_HOLE;
        if (left <= 0 || (filled > 0 && atHole)) return filled;
        await fill(into.subarray(filled, filled + left), extent);
        filled += left;
        position += left;
        extent = rest(extent, left);
      }
    },
    hole: () => (extent.kind === "zero" ? extent.end - position : 0),
    skip(length) {
      position += length;
    },
    finish() {},
    close,
  };
}

/** What is left of a stretch behind its first `length` bytes. */
function rest(extent: Extent, length: number): Extent {
  if (extent.kind === "data") return { ...extent, at: extent.at + length };
  return extent.kind === "coded" ? { ...extent, offset: extent.offset + length } : extent;
}

async function fill(into: Uint8Array, extent: Extent): Promise<void> {
  if (extent.kind === "zero") into.fill(0);
  else if (extent.kind === "coded")
    into.set((await extent.decode()).subarray(extent.offset, extent.offset + into.length));
  else if (extent.source.readIntoSync !== undefined) extent.source.readIntoSync(extent.at, into);
  else into.set(await extent.source.read(extent.at, extent.at + into.length));
}
