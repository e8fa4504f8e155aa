// The end of a state: what remains of tree and index, metadata, root and end mark (docs/format.md, "The writer's
// order").

import { ByteWriter, equalBytes } from "../bytes.ts";
import type { Signer } from "../crypto/ed25519.ts";
import type { DigestOf } from "../digest.ts";
import type { Engine } from "../engine.ts";
import { HexzError } from "../errors.ts";
import { END_MARK_LENGTH, type EndMark, encodeEndMark } from "../format/end-mark.ts";
import { encodePageBody, PAGE_FRAME_LENGTH, PAGE_KIND, type PageBody, type PageRef } from "../format/page.ts";
import {
  type Coding,
  type Counts,
  encodeRoot,
  encodeStreams,
  type Parent,
  type Sketch,
  type Stream,
} from "../format/root.ts";
import { encodeSignatures, mergeSignatures, type Signature, signedMessage } from "../format/signatures.ts";
import type { Appender } from "./appender.ts";
import type { IndexWriter } from "./index-writer.ts";
import { appendPage } from "./leaf-pages.ts";
import type { Origins } from "./origins.ts";
import type { OwnDictionaries } from "./own-dictionaries.ts";
import { padBefore } from "./padding.ts";
import type { Sink } from "./sink.ts";
import type { SketchBuilder } from "./sketch.ts";
import type { Totals } from "./totals.ts";
import type { TreeWriter } from "./tree-writer.ts";

/** What an archive has become. */
export interface WrittenArchive {
  /** 32 bytes; none in format 1, nor of the content. */
  readonly id: Uint8Array;
  readonly contentId: Uint8Array;
  /** Length of the file in bytes. */
  readonly size: number;
  readonly counts: Counts;
  readonly coding: Coding;
  readonly parents: readonly Parent[];
  readonly sketch: Sketch;
}

export interface StateParts {
  readonly engine: Engine;
  readonly digestOf: DigestOf;
  readonly appender: Appender;
  readonly index: IndexWriter;
  readonly tree: TreeWriter;
  readonly totals: Totals;
  readonly origins: Origins;
  readonly dictionaries: OwnDictionaries;
  readonly sketch: SketchBuilder;
  readonly streams: readonly Stream[];
  readonly coding: Coding;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  /** When the content is that of another archive. */
  readonly expectedContentId?: Uint8Array;
  readonly signers?: readonly Signer[] | undefined;
}

/** One signature of each signer. */
export async function signId(id: Uint8Array, signers: readonly Signer[]): Promise<Signature[]> {
  const message = signedMessage(id);
  const signatures: Signature[] = [];
  for (const signer of signers) {
    signatures.push({ publicKey: signer.publicKey, signature: await signer.sign(message) });
  }
  return mergeSignatures([], signatures);
}

/** The page of signatures, or undefined when there are none. */
export function encodeSignaturesPage(
  signatures: readonly Signature[],
  engine: Engine,
  digestOf: DigestOf,
): PageBody | undefined {
  if (signatures.length === 0) return undefined;
  return encodePageBody(PAGE_KIND.signatures, encodeSignatures(signatures), engine, digestOf);
}

/** Length of what `appendEnd` appends. */
export function endLength(signatures: PageBody | undefined): number {
  return END_MARK_LENGTH + (signatures === undefined ? 0 : PAGE_FRAME_LENGTH + signatures.body.length);
}

/** What ends a state, and an appendix: the signatures, if any, and the end mark that names them. */
export function appendEnd(
  appender: Appender,
  parts: { root: PageRef; signatures: PageBody | undefined; parity: EndMark["parity"] },
  digestOf: DigestOf,
): void {
  const { root, signatures, parity } = parts;
  const page = signatures && appendPage(appender, signatures, digestOf);
  appender.append(encodeEndMark({ root, signatures: page, parity }, appender.position, digestOf));
}

/** Appends everything behind the last block and finishes the sink. */
export async function finishState(parts: StateParts, sink: Sink): Promise<WrittenArchive> {
  const { engine, digestOf, appender, index, tree, totals, origins, sketch, streams, coding } = parts;
  tree.finishLeaves();
  index.finishLeaves();
  const { top: treeTop, entriesDigest } = await tree.finish();
  const { top: indexTop, chunksDigest } = await index.finish();
  const streamsDigest = digestOf(encodeStreams(streams));
  const contentId = digestOf(new ByteWriter(96).raw(chunksDigest).raw(entriesDigest).raw(streamsDigest).view());
  if (parts.expectedContentId !== undefined && !equalBytes(contentId, parts.expectedContentId)) {
    throw new HexzError("invalid", "the content does not have the content id that its root says");
  }
  parts.dictionaries.finish();
  const json = parts.metadata && new TextEncoder().encode(JSON.stringify(parts.metadata));
  const metadata = json && appendPage(appender, encodePageBody(PAGE_KIND.metadata, json, engine, digestOf), digestOf);
  const counts = totals.counts();
  const finalSketch = { chunking: coding.chunking, avg: coding.sizes.avg, values: sketch.values() };
  const payload = encodeRoot({
    addressSpace: index.address,
    state: 1,
    index: indexTop,
    tree: treeTop,
    streams,
    coding,
    counts,
    parents: origins.parents,
    dictionaries: origins.dictionaries,
    metadata,
    sketch: finalSketch,
    contentId,
    previous: undefined,
    salt: sink.envelope?.salt,
  });
  const rootBody = encodePageBody(PAGE_KIND.root, payload, engine, digestOf);
  const signatures = encodeSignaturesPage(await signId(rootBody.digest, parts.signers ?? []), engine, digestOf);
  await padBefore(appender, sink, PAGE_FRAME_LENGTH + rootBody.body.length + endLength(signatures));
  const root = appendPage(appender, rootBody, digestOf);
  appendEnd(appender, { root, signatures, parity: undefined }, digestOf);
  await appender.flush();
  await sink.finish();
  const { parents } = origins;
  const size = sink.envelope?.fileLength(appender.position) ?? appender.position;
  return { id: root.digest, contentId, size, counts, coding, parents, sketch: finalSketch };
}
