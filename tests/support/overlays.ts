// Overlays as the original's mount leaves them.

import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { encodeOverlayLog } from "../../src/core/disk/overlay.ts";

export const BLOCK = 4096;

/** A write into the disk. */
export interface DiskWrite {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** The disk after the writes. */
export function written(disk: Uint8Array, writes: readonly DiskWrite[]): Uint8Array {
  const size = Math.max(disk.length, ...writes.map(({ at, bytes }) => at + bytes.length));
  const after = new Uint8Array(size);
  after.set(disk);
  for (const { at, bytes } of writes) after.set(bytes, at);
  return after;
}

/**
 * Makes `vm.overlay` and `vm.meta` in the directory. A block is seeded with what the disk has of it, logged when it is
 * touched first (and again when `twice`), and then written.
 */
export function makeOverlay(
  directory: string,
  disk: Uint8Array,
  writes: readonly DiskWrite[],
  { twice = false, torn = 0 } = {},
): void {
  const log: number[] = [];
  const seen = new Set<number>();
  const fd = openSync(join(directory, "vm.overlay"), "w");
  for (const { at, bytes } of writes) {
    for (let block = Math.floor(at / BLOCK); block * BLOCK < at + bytes.length; block++) {
      if (seen.has(block) && !twice) continue;
      log.push(block);
      const seed = disk.subarray(block * BLOCK, (block + 1) * BLOCK);
      if (!seen.has(block)) writeSync(fd, seed, 0, seed.length, block * BLOCK);
      seen.add(block);
    }
    writeSync(fd, bytes, 0, bytes.length, at);
  }
  if (writes.length === 0) ftruncateSync(fd, 0);
  closeSync(fd);
  writeFileSync(join(directory, "vm.meta"), Buffer.concat([encodeOverlayLog(log), Buffer.alloc(torn, 7)]));
}
