// How long the index of an archive becomes, without making it: the lengths of the records that docs/format.md, "Index",
// describes, page by page. Where blocks begin in the file is guessed; that decides a byte or two of a block's record.

import { DIGEST_LENGTH } from "../digest.ts";
import { TARGETS } from "../limits.ts";

const LEAF_HEAD = 16;
const PAGE_FRAME = 24 + 8;
/** Bytes more where the block does not follow the one before it. */
const FAR_OFFSET = 3;
/** Of a leaf, in the page above. */
const CHILD = 45;
const COPIES = 2;

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}

export class IndexSize {
  /** Head, offset behind the block before, stored and plain length of a block. */
  readonly #blockRecord: number;
  #pages = 0;
  #pageBytes = 0;
  #open = LEAF_HEAD;
  /** Blocks of the open page, and the number that each has there. */
  readonly #blocks = new Map<number, number>();
  /** Where the next chunk would be: its number among the new ones, and its block's number in the page. */
  #nextChunk = -1;
  #lastBlock = -1;

  constructor(blockSize: number) {
    this.#blockRecord = 2 + varintLength(blockSize / 2) + varintLength(blockSize);
  }

  /** @param ordinal of the chunk among those that are stored @param block where it is */
  chunk(length: number, ordinal: number, block: number): void {
    this.#room();
    let number = this.#blocks.get(block);
    if (number === undefined) {
      number = this.#blocks.size;
      this.#blocks.set(block, number);
      this.#open += this.#blockRecord + (block === this.#lastBlock + 1 ? 0 : FAR_OFFSET);
    }
    const follows = ordinal === this.#nextChunk || (this.#blocks.size === 1 && this.#nextChunk < 0);
    // The offset in the block has two bytes or three.
    this.#open += varintLength(length) + DIGEST_LENGTH + (follows ? 1 : varintLength(number + 2) + 3);
    this.#nextChunk = ordinal + 1;
    this.#lastBlock = block;
  }

  fill(length: number): void {
    this.#room();
    this.#open += varintLength(length) + 2;
  }

  #room(): void {
    if (this.#open + 80 > TARGETS.indexLeaf) this.#close();
  }

  /** A block ended with the latest chunk: the page may end there. */
  blockEnd(): void {
    if (this.#open > TARGETS.indexLeafAtBlockEnd) this.#close();
  }

  #close(): void {
    this.#pages++;
    this.#pageBytes += this.#open + PAGE_FRAME;
    this.#open = LEAF_HEAD;
    this.#blocks.clear();
    this.#nextChunk = -1;
  }

  /** Bytes of all leaves, both copies, and of what names them. */
  total(): number {
    const open = this.#open > LEAF_HEAD ? this.#open + PAGE_FRAME : 0;
    return COPIES * (this.#pageBytes + open) + (this.#pages + (open > 0 ? 1 : 0)) * CHILD;
  }
}
