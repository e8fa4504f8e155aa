// The signatures page and what is signed (docs/format.md, "Signatures").

import { ByteReader, ByteWriter, equalBytes } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import { checkLimit, LIMITS } from "../limits.ts";

export interface Signature {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** Bytes, of Ed25519. */
export const PUBLIC_KEY_LENGTH = 32;
export const SIGNATURE_LENGTH = 64;
const ALGORITHM_ED25519 = 1;
const CONTEXT = new TextEncoder().encode("hexz archive v2\0");

/** The 48 bytes that are signed. @param id 32 bytes */
export function signedMessage(id: Uint8Array): Uint8Array {
  return new ByteWriter(48).raw(CONTEXT).raw(id).take();
}

/** @returns the payload of the page */
export function encodeSignatures(signatures: readonly Signature[]): Uint8Array {
  checkLimit("the number of signatures", signatures.length, LIMITS.signatures);
  const writer = new ByteWriter(1 + signatures.length * 97).u8(signatures.length);
  for (const { publicKey, signature } of signatures) writer.u8(ALGORITHM_ED25519).raw(publicKey).raw(signature);
  return writer.take();
}

/** @param what for messages @throws HexzError `invalid`, `limit_exceeded`, `feature_unknown` */
export function decodeSignatures(payload: Uint8Array, what: string): Signature[] {
  const reader = new ByteReader(payload, what);
  const count = reader.u8();
  checkLimit(`the number of signatures in ${what}`, count, LIMITS.signatures);
  if (count === 0) throw reader.fail("it holds no signature");
  const signatures: Signature[] = [];
  for (let number = 0; number < count; number++) {
    const algorithm = reader.u8();
    if (algorithm !== ALGORITHM_ED25519) {
      throw new HexzError("feature_unknown", `${what} has a signature of algorithm ${algorithm}`, {
        data: { algorithm },
      });
    }
    const publicKey = reader.raw(PUBLIC_KEY_LENGTH).slice();
    if (signatures.some((known) => equalBytes(known.publicKey, publicKey))) {
      throw reader.fail("a key signs twice");
    }
    signatures.push({ publicKey, signature: reader.raw(SIGNATURE_LENGTH).slice() });
  }
  reader.end();
  return signatures;
}

/** The old signatures in their places, with a new one of each signer: in the place of its old one, or at the end. */
export function mergeSignatures(old: readonly Signature[], added: readonly Signature[]): Signature[] {
  const merged = [...old];
  for (const signature of added) {
    const at = merged.findIndex(({ publicKey }) => equalBytes(publicKey, signature.publicKey));
    if (at < 0) merged.push(signature);
    else merged[at] = signature;
  }
  return merged;
}
