// Ranges of an archive's address space into a sink, in order and without holes.

import type { Archive } from "../core/read/archive.ts";
import type { Part, Range } from "../core/read/bulk.ts";
import type { Sink } from "../core/write/sink.ts";

const FILL_PIECE = 64 * 1024;

/**
 * Writes the bytes of ranges, one after the other; the sink is not finished.
 * @throws HexzError `damaged`, … at the first byte that is lost
 */
export async function writeRanges(
  archive: Archive,
  ranges: Iterable<Range>,
  sink: Sink,
  onProgress?: (bytes: number) => void,
): Promise<void> {
  await writeParts(archive.bulk(ranges), sink, onProgress);
}

/** Writes parts that follow each other. @throws HexzError `damaged`, … at the first byte that is lost */
export async function writeParts(
  groups: AsyncIterable<Part<Range>[]>,
  sink: Sink,
  onProgress?: (bytes: number) => void,
): Promise<void> {
  for await (const parts of groups) {
    for (const part of parts) {
      if ("error" in part) throw part.error;
      const length = part.end - part.start;
      if ("bytes" in part) await sink.write(part.bytes);
      else await writeFill(sink, part.fill, length);
      onProgress?.(length);
    }
  }
}

async function writeFill(sink: Sink, value: number, length: number): Promise<void> {
  const piece = new Uint8Array(Math.min(length, FILL_PIECE)).fill(value);
  for (let left = length; left > 0; left -= piece.length) await sink.write(piece.subarray(0, left));
}
