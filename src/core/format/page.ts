// The frame of a page and references to pages (docs/format.md, "Pages").

import { ByteReader, ByteWriter, equalBytes } from "../bytes.ts";
import { CHECKSUM_LENGTH, DIGEST_LENGTH, type DigestOf } from "../digest.ts";
import { CODEC, type Engine } from "../engine.ts";
import { HexzError } from "../errors.ts";
import { checkLimit, LIMITS } from "../limits.ts";

export const PAGE_KIND = {
  indexLeaf: 1,
  indexInner: 2,
  treeLeaf: 3,
  treeInner: 4,
  dictionary: 5,
  metadata: 6,
  root: 7,
  signatures: 8,
  parity: 9,
} as const;
export type PageKind = (typeof PAGE_KIND)[keyof typeof PAGE_KIND];

export const PAGE_FRAME_LENGTH = 24;
const BODY_HEAD_LENGTH = 8;
const MAGIC = Uint8Array.from([0x48, 0x58, 0x50, 0x47]);
const CODING_STORED = 0;
const CODING_LZ4 = 1;

/** Where a page is and what it must be. */
export interface PageRef {
  readonly offset: number;
  readonly bodyLength: number;
  readonly digest: Uint8Array;
}

/** A page without its place: the same for all copies of it. */
export interface PageBody {
  readonly body: Uint8Array;
  readonly digest: Uint8Array;
}

/** Bytes of the file that a page occupies. */
export function pageEnd(ref: PageRef): number {
  return ref.offset + PAGE_FRAME_LENGTH + ref.bodyLength;
}

/** Builds the body of a page; tree pages are coded when that makes them smaller. */
export function encodePageBody(kind: PageKind, payload: Uint8Array, engine: Engine, digestOf: DigestOf): PageBody {
  checkLimit("the payload of a page", payload.length, LIMITS.pageBody - BODY_HEAD_LENGTH);
  let coded: Uint8Array | undefined;
  if ((kind === PAGE_KIND.treeLeaf || kind === PAGE_KIND.treeInner) && payload.length > 1) {
    const out = new Uint8Array(payload.length - 1);
    const length = engine.encode(CODEC.lz4, 0, payload, out);
    if (length > 0) coded = out.subarray(0, length);
  }
  const stored = coded ?? payload;
  const body = new ByteWriter(BODY_HEAD_LENGTH + stored.length)
    .u8(kind)
    .u8(coded === undefined ? CODING_STORED : CODING_LZ4)
    .u16(0)
    .u32(payload.length)
    .raw(stored)
    .take();
  return { body, digest: digestOf(body) };
}

/** The 24 bytes before a body that stands at `offset`. */
export function encodePageFrame(page: PageBody, offset: number, digestOf: DigestOf): Uint8Array {
  const writer = new ByteWriter(PAGE_FRAME_LENGTH + DIGEST_LENGTH).raw(MAGIC).u32(page.body.length).u64(offset);
  const sum = digestOf(new ByteWriter(48).raw(writer.view()).raw(page.digest).view()).subarray(0, CHECKSUM_LENGTH);
  return writer.raw(sum).take();
}

/**
 * Checks that `bytes`, read from the file at `ref`, are the page that it names.
 * @returns the body, a view
 * @throws HexzError `damaged`
 */
export function checkPage(bytes: Uint8Array, ref: PageRef, what: string, digestOf: DigestOf): Uint8Array {
  const damaged = (found: string, expected: string) =>
    new HexzError("damaged", `${what} at ${ref.offset} is damaged: found ${found}, expected ${expected}`, {
      data: { start: ref.offset, end: pageEnd(ref) },
    });
  if (!equalBytes(bytes.subarray(0, 4), MAGIC)) throw damaged("other bytes", "a page");
  const reader = new ByteReader(bytes.subarray(4), what);
  const length = reader.u32();
  if (length !== ref.bodyLength) throw damaged(`a page of ${length} bytes`, `${ref.bodyLength}`);
  const low = reader.u32();
  const offset = reader.u32() * 2 ** 32 + low;
  if (offset !== ref.offset) throw damaged(`a page that belongs at ${offset}`, `${ref.offset}`);
  const body = bytes.subarray(PAGE_FRAME_LENGTH);
  if (!equalBytes(digestOf(body), ref.digest)) throw damaged("another digest", "the one in its reference");
  if (
    !equalBytes(bytes.subarray(0, PAGE_FRAME_LENGTH), encodePageFrame({ body, digest: ref.digest }, offset, digestOf))
  ) {
    throw damaged("another checksum", "that of the frame");
  }
  return body;
}

/** Decodes a checked body of the expected kind into its payload. */
export function decodePageBody(body: Uint8Array, kind: PageKind, what: string, engine: Engine): Uint8Array {
  const reader = new ByteReader(body, what);
  const found = reader.u8();
  if (found !== kind) throw reader.fail(`it is a page of kind ${found}, expected ${kind}`);
  const coding = reader.u8();
  reader.zeros(2);
  const plainLength = reader.u32();
  checkLimit(`the plain length of ${what}`, plainLength, LIMITS.pageBody - BODY_HEAD_LENGTH);
  const stored = reader.raw(reader.left);
  if (coding === CODING_STORED) {
    if (stored.length !== plainLength) throw reader.fail(`it holds ${stored.length} bytes, expected ${plainLength}`);
    return stored;
  }
  if (coding !== CODING_LZ4 || (kind !== PAGE_KIND.treeLeaf && kind !== PAGE_KIND.treeInner)) {
    throw reader.fail(`coding ${coding} is not for this page`);
  }
  if (stored.length >= plainLength) throw reader.fail("its coded form is not smaller");
  const payload = new Uint8Array(plainLength);
  engine.decode(CODEC.lz4, stored, payload);
  return payload;
}

/** Writes references of a list, each relative to the one before. */
export class RefWriter {
  #end = 0;
  write(writer: ByteWriter, ref: PageRef): void {
    writer
      .svarint(ref.offset - this.#end)
      .varint(ref.bodyLength)
      .raw(ref.digest);
    this.#end = pageEnd(ref);
  }
}

/** Reads references that RefWriter wrote. */
export class RefReader {
  #end = 0;
  read(reader: ByteReader): PageRef {
    const offset = this.#end + reader.svarint();
    const bodyLength = reader.varint();
    if (offset < 0) throw reader.fail("a page would begin before the file");
    if (bodyLength < BODY_HEAD_LENGTH) throw reader.fail(`a page has ${bodyLength} bytes`);
    checkLimit("the length of a page", bodyLength, LIMITS.pageBody);
    const ref = { offset, bodyLength, digest: reader.raw(DIGEST_LENGTH) };
    this.#end = pageEnd(ref);
    return ref;
  }
}
