// Segments: numbered pieces of an archive, each sealed under a nonce of its own (docs/format.md, "Encryption").

import { ByteWriter } from "../bytes.ts";
import { SEALED_LENGTH, SEGMENT_LENGTH } from "../format/envelope.ts";
import type { Ciphers } from "./ciphers.ts";
import { createXaes, createXaesSync } from "./xaes.ts";

const NONCE_LENGTH = SEALED_LENGTH - SEGMENT_LENGTH - 16;
const text = (value: string) => new TextEncoder().encode(value);
const KEY_INFO = text("hexz segments");
const ASSOCIATED = text("hexz segment");

export interface SegmentCipher {
  /** @param plain SEGMENT_LENGTH bytes @returns SEALED_LENGTH bytes */
  seal(number: number, plain: Uint8Array): Promise<Uint8Array>;
  /** @returns undefined when the segment is not the one of that number, as it was written */
  open(number: number, sealed: Uint8Array): Promise<Uint8Array | undefined>;
  /** The same without waiting, where the ciphers can. */
  readonly sync: SegmentCipherSync | undefined;
}

export interface SegmentCipherSync {
  seal(number: number, plain: Uint8Array): Uint8Array;
  open(number: number, sealed: Uint8Array): Uint8Array | undefined;
}

function associatedOf(number: number): Uint8Array {
  return new ByteWriter(8 + ASSOCIATED.length).u64(number).raw(ASSOCIATED).view();
}

function joined(nonce: Uint8Array, sealed: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(SEALED_LENGTH);
  bytes.set(nonce);
  bytes.set(sealed, NONCE_LENGTH);
  return bytes;
}

const split = (sealed: Uint8Array) => [sealed.subarray(0, NONCE_LENGTH), sealed.subarray(NONCE_LENGTH)] as const;

/** @param salt of the envelope's head */
export async function createSegmentCipher(
  ciphers: Ciphers,
  archiveKey: Uint8Array,
  salt: Uint8Array,
): Promise<SegmentCipher> {
  const key = await ciphers.hkdfSha256(archiveKey, salt, KEY_INFO);
  const sync = ciphers.sync && createXaesSync(ciphers.sync, key);
  const xaes = await createXaes(ciphers, key);
  return {
    async seal(number, plain) {
      const nonce = ciphers.randomBytes(NONCE_LENGTH);
      return joined(nonce, await xaes.seal(nonce, plain, associatedOf(number)));
    },
    open: (number, sealed) => xaes.open(...split(sealed), associatedOf(number)),
    sync: sync && {
      seal(number, plain) {
        const nonce = ciphers.randomBytes(NONCE_LENGTH);
        return joined(nonce, sync.seal(nonce, plain, associatedOf(number)));
      },
      open: (number, sealed) => sync.open(...split(sealed), associatedOf(number)),
    },
  };
}
