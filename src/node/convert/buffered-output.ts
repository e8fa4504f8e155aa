// Many small pieces into a sink: they are put together first, large ones go as they are.

import type { Sink } from "../../core/write/sink.ts";
import type { FileSink } from "../file-sink.ts";

const BUFFER_BYTES = 256 * 1024;
/** Zeros from which on a file gets a hole. */
const HOLE_BYTES = 64 * 1024;

export class BufferedOutput {
  readonly #sink: Sink | FileSink;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #length = 0;
  /** Bytes that were written. */
  position = 0;

  constructor(sink: Sink | FileSink) {
    this.#sink = sink;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.position += bytes.length;
    const isLarge = bytes.length >= BUFFER_BYTES / 2;
    if (isLarge || this.#length + bytes.length > BUFFER_BYTES) await this.flush();
    if (isLarge) await this.#sink.write(bytes);
    else {
      this.#buffer.set(bytes, this.#length);
      this.#length += bytes.length;
    }
  }

  async fill(value: number, length: number): Promise<void> {
    if (value === 0 && length >= HOLE_BYTES && "skip" in this.#sink) {
      await this.flush();
      this.#sink.skip(length);
      this.position += length;
      return;
    }
    const piece = new Uint8Array(Math.min(length, BUFFER_BYTES / 4)).fill(value);
    for (let left = length; left > 0; left -= piece.length) await this.write(piece.subarray(0, left));
  }

  async flush(): Promise<void> {
    if (this.#length > 0) await this.#sink.write(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
  }
}
