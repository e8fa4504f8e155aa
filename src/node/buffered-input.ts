// An input with a look ahead: small pieces come from a buffer, large ones go straight to where they are wanted.

import type { ContentRange } from "../core/format/record.ts";
import type { ContentInput } from "../core/write/content-input.ts";
import type { Inlet } from "../core/write/inlet.ts";

/** Small: what was read ahead of a large content is copied once more. */
const BUFFER_BYTES = 64 * 1024;

export class BufferedInput {
  readonly #input: ContentInput;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #start = 0;
  #end = 0;
  /** Bytes that were taken. */
  position = 0;

  constructor(input: ContentInput) {
    this.#input = input;
  }

  /** The next bytes, fewer only at the end; they are taken by `skip`, and good until the next call. */
  peek(length: number): Uint8Array | Promise<Uint8Array> {
    if (this.#end - this.#start >= length) return this.#buffer.subarray(this.#start, this.#start + length);
    return this.#more(length);
  }

  async #more(length: number): Promise<Uint8Array> {
    this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    while (this.#end < length) {
      const pending = this.#input.read(this.#buffer.subarray(this.#end));
      const count = typeof pending === "number" ? pending : await pending;
      if (count === 0) break;
      this.#end += count;
    }
    return this.#buffer.subarray(0, Math.min(length, this.#end));
  }

  /** Takes bytes that `peek` has shown. */
  skip(length: number): void {
    this.#start += length;
    this.position += length;
  }

  /** Takes the next bytes; 0 at the end. */
  read(into: Uint8Array): number | Promise<number> {
    const length = Math.min(into.length, this.#end - this.#start);
    if (length > 0) {
      into.set(this.#buffer.subarray(this.#start, this.#start + length));
      this.skip(length);
      return length;
    }
    const pending = into.length < BUFFER_BYTES / 4 ? this.#refill(into) : this.#input.read(into);
    if (typeof pending !== "number") return pending.then((count) => this.#took(count));
    return this.#took(pending);
  }

  /** Counts what did not come from the buffer. */
  #took(count: number): number {
    this.position += count;
    return count;
  }

  async #refill(into: Uint8Array): Promise<number> {
    const bytes = (await this.#more(1)).length === 0 ? 0 : Math.min(into.length, this.#end);
    into.set(this.#buffer.subarray(0, bytes));
    this.#start = bytes;
    return bytes;
  }
}

/** For who has no slots: contents of the inlet are given on one by one. */
export function openBufferedInlet(
  input: ContentInput,
  addContent: (content: ContentInput) => Promise<ContentRange>,
): Inlet {
  const buffered = new BufferedInput(input);
  const content = (length: number) => {
    const end = buffered.position + length;
    const read = (into: Uint8Array) => buffered.read(into.subarray(0, end - buffered.position));
    return addContent({ name: input.name, size: undefined, read, finish() {}, close() {} });
  };
  return Object.assign(buffered, { content });
}
