// Copies an archive as it is, and signs the copy.

import type { Signer } from "../crypto/ed25519.ts";
import type { Archive } from "../read/archive.ts";
import { appendSignatures } from "../write/sign.ts";
import type { Sink } from "../write/sink.ts";

const PIECE = 1024 * 1024;

export interface CopyBytesOptions {
  readonly signers?: readonly Signer[];
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** @returns the length of the file that comes out */
export async function copyBytes(
  archive: Archive,
  sink: Sink,
  { signers = [], onProgress, signal }: CopyBytesOptions,
): Promise<number> {
  const { source, endMark, context } = archive;
  const { size } = source;
  for (let at = 0; at < size; at += PIECE) {
    const bytes = await source.read(at, Math.min(at + PIECE, size), signal);
    await sink.write(bytes);
    onProgress?.(bytes.length);
  }
  const fileLength = (length: number) => sink.envelope?.fileLength(length) ?? length;
  if (signers.length === 0) {
    await sink.finish();
    return fileLength(size);
  }
  let appended = 0;
  const counted: Sink = {
    ...sink,
    write(bytes) {
      appended += bytes.length;
      return sink.write(bytes);
    },
  };
  await appendSignatures({ size, endMark, signatures: await archive.signatures(), ...context }, signers, counted);
  return fileLength(size + appended);
}
