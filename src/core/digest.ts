// BLAKE3-256, the format's only hash: digests use 32 bytes, checksums the first 8.

import type { Engine } from "./engine.ts";

export const DIGEST_LENGTH = 32;
export const CHECKSUM_LENGTH = 8;

/** BLAKE3-256 of some bytes. */
export type DigestOf = (bytes: Uint8Array) => Uint8Array;

export function digestWith(engine: Engine): DigestOf {
  return (bytes) => {
    const out = new Uint8Array(DIGEST_LENGTH);
    engine.digest(bytes, out);
    return out;
  };
}
