// Signs an archive that is there: an appendix of a signatures page and a new end mark behind its end (docs/format.md,
// "Signatures"). What was there stays as it was, so a torn append leaves the archive in front of it whole.

import type { Signer } from "../crypto/ed25519.ts";
import type { DigestOf } from "../digest.ts";
import type { Engine } from "../engine.ts";
import type { EndMark } from "../format/end-mark.ts";
import { mergeSignatures, type Signature } from "../format/signatures.ts";
import { Appender } from "./appender.ts";
import { padBefore } from "./padding.ts";
import type { Sink } from "./sink.ts";
import { appendEnd, encodeSignaturesPage, endLength, signId } from "./state-end.ts";

/** What is signed: an archive whose root was checked against its id. */
export interface Signable {
  /** Where the archive ends. */
  readonly size: number;
  readonly endMark: EndMark;
  /** Those that the end mark names. */
  readonly signatures: readonly Signature[];
  readonly engine: Engine;
  readonly digestOf: DigestOf;
}

/**
 * @param sink takes what goes behind the archive's end
 * @returns all signatures, the old ones first
 */
export async function appendSignatures(
  { size, endMark, signatures, engine, digestOf }: Signable,
  signers: readonly Signer[],
  sink: Sink,
): Promise<Signature[]> {
  const { root, parity } = endMark;
  const all = mergeSignatures(signatures, await signId(root.digest, signers));
  const appender = new Appender(sink);
  appender.position = size;
  const page = encodeSignaturesPage(all, engine, digestOf);
  try {
    await padBefore(appender, sink, endLength(page));
    appendEnd(appender, { root, signatures: page, parity }, digestOf);
    await appender.flush();
    await sink.finish();
  } catch (error) {
    await sink.abort();
    throw error;
  }
  return all;
}
