// What an archive of format 1 may refer to in its parent. The releases of the original find what a reference means in
// two ways, by place or by digest; a chunk that the parent stores itself, at the same place and with the same length, is
// the same in both (docs/format-1.md, "Writing").

import type { BlockEntry } from "../../format/v1/index-page.ts";

export const FORMAT1_STREAMS = ["main", "auxiliary"] as const;
export type StreamName = (typeof FORMAT1_STREAMS)[number];

/** Words of a digest that are kept: a hit is confirmed on 128 bits. */
const WORDS = 4;
const FIRST_CAPACITY = 1024;

/** The chunks of one stream that the parent stores itself, in order. 28 bytes each. */
class StreamChunks {
  #starts = new Float64Array(FIRST_CAPACITY);
  #lengths = new Uint32Array(FIRST_CAPACITY);
  #digests = new Uint32Array(FIRST_CAPACITY * WORDS);
  #count = 0;
  /** Where the next entry begins. */
  #end = 0;

  add(entry: BlockEntry): void {
    if (entry.kind === "data" && entry.digest !== undefined) {
      if (this.#count === this.#lengths.length) this.#grow();
      this.#starts[this.#count] = this.#end;
      this.#lengths[this.#count] = entry.plainLength;
      this.#digests.set(wordsOf(entry.digest), this.#count * WORDS);
      this.#count++;
    }
    this.#end += entry.plainLength;
  }

  #grow(): void {
    const capacity = 2 * this.#count;
    const [starts, lengths, digests] = [this.#starts, this.#lengths, this.#digests];
    this.#starts = new Float64Array(capacity);
    this.#lengths = new Uint32Array(capacity);
    this.#digests = new Uint32Array(capacity * WORDS);
    this.#starts.set(starts);
    this.#lengths.set(lengths);
    this.#digests.set(digests);
  }

  has(start: number, length: number, digest: Uint8Array): boolean {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! < start) low = middle + 1;
      else high = middle;
    }
    // Entries of no bytes share their start with the next one.
    for (; low < this.#count && this.#starts[low] === start; low++) {
      if (this.#lengths[low] !== length) continue;
      return wordsOf(digest).every((word, at) => this.#digests[low * WORDS + at] === word);
    }
    return false;
  }
}

function wordsOf(digest: Uint8Array): Uint32Array {
  const copy = digest.slice(0, WORDS * 4);
  return new Uint32Array(copy.buffer, 0, WORDS);
}

export class ParentChunks {
  readonly #streams = { main: new StreamChunks(), auxiliary: new StreamChunks() };

  /** Adds the next entry of a stream, of whatever kind. */
  add(stream: StreamName, entry: BlockEntry): void {
    this.#streams[stream].add(entry);
  }

  has(stream: StreamName, start: number, length: number, digest: Uint8Array): boolean {
    return this.#streams[stream].has(start, length, digest);
  }
}
