// Where one chunking cuts, through all slots: the state between them, and the list of chunks of each.

import type { ChunkSizes, Engine } from "../engine.ts";
import { FOUND_BYTES } from "../work/survey-task.ts";
import { FIRST_OF_CONTENT, NOT_WHOLE } from "./tally.ts";

/** How to cut: by content, or every so many bytes (then all sizes are equal). */
export interface Chunking {
  readonly method: "cdc" | "fixed";
  readonly sizes: ChunkSizes;
}

/** Chunk lists of one slot. */
export interface ChunkList {
  /** Offset and length, by turns. */
  readonly list: Uint32Array;
  count: number;
}

/** What is known of the slot: its bytes, and the places that may be cut. */
export interface CutPlaces {
  readonly bytes: Uint8Array;
  readonly found: Uint8Array;
  /** -1: too many were found to list them. */
  readonly count: number;
}

/** Whether a stretch begins or ends inside of its content. Fixed chunks of a stretch are whole: it begins at a multiple. */
export interface Edges {
  readonly cutStart: boolean;
  readonly cutEnd: boolean;
}

export const WHOLE: Edges = { cutStart: false, cutEnd: false };

const CUTS = 4096;

/** Whether the places that the scan finds are enough for these sizes. */
function isScanned({ min, avg }: ChunkSizes): boolean {
  return avg >= 4096 || (avg === 1024 && min >= avg);
}

export class Walker {
  readonly #chunking: Chunking;
  readonly #engine: Engine;
  readonly #state: Uint32Array;
  readonly #cuts = new Uint32Array(CUTS);
  /** Where the open chunk begins in the current slot. */
  at = 0;
  #isFirst = true;
  #edges: Edges = WHOLE;
  /** The places that may be cut in the open chunk are not known: they were too many, once. */
  #isBlind = false;

  constructor(chunking: Chunking, engine: Engine) {
    this.#chunking = chunking;
    this.#engine = engine;
    const word = engine.allocate(4);
    this.#state = new Uint32Array(word.buffer, word.byteOffset, 1);
  }

  /** A content, or a stretch of one, begins here. */
  begin(at: number, { cutStart, cutEnd }: Edges): void {
    this.#edges = { cutStart: cutStart && this.#chunking.method === "cdc", cutEnd };
    this.at = at;
    this.#state[0] = 0;
    this.#isFirst = true;
    this.#isBlind = false;
  }

  /**
   * Adds the chunks up to `end`.
   * @param final the content ends there @param from the first of the places that may lie in it
   */
  walk(places: CutPlaces, from: number, end: number, final: boolean, into: ChunkList): void {
    const before = into.count;
    if (this.#chunking.method === "fixed") this.#walkFixed(end, final, into);
    else if (places.count >= 0 && !this.#isBlind && isScanned(this.#chunking.sizes))
      this.#walkFound(places, from, end, final, into);
    else this.#findCuts(places.bytes, end, final, into);
    if (into.count === before) return;
    if (this.#isFirst) into.list[before * 2 + 1]! |= FIRST_OF_CONTENT | (this.#edges.cutStart ? NOT_WHOLE : 0);
    if (final && this.#edges.cutEnd) into.list[into.count * 2 - 1]! |= NOT_WHOLE;
    this.#isFirst = false;
  }

  #walkFixed(end: number, final: boolean, into: ChunkList): void {
    const { max } = this.#chunking.sizes;
    while (this.at < end && (final || end - this.at >= max)) this.#push(into, Math.min(max, end - this.at));
  }

  #push(into: ChunkList, length: number): void {
    into.list[into.count * 2] = this.at;
    into.list[into.count * 2 + 1] = length;
    into.count++;
    this.at += length;
  }

  #walkFound({ bytes, found, count }: CutPlaces, from: number, end: number, final: boolean, into: ChunkList): void {
    const { min, avg, max } = this.#chunking.sizes;
    const places = found.byteOffset + from * FOUND_BYTES;
    const out = into.list.byteOffset + into.count * 8;
    const room = into.list.length / 2 - into.count;
    const bits = Math.log2(avg);
    const { walkCuts } = this.#engine.kernels;
    const state = this.#state.byteOffset;
    const [isFinal, left] = [final ? 1 : 0, count - from];
    const { byteOffset } = bytes;
    const made = walkCuts(byteOffset, this.at, end, min, avg, max, bits, isFinal, places, left, state, out, room);
    into.count += made;
    if (made === 0) return;
    const last = (into.count - 1) * 2;
    this.at = into.list[last]! + into.list[last + 1]!;
  }

  #findCuts(bytes: Uint8Array, end: number, final: boolean, into: ChunkList): void {
    this.#isBlind = true;
    for (;;) {
      const made = this.#engine.findCuts(bytes.subarray(this.at, end), this.#chunking.sizes, final, this.#cuts);
      for (let number = 0; number < made; number++) this.#push(into, (this.#cuts[number]! & 0x7fff_ffff) >>> 0);
      if (made < CUTS) return;
    }
  }
}
