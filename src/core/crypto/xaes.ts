// XAES-256-GCM as C2SP specifies it: AES-256-GCM under a key that is derived from the first half of a nonce of 24
// bytes, so that nonces may be random (docs/format.md, "Encryption").

import type { Ciphers, CiphersSync } from "./ciphers.ts";

const HALF = 12;
const BLOCK = 16;

/** Seals and opens under one key. Tags stand behind their ciphertext. */
export interface Xaes {
  seal(nonce: Uint8Array, plain: Uint8Array, associated: Uint8Array): Promise<Uint8Array>;
  /** @returns undefined when the tag does not fit */
  open(nonce: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Promise<Uint8Array | undefined>;
}

export interface XaesSync {
  /** @param into takes ciphertext and tag: 16 bytes more than `plain` */
  seal(nonce: Uint8Array, plain: Uint8Array, associated: Uint8Array, into: Uint8Array): void;
  open(nonce: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined;
}

/** The subkey of CMAC: AES of zeros, doubled in GF(2^128). */
function doubled(block: Uint8Array): Uint8Array {
  const result = new Uint8Array(BLOCK);
  for (let at = 0; at < BLOCK; at++) result[at] = (block[at]! << 1) | ((block[at + 1] ?? 0) >> 7);
  if (block[0]! >= 0x80) result[BLOCK - 1]! ^= 0x87;
  return result;
}

/** The two blocks whose ciphertexts are the derived key: 00 0i "X" 00 and half of the nonce, each with the subkey. */
function keyBlocks(subkey: Uint8Array, nonce: Uint8Array): Uint8Array {
  const blocks = new Uint8Array(2 * BLOCK);
  for (let number = 0; number < 2; number++) {
    const block = blocks.subarray(number * BLOCK, (number + 1) * BLOCK);
    block[1] = number + 1;
    block[2] = 0x58;
    block.set(nonce.subarray(0, HALF), BLOCK - HALF);
    for (let at = 0; at < BLOCK; at++) block[at]! ^= subkey[at]!;
  }
  return blocks;
}

export async function createXaes(ciphers: Ciphers, key: Uint8Array): Promise<Xaes> {
  const encrypt = await ciphers.aesBlocks(key);
  const subkey = doubled(await encrypt(new Uint8Array(BLOCK)));
  const gcmFor = async (nonce: Uint8Array) => ciphers.aesGcm(await encrypt(keyBlocks(subkey, nonce)));
  return {
    seal: async (nonce, plain, associated) => (await gcmFor(nonce)).seal(nonce.subarray(HALF), plain, associated),
    open: async (nonce, sealed, associated) => (await gcmFor(nonce)).open(nonce.subarray(HALF), sealed, associated),
  };
}

export function createXaesSync(ciphers: CiphersSync, key: Uint8Array): XaesSync {
  const encrypt = ciphers.aesBlocks(key);
  const subkey = doubled(encrypt(new Uint8Array(BLOCK)));
  const gcmFor = (nonce: Uint8Array) => ciphers.aesGcm(encrypt(keyBlocks(subkey, nonce)));
  return {
    seal: (nonce, plain, associated, into) => gcmFor(nonce).seal(nonce.subarray(HALF), plain, associated, into),
    open: (nonce, sealed, associated) => gcmFor(nonce).open(nonce.subarray(HALF), sealed, associated),
  };
}
