// A set of chunks by their number in the table: one bit each.

export class ChunkSet {
  #bits = new Uint8Array(1024);

  has(chunk: number): boolean {
    return ((this.#bits[Math.floor(chunk / 8)] ?? 0) & (1 << (chunk % 8))) !== 0;
  }

  /** Adds a chunk; false when it was there. */
  add(chunk: number): boolean {
    const at = Math.floor(chunk / 8);
    const bit = 1 << (chunk % 8);
    if (at >= this.#bits.length) {
      const grown = new Uint8Array(Math.max(at + 1, this.#bits.length * 2));
      grown.set(this.#bits);
      this.#bits = grown;
    }
    if (this.#bits[at]! & bit) return false;
    this.#bits[at]! |= bit;
    return true;
  }
}
