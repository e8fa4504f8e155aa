// GNU sparse files in a tar: where the stored bytes belong in the file. There are four ways of saying it: in the header
// and blocks behind it (old GNU), in pax records (0.0 and 0.1), and before the data (1.0).

import { HexzError } from "../errors.ts";
import { type ByteString, byteStringOf } from "../format/path.ts";
import { checkLimit, LIMITS } from "../limits.ts";
import { numberField, type Subject } from "./header.ts";
import type { PaxRecord } from "./pax.ts";

/** A run of stored bytes and its place in the file. */
export interface SparseRun {
  readonly offset: number;
  readonly length: number;
}

export interface SparseMap {
  /** Length of the file, holes included. */
  readonly size: number;
  /** Ascending, not empty, disjoint. */
  readonly runs: readonly SparseRun[];
}

/** A map that is said by pax records, as far as they say it. */
export interface PaxSparse {
  readonly size: number;
  readonly name: ByteString | undefined;
  /** Undefined: the map stands before the data. */
  readonly runs: readonly SparseRun[] | undefined;
}

/** Of one file. */
export const MOST_RUNS = 1_000_000;
const RUN_LENGTH = 24;
const HEADER_RUNS = { at: 386, count: 4, extendedAt: 482, sizeAt: 483 };
const BLOCK_RUNS = { at: 0, count: 21, extendedAt: 504 };

/** Runs of an old GNU header, or of a block behind one; and whether another block follows. */
export function decodeOldSparse(
  block: Uint8Array,
  isHeader: boolean,
  what: Subject,
): { runs: SparseRun[]; more: boolean; size: number } {
  const { at, count, extendedAt } = isHeader ? HEADER_RUNS : BLOCK_RUNS;
  const runs: SparseRun[] = [];
  const number = (from: number) => numberField(block, from, from + 12, "a number of the map", what);
  for (let from = at; from < at + count * RUN_LENGTH; from += RUN_LENGTH) {
    if (block[from + 12] === 0) break;
    runs.push({ offset: number(from), length: number(from + 12) });
  }
  return { runs, more: block[extendedAt] !== 0, size: isHeader ? number(HEADER_RUNS.sizeAt) : 0 };
}

function decimal(text: string, what: Subject): number {
  const value = Number(text);
  if (!/^[0-9]{1,16}$/.test(text) || value > LIMITS.bytes) {
    throw new HexzError("invalid", `a number of the map of ${what} is ${JSON.stringify(text.slice(0, 40))}`);
  }
  return value;
}

/** What pax records say; undefined when the file is not sparse by them. */
export function paxSparse(records: readonly PaxRecord[], what: Subject): PaxSparse | undefined {
  if (records.length === 0) return undefined;
  const last = new Map<string, ByteString>(records.filter(([key]) => key.startsWith("GNU.sparse.")));
  if (last.size === 0) return undefined;
  const size = last.get("GNU.sparse.realsize") ?? last.get("GNU.sparse.size");
  const name = last.get("GNU.sparse.name");
  const about = { size: decimal(size ?? "", what), name };
  if (last.has("GNU.sparse.major")) {
    const version = `${last.get("GNU.sparse.major")}.${last.get("GNU.sparse.minor")}`;
    if (version === "1.0") return { ...about, runs: undefined };
    throw new HexzError("feature_unknown", `${what} is sparse in version ${version}, which this version does not know`);
  }
  const map = last.get("GNU.sparse.map");
  const numbers =
    map === undefined
      ? records.filter(([key]) => key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes")
      : map.split(",").map((text, at) => [at % 2 === 0 ? "GNU.sparse.offset" : "GNU.sparse.numbytes", text] as const);
  const runs: SparseRun[] = [];
  for (let at = 0; at < numbers.length; at += 2) {
    const [offset, length] = [numbers[at]!, numbers[at + 1]];
    if (offset[0] !== "GNU.sparse.offset" || length?.[0] !== "GNU.sparse.numbytes") {
      throw new HexzError("invalid", `the map of ${what} is not pairs of offset and length`);
    }
    runs.push({ offset: decimal(offset[1], what), length: decimal(length[1], what) });
  }
  return { ...about, runs };
}

/** A map before the data: a count, then offsets and lengths in turn, each a line; zeros up to the end of the block. */
export function createMapReader(what: Subject) {
  let text = "";
  let lines = 0;
  let wanted: number | undefined;
  return {
    /** Takes the next block. @returns the runs when they are complete */
    block(block: Uint8Array): SparseRun[] | undefined {
      for (const byte of block) if (byte === 0x0a) lines++;
      text += byteStringOf(block);
      if (wanted === undefined) {
        if (lines === 0) throw new HexzError("invalid", `the map of ${what} has no count`);
        wanted = decimal(text.slice(0, text.indexOf("\n")), what);
        checkLimit(`the number of runs of ${what}`, wanted, MOST_RUNS);
      }
      if (lines < 1 + 2 * wanted) return undefined;
      const numbers = text.split("\n");
      return Array.from({ length: wanted }, (_, at) => {
        return { offset: decimal(numbers[1 + 2 * at]!, what), length: decimal(numbers[2 + 2 * at]!, what) };
      });
    },
  };
}

/** @param storedSize bytes that the tar has of the file @throws HexzError `invalid` when the runs cannot be */
export function checkedMap(size: number, runs: readonly SparseRun[], storedSize: number, what: Subject): SparseMap {
  let at = 0;
  let stored = 0;
  for (const { offset, length } of runs) {
    if (offset < at || offset + length > size) {
      throw new HexzError(
        "invalid",
        `the map of ${what} has ${length} bytes at ${offset} where ${at} to ${size} are free`,
      );
    }
    at = offset + length;
    stored += length;
  }
  if (stored !== storedSize) {
    throw new HexzError("invalid", `the map of ${what} places ${stored} bytes, the tar has ${storedSize}`);
  }
  return { size, runs: runs.filter(({ length }) => length > 0) };
}
