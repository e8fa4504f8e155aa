// Salvage: which addresses cannot be read any more. Every block that is left is read, decoded and compared with its
// digests; what a base has is not lost.

import type { ErrorCode } from "../errors.ts";
import type { Archive } from "../read/archive.ts";
import type { DedupTable } from "../write/dedup.ts";
import { RangeSet } from "./ranges.ts";
import type { Rebuilt } from "./rebuild.ts";

export interface LostOptions {
  /** Chunks of other archives. */
  readonly elsewhere?: DedupTable | undefined;
  /** Parents are named by a root: one that is not there is not a loss of this archive. */
  readonly knowsParents: boolean;
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** @returns addresses with the code of what is wrong there */
export async function findLost(
  archive: Archive,
  { lostSpans }: Rebuilt,
  { elsewhere, knowsParents, onProgress }: LostOptions,
): Promise<RangeSet<ErrorCode>> {
  const lost = new RangeSet<ErrorCode>();
  for await (const parts of archive.bulk([{ start: 0, end: archive.root.addressSpace }])) {
    let bytes = 0;
    for (const part of parts) {
      bytes += part.end - part.start;
      if (!("error" in part) || (knowsParents && part.error.code === "parent_missing")) continue;
      lost.add(part.start, part.end, part.error.code);
    }
    onProgress?.(bytes);
  }
  const found = elsewhere === undefined || elsewhere.count === 0 ? lost : await withoutFound(archive, lost, elsewhere);
  for (const { start, end } of lostSpans) found.add(start, end, "damaged");
  return found;
}

async function withoutFound(
  archive: Archive,
  lost: RangeSet<ErrorCode>,
  elsewhere: DedupTable,
): Promise<RangeSet<ErrorCode>> {
  const left = new RangeSet<ErrorCode>();
  for await (const { starts, fills, digests } of archive.leaves()) {
    const words = new Uint32Array(digests.buffer, digests.byteOffset, digests.length / 4);
    for (let chunk = 0; chunk < fills.length; chunk++) {
      const { value } = lost.touching(starts[chunk]!, starts[chunk + 1]!).next();
      if (value === undefined) continue;
      const isFound = fills[chunk]! < 0 && elsewhere.find(words.subarray(chunk * 8, chunk * 8 + 8)) !== undefined;
      if (!isFound) left.add(starts[chunk]!, starts[chunk + 1]!, value.tag);
    }
  }
  return left;
}
