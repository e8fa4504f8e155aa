// Which parts of a content are not in an older version of it: the chunks of both are matched in order, as a line diff
// does with lines. Chunks that occur once in both and keep their order are anchors (the longest increasing
// subsequence: "patience diff", B. Cohen); equal neighbours join them; what is left between is changed.

import { FIRST_CHUNK, type Run } from "./chunk-run.ts";

export interface Changes {
  /** [start, end) in the new content, ascending, whole chunks. */
  readonly ranges: readonly (readonly [number, number])[];
  /** Bytes in the ranges. */
  readonly changedBytes: number;
  /** Bytes of the old content that were not matched. */
  readonly removedBytes: number;
}

const NONE = 0;
const REPEATED = -1;

/** Compares many pairs of contents of one numbering; keeps its tables between them. */
export class Aligner {
  /** By element: where it is in A, from 1. */
  readonly #inA: Int32Array;
  readonly #inB: Int32Array;

  /** @param limit elements of whole chunks are below */
  constructor(limit: number) {
    this.#inA = new Int32Array(limit);
    this.#inB = new Int32Array(limit);
  }

  changes(a: Run, b: Run): Changes {
    const gaps = new Gaps(a, b);
    const anchors = this.#anchors(a, b);
    let [i, j] = [0, 0];
    for (let number = 0; number <= anchors.a.length; number++) {
      const [x, y] = [anchors.a[number] ?? a.elements.length, anchors.b[number] ?? b.elements.length];
      let [u, v] = [x, y];
      while (i < u && j < v && equalAt(a, i, b, j)) [i, j] = [i + 1, j + 1];
      while (u > i && v > j && equalAt(a, u - 1, b, v - 1)) [u, v] = [u - 1, v - 1];
      gaps.add(i, u, j, v);
      [i, j] = [x, y];
    }
    return gaps.result();
  }

  #anchors(a: Run, b: Run): Anchors {
    const [inA, inB] = [this.#inA, this.#inB];
    countElements(inA, a);
    countElements(inB, b);
    const isAnchor = (element: number, at: number) => inB[element] === at + 1 && inA[element]! > 0;
    const count = b.elements.reduce((sum, element, at) => sum + (isAnchor(element, at) ? 1 : 0), 0);
    const pairs: Anchors = { a: new Int32Array(count), b: new Int32Array(count) };
    let number = 0;
    for (let at = 0; at < b.elements.length; at++) {
      const element = b.elements[at]!;
      if (!isAnchor(element, at)) continue;
      pairs.a[number] = inA[element]! - 1;
      pairs.b[number++] = at;
    }
    for (const element of a.elements) if (element < inA.length) inA[element] = NONE;
    for (const element of b.elements) if (element < inB.length) inB[element] = NONE;
    return longestAscending(pairs);
  }
}

/** Positions in both contents; `b` ascends. */
interface Anchors {
  readonly a: Int32Array;
  readonly b: Int32Array;
}

function countElements(table: Int32Array, { elements }: Run): void {
  for (let at = 0; at < elements.length; at++) {
    const element = elements[at]!;
    if (element < FIRST_CHUNK || element >= table.length) continue;
    table[element] = table[element] === NONE ? at + 1 : REPEATED;
  }
}

function equalAt(a: Run, i: number, b: Run, j: number): boolean {
  return a.elements[i] === b.elements[j] && a.starts[i + 1]! - a.starts[i]! === b.starts[j + 1]! - b.starts[j]!;
}

/** The longest selection whose positions in A ascend, too. */
function longestAscending(pairs: Anchors): Anchors {
  const { length } = pairs.a;
  // ends[n]: the pair with the smallest position in A that ends a selection of n + 1
  const ends = new Int32Array(length);
  const before = new Int32Array(length);
  let longest = 0;
  for (let at = 0; at < length; at++) {
    let low = 0;
    let high = longest;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (pairs.a[ends[middle]!]! < pairs.a[at]!) low = middle + 1;
      else high = middle;
    }
    before[at] = low === 0 ? -1 : ends[low - 1]!;
    ends[low] = at;
    if (low === longest) longest++;
  }
  const selected: Anchors = { a: new Int32Array(longest), b: new Int32Array(longest) };
  let at = longest === 0 ? -1 : ends[longest - 1]!;
  for (let number = longest - 1; number >= 0; number--) {
    selected.a[number] = pairs.a[at]!;
    selected.b[number] = pairs.b[at]!;
    at = before[at]!;
  }
  return selected;
}

/** What was not matched. */
class Gaps {
  readonly #a: Run;
  readonly #b: Run;
  readonly #ranges: [number, number][] = [];
  #changed = 0;
  #removed = 0;

  constructor(a: Run, b: Run) {
    this.#a = a;
    this.#b = b;
  }

  /** Elements [i, u) of A became elements [j, v) of B. */
  add(i: number, u: number, j: number, v: number): void {
    const { starts: left } = this.#a;
    const { starts: right } = this.#b;
    const [removed, added] = [left[u]! - left[i]!, right[v]! - right[j]!];
    this.#removed += removed;
    if (removed === added) this.#inPlace(i, u, j, v);
    else this.#range(right[j]!, right[v]!);
  }

  /** Runs of one value that are in both versions at the same place are not changed. */
  #inPlace(i: number, u: number, j: number, v: number): void {
    const { starts: left } = this.#a;
    const { starts: right } = this.#b;
    const shift = right[j]! - left[i]!;
    let x = i;
    for (let y = j; y < v; y++) {
      let from = right[y]!;
      const to = right[y + 1]!;
      const value = this.#b.elements[y]!;
      while (x < u && left[x + 1]! + shift <= from) x++;
      for (let z = x; value < FIRST_CHUNK && z < u && left[z]! + shift < to; z++) {
        if (this.#a.elements[z] !== value) continue;
        this.#range(from, Math.max(from, left[z]! + shift));
        const end = Math.min(to, left[z + 1]! + shift);
        this.#removed -= end - Math.max(from, left[z]! + shift);
        from = end;
      }
      this.#range(from, to);
    }
  }

  #range(from: number, to: number): void {
    if (from === to) return;
    const origin = this.#b.starts[0]!;
    const last = this.#ranges.at(-1);
    if (last !== undefined && last[1] === from - origin) last[1] = to - origin;
    else this.#ranges.push([from - origin, to - origin]);
    this.#changed += to - from;
  }

  result(): Changes {
    return { ranges: this.#ranges, changedBytes: this.#changed, removedBytes: this.#removed };
  }
}
