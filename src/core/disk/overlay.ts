// Block overlays of the original's mounts (0.1 to 0.6): a sparse data file in which block k lies at 4096 k, and beside it a
// log of the numbers of all blocks that were written, 8 bytes each, little endian, without a header. A block may be
// logged twice; what is left of a torn append at the end of the log counts for nothing.

import { ByteWriter } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import { checkLimit, IMAGE_LIMITS, LIMITS } from "../limits.ts";
import type { RangeSource } from "../source/source.ts";

export const OVERLAY_BLOCK = 4096;
const ENTRY = 8;

/** Bytes [start, end). */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface OverlayLog {
  /** Numbers of the blocks, ascending, each once. */
  readonly blocks: Float64Array;
  /** Bytes at the end that are no whole entry. */
  readonly torn: number;
}

/** @throws HexzError `limit_exceeded` */
export function decodeOverlayLog(bytes: Uint8Array, name: string): OverlayLog {
  checkLimit(`the length of ${name}`, bytes.length, IMAGE_LIMITS.overlayLog);
  const count = Math.floor(bytes.length / ENTRY);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all = new Float64Array(count);
  for (let entry = 0; entry < count; entry++) {
    const number = view.getUint32(entry * ENTRY, true) + view.getUint32(entry * ENTRY + 4, true) * 2 ** 32;
    checkLimit(`block ${number} of ${name}, in bytes,`, (number + 1) * OVERLAY_BLOCK, LIMITS.bytes);
    all[entry] = number;
  }
  all.sort();
  return { blocks: all.filter((number, at) => at === 0 || number !== all[at - 1]), torn: bytes.length % ENTRY };
}

/** The log of these blocks. */
export function encodeOverlayLog(blocks: Iterable<number>): Uint8Array {
  const writer = new ByteWriter();
  for (const block of blocks) writer.u64(block);
  return writer.take();
}

/** Neighbouring blocks as ranges of bytes, not beyond `end`. */
export function rangesOf(blocks: Float64Array, end: number): ByteRange[] {
  const ranges: { start: number; end: number }[] = [];
  for (const block of blocks) {
    const start = block * OVERLAY_BLOCK;
    const stop = Math.min(start + OVERLAY_BLOCK, end);
    const last = ranges.at(-1);
    if (start >= stop) break;
    if (last?.end === start) last.end = stop;
    else ranges.push({ start, end: stop });
  }
  return ranges;
}

/** An overlay: its log, and the data file. */
export interface Overlay extends OverlayLog {
  readonly data: RangeSource;
}

/** A disk with an overlay on it. */
export interface Overlaid extends RangeSource {
  /** What differs from the disk below, ascending and apart, within the size. */
  readonly changed: readonly ByteRange[];
  /** Blocks that were logged and lie behind the end of the disk: nothing was written to them. */
  readonly outside: number;
  /** Where the next byte that is not known to be zero is, from `position` on; only behind the disk below there are such. */
  zeroUntil(position: number): number;
}

/**
 * The bytes of a disk and of the overlay on it.
 * @throws HexzError `truncated` when the data file lacks bytes of a block of the log
 */
export function overlaid(below: Pick<RangeSource, "name" | "size" | "read">, overlay: Overlay): Overlaid {
  const { data, blocks } = overlay;
  const size = Math.max(below.size, data.size);
  const changed = rangesOf(blocks, size);
  const last = changed.at(-1);
  if (last !== undefined && last.end > data.size) throw lacking(data, changed);
  const outside = blocks.filter((block) => block * OVERLAY_BLOCK >= size).length;
  return {
    name: data.name,
    size,
    changed,
    outside,
    async read(start, end, signal) {
      const bytes = new Uint8Array(end - start);
      const ranges = within(changed, start, end);
      const isCovered = ranges.length === 1 && ranges[0]!.start <= start && ranges[0]!.end >= end;
      if (start < below.size && !isCovered) {
        bytes.set(await below.read(start, Math.min(end, below.size), signal));
      }
      for (const range of ranges) {
        const from = Math.max(range.start, start);
        bytes.set(await data.read(from, Math.min(range.end, end), signal), from - start);
      }
      return bytes;
    },
    zeroUntil(position) {
      if (position < below.size) return position;
      const next = changed[firstBehind(changed, position)];
      return next === undefined ? size : Math.max(position, next.start);
    },
  };
}

function lacking(data: RangeSource, changed: readonly ByteRange[]): HexzError {
  const { start, end } = changed.at(-1)!;
  const block = Math.floor(Math.max(start, data.size) / OVERLAY_BLOCK);
  return new HexzError(
    "truncated",
    `the overlay ${data.name} lacks bytes: block ${block} was written, but the file ends at ${data.size}, not at ${end} or later`,
    { data: { path: data.name, block, size: data.size, expected: end } },
  );
}

/** Number of the first range that ends behind the position. */
export function firstBehind(ranges: readonly ByteRange[], position: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.end <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The ranges that have bytes of [start, end). */
export function within(ranges: readonly ByteRange[], start: number, end: number): ByteRange[] {
  const found: ByteRange[] = [];
  for (let at = firstBehind(ranges, start); at < ranges.length && ranges[at]!.start < end; at++)
    found.push(ranges[at]!);
  return found;
}
