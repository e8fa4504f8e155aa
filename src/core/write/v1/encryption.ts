// Encrypting an archive of format 1 while it is written (docs/format-1.md, "Encryption").

import { type Ciphers, TAG_LENGTH } from "../../crypto/ciphers.ts";
import { HexzError } from "../../errors.ts";
import { ITERATIONS, nonceOf } from "../../format/v1/encryption.ts";
import type { KeyParameters } from "../../format/v1/header.ts";

export interface Seal {
  readonly parameters: KeyParameters;
  /** Encrypts a coded block. No number may come twice. */
  block(blockNumber: number, coded: Uint8Array): Uint8Array;
}

const SALT_LENGTH = 16;
const NO_DATA = new Uint8Array(0);

export async function createSeal({ password, ciphers }: { password: string; ciphers: Ciphers }): Promise<Seal> {
  const { sync } = ciphers;
  if (sync === undefined) {
    throw new HexzError("unsupported", "this machine cannot encrypt an archive of format 1: its ciphers need waiting");
  }
  // A fresh salt is a fresh key, under which numbers of blocks may serve as nonces.
  const salt = ciphers.randomBytes(SALT_LENGTH);
  const key = await ciphers.pbkdf2Sha256(new TextEncoder().encode(password), salt, ITERATIONS);
  const cipher = sync.aesGcm(key);
  return {
    parameters: { salt, iterations: ITERATIONS },
    block(blockNumber, coded) {
      const sealed = new Uint8Array(coded.length + TAG_LENGTH);
      cipher.seal(nonceOf(blockNumber), coded, NO_DATA, sealed);
      return sealed;
    },
  };
}
