// The end of the archive being written: gives out offsets, and hands bytes to the sink in few large pieces.

import type { Sink } from "./sink.ts";

export class Appender {
  readonly #sink: Sink;
  #pending: Uint8Array[] = [];
  /** What the sink failed with: bytes are missing, so nothing that follows can make an archive. */
  #failure: { error: unknown } | undefined;
  /** Offset behind everything appended. */
  position = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Takes bytes that stay as they are until the next flush. Neighbours in memory become one piece. */
  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const last = this.#pending.at(-1);
    if (last !== undefined && last.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset) {
      this.#pending[this.#pending.length - 1] = new Uint8Array(
        last.buffer,
        last.byteOffset,
        last.length + bytes.length,
      );
    } else {
      this.#pending.push(bytes);
    }
    this.position += bytes.length;
  }

  /** @throws what the sink failed with, once it has */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    this.check();
    try {
      for (const bytes of pending) {
        const written = this.#sink.write(bytes);
        if (written !== undefined) await written;
      }
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }
}
