// The one seam to cryptography: random bytes, HMAC, key derivation and AES-GCM. Browsers have WebCrypto, which makes
// callers wait; Node's own is quicker and also works without waiting (node/ciphers.ts).

import { HexzError } from "../errors.ts";

/** AES-256-GCM under one key. Nonces have 12 bytes, tags 16; a tag stands behind its ciphertext. */
export interface AesGcm {
  seal(nonce: Uint8Array, plain: Uint8Array, associated: Uint8Array): Promise<Uint8Array>;
  /** @returns undefined when the tag does not fit */
  open(nonce: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Promise<Uint8Array | undefined>;
}

/** The same without waiting. */
export interface AesGcmSync {
  /** @param into takes ciphertext and tag: TAG_LENGTH bytes more than `plain` */
  seal(nonce: Uint8Array, plain: Uint8Array, associated: Uint8Array, into: Uint8Array): void;
  open(nonce: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined;
}

/** AES-256 of whole blocks of 16 bytes, each on its own: for deriving keys only. */
export type EncryptBlocks<Result> = (blocks: Uint8Array) => Result;

/** What can be done without waiting, where anything can. */
export interface CiphersSync {
  aesGcm(key: Uint8Array): AesGcmSync;
  aesBlocks(key: Uint8Array): EncryptBlocks<Uint8Array>;
}

/** Keys have 32 bytes. */
export interface Ciphers {
  randomBytes(length: number): Uint8Array;
  hmacSha256(key: Uint8Array, message: Uint8Array): Promise<Uint8Array>;
  /** HKDF-SHA-256 to 32 bytes; an empty salt is none. */
  hkdfSha256(key: Uint8Array, salt: Uint8Array, info: Uint8Array): Promise<Uint8Array>;
  /** PBKDF2-HMAC-SHA-256 to 32 bytes. */
  pbkdf2Sha256(password: Uint8Array, salt: Uint8Array, iterations: number): Promise<Uint8Array>;
  aesGcm(key: Uint8Array): Promise<AesGcm>;
  aesBlocks(key: Uint8Array): Promise<EncryptBlocks<Promise<Uint8Array>>>;
  readonly sync?: CiphersSync;
  /** Where it is quicker than that of age's library. */
  readonly scrypt?: ScryptWrapping;
}

/** A key of 16 bytes under ChaCha20-Poly1305 (nonce zero), whose key is scrypt's (r 8, p 1) of a password. */
export interface ScryptWrapping {
  /** @param cost the base-2 logarithm of N */
  wrap(password: string, salt: Uint8Array, cost: number, key: Uint8Array): Promise<Uint8Array>;
  /** @returns undefined when the password is another one */
  unwrap(password: string, salt: Uint8Array, cost: number, wrapped: Uint8Array): Promise<Uint8Array | undefined>;
}

export const TAG_LENGTH = 16;
export const KEY_LENGTH = 32;
const AES_BLOCK = 16;
/** The most that one call of WebCrypto gives. */
const RANDOM_LENGTH = 65_536;

/** WebCrypto takes no views of shared memory, and the types say so. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}

/** @throws HexzError `unsupported` where a browser offers it on secure pages only */
function webCrypto(): SubtleCrypto {
  const subtle: SubtleCrypto | undefined = crypto.subtle;
  if (subtle !== undefined) return subtle;
  throw new HexzError("unsupported", "encrypted archives need WebCrypto, which this page does not have", {
    hint: "browsers offer it to pages of https:// and localhost",
  });
}

/** The ciphers of browsers, and of any other place that has WebCrypto. */
export function createWebCiphers(): Ciphers {
  const importRaw = (key: Uint8Array, algorithm: string | object, usages: KeyUsage[]) =>
    webCrypto().importKey("raw", own(key), algorithm as AlgorithmIdentifier, false, usages);
  const derive = async (algorithm: object, key: Uint8Array, name: string) =>
    new Uint8Array(
      await webCrypto().deriveBits(
        { name, hash: "SHA-256", ...algorithm },
        await importRaw(key, name, ["deriveBits"]),
        8 * KEY_LENGTH,
      ),
    );
  return {
    randomBytes(length) {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length; at += RANDOM_LENGTH) {
        crypto.getRandomValues(bytes.subarray(at, at + RANDOM_LENGTH));
      }
      return bytes;
    },
    async hmacSha256(key, message) {
      const imported = await importRaw(key, { name: "HMAC", hash: "SHA-256" }, ["sign"]);
      return new Uint8Array(await webCrypto().sign("HMAC", imported, own(message)));
    },
    hkdfSha256: (key, salt, info) => derive({ salt: own(salt), info: own(info) }, key, "HKDF"),
    pbkdf2Sha256: (password, salt, iterations) => derive({ salt: own(salt), iterations }, password, "PBKDF2"),
    async aesGcm(key) {
      const imported = await importRaw(key, "AES-GCM", ["encrypt", "decrypt"]);
      const parameters = (iv: Uint8Array, associated: Uint8Array) => ({
        name: "AES-GCM",
        iv: own(iv),
        additionalData: own(associated),
      });
      return {
        async seal(nonce, plain, associated) {
          return new Uint8Array(await webCrypto().encrypt(parameters(nonce, associated), imported, own(plain)));
        },
        async open(nonce, sealed, associated) {
          try {
            return new Uint8Array(await webCrypto().decrypt(parameters(nonce, associated), imported, own(sealed)));
          } catch (error) {
            // all that WebCrypto says of a wrong tag
            if ((error as { name?: unknown }).name === "OperationError") return undefined;
            throw error;
          }
        },
      };
    },
    async aesBlocks(key) {
      const imported = await importRaw(key, "AES-CBC", ["encrypt"]);
      // The first block of CBC after zeros is the cipher itself, which WebCrypto does not offer.
      const iv = new Uint8Array(AES_BLOCK);
      return async (blocks) => {
        const coded = new Uint8Array(blocks.length);
        for (let at = 0; at < blocks.length; at += AES_BLOCK) {
          const block = own(blocks.subarray(at, at + AES_BLOCK));
          const padded = await webCrypto().encrypt({ name: "AES-CBC", iv }, imported, block);
          coded.set(new Uint8Array(padded, 0, AES_BLOCK), at);
        }
        return coded;
      };
    },
  };
}
