// Which chunk is stored where: digest to block, for the chunks of the bases and the first occurrence of every other
// chunk of this archive.
//
// 24 bytes a chunk in columns that grow by segments, and 5 to 6 for the hash slots; with 16 to 18 bytes a block
// (block-table.ts) that is at most 48 a chunk when every chunk has a block of its own. A hit is confirmed on 128 bits
// of the digest: two different chunks that agree in them would need about 2^64 chunks.

const SEGMENT_CHUNKS = 65_536;
const WORDS = 6;
const PARTITIONS = 64;
const FIRST_SLOTS = 256;
const MAX_LOAD = 0.85;
/** Tables stay at least two thirds full: with block-table.ts, 48 bytes a chunk. */
const GROWTH = 1.25;

/** Where a chunk is: a block by number, and the offset in its plain bytes. */
export interface Location {
  readonly block: number;
  readonly offset: number;
}

/** A chunk of the table; `chunk` counts them in the order in which they were added. */
export interface KnownChunk extends Location {
  readonly chunk: number;
}

export class DedupTable {
  readonly #segments: Uint32Array[] = [];
  /** Open addressing, chunk number + 1; partitions grow one at a time, so growth needs little extra memory. */
  readonly #slots: Uint32Array[] = Array.from({ length: PARTITIONS }, () => new Uint32Array(FIRST_SLOTS));
  readonly #used = new Uint32Array(PARTITIONS);
  /** Chunks in the table. */
  count = 0;

  /** @param digest 32 bytes, by 4-byte words */
  find(digest: Uint32Array): KnownChunk | undefined {
    const partition = digest[4]! % PARTITIONS;
    const slots = this.#slots[partition]!;
    let slot = Math.floor((digest[0]! / 2 ** 32) * slots.length);
    for (;;) {
      const entry = slots[slot]!;
      if (entry === 0) return undefined;
      const segment = this.#segments[Math.floor((entry - 1) / SEGMENT_CHUNKS)]!;
      const at = ((entry - 1) % SEGMENT_CHUNKS) * WORDS;
      if (
        segment[at] === digest[0] &&
        segment[at + 1] === digest[1] &&
        segment[at + 2] === digest[2] &&
        segment[at + 3] === digest[3]
      ) {
        return { chunk: entry - 1, block: segment[at + 4]!, offset: segment[at + 5]! };
      }
      slot = slot + 1 === slots.length ? 0 : slot + 1;
    }
  }

  /** Adds a chunk that `find` does not know. */
  add(digest: Uint32Array, location: Location): void {
    const number = this.count++;
    if (number % SEGMENT_CHUNKS === 0) this.#segments.push(new Uint32Array(SEGMENT_CHUNKS * WORDS));
    const segment = this.#segments.at(-1)!;
    const at = (number % SEGMENT_CHUNKS) * WORDS;
    for (let word = 0; word < 4; word++) segment[at + word] = digest[word]!;
    segment[at + 4] = location.block;
    segment[at + 5] = location.offset;
    const partition = digest[4]! % PARTITIONS;
    this.#used[partition]!++;
    if (this.#used[partition]! > this.#slots[partition]!.length * MAX_LOAD) this.#grow(partition);
    place(this.#slots[partition]!, digest[0]!, number + 1);
  }

  /** Gives a chunk of the table another place. */
  move(chunk: number, location: Location): void {
    const segment = this.#segments[Math.floor(chunk / SEGMENT_CHUNKS)]!;
    const at = (chunk % SEGMENT_CHUNKS) * WORDS;
    segment[at + 4] = location.block;
    segment[at + 5] = location.offset;
  }

  #grow(partition: number): void {
    const old = this.#slots[partition]!;
    const grown = new Uint32Array(Math.ceil(old.length * GROWTH));
    for (const entry of old) {
      if (entry === 0) continue;
      const segment = this.#segments[Math.floor((entry - 1) / SEGMENT_CHUNKS)]!;
      place(grown, segment[((entry - 1) % SEGMENT_CHUNKS) * WORDS]!, entry);
    }
    this.#slots[partition] = grown;
  }
}

function place(slots: Uint32Array, hash: number, entry: number): void {
  let slot = Math.floor((hash / 2 ** 32) * slots.length);
  while (slots[slot] !== 0) slot = slot + 1 === slots.length ? 0 : slot + 1;
  slots[slot] = entry;
}
