// Lists of pieces: how the bytes of a container that is not stored whole are put together (docs/format.md,
// "Containers"). Contents of members are ranges of the address space; what stands between them is in the list, headers
// of a tar as differences to earlier ones.

import { ByteReader, ByteWriter } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import {
  copyTarChecksum,
  copyTarSize,
  hasTarChecksum,
  hasTarSize,
  MOST_TAR_SIZE,
  putTarChecksum,
  putTarSize,
  TAR_BLOCK,
} from "./tar-block.ts";

export type Piece =
  | { readonly bytes: Uint8Array }
  | { readonly zeros: number }
  /** Addresses [start, end). */
  | { readonly start: number; readonly end: number };

const KIND = { bytes: 0, zeros: 1, range: 2, block: 3 } as const;
/** Of a range: it begins where the last one ended; it is as long as the last block's size. */
const FOLLOWS = 0x08;
const SIZED = 0x10;
/** Of a block: its size is given; its checksum is computed. */
const HAS_SIZE = 0x08;
const SUMMED = 0x10;
/** Of any: zeros come first, up to a multiple of 512 bytes of the container. */
const ALIGNED = 0x80;
/** Earlier blocks that a block may be like. */
const MOST_BACK = 64;
/** Bytes of one record of bytes. */
export const MOST_PIECE_BYTES = 64 * 1024;
/** No record is longer. */
export const LONGEST_PIECE_RECORD = MOST_PIECE_BYTES + 64;
/** Equal bytes between two differences that are not worth an edit of their own. */
const SHORT_GAP = 2;

/** A block of a tar as bytes and as words, which most of its comparisons need no bytes for. */
class Block {
  readonly bytes = new Uint8Array(TAR_BLOCK);
  readonly words = new Int32Array(this.bytes.buffer);
}

const NO_BLOCK = new Block();

/** The blocks that came last. */
class Blocks {
  readonly #blocks: Block[] = [];
  #count = 0;

  /** The one that is so many back, from 1; a block of zeros for 0. */
  at(back: number): Block | undefined {
    if (back === 0) return NO_BLOCK;
    return back > Math.min(this.#count, MOST_BACK) ? undefined : this.#blocks[(this.#count - back) % MOST_BACK];
  }

  /** Keeps a copy. */
  add(bytes: Uint8Array): Block {
    const place = this.#count++ % MOST_BACK;
    this.#blocks[place] ??= new Block();
    const block = this.#blocks[place];
    block.bytes.set(bytes);
    return block;
  }

  get count(): number {
    return this.#count;
  }
}

/** What an encoder is told of a block of a tar. */
export interface BlockFacts {
  /** Blocks of one sort are alike. */
  readonly sort: string;
  /** Of a header: the size of the content that it announces, and the sum of its bytes. */
  readonly header: { readonly size: number; readonly checksum: number } | undefined;
  /** Whether the bytes up to here are zeros from the last multiple of 512 on and not yet in the list. */
  readonly padded: boolean;
}

/** Makes a list. The records wait in `pending` until the caller takes them. */
export class PieceListEncoder {
  readonly pending = new ByteWriter(4096);
  readonly #blocks = new Blocks();
  /** When a block of each sort came last, by count. */
  readonly #lastOf = new Map<string, number>();
  /** What a block is like before its edits. */
  readonly #expected = new Block();
  #position = 0;
  #rangeEnd = 0;
  #size: number | undefined;

  /** Length of the container so far. */
  get size(): number {
    return this.#position;
  }

  #head(kind: number, flags: number, aligned: boolean): void {
    this.pending.u8(kind | flags | (aligned ? ALIGNED : 0));
  }

  zeros(length: number): void {
    if (length === 0) return;
    this.#head(KIND.zeros, 0, false);
    this.pending.varint(length);
    this.#position += length;
  }

  bytes(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += MOST_PIECE_BYTES) {
      const piece = bytes.subarray(at, at + MOST_PIECE_BYTES);
      this.#head(KIND.bytes, 0, false);
      this.pending.bytes(piece);
      this.#position += piece.length;
    }
  }

  range(start: number, length: number): void {
    if (length === 0) return;
    const flags = (start === this.#rangeEnd ? FOLLOWS : 0) | (length === this.#size ? SIZED : 0);
    this.#head(KIND.range, flags, false);
    if ((flags & FOLLOWS) === 0) this.pending.svarint(start - this.#rangeEnd);
    if ((flags & SIZED) === 0) this.pending.varint(length);
    this.#rangeEnd = start + length;
    this.#position += length;
  }

  /** Adds a block of a tar. */
  block(block: Uint8Array, { sort, header, padded }: BlockFacts): void {
    const size = header?.size;
    const last = this.#lastOf.get(sort);
    const distance = last === undefined ? Number.POSITIVE_INFINITY : this.#blocks.count - last;
    const back = distance <= MOST_BACK ? distance : 0;
    const expected = this.#expected;
    expected.words.set(this.#blocks.at(back)!.words);
    let flags = 0;
    if (size !== undefined && hasTarSize(block, size)) {
      flags |= HAS_SIZE;
      copyTarSize(block, expected.bytes);
    }
    if (header !== undefined && hasTarChecksum(block, header.checksum)) {
      flags |= SUMMED;
      copyTarChecksum(block, expected.bytes);
    }
    this.#head(KIND.block, flags, padded);
    this.pending.varint(back);
    if ((flags & HAS_SIZE) !== 0) {
      this.pending.varint(size!);
      this.#size = size;
    }
    this.#lastOf.set(sort, this.#blocks.count);
    writeEdits(this.pending, expected, this.#blocks.add(block));
    if (padded) this.#position += -this.#position & (TAR_BLOCK - 1);
    this.#position += TAR_BLOCK;
  }
}

/** Where edits begin and end, by twos: one list serves all. */
const edits = new Uint16Array(TAR_BLOCK);

/** @returns how many edits there are */
function findEdits(from: Block, to: Block): number {
  let count = 0;
  for (let word = 0; word < TAR_BLOCK / 4; word++) {
    // Most of a block is the same.
    if (from.words[word] === to.words[word]) continue;
    for (let at = word * 4; at < word * 4 + 4; at++) {
      if (from.bytes[at] === to.bytes[at]) continue;
      if (count === 0 || at - edits[count * 2 - 1]! > SHORT_GAP) edits[count++ * 2] = at;
      edits[count * 2 - 1] = at + 1;
    }
  }
  return count;
}

function writeEdits(writer: ByteWriter, from: Block, to: Block): void {
  const count = findEdits(from, to);
  writer.varint(count);
  let at = 0;
  for (let edit = 0; edit < count; edit++) {
    const start = edits[edit * 2]!;
    const end = edits[edit * 2 + 1]!;
    writer
      .varint(start - at)
      .varint(end - start)
      .part(to.bytes, start, end);
    at = end;
  }
}

/** Reads a list, bytes of which are given as they come. */
export class PieceListDecoder {
  readonly #what: string;
  readonly #addressSpace: number;
  readonly #blocks = new Blocks();
  #bytes: Uint8Array = new Uint8Array(0);
  #position = 0;
  #rangeEnd = 0;
  #size = 0;

  /** @param what for messages: "the pieces of x.tar" */
  constructor(what: string, addressSpace: number) {
    this.#what = what;
    this.#addressSpace = addressSpace;
  }

  /** Length of the container so far. */
  get size(): number {
    return this.#position;
  }

  /**
   * The pieces in these bytes and those that were left before.
   * @param isLast whether no bytes follow @throws HexzError `invalid`
   */
  *pieces(bytes: Uint8Array, isLast: boolean): Generator<Piece> {
    this.#bytes = new ByteWriter(this.#bytes.length + bytes.length).raw(this.#bytes).raw(bytes).take();
    const reader = new ByteReader(this.#bytes, this.#what);
    while (reader.left > (isLast ? 0 : LONGEST_PIECE_RECORD)) {
      for (const piece of this.#record(reader)) {
        this.#position +=
          "bytes" in piece ? piece.bytes.length : "zeros" in piece ? piece.zeros : piece.end - piece.start;
        if (this.#position > LIMITS.bytes) throw reader.fail("it is longer than any file");
        yield piece;
      }
    }
    this.#bytes = this.#bytes.slice(reader.at);
  }

  *#record(reader: ByteReader): Generator<Piece> {
    const head = reader.u8();
    if ((head & 0x64) !== 0 || (head & 7) > KIND.block) throw reader.fail(`a record begins with ${head}`);
    const padding = -this.#position & (TAR_BLOCK - 1);
    if ((head & ALIGNED) !== 0 && padding > 0) yield { zeros: padding };
    switch (head & 7) {
      case KIND.bytes: {
        const bytes = reader.bytes();
        if (bytes.length > MOST_PIECE_BYTES) throw reader.fail(`a record of ${bytes.length} bytes is too long`);
        yield { bytes };
        break;
      }
      case KIND.zeros:
        yield { zeros: reader.varint() };
        break;
      case KIND.range: {
        const start = this.#rangeEnd + ((head & FOLLOWS) !== 0 ? 0 : reader.svarint());
        const end = start + ((head & SIZED) !== 0 ? this.#size : reader.varint());
        if (start < 0 || end > this.#addressSpace) throw reader.fail(`addresses ${start} to ${end} are not there`);
        this.#rangeEnd = end;
        yield { start, end };
        break;
      }
      default:
        yield { bytes: this.#block(reader, head) };
    }
  }

  #block(reader: ByteReader, head: number): Uint8Array {
    const back = reader.varint();
    const like = this.#blocks.at(back);
    if (like === undefined) throw reader.fail(`a block is like one that is ${back} back`);
    const block = like.bytes.slice();
    if ((head & HAS_SIZE) !== 0) {
      this.#size = reader.varint();
      if (this.#size > MOST_TAR_SIZE) throw reader.fail(`a size of ${this.#size} does not fit its field`);
      putTarSize(block, this.#size);
    }
    let at = 0;
    for (let left = reader.varint(); left > 0; left--) {
      at += reader.varint();
      const bytes = reader.bytes();
      if (bytes.length === 0 || at + bytes.length > TAR_BLOCK) throw reader.fail("an edit does not fit its block");
      block.set(bytes, at);
      at += bytes.length;
    }
    if ((head & SUMMED) !== 0) putTarChecksum(block);
    this.#blocks.add(block);
    return block;
  }
}

/** @throws HexzError `invalid` when the list gave another length than its container says */
export function checkContainerSize(what: string, found: number, said: number): void {
  if (found !== said) throw new HexzError("invalid", `${what} gives ${found} bytes, expected ${said}`);
}
