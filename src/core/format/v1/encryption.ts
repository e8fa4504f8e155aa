// Encryption of format 1 (docs/format-1.md, "Encryption"): AES-256-GCM over a coded block, its key from PBKDF2, its
// nonce the number of the block. Only what is bytes and numbers; the ciphers are elsewhere.

import { HexzError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import type { KeyParameters } from "./header.ts";

export const KEY_LENGTH = 32;
export const TAG_LENGTH = 16;
export const NONCE_LENGTH = 12;
/** What writers use. */
export const ITERATIONS = 600_000;

/** @param block counted through the whole archive in the order of writing */
export function nonceOf(block: number): Uint8Array {
  const nonce = new Uint8Array(NONCE_LENGTH);
  new DataView(nonce.buffer).setBigUint64(4, BigInt(block));
  return nonce;
}

/** Before a key is derived: too few make passwords cheap to guess, too many keep the reader busy for hours. */
export function checkIterations({ iterations }: KeyParameters, name: string): void {
  const { min, max } = LIMITS.format1.iterations;
  if (iterations >= min && iterations <= max) return;
  throw new HexzError(
    "limit_exceeded",
    `${name} wants ${iterations} iterations of PBKDF2; between ${min} and ${max} are accepted`,
    { data: { found: iterations, min, max } },
  );
}
