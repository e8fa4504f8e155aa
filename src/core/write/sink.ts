// The seam to where an archive is written: forward only, so that a pipe or a multipart upload will do.

/** What an encrypted archive has that a plain one has not (docs/format.md, "Encryption"). */
export interface EnvelopeTraits {
  /** Random; makes the archive id say nothing of the content. */
  readonly salt: Uint8Array;
  /** Where a state ends that has so many bytes or more. */
  endFor(length: number): number;
  /** Length of the file around so many bytes. */
  fileLength(length: number): number;
}

/** Takes an archive's bytes in order. A call that returns a promise must be awaited before the next one. */
export interface Sink {
  /** Where the bytes go, for messages. */
  readonly name: string;
  /** When the bytes are sealed on their way. */
  readonly envelope?: EnvelopeTraits;
  /** Appends bytes. They may be overwritten by the caller afterwards: copy what is kept. */
  write(bytes: Uint8Array): void | Promise<void>;
  /**
   * Writes over bytes that were appended, where that can be: a pipe cannot. Format 1 needs it, whose header is known
   * last.
   */
  patch?(bytes: Uint8Array, offset: number): void | Promise<void>;
  /** Has `finish` call this with the path of the complete file before that gets its name; where it is a file. */
  checkFinished?(check: (path: string) => Promise<void>): void;
  /** Makes everything durable and visible under the final name. Nothing is visible before. */
  finish(): void | Promise<void>;
  /** Undoes everything. Safe after a failure of `write` or `finish`. */
  abort(): void | Promise<void>;
}
