// The blocks of an archive that is copied: how much of each is needed, and where it went.

import { type BlockRef, blockKey } from "../format/index-page.ts";

export class SourceBlocks {
  readonly #numbers = new Map<number | string, number>();
  /** Plain bytes that are needed of each. */
  readonly #needed: number[] = [];
  /** What it is in the new archive, once it was copied. */
  readonly #copies: (number | undefined)[] = [];

  /** Counts a chunk that is needed. @returns the block's number here */
  need(block: BlockRef, length: number): number {
    const key = blockKey(block);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#needed.push(0) - 1;
      this.#numbers.set(key, number);
    }
    this.#needed[number]! += length;
    return number;
  }

  isWhole(number: number, block: BlockRef): boolean {
    return this.#needed[number] === block.plainLength;
  }

  copyOf(number: number): number | undefined {
    return this.#copies[number];
  }

  setCopy(number: number, copy: number): void {
    this.#copies[number] = copy;
  }
}
