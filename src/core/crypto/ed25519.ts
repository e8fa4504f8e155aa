// Ed25519 (RFC 8032) as a seam: who signs is the caller's, who verifies is the machine's. Browsers verify by WebCrypto;
// Node by its own library (node/ed25519.ts), which has no experimental warning and needs no promise.

import { HexzError } from "../errors.ts";

/** Signs with one private key. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** @returns 64 bytes */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Whether a signature of a message is by the holder of a public key. */
export type VerifySignature = (
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
) => boolean | Promise<boolean>;

/** By WebCrypto. @throws HexzError `unsupported` where that has no Ed25519 */
export async function verifyByWebCrypto(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const { subtle } = globalThis.crypto;
  // WebCrypto takes no views of shared memory.
  const [rawKey, data, signed] = [publicKey, message, signature].map((bytes) => new Uint8Array(bytes));
  try {
    const key = await subtle.importKey("raw", rawKey!, "Ed25519", false, ["verify"]);
    return await subtle.verify("Ed25519", key, signed!, data!);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "DataError") return false;
    throw new HexzError("unsupported", "this machine cannot verify Ed25519 signatures", { cause });
  }
}
