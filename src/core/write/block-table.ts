// The blocks that the archive being written refers to, by number: those of its bases first, then its own, as they are
// appended. 16 bytes each, 2 more for those of bases.

import type { BlockRef } from "../format/index-page.ts";
import type { Origins } from "./origins.ts";

const SEGMENT = 65_536;
const LENGTH_BITS = 2 ** 26;

/** A block and where it comes from: a number of `Origins`. */
export interface NumberedBlock extends Omit<BlockRef, "archive" | "dictionary"> {
  readonly origin: number;
}

export class BlockTable {
  readonly #origins: Origins;
  readonly #offsets: Float64Array[] = [];
  /** Stored length and codec share a word: lengths have 25 bits. */
  readonly #stored: Uint32Array[] = [];
  readonly #plain: Uint32Array[] = [];
  /** Where all blocks of a segment are of this archive, nothing. */
  readonly #originNumbers: (Uint16Array | undefined)[] = [];
  /** Blocks that are known: those of bases, and those that were appended. */
  count = 0;

  constructor(origins: Origins) {
    this.#origins = origins;
  }

  append(block: NumberedBlock): void {
    if (this.count % SEGMENT === 0) {
      this.#offsets.push(new Float64Array(SEGMENT));
      this.#stored.push(new Uint32Array(SEGMENT));
      this.#plain.push(new Uint32Array(SEGMENT));
      this.#originNumbers.push(undefined);
    }
    const at = this.count % SEGMENT;
    this.#offsets.at(-1)![at] = block.offset;
    this.#stored.at(-1)![at] = block.codec * LENGTH_BITS + block.storedLength;
    this.#plain.at(-1)![at] = block.plainLength;
    if (block.origin !== 0) {
      const segment = this.#originNumbers.length - 1;
      this.#originNumbers[segment] ??= new Uint16Array(SEGMENT);
      this.#originNumbers[segment]![at] = block.origin;
    }
    this.count++;
  }

  offsetOf(number: number): number {
    return this.#offsets[Math.floor(number / SEGMENT)]![number % SEGMENT]!;
  }

  /** The block as the index names it; its archive and dictionary become part of this archive's root. */
  get(number: number): BlockRef {
    const segment = Math.floor(number / SEGMENT);
    const at = number % SEGMENT;
    const stored = this.#stored[segment]![at]!;
    const { archive, dictionary } = this.#origins.use(this.#originNumbers[segment]?.[at] ?? 0);
    return {
      archive,
      dictionary,
      codec: Math.floor(stored / LENGTH_BITS),
      offset: this.#offsets[segment]![at]!,
      storedLength: stored % LENGTH_BITS,
      plainLength: this.#plain[segment]![at]!,
    };
  }
}
