// The seam to where archives are read from. Two members; a wrapper has the same shape as what it wraps.

/** Random access to a sequence of bytes whose length is known. */
export interface RangeSource {
  /** Where the bytes come from, for messages: a path or a URL. */
  readonly name: string;
  /** Of a local file, where it is. */
  readonly path?: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Reads bytes [start, end).
   * @returns exactly `end - start` bytes, never fewer; the caller does not change them
   * @throws HexzError `io` when fewer are there, `interrupted` when the signal fires
   */
  read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** The same without waiting, where the source can: local files and memory. */
  readSync?(start: number, end: number): Uint8Array;
  /** Like `readSync`, into memory of the caller: fills all of `into`. */
  readIntoSync?(start: number, into: Uint8Array): void;
  /** Bytes that are cheaper to read along than to ask for in another request: 0 for files, many for a network. */
  readonly gap?: number;
  /** Gives back what the source holds open. */
  close?(): void | Promise<void>;
}
