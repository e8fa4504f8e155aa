// The chunks of an archive as numbers, in address order. Two archives share the numbering, so contents are compared by
// comparing numbers. Built from index pages alone; about 42 bytes a distinct chunk, 12 a chunk of either archive.

import { equalBytes } from "../bytes.ts";
import type { DigestOf } from "../digest.ts";
import { HexzError } from "../errors.ts";
import type { BlockRef } from "../format/index-page.ts";
import type { Archive } from "../read/archive.ts";
import { lastAtMost } from "../read/search.ts";
import { ChunkSet } from "../write/chunk-set.ts";
import { DedupTable } from "../write/dedup.ts";

/** Elements below are fills of that byte value, others are chunks by number from here. */
export const FIRST_CHUNK = 256;
/** Parts of chunks are numbered from here. */
export const FIRST_PART = 2 ** 31;

/** A content: elements one after the other. */
export interface Run {
  readonly elements: Uint32Array;
  /** Where each element begins, and at the end where the last one ends. */
  readonly starts: Float64Array;
}

/** Distinct chunks that are not fills. */
export interface ChunkTally {
  chunks: number;
  bytes: number;
}

export interface ChunkTallies {
  readonly a: ChunkTally;
  readonly b: ChunkTally;
  readonly shared: ChunkTally;
  /** Of the shared ones, those that B refers to in a parent. */
  viaParent: number;
}

/** What is read of an archive: its index. */
export type Indexed = Pick<Archive, "root" | "source" | "foundLeaves" | "format1" | "context">;

/** Takes the parts of an index that cannot be had. */
export type Lose = (start: number, end: number, error: HexzError) => void;

/** An index record takes at least so many bytes, so a file's size bounds what is allocated for its chunks. */
const LEAST_RECORD = 3;

export class ChunkNumbers {
  readonly #table = new DedupTable();
  readonly #held = { a: new ChunkSet(), b: new ChunkSet() };
  readonly #parts = new Map<string, number>();
  /** Some chunks have no digest: whether they are equal is not known. */
  hasUnknown = false;
  /** Chunks of format 1 may be of equal bytes; those of zeros are taken for the fills that they are. */
  hiddenFills = false;
  /** Digests of zeros by their number. */
  readonly #zeros = new Map<number, Uint8Array>();
  readonly tallies: ChunkTallies = {
    a: { chunks: 0, bytes: 0 },
    b: { chunks: 0, bytes: 0 },
    shared: { chunks: 0, bytes: 0 },
    viaParent: 0,
  };

  /** Elements of whole chunks are below. */
  get limit(): number {
    return FIRST_CHUNK + this.#table.count;
  }

  /** Reads the index of an archive; A first. @throws HexzError `damaged`, `invalid`, `io` */
  async load(archive: Indexed, side: "a" | "b", lose: Lose): Promise<Run> {
    const { root, source, format1, context } = archive;
    if (format1 !== undefined) this.hiddenFills = true;
    const count = await countChunks(archive);
    if (archive.format1 === undefined && count * LEAST_RECORD > source.size) {
      throw new HexzError("invalid", `${source.name} has ${source.size} bytes and claims ${count} chunks`);
    }
    const elements = new Uint32Array(count);
    const starts = new Float64Array(count + 1);
    let at = 0;
    for await (const found of archive.foundLeaves()) {
      if (at >= count) throw miscounted(archive, count);
      if ("error" in found) {
        const { start, end, error, digest } = found;
        const length = end - start;
        starts[at] = start;
        if (digest === undefined) {
          lose(start, end, error);
          elements[at++] = this.#unknown(length, side);
        } else if (equalBytes(digest, this.#zerosDigest(length, context.digestOf))) elements[at++] = 0;
        else elements[at++] = this.#number(new Uint32Array(digest.slice().buffer), length, side, true);
        continue;
      }
      const { leaf } = found;
      const words = new Uint32Array(leaf.digests.buffer, leaf.digests.byteOffset, leaf.digests.length / 4);
      if (at + leaf.fills.length > count) throw miscounted(archive, count);
      for (let number = 0; number < leaf.fills.length; number++, at++) {
        starts[at] = leaf.starts[number]!;
        const fill = leaf.fills[number]!;
        if (fill >= 0) {
          elements[at] = fill;
          continue;
        }
        const block = leaf.blocks[leaf.blockNumbers[number]!]!;
        const length = leaf.starts[number + 1]! - leaf.starts[number]!;
        if (leaf.undigested?.[number]) {
          elements[at] = this.#unknown(length, side);
          continue;
        }
        if (format1 !== undefined && isTiny(block)) {
          const digest = leaf.digests.subarray(number * 32, number * 32 + 32);
          if (equalBytes(digest, this.#zerosDigest(length, context.digestOf))) {
            elements[at] = 0;
            continue;
          }
        }
        elements[at] = this.#number(words.subarray(number * 8, number * 8 + 8), length, side, block.archive !== 0);
      }
    }
    if (at !== count) throw miscounted(archive, count);
    starts[count] = root.addressSpace;
    return { elements, starts };
  }

  /** A chunk whose digest is not known: it equals no other one, as far as one can see. */
  #unknown(length: number, side: "a" | "b"): number {
    this.hasUnknown = true;
    this.tallies[side].chunks++;
    this.tallies[side].bytes += length;
    return this.#part(-1, this.#parts.size, length);
  }

  #zerosDigest(length: number, digestOf: DigestOf): Uint8Array {
    let digest = this.#zeros.get(length);
    if (digest === undefined) {
      digest = digestOf(new Uint8Array(length));
      this.#zeros.set(length, digest);
    }
    return digest;
  }

  #number(digest: Uint32Array, length: number, side: "a" | "b", inParent: boolean): number {
    let chunk = this.#table.find(digest)?.chunk;
    if (chunk === undefined) {
      chunk = this.#table.count;
      this.#table.add(digest, { block: 0, offset: 0 });
    }
    const { tallies } = this;
    if (this.#held[side].add(chunk)) {
      tallies[side].chunks++;
      tallies[side].bytes += length;
      if (side === "b" && this.#held.a.has(chunk)) {
        tallies.shared.chunks++;
        tallies.shared.bytes += length;
        if (inParent) tallies.viaParent++;
      }
    }
    return FIRST_CHUNK + chunk;
  }

  /**
   * Addresses [start, start + size) of an archive. Where they begin or end inside of a chunk, that part is an element of
   * its own: contents that were not cut at their borders compare where they lie in equal chunks alike.
   */
  slice({ elements, starts }: Run, start: number, size: number): Run {
    const end = start + size;
    const from = lastAtMost(starts, start);
    let to = lastAtMost(starts, end);
    if (starts[to]! < end) to++;
    if (size === 0) return { elements: new Uint32Array(0), starts: Float64Array.of(start) };
    if (starts[from] === start && starts[to] === end) {
      return { elements: elements.subarray(from, to), starts: starts.subarray(from, to + 1) };
    }
    const cut = { elements: elements.slice(from, to), starts: starts.slice(from, to + 1) };
    cut.starts[0] = start;
    cut.starts[to - from] = end;
    for (const at of new Set([0, to - from - 1])) {
      const [begins, ends] = [cut.starts[at]!, cut.starts[at + 1]!];
      const isWhole = begins === starts[from + at] && ends === starts[from + at + 1];
      if (cut.elements[at]! < FIRST_CHUNK || isWhole) continue;
      cut.elements[at] = this.#part(cut.elements[at]!, begins - starts[from + at]!, ends - begins);
    }
    return cut;
  }

  #part(element: number, offset: number, length: number): number {
    const key = `${element} ${offset} ${length}`;
    const known = this.#parts.get(key);
    if (known !== undefined) return known;
    const part = FIRST_PART + this.#parts.size;
    this.#parts.set(key, part);
    return part;
  }
}

/** Whether a block is coded as well as zeros are by every codec. */
function isTiny({ storedLength, plainLength }: BlockRef): boolean {
  return storedLength < 64 + plainLength / 100;
}

/** How many chunks there are; those of format 1 must be counted. */
async function countChunks(archive: Indexed): Promise<number> {
  const { unique, duplicate, parent, fill } = archive.root.counts;
  if (archive.format1 === undefined) return unique.count + duplicate.count + parent.count + fill.count;
  let count = 0;
  for await (const found of archive.foundLeaves()) count += "error" in found ? 1 : found.leaf.fills.length;
  return count;
}

function miscounted({ source }: Indexed, count: number): HexzError {
  return new HexzError(
    "invalid",
    `the index of ${source.name} has another number of chunks than its root says, ${count}`,
  );
}
