// The ciphers of Node: OpenSSL's, several times as fast as its WebCrypto for pieces of 64 KiB, and without waiting.

import { createCipheriv, createDecipheriv, createHmac, hkdf, pbkdf2, randomFillSync, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { type AesGcmSync, type Ciphers, type CiphersSync, KEY_LENGTH, TAG_LENGTH } from "../core/crypto/ciphers.ts";

const GCM = "aes-256-gcm";
const CHACHA = "chacha20-poly1305";
const CHACHA_NONCE = new Uint8Array(12);
const SCRYPT_R = 8;
const hkdfAsync = promisify(hkdf);
const pbkdf2Async = promisify(pbkdf2);

/** In the thread pool: the event loop goes on meanwhile. */
function deriveScrypt(password: string, salt: Uint8Array, cost: number): Promise<Buffer> {
  const N = 2 ** cost;
  // What it takes, and as much again for what OpenSSL counts besides.
  const maxmem = 2 * 128 * SCRYPT_R * N;
  return new Promise((resolve, reject) => {
    scrypt(password, salt, KEY_LENGTH, { N, r: SCRYPT_R, p: 1, maxmem }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}

function aesGcm(key: Uint8Array): AesGcmSync {
  return {
    seal(nonce, plain, associated, into) {
      const cipher = createCipheriv(GCM, key, nonce).setAAD(associated);
      into.set(cipher.update(plain));
      cipher.final();
      into.set(cipher.getAuthTag(), plain.length);
    },
    open(nonce, sealed, associated) {
      const end = sealed.length - TAG_LENGTH;
      if (end < 0) return undefined;
      const decipher = createDecipheriv(GCM, key, nonce, { authTagLength: TAG_LENGTH });
      decipher.setAAD(associated).setAuthTag(sealed.subarray(end));
      const plain = decipher.update(sealed.subarray(0, end));
      try {
        decipher.final();
      } catch {
        // the only failure here: the tag does not fit
        return undefined;
      }
      return plain;
    },
  };
}

/** Random bytes drawn ahead: to ask for 24 takes as long as for hundreds, and each segment needs that many. */
const drawn = new Uint8Array(4096);
let taken = drawn.length;

function randomBytes(length: number): Uint8Array {
  if (length > drawn.length) return randomFillSync(new Uint8Array(length));
  if (taken + length > drawn.length) {
    randomFillSync(drawn);
    taken = 0;
  }
  const bytes = drawn.slice(taken, taken + length);
  drawn.fill(0, taken, taken + length);
  taken += length;
  return bytes;
}

const sync: CiphersSync = {
  aesGcm,
  aesBlocks(key) {
    const cipher = createCipheriv("aes-256-ecb", key, null).setAutoPadding(false);
    return (blocks) => cipher.update(blocks);
  },
};

export const nodeCiphers: Ciphers = {
  randomBytes,
  hmacSha256: async (key, message) => createHmac("sha256", key).update(message).digest(),
  hkdfSha256: async (key, salt, info) => new Uint8Array(await hkdfAsync("sha256", key, salt, info, KEY_LENGTH)),
  pbkdf2Sha256: (password, salt, iterations) => pbkdf2Async(password, salt, iterations, KEY_LENGTH, "sha256"),
  async aesGcm(key) {
    const { seal, open } = aesGcm(key);
    return {
      async seal(nonce, plain, associated) {
        const sealed = new Uint8Array(plain.length + TAG_LENGTH);
        seal(nonce, plain, associated, sealed);
        return sealed;
      },
      open: async (nonce, sealed, associated) => open(nonce, sealed, associated),
    };
  },
  async aesBlocks(key) {
    const encrypt = sync.aesBlocks(key);
    return async (blocks) => encrypt(blocks);
  },
  sync,
  scrypt: {
    async wrap(password, salt, cost, key) {
      const derived = await deriveScrypt(password, salt, cost);
      const cipher = createCipheriv(CHACHA, derived, CHACHA_NONCE, { authTagLength: TAG_LENGTH });
      return Buffer.concat([cipher.update(key), cipher.final(), cipher.getAuthTag()]);
    },
    async unwrap(password, salt, cost, wrapped) {
      const derived = await deriveScrypt(password, salt, cost);
      const decipher = createDecipheriv(CHACHA, derived, CHACHA_NONCE, { authTagLength: TAG_LENGTH });
      decipher.setAuthTag(wrapped.subarray(-TAG_LENGTH));
      const key = decipher.update(wrapped.subarray(0, -TAG_LENGTH));
      try {
        decipher.final();
      } catch {
        return undefined;
      }
      return key;
    },
  },
};
