// Locating: which chunks of which blocks hold a range. Pure: an index leaf goes in, a plan comes out.

import { equalBytes } from "../bytes.ts";
import type { BlockRef, IndexLeaf } from "../format/index-page.ts";
import { lastAtMost } from "./search.ts";

/** A piece of a chunk that a read wants. */
export interface ChunkPiece {
  /** Logical addresses of the piece. */
  readonly start: number;
  readonly end: number;
  /** The whole chunk in its plain block. */
  readonly chunkStart: number;
  readonly chunkEnd: number;
  /** Where the piece begins in the plain block. */
  readonly blockStart: number;
  /** BLAKE3-256 of the whole chunk; undefined where the index has none. */
  readonly digest: Uint8Array | undefined;
}

/** Whether two pieces are of one chunk, digest included: a hostile index may name one place with two digests. */
export function sameChunk(a: ChunkPiece, b: ChunkPiece): boolean {
  if (a.chunkStart !== b.chunkStart || a.chunkEnd !== b.chunkEnd) return false;
  if (a.digest === undefined || b.digest === undefined) return a.digest === b.digest;
  return equalBytes(a.digest, b.digest);
}

/** A piece of a fill. */
export interface FillPiece {
  readonly start: number;
  readonly end: number;
  readonly value: number;
}

/** What must be fetched and decoded for a range, each block once, in order of first use. */
export interface Plan {
  readonly blocks: readonly { readonly block: BlockRef; readonly pieces: readonly ChunkPiece[] }[];
  readonly fills: readonly FillPiece[];
  /** Address up to which this plan goes: the end of the range or of the leaf. */
  readonly end: number;
}

export type Piece = (ChunkPiece & { readonly block: number }) | FillPiece;

/** The pieces of [start, end) that the leaf describes, in address order. `block` counts in `leaf.blocks`. */
export function* piecesOf(leaf: IndexLeaf, start: number, end: number): Generator<Piece> {
  const { starts, fills, blockNumbers, blockOffsets, digests, undigested } = leaf;
  const count = fills.length;
  for (let number = lastAtMost(starts.subarray(0, count), start); number < count && starts[number]! < end; number++) {
    const chunkAddress = starts[number]!;
    const from = Math.max(start, chunkAddress);
    const to = Math.min(end, starts[number + 1]!);
    if (fills[number]! >= 0) {
      yield { start: from, end: to, value: fills[number]! };
      continue;
    }
    const chunkStart = blockOffsets[number]!;
    const place = { start: from, end: to, block: blockNumbers[number]!, blockStart: chunkStart + from - chunkAddress };
    if (undigested?.[number]) {
      // What is known of it is known of its block.
      const { plainLength, seal } = leaf.blocks[place.block]!;
      yield { ...place, chunkStart: 0, chunkEnd: plainLength, digest: seal?.digest };
      continue;
    }
    yield {
      ...place,
      chunkStart,
      chunkEnd: chunkStart + starts[number + 1]! - chunkAddress,
      digest: digests.subarray(number * 32, number * 32 + 32),
    };
  }
}

/** @param start within the leaf */
export function locate(leaf: IndexLeaf, start: number, end: number): Plan {
  const stop = Math.min(end, leaf.starts.at(-1)!);
  const byBlock = new Map<number, { block: BlockRef; pieces: ChunkPiece[] }>();
  const fills: FillPiece[] = [];
  for (const piece of piecesOf(leaf, start, stop)) {
    if ("value" in piece) {
      fills.push(piece);
      continue;
    }
    let wanted = byBlock.get(piece.block);
    if (wanted === undefined) {
      wanted = { block: leaf.blocks[piece.block]!, pieces: [] };
      byBlock.set(piece.block, wanted);
    }
    wanted.pieces.push(piece);
  }
  return { blocks: [...byBlock.values()], fills, end: stop };
}
