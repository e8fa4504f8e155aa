// Locating: which chunks of which blocks hold a range. Pure: an index leaf goes in, a plan comes out.

import { equalBytes } from "../bytes.ts";
import { DIGEST_LENGTH } from "../digest.ts";
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
  const { starts, fills } = leaf;
  const count = fills.length;
  for (let number = lastAtMost(starts, start); number < count && starts[number]! < end; number++) {
    yield pieceOf(leaf, number, Math.max(start, starts[number]!), Math.min(end, starts[number + 1]!));
  }
}

/** The piece [start, end) of a chunk. */
function pieceOf(leaf: IndexLeaf, number: number, start: number, end: number): Piece {
  const { starts, fills, blockNumbers, blockOffsets, digests, undigested } = leaf;
  if (fills[number]! >= 0) return { start, end, value: fills[number]! };
  const block = blockNumbers[number]!;
  const chunkAddress = starts[number]!;
  let chunkStart = blockOffsets[number]!;
  const blockStart = chunkStart + start - chunkAddress;
  let chunkEnd = chunkStart + starts[number + 1]! - chunkAddress;
  let digest: Uint8Array | undefined;
  if (undigested?.[number]) {
    // What is known of it is known of its block.
    const { plainLength, seal } = leaf.blocks[block]!;
    chunkStart = 0;
    chunkEnd = plainLength;
    digest = seal?.digest;
  } else digest = digests.subarray(number * DIGEST_LENGTH, (number + 1) * DIGEST_LENGTH);
  return { start, end, chunkStart, chunkEnd, blockStart, digest, block };
}

/** The piece, where one chunk holds all of [start, end): most reads are short, and need no plan. */
export function onlyPiece(leaf: IndexLeaf, start: number, end: number): Piece | undefined {
  const number = lastAtMost(leaf.starts, start);
  return end <= leaf.starts[number + 1]! ? pieceOf(leaf, number, start, end) : undefined;
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
