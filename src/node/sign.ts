// Signing archives of this machine, in them or in files beside them.

import type { Signer } from "../core/crypto/ed25519.ts";
import { HexzError } from "../core/errors.ts";
import { SIGNATURE_LENGTH, type Signature, signedMessage } from "../core/format/signatures.ts";
import { appendSignatures } from "../core/write/sign.ts";
import { createArchiveAppendSink } from "./append-sink.ts";
import { type OpenOptions, openArchiveFile } from "./archive.ts";
import { checkNotOutput } from "./bases.ts";
import { openFileSource } from "./file-source.ts";
import { writeSmallFile } from "./small-file.ts";

export interface SignedArchive {
  readonly id: Uint8Array;
  /** All of them, the old ones first. */
  readonly signatures: readonly Signature[];
}

/**
 * Signs an archive that is there. Reads its end only: whether the rest is what the id says is another question.
 * @throws HexzError; the archive is as it was then
 */
export async function signArchiveFile(
  path: string,
  signers: readonly Signer[],
  options: OpenOptions = {},
): Promise<SignedArchive> {
  const archive = await openToSign(path, options);
  try {
    const { source, endMark, context, id } = archive;
    const signable = { size: source.size, endMark, signatures: await archive.signatures(), ...context };
    const signatures = await appendSignatures(signable, signers, createArchiveAppendSink(path, archive));
    return { id, signatures };
  } finally {
    await archive.close();
  }
}

/** Signs an archive in a file beside it, of 64 bytes. @throws HexzError `output_exists` */
export async function writeDetachedSignature(
  path: string,
  signer: Signer,
  { output, force, ...options }: OpenOptions & { readonly output: string; readonly force?: boolean },
): Promise<SignedArchive> {
  checkNotOutput(path, output);
  const archive = await openToSign(path, options);
  try {
    const { id } = archive;
    const signature = await signer.sign(signedMessage(id));
    await writeSmallFile(output, signature, { force: force === true });
    return { id, signatures: [{ publicKey: signer.publicKey, signature }] };
  } finally {
    await archive.close();
  }
}

/** Its end is all that is read: no threads, no native code. */
function openToSign(path: string, options: OpenOptions) {
  return openArchiveFile(path, { ...options, engine: "wasm", workers: 1 });
}

/** A signature that `writeDetachedSignature` wrote. @throws HexzError `usage` when the file has another length */
export function readSignature(path: string): Uint8Array {
  const source = openFileSource(path);
  try {
    if (source.size === SIGNATURE_LENGTH) return source.readSync(0, SIGNATURE_LENGTH);
    throw new HexzError("usage", `${path} is no signature: it has ${source.size} bytes, not ${SIGNATURE_LENGTH}`);
  } finally {
    source.close();
  }
}
