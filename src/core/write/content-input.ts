// The seam to where content to pack is read from: forward only, into memory that the caller owns, with the holes of a
// sparse file told apart so that nobody reads or hashes them.

/** One file, image or stream that is being packed. The position starts at 0 and only moves forward. */
export interface ContentInput {
  /** Where the bytes come from, for messages. */
  readonly name: string;
  /** Length in bytes, where it is known before reading; `read` and `skip` together never give more. */
  readonly size: number | undefined;
  /** Whether `skip` may go over what is no hole. */
  readonly seekable?: boolean;
  /** Whether the file has holes; known after opening. */
  readonly sparse?: boolean;
  /**
   * Reads the next bytes into the front of `into`. A promise must be awaited before the next call.
   * @returns how many bytes were read: 1 to `into.length`, or 0 at the end (early too: `finish` tells)
   * @throws HexzError `io`, `permission`
   */
  read(into: Uint8Array): number | Promise<number>;
  /** How many bytes from here on are a hole, that is zero without reading; 0 when none or not known. Moves nothing. */
  hole?(): number;
  /** Moves over `length` bytes of what `hole` told; of anything where it is `seekable`. */
  skip?(length: number): void;
  /**
   * Bytes from here to the next border, more than 0: there a part of the content begins or ends that must be chunked as
   * if it was packed alone. Asked at the beginning and at every border. Without it there is none.
   */
  border?(): number;
  /** Call after the last byte. @throws HexzError `changed` when the file is not what it was when reading began */
  finish(): void;
  /** Gives back what the input holds open; may be called more than once, and without `finish`. */
  close(): void;
}
