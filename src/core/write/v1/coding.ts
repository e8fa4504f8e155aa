// How an archive of format 1 is chunked and coded: what the releases of the original read, and chunk again as parent,
// is less than what format 2 has.

import { CODEC } from "../../engine.ts";
import { HexzError } from "../../errors.ts";
import type { Coding } from "../../format/root.ts";
import type { CdcParameters, Header } from "../../format/v1/header.ts";

const KIB = 1024;
/** Beyond these the original stops with an assertion when it chunks like a parent. */
const LONGEST_MIN_CHUNK = 1024 * KIB;

/** @throws HexzError `usage` when format 1 has no such archives */
export function checkFormat1Coding({ codec, chunking, sizes }: Coding): void {
  if (codec === CODEC.stored) {
    throw new HexzError("usage", "format 1 has no blocks without compression: --compression lz4 or zstd");
  }
  if (chunking === "fixed") return;
  const { min, avg, max } = sizes;
  if (min > LONGEST_MIN_CHUNK) {
    throw new HexzError("usage", `the minimal chunk size is ${min}; in format 1 it is ${LONGEST_MIN_CHUNK} at most`);
  }
  if (min >= avg || avg >= max) {
    throw new HexzError("usage", `chunk sizes must differ in format 1: min ${min}, average ${avg}, max ${max}`);
  }
}

/** What the header says of it. */
export function headerCoding({
  codec,
  chunking,
  sizes,
  blockSize,
}: Coding): Pick<Header, "blockSize" | "compression" | "variableBlocks" | "cdc"> {
  const cdc: CdcParameters = { bits: Math.log2(sizes.avg), min: sizes.min, max: sizes.max };
  return {
    blockSize,
    compression: codec === CODEC.lz4 ? "lz4" : "zstd",
    variableBlocks: chunking === "cdc",
    ...(chunking === "cdc" ? { cdc } : {}),
  };
}
