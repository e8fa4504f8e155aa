// Verifying: who has signed an archive, and that every byte of it is what was signed. The chain is signature → archive
// id → root → pages → chunk digests → bytes, those that parents store included.

import { equalBytes } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import type { Archive } from "./archive.ts";
import { type CheckOptions, checkArchive, type Problem } from "./check.ts";
import { type CheckedSignature, isSignedBy } from "./signatures.ts";
import type { Format1 } from "./v1/archive.ts";
import { verifyFormat1Signature } from "./v1/signature.ts";

export interface VerifyOptions extends Pick<CheckOptions, "onProgress"> {
  /** Public keys, 32 bytes each; all of them must have signed. Without any, nothing is proven. */
  readonly keys: readonly Uint8Array[];
  /** Signatures that are kept beside the archive, 64 bytes each; every one must be by one of the keys. */
  readonly detached?: readonly Uint8Array[];
  /** Only the signatures and what they cover themselves, the root; default: every byte. */
  readonly quick?: boolean;
}

export interface VerifiedArchive {
  /** All keys have signed, and nothing is wrong. */
  readonly ok: boolean;
  readonly signatures: readonly (CheckedSignature & { readonly trusted: boolean })[];
  /** Bytes of content whose digests were checked. */
  readonly checkedBytes: number;
  readonly problems: readonly Problem[];
  /** Of format 1, when only the signatures were asked for: what they do not cover. */
  readonly warnings?: readonly Problem[];
}

/** Verifies an archive that could be opened. What is wrong is reported, not thrown. @throws HexzError `io` */
export async function verifyArchive(archive: Archive, options: VerifyOptions): Promise<VerifiedArchive> {
  if (archive.format1 !== undefined) return verifyFormat1(archive, archive.format1, options);
  const { keys, detached = [], quick = false } = options;
  const checked = [...(await archive.signatures())];
  let signed = keys.length > 0;
  for (const signature of detached) {
    // It does not say whose it is.
    const tried = await archive.checkSignatures(keys.map((publicKey) => ({ publicKey, signature })));
    const found = tried.filter(({ valid }) => valid);
    if (found.length === 0) signed = false;
    checked.push(...found);
  }
  signed &&= keys.every((key) => isSignedBy(checked, key));
  const signatures = checked.map((signature) => {
    return { ...signature, trusted: keys.some((key) => equalBytes(key, signature.publicKey)) };
  });
  if (!signed || quick) return { ok: signed, signatures, checkedBytes: 0, problems: [] };
  const { ok, checkedBytes, problems } = await checkArchive(archive, options);
  return { ok, signatures, checkedBytes, problems };
}

/** What is left open when the signature of an archive of format 1 is right. */
const NOT_COVERED =
  "the signature is right, and covers the master index and the metadata: no block, no page of the index, no dictionary " +
  "and not the header. Whether the contents are what was signed cannot be proven";

/**
 * A signature of format 1 does not say whose it is, so it is tried with every key. It covers the master index and the
 * metadata, which name no digest: nothing ties a page, and so a byte of content, to it. So what is verified is the
 * signature, when that is all that is asked for; and an archive never.
 */
async function verifyFormat1(archive: Archive, format1: Format1, options: VerifyOptions): Promise<VerifiedArchive> {
  const { keys, detached = [] } = options;
  if (detached.length > 0) {
    throw new HexzError("not_available", `${archive.source.name} is of format 1, whose signatures are not detached`);
  }
  const checked = await verifyFormat1Signature(archive, format1.opened, keys);
  const signed = keys.length > 0 && keys.every((key) => isSignedBy(checked, key));
  const signatures = checked.filter(({ valid }) => valid).map((one) => ({ ...one, trusted: true }));
  const open: Problem = { code: "untrusted", where: "layout", message: NOT_COVERED };
  if (!signed) return { ok: false, signatures, checkedBytes: 0, problems: [] };
  if (options.quick === true) return { ok: true, signatures, checkedBytes: 0, problems: [], warnings: [open] };
  const { checkedBytes, problems } = await checkArchive(archive, options);
  return { ok: false, signatures, checkedBytes, problems: [...problems, open] };
}
