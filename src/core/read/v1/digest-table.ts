// From digests to the blocks that have them, for references that say nothing but a digest. Some 40 bytes a block.

import type { StreamName } from "./pages.ts";

/** Where an entry of an index is. */
export interface EntryPlace {
  readonly archive: number;
  readonly stream: StreamName;
  readonly page: number;
  readonly entry: number;
}

const ROW = 5;

/**
 * Open addressing over rows of: 64 bits of the digest, archive and stream, page, entry + 1. Of equal digests the first
 * stays; which digest it is in full, its entry says.
 */
export class DigestTable {
  #rows = new Uint32Array(1024 * ROW);
  #capacity = 1024;
  #count = 0;
  /** Digests come from the file; whoever wrote it does not know where they go. */
  readonly #seed = Math.floor(Math.random() * 2 ** 32);

  /** Digests that it knows. */
  get count(): number {
    return this.#count;
  }

  #slot(low: number, high: number): number {
    let at = (Math.imul(low ^ this.#seed, 0x9e37_79b1) ^ Math.imul(high + this.#seed, 0x85eb_ca6b)) >>> 0;
    at = (at ^ (at >>> 15)) & (this.#capacity - 1);
    const rows = this.#rows;
    while (rows[at * ROW + 4] !== 0 && (rows[at * ROW] !== low || rows[at * ROW + 1] !== high)) {
      at = (at + 1) & (this.#capacity - 1);
    }
    return at * ROW;
  }

  add(digest: Uint8Array, { archive, stream, page, entry }: EntryPlace): void {
    if (2 * this.#count >= this.#capacity) this.#grow();
    const [low, high] = wordsOf(digest);
    const at = this.#slot(low, high);
    if (this.#rows[at + 4] !== 0) return;
    this.#rows.set([low, high, archive * 2 + (stream === "main" ? 0 : 1), page, entry + 1], at);
    this.#count++;
  }

  #grow(): void {
    const rows = this.#rows;
    this.#capacity *= 2;
    this.#rows = new Uint32Array(this.#capacity * ROW);
    for (let at = 0; at < rows.length; at += ROW) {
      if (rows[at + 4] !== 0) this.#rows.set(rows.subarray(at, at + ROW), this.#slot(rows[at]!, rows[at + 1]!));
    }
  }

  /** An entry whose digest begins as this one does. */
  find(digest: Uint8Array): EntryPlace | undefined {
    const at = this.#slot(...wordsOf(digest));
    const [, , archive = 0, page = 0, entry = 0] = this.#rows.subarray(at, at + ROW);
    if (entry === 0) return undefined;
    return { archive: archive >>> 1, stream: archive & 1 ? "auxiliary" : "main", page, entry: entry - 1 };
  }
}

function wordsOf(digest: Uint8Array): [number, number] {
  const view = new DataView(digest.buffer, digest.byteOffset);
  return [view.getUint32(0, true), view.getUint32(4, true)];
}
