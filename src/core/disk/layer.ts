// A disk as image files describe it: stretches that are zero, lie in a file, or have to be decoded. Layers lie on top
// of one another, the backing files below.

import type { RangeSource } from "../source/source.ts";

/** A stretch of the disk from the position that was asked for up to `end`. */
export type Extent = { readonly end: number } & (
  | { readonly kind: "zero" }
  /** The bytes lie in a row in a file, from `at` on. */
  | { readonly kind: "data"; readonly source: RangeSource; readonly at: number }
  /** Bytes of something that is decoded as a whole: from `offset` on. */
  | { readonly kind: "coded"; readonly offset: number; decode(): Promise<Uint8Array> }
);

export interface DiskLayer {
  /** For messages. */
  readonly name: string;
  /** Of the disk, in bytes. */
  readonly size: number;
  /** @param position below `size` @throws HexzError when the image is broken there */
  extent(position: number): Promise<Extent>;
}

/** A raw image as a layer. */
export function rawLayer(source: RangeSource): DiskLayer {
  const { name, size } = source;
  return { name, size, extent: async (position) => ({ kind: "data", source, at: position, end: size }) };
}

/** The same stretch, not beyond `end`. */
export function clipped(extent: Extent, end: number): Extent {
  return extent.end <= end ? extent : { ...extent, end };
}
