// New pairs of keys in two files: for signing, or for encrypting to.

import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { hexOf } from "../core/bytes.ts";
import { HexzError } from "../core/errors.ts";
import { createSeed, signerOfSeed } from "./ed25519.ts";
import { fromSystemError } from "./errors.ts";
import { writeSmallFile } from "./small-file.ts";

export interface KeyPair {
  readonly privatePath: string;
  readonly publicPath: string;
  /** As it is shown. */
  readonly publicKey: string;
}

/** Writes both files of a pair, or none. @throws HexzError `output_exists` */
async function writeKeyPair(
  directory: string,
  { privateKey, publicKey }: { privateKey: Uint8Array; publicKey: Uint8Array },
): Promise<Omit<KeyPair, "publicKey">> {
  const pair = { privatePath: join(directory, "private.key"), publicPath: join(directory, "public.key") };
  for (const path of Object.values(pair)) {
    if (existsSync(path)) {
      throw new HexzError("output_exists", `${path} exists already: a key is never overwritten`, { data: { path } });
    }
  }
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw fromSystemError(error, "create", directory);
  }
  await writeSmallFile(pair.privatePath, privateKey, { mode: 0o600 });
  try {
    await writeSmallFile(pair.publicPath, publicKey, {});
  } catch (error) {
    rmSync(pair.privatePath);
    throw error;
  }
  return pair;
}

/** A new key for signing, in files of the original's kind: 32 raw bytes each. */
export async function createSigningKeys(directory: string): Promise<KeyPair> {
  const seed = createSeed();
  const { publicKey } = signerOfSeed(seed);
  return { ...(await writeKeyPair(directory, { privateKey: seed, publicKey })), publicKey: hexOf(publicKey) };
}

/** A new key for encrypting to, in files as `age-keygen` and `age -R` have them. */
export async function createAgeKeys(directory: string): Promise<KeyPair> {
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const text = (lines: string) => new TextEncoder().encode(lines);
  const files = { privateKey: text(`# public key: ${recipient}\n${identity}\n`), publicKey: text(`${recipient}\n`) };
  return { ...(await writeKeyPair(directory, files)), publicKey: recipient };
}
