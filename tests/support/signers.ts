// Signing in memory.

import { createMemorySink, type Signer } from "../../src/core/index.ts";
import { appendSignatures } from "../../src/core/write/sign.ts";
import { openQuickly } from "./outcomes.ts";

/** The archive with an appendix of signatures. */
export async function signedBytes(bytes: Uint8Array, ...signers: Signer[]): Promise<Uint8Array> {
  const archive = await openQuickly(bytes);
  const sink = createMemorySink();
  const { endMark, context } = archive;
  const signatures = await archive.signatures();
  await appendSignatures({ size: bytes.length, endMark, signatures, ...context }, signers, sink);
  return new Uint8Array(Buffer.concat([bytes, sink.bytes()]));
}
