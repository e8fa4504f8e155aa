// What a dictionary would save: some blocks of the sample are kept, one is trained on the half of them, and the other half is
// coded with it. `pack --dictionary` trains on more, so it does at least as well.

import { CODEC, type Engine } from "../engine.ts";
import type { Observation } from "./estimate.ts";

/** Plain bytes that are kept for a trial. */
const KEPT_BYTES = 8 * 1024 * 1024;
/** Training looks at pieces; those of `pack` are as long. */
const PIECE = 16 * 1024;
/** With fewer blocks nothing can be said. */
const LEAST_BLOCKS = 8;

/** Makes a dictionary of samples from an input of that length; undefined when they are too few or have nothing in common. */
export type Train = (samples: readonly Uint8Array[], inputLength: number) => Uint8Array | undefined;

export interface TrialFindings {
  readonly dictionaryLength: number;
  /** How long blocks are with it, where how long they are without is known. */
  readonly sample: readonly Observation[];
}

export class DictionaryTrial {
  readonly #limit: number;
  readonly #blocks: Uint8Array[] = [];
  #seen = 0;
  #random = 0x6c8e9cf5;

  constructor(blockSize: number) {
    this.#limit = Math.floor(KEPT_BYTES / blockSize);
  }

  /** Takes part in the choice of what is kept: every block with the same probability. */
  offer(plain: Uint8Array): void {
    this.#random ^= this.#random << 13;
    this.#random ^= this.#random >>> 17;
    this.#random ^= this.#random << 5;
    const place = (this.#random >>> 0) % ++this.#seen;
    if (this.#blocks.length < this.#limit) this.#blocks.push(plain.slice());
    else if (place < this.#limit) this.#blocks[place] = plain.slice();
  }

  /** @returns undefined when there are too few blocks, or no dictionary comes of them */
  run(engine: Engine, train: Train, level: number, inputLength: number): TrialFindings | undefined {
    if (this.#blocks.length < LEAST_BLOCKS) return undefined;
    const pieces = this.#blocks.filter((_, at) => at % 2 === 0).flatMap(piecesOf);
    const dictionary = train(pieces, inputLength);
    if (dictionary === undefined) return undefined;
    const out = new Uint8Array(Math.max(...this.#blocks.map(({ length }) => length)));
    const lengthOf = (plain: Uint8Array, withIt: boolean) => {
      const codec = withIt ? CODEC.zstdDictionary : CODEC.zstd;
      const room = out.subarray(0, plain.length - 1);
      return engine.encode(codec, level, plain, room, withIt ? dictionary : undefined) || plain.length;
    };
    const sample = this.#blocks
      .filter((plain, at) => at % 2 === 1 && plain.length > 1)
      .map((plain): Observation => ({ known: [lengthOf(plain, false), 0], coded: lengthOf(plain, true), weight: 1 }));
    return { dictionaryLength: dictionary.length, sample };
  }
}

function piecesOf(plain: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < plain.length; at += PIECE) pieces.push(plain.subarray(at, at + PIECE));
  return pieces;
}
