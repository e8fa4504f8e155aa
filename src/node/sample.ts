// A sample of what is to be packed, evenly spread: pieces at equal distances of the content, as if it were packed. Files
// are opened for it, but only the pieces are read where a file can be read anywhere.

import type { ContentRange } from "../core/format/record.ts";
import type { ContentInput } from "../core/write/content-input.ts";
import type { Inlet } from "../core/write/inlet.ts";
import type { ContentSink } from "../core/write/writer.ts";
import { openBufferedInlet } from "./buffered-input.ts";

/** What is read over at once. */
const DISCARD = 256 * 1024;

/** Takes contents as a writer does, and keeps pieces of them. */
export class Sampler implements ContentSink {
  readonly #piece: number;
  readonly #most: number;
  /** Bytes from the beginning of one piece to that of the next: doubled when there are too many. */
  #distance: number;
  #address = 0;
  #pieces: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  readonly #linkable = new Set<string>();
  readonly #discarded = new Uint8Array(DISCARD);

  /**
   * @param piece length of a piece, at most
   * @param most number of pieces
   * @param total bytes of all content, if known
   */
  constructor({ piece, most, total = 0 }: { piece: number; most: number; total?: number | undefined }) {
    this.#piece = piece;
    this.#most = most;
    this.#distance = Math.max(piece, Math.ceil(total / most));
  }

  /** In the order of the content. */
  get pieces(): readonly Uint8Array[] {
    return this.#pieces.map(({ bytes }) => bytes);
  }

  /** Bytes of content that went by. */
  get address(): number {
    return this.#address;
  }

  addStream(_name: string, input: ContentInput): Promise<ContentRange> {
    return this.addContent(input);
  }

  async addFile(entry: { path: string }, input: ContentInput, options: { linkable?: boolean } = {}): Promise<void> {
    if (options.linkable) this.#linkable.add(entry.path);
    await this.addContent(input);
  }

  async addContent(input: ContentInput): Promise<ContentRange> {
    const start = this.#address;
    const end = start + (input.size ?? Number.POSITIVE_INFINITY);
    while (this.#address < end) {
      const next = Math.ceil(this.#address / this.#distance) * this.#distance;
      if (next > this.#address) {
        if (!(await this.#pass(input, Math.min(next, end) - this.#address))) break;
        continue;
      }
      const at = this.#address;
      const bytes = await this.#read(input, new Uint8Array(Math.min(this.#piece, end - at)));
      if (bytes.length === 0) break;
      // Zeros are not coded.
      if (bytes.some((byte) => byte !== 0)) this.#keep(at, bytes);
    }
    return { start, size: this.#address - start, sparse: input.sparse === true };
  }

  openInlet(input: ContentInput): Inlet {
    return openBufferedInlet(input, (content) => this.addContent(content));
  }

  #keep(at: number, bytes: Uint8Array): void {
    this.#pieces.push({ at, bytes });
    while (this.#pieces.length > this.#most) {
      this.#distance *= 2;
      this.#pieces = this.#pieces.filter((piece) => piece.at % this.#distance === 0);
    }
  }

  /** False at the end. */
  async #pass(input: ContentInput, length: number): Promise<boolean> {
    if (input.seekable === true) {
      input.skip!(length);
      this.#address += length;
      return true;
    }
    return (await this.#read(input, this.#discarded.subarray(0, Math.min(length, DISCARD)))).length > 0;
  }

  async #read(input: ContentInput, into: Uint8Array): Promise<Uint8Array> {
    let length = 0;
    while (length < into.length) {
      const hole = Math.min(input.hole?.() ?? 0, into.length - length);
      if (hole > 0) {
        input.skip!(hole);
        into.fill(0, length, length + hole);
        length += hole;
        continue;
      }
      const count = await input.read(into.subarray(length));
      if (count === 0) break;
      length += count;
    }
    this.#address += length;
    return into.subarray(0, length);
  }

  checkPath(): void {}

  addContainer(): void {}

  addMetadata(): void {}

  async addEntry(): Promise<void> {}

  hasLinkTarget(path: string): boolean {
    return this.#linkable.has(path);
  }
}
