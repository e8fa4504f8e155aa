// Byte ranges as `cat --range` takes them.

import { InvalidArgumentError } from "commander";
import { HexzError } from "../core/errors.ts";
import { parseSize } from "./sizes.ts";

/** As it was typed: a negative start counts from the end; without an end it goes to the end. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
  readonly length?: number;
}

const NUMBER = String.raw`[\d.]+ ?[a-z]*`;
const RANGE = new RegExp(`^(-?)(${NUMBER})(?:-(${NUMBER})?|\\+(${NUMBER}))?$`, "i");

/** "START-END", "START-", "START+LENGTH", "-N", "-N+LENGTH"; the numbers are sizes. */
export function parseRange(text: string): ByteRange {
  const match = RANGE.exec(text);
  const bad = new InvalidArgumentError("It must be START-END, START-, START+LENGTH, or -N for the last N bytes.");
  if (match === null) throw bad;
  const [, minus, from, to, length] = match;
  // a number alone is neither a range nor "from there on"
  if (minus === "" && to === undefined && length === undefined && !text.endsWith("-")) throw bad;
  try {
    const start = parseSize(from!);
    return {
      // the last 0 bytes are none, not all
      start: minus === "" ? start : -start,
      ...(to === undefined ? {} : { end: parseSize(to) }),
      ...(length === undefined ? {} : { length: parseSize(length) }),
    };
  } catch {
    throw bad;
  }
}

/**
 * The range in a file of so many bytes: END and LENGTH are clipped to it.
 * @throws HexzError `usage` when it starts behind its end, or behind the end of the file
 */
export function resolveRange(
  range: ByteRange | undefined,
  size: number,
  name: string,
): { readonly start: number; readonly end: number } {
  if (range === undefined) return { start: 0, end: size };
  const fromEnd = range.start < 0 || Object.is(range.start, -0);
  const start = fromEnd ? Math.max(0, size + range.start) : range.start;
  const asked = range.length === undefined ? (range.end ?? size) : start + range.length;
  const end = Math.min(asked, size);
  if (start <= end) return { start, end };
  throw new HexzError("usage", `the range starts at ${start}, behind its end at ${end}: ${name} has ${size} bytes`, {
    data: { start, end, size },
  });
}
