// The signature of format 1 (docs/format-1.md, "Signature"): what was signed, and by whom as far as keys tell.

import { HexzError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import type { Archive } from "../archive.ts";
import type { CheckedSignature } from "../signatures.ts";
import { type Opened1, readSectionIo, SIGNATURE_LENGTH } from "./open.ts";

/**
 * Tries the signature of an archive of format 1 with public keys: it does not say whose it is, and it covers the master
 * index and the metadata alone.
 * @returns one for each key; none of an archive that is not signed
 * @throws HexzError `invalid` when it lies where none can be
 */
export async function verifyFormat1Signature(
  archive: Archive,
  opened: Opened1,
  keys: readonly Uint8Array[],
): Promise<CheckedSignature[]> {
  const { header, source } = opened;
  const { signature: section, indexOffset } = header;
  if (section === undefined) return [];
  if (section.length !== SIGNATURE_LENGTH || section.offset < indexOffset) {
    throw new HexzError(
      "invalid",
      `the signature of ${source.name} would be ${section.length} bytes at ${section.offset}`,
    );
  }
  const covered = { offset: indexOffset, length: section.offset - indexOffset };
  const limit = LIMITS.format1.metadata;
  const message = await archive.run(readSectionIo(source, covered, "what the signature covers", limit));
  const signature = await archive.run(readSectionIo(source, section, "the signature", SIGNATURE_LENGTH));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", message.slice()));
  const checked: CheckedSignature[] = [];
  for (const publicKey of keys) {
    checked.push({ publicKey, signature, valid: await archive.verifySignature(publicKey, digest, signature) });
  }
  return checked;
}
