// The blocks of the archive being written, by number: 16 bytes each.

import type { BlockRef } from "../format/index-page.ts";

const SEGMENT = 65_536;
const LENGTH_BITS = 2 ** 26;

export class BlockTable {
  readonly #offsets: Float64Array[] = [];
  /** Stored length and codec share a word: lengths have 25 bits. */
  readonly #stored: Uint32Array[] = [];
  readonly #plain: Uint32Array[] = [];
  /** Blocks that were appended; numbers below it are known. */
  count = 0;

  append(block: BlockRef): void {
    if (this.count % SEGMENT === 0) {
      this.#offsets.push(new Float64Array(SEGMENT));
      this.#stored.push(new Uint32Array(SEGMENT));
      this.#plain.push(new Uint32Array(SEGMENT));
    }
    const at = this.count % SEGMENT;
    this.#offsets.at(-1)![at] = block.offset;
    this.#stored.at(-1)![at] = block.codec * LENGTH_BITS + block.storedLength;
    this.#plain.at(-1)![at] = block.plainLength;
    this.count++;
  }

  get(number: number): BlockRef {
    const segment = Math.floor(number / SEGMENT);
    const at = number % SEGMENT;
    const stored = this.#stored[segment]![at]!;
    return {
      archive: 0,
      codec: Math.floor(stored / LENGTH_BITS),
      offset: this.#offsets[segment]![at]!,
      storedLength: stored % LENGTH_BITS,
      plainLength: this.#plain[segment]![at]!,
    };
  }
}
