// The seam between the write line and the format: where chunks and coded blocks go once it is decided what they are.
// Calls come in the order of the input; those of blocks come when they are coded, between the others.

/** A block as it is stored. */
export interface CodedBlock {
  readonly codec: number;
  /** Where it comes from, as `Origins` counts; absent: this archive, without a dictionary. Format 2 only. */
  readonly origin?: number;
  /** CRC-32 of `stored`; format 1 only. */
  readonly checksum?: number;
  /** Stays as it is until the appender's next flush. */
  readonly stored: Uint8Array;
  readonly plainLength: number;
}

export interface Layout {
  /** A run of one byte value. */
  fill(length: number, value: number): void;
  /** The next chunk is bytes from `offset` on of the block of that number, which may not be appended yet. */
  chunk(length: number, digest: Uint8Array, block: number, offset: number): void;
  /** Whether a chunk is at the same place in a parent; then it is taken as being there. Format 1 only. */
  parentChunk?(length: number, digest: Uint8Array): boolean;
  /** A content ends here. */
  border(): void;
  /** Appends the next block. */
  block(block: CodedBlock): void;
}
