// A hasher for many small pieces: they are put together first, because a call costs more than they do.

import { ByteWriter } from "../bytes.ts";
import type { Hasher } from "../engine.ts";

const BATCH = 64 * 1024;

export class BatchedHasher {
  readonly #hasher: Hasher;
  /** What is hashed next: append to it, then call `flushIfLong`. */
  readonly pending = new ByteWriter(BATCH + 4096);

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  flushIfLong(): void {
    if (this.pending.length < BATCH) return;
    this.#hasher.update(this.pending.view());
    this.pending.clear();
  }

  digest(): Uint8Array {
    this.#hasher.update(this.pending.view());
    return this.#hasher.digest();
  }
}
