// The seam to an input of which only parts are contents, as of a tar: headers are looked at where they were read, and
// contents stay where they are.

import type { ContentRange } from "../format/record.ts";

/** A promise must be awaited before the next call. */
export interface Inlet {
  /** Bytes of the input that were taken. */
  readonly position: number;
  /** The next bytes, fewer only at the end. They are not taken yet, and are good until the next call. */
  peek(length: number): Uint8Array | Promise<Uint8Array>;
  /** Takes bytes that `peek` has shown: they are no content. */
  skip(length: number): void;
  /** Takes the next bytes and copies them, 0 at the end: for a content that is put together, while that is packed. */
  read(into: Uint8Array): number | Promise<number>;
  /** Takes the next bytes and packs them as a content; it is shorter only at the end. */
  content(length: number): ContentRange | Promise<ContentRange>;
}
