// A set of stretches of the address space, each with a tag: 16 bytes and a tag a stretch, neighbours of one tag are one.

export interface TaggedRange<Tag> {
  readonly start: number;
  readonly end: number;
  readonly tag: Tag;
}

export class RangeSet<Tag = undefined> {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #tags: Tag[] = [];
  #sorted = true;

  /** Cheap when ranges come in order. Ranges of different tags must not overlap. */
  add(start: number, end: number, tag: Tag): void {
    if (start >= end) return;
    const last = this.#ends.length - 1;
    if (last >= 0 && start <= this.#ends[last]! && start >= this.#starts[last]! && this.#tags[last] === tag) {
      this.#ends[last] = Math.max(this.#ends[last]!, end);
      return;
    }
    if (last >= 0 && start < this.#ends[last]!) this.#sorted = false;
    this.#starts.push(start);
    this.#ends.push(end);
    this.#tags.push(tag);
  }

  #sort(): void {
    if (this.#sorted) return;
    const ranges = this.#starts.map((start, at) => ({ start, end: this.#ends[at]!, tag: this.#tags[at]! }));
    ranges.sort((a, b) => a.start - b.start);
    for (const list of [this.#starts, this.#ends, this.#tags]) list.length = 0;
    this.#sorted = true;
    for (const { start, end, tag } of ranges) this.add(start, end, tag);
  }

  /** The ranges that share an address with [start, end), whole, in order. */
  *touching(start: number, end: number): Generator<TaggedRange<Tag>> {
    this.#sort();
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ends[middle]! <= start) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < this.#starts.length && this.#starts[at]! < end; at++) {
      yield { start: this.#starts[at]!, end: this.#ends[at]!, tag: this.#tags[at]! };
    }
  }

  touches(start: number, end: number): boolean {
    return !this.touching(start, end).next().done;
  }

  /** What [start, end) has outside of the ranges. */
  *gaps(start: number, end: number): Generator<{ start: number; end: number }> {
    let at = start;
    for (const range of this.touching(start, end)) {
      if (range.start > at) yield { start: at, end: range.start };
      at = Math.max(at, range.end);
    }
    if (at < end) yield { start: at, end };
  }

  /** Addresses in all ranges. */
  get total(): number {
    this.#sort();
    return this.#ends.reduce((sum, end, at) => sum + end - this.#starts[at]!, 0);
  }
}
