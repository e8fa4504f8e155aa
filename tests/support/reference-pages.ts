// The reference decoder: head, end marks and the frames of pages (docs/format.md, "Head", "Pages", "End mark").

import { ascii, Cursor, concat, equal, fail, hash, limit, rule } from "./reference-bytes.ts";
import { decodeLz4 } from "./reference-codecs.ts";

export const KIND = {
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

export const HEAD_LENGTH = 16;
export const END_MARK_LENGTH = 96;
const FRAME_LENGTH = 24;
const MAGIC_HEAD = ascii("HEXZ");
const MAGIC_PAGE = ascii("HXPG");
const MAGIC_END = concat(ascii("HEXZEND"), Uint8Array.of(2));

export interface Ref {
  offset: number;
  bodyLength: number;
  digest: Uint8Array;
}

export interface Page {
  offset: number;
  end: number;
  kind: number;
  body: Uint8Array;
  digest: Uint8Array;
  payload: Uint8Array;
}

export interface EndMark {
  offset: number;
  rootOffset: number;
  rootLength: number;
  signaturesLength: number;
  signaturesOffset: number;
  parityOffset: number;
  parityLength: number;
  id: Uint8Array;
}

/** The references of one list: each offset counts from the end of the page that the one before names. */
export function refReader(cursor: Cursor): () => Ref {
  let previousEnd = 0;
  return () => {
    const offset = previousEnd + cursor.svarint();
    rule(offset >= 0, `${cursor.what} refers to a page at the negative offset ${offset}`);
    limit(offset, Number.MAX_SAFE_INTEGER, `${cursor.what}: offset of a page`);
    const bodyLength = cursor.varint();
    const digest = cursor.take(32);
    checkBodyLength(bodyLength, cursor.what);
    previousEnd = offset + FRAME_LENGTH + bodyLength;
    return { offset, bodyLength, digest };
  };
}

function checkBodyLength(length: number, what: string): void {
  rule(length >= 8, `${what}: a page body of ${length} bytes`);
  limit(length, 1_048_576, `${what}: length of a page body`);
}

/** The page that a reference names: found there, with that length, digest and kind. */
export function readPage(file: Uint8Array, ref: Ref, kind: number): Page {
  const body = checkFrame(file, ref.offset, ref.bodyLength);
  if (!equal(hash(body), ref.digest)) fail("damaged", `the page at ${ref.offset} has another digest`);
  const page = decodeBody(body, ref.offset);
  rule(page.kind === kind, `the page at ${ref.offset} is of kind ${page.kind} and not ${kind}`);
  return page;
}

/** A page without a reference: its own checksum must do. */
export function readPageAt(file: Uint8Array, offset: number): Page {
  return decodeBody(checkFrame(file, offset), offset);
}

export function startsPage(file: Uint8Array, offset: number): boolean {
  return equal(file.subarray(offset, offset + 4), MAGIC_PAGE);
}

function checkFrame(file: Uint8Array, offset: number, bodyLength?: number): Uint8Array {
  const what = `the page at ${offset}`;
  if (offset + FRAME_LENGTH > file.length) fail("damaged", `${what} is not in the file`);
  const view = new DataView(file.buffer, file.byteOffset + offset, FRAME_LENGTH);
  if (!startsPage(file, offset)) fail("damaged", `${what} has no page's magic`);
  const length = view.getUint32(4, true);
  if (bodyLength !== undefined && length !== bodyLength)
    fail("damaged", `${what} has ${length} bytes, not ${bodyLength}`);
  if (view.getBigUint64(8, true) !== BigInt(offset)) fail("damaged", `${what} says that it is elsewhere`);
  checkBodyLength(length, what);
  const end = offset + FRAME_LENGTH + length;
  if (end > file.length) fail("damaged", `${what} is not wholly in the file`);
  const body = file.subarray(offset + FRAME_LENGTH, end);
  const checksum = hash(file.subarray(offset, offset + 16), hash(body)).subarray(0, 8);
  if (!equal(checksum, file.subarray(offset + 16, offset + 24))) fail("damaged", `${what} has another checksum`);
  return body;
}

function decodeBody(body: Uint8Array, offset: number): Page {
  const cursor = new Cursor(body, `the page at ${offset}`);
  const kind = cursor.u8();
  rule(kind >= 1 && kind <= 9, `${cursor.what} is of the unknown kind ${kind}`);
  const coding = cursor.u8();
  cursor.zero(2);
  const plainLength = cursor.u32();
  limit(plainLength, 1_048_568, `${cursor.what}: plain length`);
  const coded = cursor.take(cursor.left);
  const page = { offset, end: offset + FRAME_LENGTH + body.length, kind, body, digest: hash(body) };
  if (coding === 0) {
    rule(coded.length === plainLength, `${cursor.what} is stored and its lengths differ`);
    return { ...page, payload: coded };
  }
  rule(coding === 1, `${cursor.what} has the unknown coding ${coding}`);
  rule(kind === KIND.treeLeaf || kind === KIND.treeInner, `${cursor.what} may not be compressed`);
  rule(coded.length < plainLength, `${cursor.what} is compressed and not smaller`);
  return { ...page, payload: decodeLz4(coded, plainLength) };
}

/** The first 16 bytes. `truncated` and `not_an_archive` are told from them when there is no end mark. */
export function checkHead(file: Uint8Array, hasEndMark: boolean): void {
  const head = file.subarray(0, HEAD_LENGTH);
  if (head.length < HEAD_LENGTH || !equal(head.subarray(0, 4), MAGIC_HEAD)) {
    if (!hasEndMark) fail("not_an_archive", "neither head nor end mark");
    fail("damaged", "the head has another magic");
  }
  const cursor = new Cursor(head, "the head");
  cursor.take(4);
  const version = cursor.u32();
  if (version !== 2) fail("version_unknown", `the head says version ${version}`);
  if (!hasEndMark) fail("truncated", "the file does not end with an end mark");
  const kind = cursor.u32();
  const checksum = hash(head.subarray(0, 12)).subarray(0, 4);
  if (!equal(cursor.take(4), checksum)) fail("damaged", "the head has another checksum");
  rule(kind <= 1, `the head says kind ${kind}`);
  rule(kind === 0, "the file is encrypted; the reference decoder reads plain archives");
}

/** The end mark that begins at the offset, or nothing when no end mark of this file stands there. */
export function endMarkAt(file: Uint8Array, offset: number): EndMark | undefined {
  const bytes = file.subarray(offset, offset + END_MARK_LENGTH);
  if (offset < 0 || bytes.length < END_MARK_LENGTH || !equal(bytes.subarray(88), MAGIC_END)) return undefined;
  if (!equal(bytes.subarray(80, 88), hash(bytes.subarray(0, 80)).subarray(0, 8))) return undefined;
  const cursor = new Cursor(bytes, `the end mark at ${offset}`);
  if (cursor.integer(8) !== BigInt(offset)) return undefined;
  const mark: EndMark = {
    offset,
    rootOffset: cursor.u64(),
    rootLength: cursor.u32(),
    signaturesLength: cursor.u32(),
    signaturesOffset: cursor.u64(),
    parityOffset: cursor.u64(),
    parityLength: cursor.u64(),
    id: cursor.take(32),
  };
  checkBodyLength(mark.rootLength, cursor.what);
  rule((mark.signaturesOffset === 0) === (mark.signaturesLength === 0), `${cursor.what}: half a place of signatures`);
  rule((mark.parityOffset === 0) === (mark.parityLength === 0), `${cursor.what}: half a place of parity`);
  return mark;
}

export function lastEndMark(file: Uint8Array): EndMark | undefined {
  return endMarkAt(file, file.length - END_MARK_LENGTH);
}
