// Ed25519 by the system's library: signing with a seed, verifying, and new keys.

import type { KeyObject } from "node:crypto";
import type { Signer } from "../core/crypto/ed25519.ts";
import { HexzError } from "../core/errors.ts";
import { PUBLIC_KEY_LENGTH } from "../core/format/signatures.ts";

export const SEED_LENGTH = 32;
/** DER of PKCS #8 and of SubjectPublicKeyInfo up to the key's 32 bytes (RFC 8410). */
const PRIVATE_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** Loaded when it is needed: that takes some milliseconds, and most commands see no key. */
export function nodeCrypto() {
  return process.getBuiltinModule("node:crypto");
}

/** @param key a public key of the type ed25519 */
export function rawPublicKey(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: "der", type: "spki" }).subarray(PUBLIC_PREFIX.length));
}

/** @param key a private key of the type ed25519 */
export function signerOfKey(key: KeyObject): Signer {
  return {
    publicKey: rawPublicKey(nodeCrypto().createPublicKey(key)),
    sign: (message) => new Uint8Array(nodeCrypto().sign(null, message, key)),
  };
}

/** @param seed 32 bytes */
export function signerOfSeed(seed: Uint8Array): Signer {
  const key = Buffer.concat([PRIVATE_PREFIX, seed]);
  return signerOfKey(nodeCrypto().createPrivateKey({ key, format: "der", type: "pkcs8" }));
}

export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_LENGTH) throw new HexzError("usage", "a public key has 32 bytes");
  const { createPublicKey, verify } = nodeCrypto();
  const der = Buffer.concat([PUBLIC_PREFIX, publicKey]);
  return verify(null, message, createPublicKey({ key: der, format: "der", type: "spki" }), signature);
}

/** A new key. */
export function createSeed(): Uint8Array {
  const { privateKey } = nodeCrypto().generateKeyPairSync("ed25519");
  return new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" }).subarray(PRIVATE_PREFIX.length));
}
