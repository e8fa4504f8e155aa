// Key files for signing and verifying: the original's raw 32 bytes, PEM (PKCS #8, SubjectPublicKeyInfo) and OpenSSH.
// What a file holds is told from its content, never from its name.

import type { KeyObject } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import { equalBytes } from "../core/bytes.ts";
import type { Signer } from "../core/crypto/ed25519.ts";
import { HexzError } from "../core/errors.ts";
import { PUBLIC_KEY_LENGTH } from "../core/format/signatures.ts";
import { nodeCrypto, rawPublicKey, SEED_LENGTH, signerOfKey, signerOfSeed } from "./ed25519.ts";
import { fromSystemError, shownPath } from "./errors.ts";

/** No key file of these kinds is longer. */
const LONGEST = 64 * 1024;
const KINDS = "32 raw bytes, PEM or OpenSSH";
const HEX_KEY = /^[0-9a-f]{64}$/i;
const OPENSSH_MAGIC = Buffer.from("openssh-key-v1\0");
const SSH_ED25519 = "ssh-ed25519";

function readKeyFile(path: string): Buffer {
  try {
    const fd = openSync(path, "r");
    try {
      if (!fstatSync(fd).isFile()) throw new HexzError("usage", `${shownPath(path)} is no key file`);
      const bytes = Buffer.alloc(LONGEST + 1);
      let length = 0;
      for (let count = -1; count !== 0 && length < bytes.length; length += count) {
        count = readSync(fd, bytes, length, bytes.length - length, null);
      }
      if (length > LONGEST) throw notAKey(path, `it is longer than ${LONGEST} bytes`);
      return bytes.subarray(0, length);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw fromSystemError(error, "read the key", path);
  }
}

function notAKey(path: string, found: string, hint?: string): HexzError {
  return new HexzError("usage", `${shownPath(path)} is no Ed25519 key: ${found}, expected ${KINDS}`, {
    ...(hint === undefined ? {} : { hint }),
    data: { path: shownPath(path) },
  });
}

function encrypted(path: string, hint: string): HexzError {
  return new HexzError("usage", `the key ${shownPath(path)} is encrypted, which hexz does not read`, { hint });
}

/** The label of the first PEM block: "PRIVATE KEY". */
function pemLabel(text: string): string | undefined {
  return /^\s*-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
}

function checkType(key: KeyObject, path: string): KeyObject {
  if (key.asymmetricKeyType === "ed25519") return key;
  throw notAKey(path, `it is a key of the type ${key.asymmetricKeyType}`);
}

/** Reads length-prefixed fields of OpenSSH's formats. */
class SshReader {
  readonly #bytes: Buffer;
  readonly #path: string;
  #at = 0;

  constructor(bytes: Buffer, path: string) {
    this.#bytes = bytes;
    this.#path = path;
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw notAKey(this.#path, "an OpenSSH key that ends too early");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  u32(): number {
    return this.take(4).readUInt32BE();
  }

  string(): Buffer {
    return this.take(this.u32());
  }
}

function sshPublicKey(blob: Buffer, path: string): Uint8Array {
  const reader = new SshReader(blob, path);
  const type = reader.string().toString("latin1");
  if (type !== SSH_ED25519) throw notAKey(path, `it is an OpenSSH key of the type ${JSON.stringify(type)}`);
  const key = reader.string();
  if (key.length !== PUBLIC_KEY_LENGTH) throw notAKey(path, `its public key has ${key.length} bytes`);
  return new Uint8Array(key);
}

function sshSigner(text: string, path: string): Signer {
  const base64 = text.replace(/-----[A-Z ]+-----/g, "");
  const reader = new SshReader(Buffer.from(base64, "base64"), path);
  if (!reader.take(OPENSSH_MAGIC.length).equals(OPENSSH_MAGIC)) throw notAKey(path, "no OpenSSH key");
  const cipher = reader.string().toString("latin1");
  reader.string();
  reader.string();
  if (cipher !== "none") throw encrypted(path, `ssh-keygen -p -N '' -f COPY makes a copy of it readable`);
  if (reader.u32() !== 1) throw notAKey(path, "several OpenSSH keys in one");
  const publicKey = sshPublicKey(reader.string(), path);
  const secret = new SshReader(reader.string(), path);
  const check = secret.u32();
  if (check !== secret.u32()) throw notAKey(path, "an OpenSSH key that is damaged");
  if (secret.string().toString("latin1") !== SSH_ED25519) throw notAKey(path, "an OpenSSH key of another type");
  const named = secret.string();
  const pair = secret.string();
  if (pair.length !== SEED_LENGTH + PUBLIC_KEY_LENGTH) throw notAKey(path, "an OpenSSH key that is damaged");
  const signer = signerOfSeed(pair.subarray(0, SEED_LENGTH));
  if (!equalBytes(named, publicKey) || !equalBytes(signer.publicKey, publicKey)) {
    throw notAKey(path, "an OpenSSH key whose halves do not belong together");
  }
  return signer;
}

function signerFromText(text: string, path: string): Signer | undefined {
  const label = pemLabel(text);
  if (label === "OPENSSH PRIVATE KEY") return sshSigner(text, path);
  if (label === "ENCRYPTED PRIVATE KEY" || /\nProc-Type: 4,ENCRYPTED/.test(text)) {
    throw encrypted(path, "openssl pkey -in KEY -out COPY makes a copy of it readable");
  }
  if (label?.endsWith("PRIVATE KEY") !== true) return undefined;
  try {
    return signerOfKey(checkType(nodeCrypto().createPrivateKey(text), path));
  } catch (error) {
    throw error instanceof HexzError ? error : notAKey(path, "PEM that is damaged");
  }
}

/** Raw public keys look like private ones, and everybody knows them: told by the private key that is beside it. */
function isPublicHalf(bytes: Uint8Array, path: string): boolean {
  const beside = join(dirname(path), "private.key");
  if (!existsSync(beside)) return false;
  const other = readKeyFile(beside);
  return other.length === SEED_LENGTH && equalBytes(signerOfSeed(other).publicKey, bytes);
}

/**
 * The private key in a file.
 * @throws HexzError `usage` when it holds none, or an encrypted one; `not_found`, `permission`
 */
export function readPrivateKey(path: string): Signer {
  const bytes = readKeyFile(path);
  if (bytes.length === SEED_LENGTH && isPublicHalf(bytes, path)) {
    throw notAKey(path, "it is a public key", "sign with the private key");
  }
  return decodePrivateKey(bytes, path);
}

/** @param path for messages @throws HexzError `usage` */
export function decodePrivateKey(bytes: Buffer, path: string): Signer {
  if (bytes.length === SEED_LENGTH) return signerOfSeed(bytes);
  const text = bytes.toString("latin1");
  const signer = signerFromText(text, path);
  if (signer !== undefined) return signer;
  const isPublic = pemLabel(text) === "PUBLIC KEY" || text.startsWith(SSH_ED25519);
  throw notAKey(path, isPublic ? "it is a public key" : `it has ${bytes.length} bytes`, "sign with the private key");
}

/**
 * A public key: the one in a file, that of the private key in it, or 64 hexadecimal digits as `inspect` prints them.
 * @throws HexzError `usage` when it is none; `not_found`, `permission`
 */
export function readPublicKey(key: string): Uint8Array {
  if (HEX_KEY.test(key)) return new Uint8Array(Buffer.from(key, "hex"));
  return decodePublicKey(readKeyFile(key), key);
}

/** @param path for messages @throws HexzError `usage` */
export function decodePublicKey(bytes: Buffer, path: string): Uint8Array {
  if (bytes.length === PUBLIC_KEY_LENGTH) return new Uint8Array(bytes);
  const text = bytes.toString("latin1");
  if (pemLabel(text) === "PUBLIC KEY") {
    let parsed: KeyObject;
    try {
      parsed = nodeCrypto().createPublicKey(text);
    } catch {
      throw notAKey(path, "PEM that is damaged");
    }
    return rawPublicKey(checkType(parsed, path));
  }
  const [type, base64] = text.trimStart().split(/\s+/);
  if (type?.startsWith("ssh-") && base64 !== undefined) return sshPublicKey(Buffer.from(base64, "base64"), path);
  const signer = signerFromText(text, path);
  if (signer !== undefined) return signer.publicKey;
  throw notAKey(path, `it has ${bytes.length} bytes`);
}
