// The index of format 1 (docs/format-1.md, "Index"): a master index that lists pages, and pages that list blocks.

import { ByteReader, ByteWriter, equalBytes } from "../../bytes.ts";
import { DIGEST_LENGTH } from "../../digest.ts";
import { checkLimit, LIMITS } from "../../limits.ts";

/** Where a page is and what it describes. */
export interface PagePlace {
  readonly offset: number;
  readonly length: number;
  /** Number of its first block, counted through the whole archive in the order of writing: the nonce of encryption. */
  readonly startBlock: number;
  /** Where its first block begins in the stream. */
  readonly startLogical: number;
}

export interface StreamIndex {
  readonly pages: readonly PagePlace[];
  /** Bytes that the stream has, whatever its blocks hold. */
  readonly size: number;
}

export interface MasterIndex {
  readonly main: StreamIndex;
  readonly auxiliary: StreamIndex;
}

/** Bytes of a page's record in the master index. */
const PLACE_LENGTH = 28;
const COUNT_LENGTH = 8;
export const ENTRIES_PER_PAGE = 4096;
/** Bytes of an entry: with a digest since 0.5.0, before without one. */
const ENTRY_LENGTHS = [52, 20] as const;
const NO_OFFSET = 0xffff_ffff;

export function encodeMasterIndex({ main, auxiliary }: MasterIndex): Uint8Array {
  const writer = new ByteWriter(64 + PLACE_LENGTH * (main.pages.length + auxiliary.pages.length));
  for (const { pages } of [main, auxiliary]) {
    writer.u64(pages.length);
    for (const { offset, length, startBlock, startLogical } of pages) {
      writer.u64(offset).u32(length).u64(startBlock).u64(startLogical);
    }
  }
  return writer.u64(main.size).u64(auxiliary.size).take();
}

/**
 * How long the master index is, as far as its beginning tells: a first part gives the number of pages of the first
 * stream, and those the number of the second. When the result is no longer than `bytes`, it is the length.
 * @throws HexzError `limit_exceeded`
 */
export function masterIndexLength(bytes: Uint8Array, what: string): number {
  let end = COUNT_LENGTH;
  for (let stream = 0; stream < 2; stream++) {
    if (bytes.length < end) return end;
    const count = new ByteReader(bytes.subarray(end - COUNT_LENGTH), what).u64();
    checkLimit(`the number of pages in ${what}`, count, LIMITS.format1.pages);
    end += count * PLACE_LENGTH + COUNT_LENGTH;
  }
  return end + COUNT_LENGTH;
}

/** @param bytes the master index, and whatever follows it @throws HexzError `invalid`, `limit_exceeded` */
export function decodeMasterIndex(bytes: Uint8Array, what: string): MasterIndex {
  const reader = new ByteReader(bytes, what);
  const places = (): PagePlace[] => {
    const count = reader.u64();
    checkLimit(`the number of pages in ${what}`, count, LIMITS.format1.pages);
    if (count * PLACE_LENGTH > reader.left) throw reader.fail(`it claims ${count} pages`);
    return Array.from({ length: count }, () => ({
      offset: reader.u64(),
      length: reader.u32(),
      startBlock: reader.u64(),
      startLogical: reader.u64(),
    }));
  };
  const main = places();
  const auxiliary = places();
  const size = (): number => {
    const bytesOfStream = reader.u64();
    checkLimit("the size of a stream", bytesOfStream, LIMITS.bytes);
    return bytesOfStream;
  };
  return { main: { pages: main, size: size() }, auxiliary: { pages: auxiliary, size: size() } };
}

/**
 * One block of a stream: stored here, nothing but zeros, or a reference to bytes of a parent, which it names by their
 * digest or leaves to their position.
 */
export type BlockEntry =
  | {
      readonly kind: "data";
      readonly offset: number;
      readonly storedLength: number;
      readonly plainLength: number;
      /** CRC-32 of the stored bytes. */
      readonly checksum: number;
      /** BLAKE3-256 of the plain block; absent in encrypted archives and before 0.5.0. */
      readonly digest: Uint8Array | undefined;
    }
  | { readonly kind: "zeros"; readonly plainLength: number }
  | { readonly kind: "reference"; readonly plainLength: number; readonly digest: Uint8Array | undefined };

const NO_DIGEST = new Uint8Array(DIGEST_LENGTH);

/** @param entryLength 52; the old layout's 20 are for tests of readers */
export function encodeIndexPage(entries: readonly BlockEntry[], entryLength: 52 | 20 = 52): Uint8Array {
  const writer = new ByteWriter(COUNT_LENGTH + entryLength * entries.length).u64(entries.length);
  for (const entry of entries) {
    if (entry.kind === "data") {
      writer.u64(entry.offset).u32(entry.storedLength).u32(entry.plainLength).u32(entry.checksum);
    } else {
      const half = entry.kind === "zeros" ? 0 : NO_OFFSET;
      writer.u32(half).u32(half).u32(0).u32(entry.plainLength).u32(0);
    }
    if (entryLength === 52) writer.raw((entry.kind === "zeros" ? undefined : entry.digest) ?? NO_DIGEST);
  }
  return writer.take();
}

/** @throws HexzError `invalid`, `limit_exceeded` */
export function decodeIndexPage(bytes: Uint8Array, what: string): BlockEntry[] {
  const reader = new ByteReader(bytes, what);
  const count = reader.u64();
  checkLimit(`the number of blocks in ${what}`, count, LIMITS.format1.blocksPerPage);
  const entryLength = ENTRY_LENGTHS.find((length) => length * count === reader.left);
  if (entryLength === undefined) throw reader.fail(`${reader.left} bytes are not ${count} blocks`);
  const entries = Array.from({ length: count }, () => readEntry(reader, entryLength === 52));
  for (const [number, entry] of entries.entries()) {
    if (entry.plainLength === 0 && !mayBeEmpty(entry, number === count - 1)) {
      throw reader.fail(`block ${number} has no bytes, and is not what that would be`);
    }
  }
  return entries;
}

/** BLAKE3-256 of nothing. */
const EMPTY_DIGEST = Uint8Array.from(
  "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262".match(/../g)!,
  (pair) => Number.parseInt(pair, 16),
);
/** Stored bytes that a block of no bytes takes at most: a frame's or a block's head, a tag. */
const MOST_OF_NOTHING = 64;

/**
 * Blocks of no bytes are what a pipe's end may leave. A length that was damaged must not make a block disappear, as
 * nothing reads what has no bytes.
 */
function mayBeEmpty(entry: BlockEntry, isLast: boolean): boolean {
  if (entry.kind === "zeros") return isLast;
  if (entry.digest !== undefined) return equalBytes(entry.digest, EMPTY_DIGEST);
  return entry.kind === "reference" || entry.storedLength <= MOST_OF_NOTHING;
}

function readEntry(reader: ByteReader, hasDigest: boolean): BlockEntry {
  const low = reader.u32();
  const high = reader.u32();
  const storedLength = reader.u32();
  const plainLength = reader.u32();
  const checksum = reader.u32();
  const digest = hasDigest ? readDigest(reader) : undefined;
  checkLimit("the length of a block", plainLength, LIMITS.format1.block);
  if (low === NO_OFFSET && high === NO_OFFSET) return { kind: "reference", plainLength, digest };
  const offset = high * 2 ** 32 + low;
  if (storedLength === 0) {
    // Releases differ in what they make of it: zeros, or an error.
    if (offset !== 0) throw reader.fail(`a block at ${offset} has no stored bytes`);
    return { kind: "zeros", plainLength };
  }
  checkLimit("the offset of a block", offset, LIMITS.bytes);
  checkLimit("the stored length of a block", storedLength, LIMITS.format1.storedBlock);
  return { kind: "data", offset, storedLength, plainLength, checksum, digest };
}

function readDigest(reader: ByteReader): Uint8Array | undefined {
  const digest = reader.raw(DIGEST_LENGTH);
  return digest[0] === 0 && digest.every((byte) => byte === 0) ? undefined : digest.slice();
}
