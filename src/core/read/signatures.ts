// The signatures of an archive: read, and compared with the keys that somebody trusts (docs/format.md, "Signatures").

import { equalBytes, hexOf } from "../bytes.ts";
import type { VerifySignature } from "../crypto/ed25519.ts";
import { HexzError } from "../errors.ts";
import type { EndMark } from "../format/end-mark.ts";
import { checkPage, decodePageBody, PAGE_FRAME_LENGTH, PAGE_KIND, pageEnd } from "../format/page.ts";
import { decodeSignatures, type Signature, signedMessage } from "../format/signatures.ts";
import type { Io } from "./io.ts";
import type { PageContext } from "./pages.ts";

/** A signature, and whether it is one of this archive by that key. */
export interface CheckedSignature extends Signature {
  readonly valid: boolean;
}

/** Decodes a signatures page, which nothing refers to by digest: its own checksum must do. */
export function openSignatures({ source, engine, digestOf }: PageContext, bytes: Uint8Array, offset: number) {
  const what = `the signatures page at ${offset} of ${source.name}`;
  const digest = digestOf(bytes.subarray(PAGE_FRAME_LENGTH));
  const ref = { offset, bodyLength: bytes.length - PAGE_FRAME_LENGTH, digest };
  const body = checkPage(bytes, ref, what, digestOf);
  return decodeSignatures(decodePageBody(body, PAGE_KIND.signatures, what, engine), what);
}

/** The signatures that the end mark names. @throws HexzError `damaged`, `invalid`, `feature_unknown` */
export function* readSignatures(context: PageContext, { signatures }: EndMark): Io<Signature[]> {
  if (signatures === undefined) return [];
  const { offset } = signatures;
  const [bytes] = yield [
    { source: context.source, start: offset, end: pageEnd({ ...signatures, digest: new Uint8Array(0) }) },
  ];
  return openSignatures(context, bytes!, offset);
}

export async function checkSignatures(
  signatures: readonly Signature[],
  id: Uint8Array,
  verify: VerifySignature,
): Promise<CheckedSignature[]> {
  const message = signedMessage(id);
  const checked: CheckedSignature[] = [];
  for (const { publicKey, signature } of signatures) {
    checked.push({ publicKey, signature, valid: await verify(publicKey, message, signature) });
  }
  return checked;
}

/** Whether a key is among those whose signatures are valid. */
export function isSignedBy(signatures: readonly CheckedSignature[], key: Uint8Array): boolean {
  return signatures.some(({ publicKey, valid }) => valid && equalBytes(publicKey, key));
}

/** @throws HexzError `untrusted` unless every key has signed */
export function requireSigners(
  signatures: readonly CheckedSignature[],
  keys: readonly Uint8Array[],
  name: string,
): void {
  const missing = keys.filter((key) => !isSignedBy(signatures, key)).map(hexOf);
  if (missing.length === 0) return;
  const signers = signatures.filter(({ valid }) => valid).map(({ publicKey }) => hexOf(publicKey));
  const found =
    signatures.length === 0 ? "it is not signed" : `valid signatures are by ${signers.join(", ") || "nobody"}`;
  throw new HexzError("untrusted", `${name} has no valid signature by ${missing.join(" and ")}: ${found}`, {
    data: { required: keys.map(hexOf), missing, signers },
  });
}
