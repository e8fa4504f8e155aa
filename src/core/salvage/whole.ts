// Salvage: archives with which nothing is wrong, or nothing but their very end. They are copied byte for byte, so they keep
// their id and their signatures.

import { hexOf } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import { END_MARK_LENGTH } from "../format/end-mark.ts";
import { SEALED_LENGTH, SEGMENT_LENGTH } from "../format/envelope.ts";
import { pageEnd } from "../format/page.ts";
import type { Signature } from "../format/signatures.ts";
import { Archive, type Machinery } from "../read/archive.ts";
import { checkArchive } from "../read/check.ts";
import { type CheckedSignature, checkSignatures } from "../read/signatures.ts";
import type { RangeSource } from "../source/source.ts";
import { Appender } from "../write/appender.ts";
import { createMemorySink } from "../write/memory-sink.ts";
import type { Sink } from "../write/sink.ts";
import { appendEnd, encodeSignaturesPage } from "../write/state-end.ts";
import { copyBytes } from "./copy-bytes.ts";
import type { Inventory } from "./inventory.ts";
import { joinSources } from "./salvage-source.ts";
import type { Salvaged, Work } from "./work.ts";

/** The archive as it is up to its last end mark, or up to its last root when only the end mark is lost. */
export async function copyUpToEnd(work: Work, { mark, root, signatures }: Inventory): Promise<Salvaged | undefined> {
  const { file, source, envelope, context, machinery } = work;
  const { engine, digestOf } = context;
  const markEnd = mark === undefined ? 0 : mark.offset + END_MARK_LENGTH;
  if (root !== undefined && root.ref.offset > markEnd && envelope === undefined) {
    const end = pageEnd(root.ref);
    const own = await validSignatures(signatures, root.ref.digest, machinery);
    const sink = createMemorySink();
    const appender = new Appender(sink);
    appender.position = end;
    const page = encodeSignaturesPage(own, engine, digestOf);
    appendEnd(appender, { root: root.ref, signatures: page, parity: undefined }, digestOf);
    await appender.flush();
    const complete = joinSources({ ...source, size: end }, sink.bytes());
    const copied = await copyIfGood(work, complete, Math.max(0, source.size - complete.size));
    if (copied !== undefined) return copied;
  }
  if (mark === undefined) return undefined;
  if (envelope === undefined) {
    return markEnd === source.size ? undefined : copyIfGood(work, { ...source, size: markEnd }, source.size - markEnd);
  }
  const size = envelope.segments.start + (markEnd / SEGMENT_LENGTH) * SEALED_LENGTH;
  if (markEnd % SEGMENT_LENGTH !== 0 || size === file.size) return undefined;
  return copyIfGood(work, { ...file, size }, file.size - size);
}

/** Copies an archive byte for byte when nothing at all is wrong with it. */
export async function copyIfGood(work: Work, file: RangeSource, cutBytes: number): Promise<Salvaged | undefined> {
  const { machinery, options, openSink } = work;
  let archive: Archive;
  try {
    archive = await Archive.open(file, machinery, options);
  } catch (error) {
    if (isAboutData(error)) return undefined;
    throw error;
  }
  const { root, id, envelope } = archive;
  try {
    options.onPhase?.("checking", root.addressSpace);
    const { onProgress } = options;
    const { problems } = await checkArchive(archive, onProgress === undefined ? {} : { onProgress });
    // What parents store is theirs to lose.
    if (problems.some(({ code }) => code !== "parent_missing")) return undefined;
    const signatures = await archive.signatures();
    options.onPhase?.("writing", archive.source.size);
    const size = await orAbort(await openSink(envelope), (sink) => copyBytes(archive, sink, options));
    const { contentId, counts, coding, parents } = root;
    const noSketch = { chunking: coding.chunking, avg: coding.sizes.avg, values: new BigUint64Array(0) };
    const written = { id, contentId, size, counts, coding, parents, sketch: root.sketch ?? noSketch };
    const from = { id, proven: true, signatures };
    return {
      ...written,
      copied: { count: 0, storedBytes: 0 },
      verbatim: true,
      cutBytes,
      losses: [],
      nameless: 0,
      from,
    };
  } finally {
    await archive.stores.close();
  }
}

export async function orAbort<T>(sink: Sink, write: (sink: Sink) => Promise<T>): Promise<T> {
  try {
    return await write(sink);
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

function isAboutData(error: unknown): boolean {
  const others = ["untrusted", "interrupted", "password_missing", "password_wrong", "usage", "no_space", "permission"];
  return error instanceof HexzError && !others.includes(error.code);
}

/** Of the signatures that were found, those of a root; the last one of each key. */
export async function validSignatures(
  signatures: readonly Signature[],
  id: Uint8Array,
  { verifySignature }: Machinery,
): Promise<CheckedSignature[]> {
  const checked = await checkSignatures(signatures, id, verifySignature);
  const byKey = new Map(checked.filter(({ valid }) => valid).map((one) => [hexOf(one.publicKey), one]));
  return [...byKey.values()];
}
