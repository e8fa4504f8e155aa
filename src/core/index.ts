// Hexz for JavaScript: reads and writes archives anywhere. `hexz/node` adds paths, threads, directories and native
// codecs. Sizes and positions are bytes, ranges end before `end`, failures are HexzError.

import { createWebCiphers } from "./crypto/ciphers.ts";
import { verifyByWebCrypto } from "./crypto/ed25519.ts";
import { digestWith } from "./digest.ts";
import { createPortableEngine, ENGINE_SCRATCH } from "./portable-engine.ts";
import { Archive, type ReadOptions } from "./read/archive.ts";
import { createBlobSource } from "./source/blob.ts";
import { createMemorySource } from "./source/memory.ts";
import type { RangeSource } from "./source/source.ts";
import { createInlineCrew } from "./work/crew.ts";
import { type Content, createContentInput } from "./write/bytes-input.ts";
import { resolveCoding } from "./write/coding.ts";
import { createEnvelopeSink } from "./write/envelope-sink.ts";
import { gatherBytes, writerHeapBytes } from "./write/memory.ts";
import type { Sink } from "./write/sink.ts";
import { ArchiveWriter, type CreateOptions } from "./write/writer.ts";

export { hexOf } from "./bytes.ts";
export type { Signer } from "./crypto/ed25519.ts";
export type { EnvelopeKeys } from "./crypto/keys.ts";
export type { AskSecrets, LockedArchive, NewKeys, Secrets, SlotKind } from "./crypto/secrets.ts";
export { type ArchiveDiff, type ChangedEntry, diffArchives, type FileDiff } from "./diff/diff.ts";
export { ERROR_CODES, type ErrorCode, HexzError, type Warning } from "./errors.ts";
export type { Entry, EntryType, Timestamp, Xattr } from "./format/entry.ts";
export {
  type ByteString,
  byteStringFromText,
  byteStringOf,
  bytesOf,
  comparePaths,
  displayName,
  parsePathText,
  textOf,
} from "./format/path.ts";
export type { Coding, Counts, Root, Stream } from "./format/root.ts";
export type { Signature } from "./format/signatures.ts";
export { Archive, type ReadOptions } from "./read/archive.ts";
export { ArchiveFile } from "./read/archive-file.ts";
export type { Part, Range } from "./read/bulk.ts";
export { type CheckOptions, type CheckResult, checkArchive, type Problem } from "./read/check.ts";
export type { Envelope } from "./read/envelope.ts";
export type { BlockStore } from "./read/parts.ts";
export type { CheckedSignature } from "./read/signatures.ts";
export type { FindParent } from "./read/stores.ts";
export { type VerifiedArchive, type VerifyOptions, verifyArchive } from "./read/verify.ts";
export { createBlobSource } from "./source/blob.ts";
export { createMemorySource } from "./source/memory.ts";
export type { RangeSource } from "./source/source.ts";
export type { Base } from "./write/bases.ts";
export type { Content } from "./write/bytes-input.ts";
export type { CodingOptions, Compression } from "./write/coding.ts";
export type { ContentInput } from "./write/content-input.ts";
export type { CopiedArchive } from "./write/copier.ts";
export type { Encryption } from "./write/envelope-sink.ts";
export { createMemorySink, type MemorySink } from "./write/memory-sink.ts";
export type { Sink } from "./write/sink.ts";
export type { WrittenArchive } from "./write/state-end.ts";
export { ArchiveWriter, type CreateOptions, type WriterOptions } from "./write/writer.ts";

/** Enough for pages; blocks are decoded in memory of their own. */
const READER_MEMORY = 1024 * 1024;

/**
 * Opens an archive from memory, a Blob or any source of ranges, with one read of its end.
 *
 * ```ts
 * const archive = await openArchive(bytes);
 * const file = await archive.file("docs/readme.txt");
 * const first = await file.read(0, 100);
 * ```
 * What opens an encrypted archive comes as `secrets`: `{ passwords: ["…"] }`, `{ identities: ["AGE-SECRET-KEY-1…"] }`, or a
 * function that is asked for them when the archive turns out to be encrypted.
 * @throws HexzError `not_an_archive`, `truncated`, `version_unknown`, `feature_unknown`, `damaged`, `invalid`, `untrusted`,
 * `password_missing`, `password_wrong`, `io`
 */
export async function openArchive(from: Uint8Array | Blob | RangeSource, options: ReadOptions = {}): Promise<Archive> {
  const source =
    from instanceof Uint8Array ? createMemorySource(from) : from instanceof Blob ? createBlobSource(from) : from;
  const engine = await createPortableEngine({ memoryBytes: READER_MEMORY });
  const openCrew = async (heapBytes: number) => {
    const memoryBytes = heapBytes + 2 * ENGINE_SCRATCH;
    return createInlineCrew({ engine: await createPortableEngine({ memoryBytes }), gather: new Uint8Array(0) });
  };
  return Archive.open(
    source,
    { engine, threads: 1, ciphers: createWebCiphers(), openCrew, verifySignature: verifyByWebCrypto },
    options,
  );
}

/**
 * Starts an archive that goes into a sink, forward only.
 *
 * ```ts
 * const sink = createMemorySink();
 * const writer = await createArchive(sink, { compression: "zstd" });
 * await writer.addFile({ path: byteStringFromText("a.txt"), type: "file" }, contentOf(bytes));
 * const { id } = await writer.finish();
 * ```
 * With `encryption: { recipients: ["age1…"] }`, or `passwords`, only they can read it.
 * @throws HexzError `usage` when an option cannot be
 */
export async function createArchive(sink: Sink, options: CreateOptions = {}): Promise<ArchiveWriter> {
  const coding = resolveCoding(options, "");
  const gather = gatherBytes(coding);
  const memoryBytes = writerHeapBytes(coding, 1, options) + gather + 2 * ENGINE_SCRATCH;
  const engine = await createPortableEngine({ memoryBytes });
  const { encryption } = options;
  const target =
    encryption === undefined
      ? sink
      : await createEnvelopeSink(sink, encryption, createWebCiphers(), digestWith(engine));
  return ArchiveWriter.create(target, createInlineCrew({ engine, gather: engine.allocate(gather) }), options);
}

/** Bytes, or pieces of bytes as they come, as the content of a file or stream. @param name for messages */
export function contentOf(content: Content, name = "content") {
  return createContentInput(content, name);
}
