// The seam to where an archive is written: forward only, so that a pipe or a multipart upload will do.

/** Takes an archive's bytes in order. A call that returns a promise must be awaited before the next one. */
export interface Sink {
  /** Where the bytes go, for messages. */
  readonly name: string;
  /** Appends bytes. They may be overwritten by the caller afterwards: copy what is kept. */
  write(bytes: Uint8Array): void | Promise<void>;
  /**
   * Writes over bytes that were appended, where that can be: a pipe cannot. Format 1 needs it, whose header is known
   * last.
   */
  patch?(bytes: Uint8Array, offset: number): void | Promise<void>;
  /** Makes everything durable and visible under the final name. Nothing is visible before. */
  finish(): void | Promise<void>;
  /** Undoes everything. Safe after a failure of `write` or `finish`. */
  abort(): void | Promise<void>;
}
