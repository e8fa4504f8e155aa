// Which chunks of one chunking were there before, by a hash of 64 bits. Two different chunks among n agree in it with a
// probability of about n² / 2^65: one in seven million at a million chunks.
//
// Memory is bounded: when there are more distinct chunks than the table may hold, it keeps those whose hash ends in a
// zero bit more, and the sum of all is estimated from theirs (Gibbons, "Distinct Sampling for Highly-Accurate Answers to
// Distinct Values Queries", 2001).

const FIRST_SLOTS = 4096;
const MAX_LOAD = 0.7;
/** Distinct chunks that are kept: 24 bytes each with their slots. */
export const TABLE_LIMIT = 2 ** 21;
/** Standard errors on either side that hold the truth in 95 of 100 cases. */
const Z95 = 1.96;

/** What the table says of a chunk that it does not know. */
export const UNKNOWN = { fresh: -1, untracked: -2 } as const;

export class ChunkTable {
  readonly #limit: number;
  #slots = new Uint32Array(FIRST_SLOTS);
  #low = new Uint32Array(FIRST_SLOTS);
  #high = new Uint32Array(FIRST_SLOTS);
  #lengths = new Uint32Array(FIRST_SLOTS);
  #ordinals = new Uint32Array(FIRST_SLOTS);
  #count = 0;
  /** Only chunks whose hash has this many zero bits at the end are kept. */
  #bits = 0;

  constructor(limit = TABLE_LIMIT) {
    this.#limit = limit;
  }

  /**
   * Looks a chunk up, and keeps it.
   * @param ordinal its number, if it is new
   * @returns the number of the equal chunk before it, or what it is else
   */
  see(low: number, high: number, length: number, ordinal: number): number {
    if (this.#bits > 0 && (high & ((1 << this.#bits) - 1)) !== 0) return UNKNOWN.untracked;
    const mask = this.#slots.length - 1;
    let slot = low & mask;
    for (let entry = this.#slots[slot]!; entry !== 0; entry = this.#slots[slot]!) {
      if (this.#low[entry - 1] === low && this.#high[entry - 1] === high) return this.#ordinals[entry - 1]!;
      slot = (slot + 1) & mask;
    }
    this.#append(low, high, length, ordinal);
    this.#slots[slot] = this.#count;
    if (this.#count === this.#limit) this.#thin();
    else if (this.#count > this.#slots.length * MAX_LOAD) this.#rebuild(this.#slots.length * 2);
    return UNKNOWN.fresh;
  }

  #append(low: number, high: number, length: number, ordinal: number): void {
    const at = this.#count++;
    if (at === this.#low.length) {
      this.#low = grown(this.#low);
      this.#high = grown(this.#high);
      this.#lengths = grown(this.#lengths);
      this.#ordinals = grown(this.#ordinals);
    }
    this.#low[at] = low;
    this.#high[at] = high;
    this.#lengths[at] = length;
    this.#ordinals[at] = ordinal;
  }

  #rebuild(size: number): void {
    const slots = new Uint32Array(size);
    for (let entry = 1; entry <= this.#count; entry++) {
      let slot = this.#low[entry - 1]! & (size - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (size - 1);
      slots[slot] = entry;
    }
    this.#slots = slots;
  }

  #thin(): void {
    while (this.#count > this.#limit / 2) {
      const bit = 1 << this.#bits++;
      const before = this.#count;
      this.#count = 0;
      for (let at = 0; at < before; at++) {
        if ((this.#high[at]! & bit) !== 0) continue;
        this.#append(this.#low[at]!, this.#high[at]!, this.#lengths[at]!, this.#ordinals[at]!);
      }
    }
    this.#rebuild(this.#slots.length);
  }

  /** Bytes of the distinct chunks, and how far off that may be. */
  distinct(): { bytes: number; error: number } {
    let sum = 0;
    let squares = 0;
    for (let at = 0; at < this.#count; at++) {
      sum += this.#lengths[at]!;
      squares += this.#lengths[at]! ** 2;
    }
    const scale = 2 ** this.#bits;
    return { bytes: sum * scale, error: Z95 * Math.sqrt(scale * (scale - 1) * squares) };
  }
}

function grown(column: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(column.length * 2);
  larger.set(column);
  return larger;
}
