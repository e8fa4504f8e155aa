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
  /** @param into takes SEALED_LENGTH bytes: new memory for each segment keeps the garbage collector busy */
  seal(number: number, plain: Uint8Array, into: Uint8Array): void;
  open(number: number, sealed: Uint8Array): Uint8Array | undefined;
}

function associatedOf(number: number): Uint8Array {
  return new ByteWriter(8 + ASSOCIATED.length).u64(number).raw(ASSOCIATED).view();
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
      const bytes = new Uint8Array(SEALED_LENGTH);
      bytes.set(nonce);
      bytes.set(await xaes.seal(nonce, plain, associatedOf(number)), NONCE_LENGTH);
      return bytes;
    },
    open: (number, sealed) => xaes.open(...split(sealed), associatedOf(number)),
    sync: sync && {
      seal(number, plain, into) {
        const nonce = ciphers.randomBytes(NONCE_LENGTH);
        into.set(nonce);
        sync.seal(nonce, plain, associatedOf(number), into.subarray(NONCE_LENGTH));
      },
      open: (number, sealed) => sync.open(...split(sealed), associatedOf(number)),
    },
  };
}
