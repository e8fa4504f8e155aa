// Which blocks of a plan are coded: the first ones all, then one of every few, more and more, so that the sample grows with
// the logarithm of what is stored, whatever its length. Within each few, the choice is random but always the same.

/** Plain bytes that are sampled before blocks are taken half as often. */
const QUOTA = 4 * 1024 * 1024;
/** The same where a long input lets expect that more will come; little is stored of it when it repeats or is empty. */
const FIRST_SHARE = 1 / 4;
/** Quotas that an input of known length without duplicates fills. */
const STEPS = 4;

export class BlockSampler {
  #period = 1;
  /** From here on the whole quota is taken. */
  readonly #longPeriod: number;
  readonly #quota: number;
  #taken = 0;
  #place = 0;
  #chosen = 0;
  #random = 0x2545f491;

  /** @param expected bytes of input, if known @param factor by how much more to take */
  constructor(expected: number | undefined, factor = 1) {
    this.#quota = QUOTA * factor;
    const steps = expected === undefined ? 1 : Math.ceil(expected / (this.#quota * 2 ** STEPS));
    this.#longPeriod = steps <= 1 ? 1 : 2 ** Math.floor(Math.log2(steps));
  }

  /** Whether to take the next block: how many blocks it stands for, or 0. */
  next(): number {
    if (this.#place === 0) {
      if (this.#taken >= this.#quota * (this.#period < this.#longPeriod ? FIRST_SHARE : 1)) {
        this.#period *= 2;
        this.#taken = 0;
      }
      this.#random ^= this.#random << 13;
      this.#random ^= this.#random >>> 17;
      this.#random ^= this.#random << 5;
      this.#chosen = (this.#random >>> 0) % this.#period;
    }
    const take = this.#place === this.#chosen;
    this.#place = (this.#place + 1) % this.#period;
    return take ? this.#period : 0;
  }

  /** A taken block has ended. */
  took(bytes: number): void {
    this.#taken += bytes;
  }
}
