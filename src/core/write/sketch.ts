// The sketch of an archive: the smallest distinct chunk digests (docs/format.md, "Content id and sketch").

import { TARGETS } from "../limits.ts";

export class SketchBuilder {
  /** Ascending; kept between compactions with room for as many again. */
  #values: bigint[] = [];
  /** Values from here on cannot be among the smallest. */
  #bound = 1n << 64n;
  #highBound = 2 ** 32;

  /** @param digest by 4-byte words; of a chunk that was not there before */
  add(digest: Uint32Array): void {
    // The high word decides nearly always, without a bigint.
    if (digest[1]! > this.#highBound) return;
    const value = (BigInt(digest[1]!) << 32n) | BigInt(digest[0]!);
    if (value >= this.#bound) return;
    this.#values.push(value);
    if (this.#values.length >= TARGETS.sketch * 2) this.#compact();
  }

  #compact(): void {
    this.#values.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    this.#values = this.#values.filter((value, at, all) => value !== all[at - 1]).slice(0, TARGETS.sketch);
    if (this.#values.length === TARGETS.sketch) {
      this.#bound = this.#values.at(-1)!;
      this.#highBound = Number(this.#bound >> 32n);
    }
  }

  values(): BigUint64Array {
    this.#compact();
    return BigUint64Array.from(this.#values);
  }
}
