// Codes chunks that come one by one into blocks, on one thread: for the few that cannot stay in the blocks they were in.

import { CODEC, type CodecId, type Engine } from "../engine.ts";
import type { Coding } from "../format/root.ts";
import { isZstd } from "../zstd.ts";
import type { Location } from "./dedup.ts";
import type { CodedBlock } from "./layout.ts";

export class Recoder {
  readonly #engine: Engine;
  readonly #coding: Coding;
  readonly #append: (block: CodedBlock) => void;
  readonly #plain: Uint8Array;
  #length = 0;
  #number = 0;

  /** @param append takes each block when it is full; it has its own bytes */
  constructor(engine: Engine, coding: Coding, append: (block: CodedBlock) => void) {
    this.#engine = engine;
    this.#coding = coding;
    this.#append = append;
    this.#plain = new Uint8Array(Math.max(coding.blockSize, coding.sizes.max));
  }

  /** @param next number of the next block that is appended */
  add(chunk: Uint8Array, next: () => number): Location {
    if (this.#length + chunk.length > this.#coding.blockSize) this.close();
    if (this.#length === 0) this.#number = next();
    const location = { block: this.#number, offset: this.#length };
    this.#plain.set(chunk, this.#length);
    this.#length += chunk.length;
    return location;
  }

  /** Ends the open block, if any. To be called before another block is appended. */
  close(): void {
    if (this.#length === 0) return;
    const plain = this.#plain.subarray(0, this.#length);
    const out = new Uint8Array(plain.length);
    const { level } = this.#coding;
    // A dictionary is for blocks like those that it was made from.
    const codec = isZstd(this.#coding.codec) ? CODEC.zstd : (this.#coding.codec as CodecId);
    const length = codec === CODEC.stored ? 0 : this.#engine.encode(codec, level, plain, out);
    const isSmaller = length > 0 && length < plain.length;
    this.#length = 0;
    this.#append({
      codec: isSmaller ? codec : CODEC.stored,
      stored: isSmaller ? out.subarray(0, length) : plain.slice(),
      plainLength: plain.length,
    });
  }
}
