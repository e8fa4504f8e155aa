// The reference decoder: FastCDC v2020 as docs/format.md, "Chunking", says it. In BigInt, slow, to compare cuts with.

import { createHash } from "node:crypto";
import type { ReferenceCoding } from "./reference-root.ts";

const MASKS = `1804110 1803110 18035100 1800035300 19000353000 590003530000 d90003530000 d90103530000 d90303530000
  d90313530000 d90f03530000 d90303537000 d90703537000 d90707537000 d91707537000 d91747537000 d91767537000
  d93767537000 d93777537000 d93777577000 db3777577000`
  .split(/\s+/)
  .map((mask) => BigInt(`0x${mask}`));

/** By number of bits, 5 to 25. */
const mask = (bits: number): bigint => MASKS[bits - 5]!;

const GEAR = Array.from({ length: 256 }, (_, byte) =>
  createHash("md5").update(new Uint8Array(64).fill(byte)).digest().readBigUInt64BE(0),
);

const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);

function cut(bytes: Uint8Array, { min, avg, max }: { min: number; avg: number; max: number }): number {
  if (bytes.length <= min) return bytes.length;
  const bits = Math.log2(avg);
  const [strict, loose] = [mask(bits + 1), mask(bits - 1)];
  const n = Math.min(bytes.length, max);
  const c = Math.min(avg, n);
  let h = 0n;
  for (let i = Math.floor(min / 2); i < Math.floor(n / 2); i++) {
    const m = i < Math.floor(c / 2) ? strict : loose;
    h = wrap((h << 2n) + wrap(GEAR[bytes[2 * i]!]! << 1n));
    if ((h & wrap(m << 1n)) === 0n) return 2 * i;
    h = wrap(h + GEAR[bytes[2 * i + 1]!]!);
    if ((h & m) === 0n) return 2 * i + 1;
  }
  return n;
}

type Parameters = Pick<ReferenceCoding, "chunking" | "min" | "avg" | "max">;

/** The lengths of the chunks of one content, fills not yet told apart. */
export function referenceCuts(content: Uint8Array, coding: Parameters): number[] {
  const lengths: number[] = [];
  for (let start = 0; start < content.length; start += lengths.at(-1)!) {
    const rest = content.subarray(start);
    lengths.push(coding.chunking === "fixed" ? Math.min(coding.max, rest.length) : cut(rest, coding));
  }
  return lengths;
}

/** The chunk records of one content: lengths, and the value where a chunk is a fill; neighbouring fills are one. */
export function referenceChunks(content: Uint8Array, coding: Parameters): { length: number; fill?: number }[] {
  const chunks: { length: number; fill?: number }[] = [];
  let start = 0;
  for (const length of referenceCuts(content, coding)) {
    const first = content[start]!;
    const previous = chunks.at(-1);
    if (!content.subarray(start, start + length).every((byte) => byte === first)) chunks.push({ length });
    else if (previous?.fill === first) previous.length += length;
    else chunks.push({ length, fill: first });
    start += length;
  }
  return chunks;
}
