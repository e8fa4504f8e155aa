// Every limit of the format, in one place (docs/format.md, "Limits"). Lengths from a file are checked against these
// before anything is allocated.

import { HexzError } from "./errors.ts";

const KIB = 1024;
const MIB = 1024 * 1024;

export const LIMITS = {
  /** Of a file, an address and a size. */
  bytes: 2 ** 52 - 1,
  pageBody: MIB,
  plainBlock: 16 * MIB,
  chunk: 16 * MIB,
  treeDepth: 8,
  path: 65_535,
  pathComponents: 256,
  component: 4096,
  symlinkTarget: 65_535,
  entry: 1_000_000,
  streams: 2,
  parents: 8192,
  hint: 1024,
  dictionaries: 256,
  signatures: 64,
  keySlots: 64,
  passphraseSlots: 4,
  /** Base-2 logarithm of the cost of scrypt. */
  scryptCost: 18,
  slotArea: { min: 4 * KIB, max: MIB },
  blockSizeMin: 4 * KIB,
  blockSizeMax: 16 * MIB,
  chunkMin: { min: 64, max: 16 * MIB },
  chunkAvg: { min: 256, max: 4 * MIB },
  chunkMax: { min: 1024, max: 16 * MIB },
  /** Of format 1 (docs/format-1.md). */
  format1: {
    /** Pages of one stream: at 4096 blocks a page, some petabytes. */
    pages: 4 * MIB,
    /** The original writes 4096. */
    blocksPerPage: 65_536,
    block: 64 * MIB,
    storedBlock: 65 * MIB,
    /** A path takes 8 bytes of the header at least. */
    parents: 512,
    /** Archives in the lineage of one. */
    lineage: 4096,
    /** From archive to parent, for one byte. */
    depth: 1024,
    /** Bytes of parents that are hashed to find out whether references mean them. */
    hashed: 1024 * MIB,
    /** What is looked through for blocks of parents that are not found by their names: files, and bytes of their index pages. */
    search: { files: 4096, indexBytes: 256 * MIB },
    dictionary: 16 * MIB,
    metadata: 256 * MIB,
    members: 4 * MIB,
    /** Master index, metadata and signature together, as the original reads them; readers here take longer ones. */
    writtenTail: 64 * MIB,
    iterations: { min: 100_000, max: 10_000_000 },
  },
} as const;

/** Of disk images and overlays, which are other formats. */
export const IMAGE_LIMITS = {
  /** Bytes: QEMU's own. */
  l1Table: 32 * MIB,
  snapshots: 65_536,
  snapshotTable: 64 * MIB,
  backingFiles: 256,
  /** Bytes of the log of an overlay: 128 million blocks. */
  overlayLog: 1024 * MIB,
} as const;

/** What the writer aims at; a reader does not depend on it (docs/format.md, "The writer's order"). */
export const TARGETS = {
  indexLeaf: 64 * KIB,
  indexLeafAtBlockEnd: 60 * KIB,
  treeLeaf: 64 * KIB,
  /** Content that a leaf describes: what is lost with a leaf that was not written yet. */
  indexLeafSpan: { least: 4 * MIB, part: 1 / 16 },
  treeLeafSpan: { least: 16 * MIB, part: 1 / 8 },
  innerPage: 64 * KIB,
  rootIndexChildren: 10 * KIB,
  rootTreeChildren: 2 * KIB,
  chunksPerBlock: 1024,
  chunksWhileBlockOpen: 16_384,
  sketch: 256,
} as const;

/** Whether a leaf that describes [start, end) of the address space should end there. */
export function isLongSpan(start: number, end: number, { least, part }: { least: number; part: number }): boolean {
  return end - start >= Math.max(least, start * part);
}

/** Bytes read from the end to open an archive: root, signatures, end mark and what stands before them. */
export const TAIL_LENGTH = 16 * KIB;

/** @throws HexzError `limit_exceeded` */
export function checkLimit(what: string, found: number, limit: number): void {
  if (found > limit) {
    throw new HexzError("limit_exceeded", `${what} is ${found}, over the limit of ${limit}`, {
      data: { found, limit },
    });
  }
}
