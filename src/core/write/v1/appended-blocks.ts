// The blocks of an archive of format 1 that are appended, by number: what every entry that names one repeats. 16 bytes
// each.

const SEGMENT = 65_536;

export interface AppendedBlock {
  readonly offset: number;
  readonly storedLength: number;
  /** CRC-32 of the stored bytes. */
  readonly checksum: number;
}

export class AppendedBlocks {
  readonly #offsets: Float64Array[] = [];
  /** Stored length and checksum. */
  readonly #words: Uint32Array[] = [];
  count = 0;

  append({ offset, storedLength, checksum }: AppendedBlock): void {
    const at = this.count % SEGMENT;
    if (at === 0) {
      this.#offsets.push(new Float64Array(SEGMENT));
      this.#words.push(new Uint32Array(2 * SEGMENT));
    }
    this.#offsets.at(-1)![at] = offset;
    this.#words.at(-1)![2 * at] = storedLength;
    this.#words.at(-1)![2 * at + 1] = checksum;
    this.count++;
  }

  get(number: number): AppendedBlock {
    const segment = Math.floor(number / SEGMENT);
    const at = number % SEGMENT;
    const words = this.#words[segment]!;
    return { offset: this.#offsets[segment]![at]!, storedLength: words[2 * at]!, checksum: words[2 * at + 1]! };
  }
}
