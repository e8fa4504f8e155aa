// The last 96 bytes of a state (docs/format.md, "End mark").

import { ByteReader, ByteWriter, equalBytes } from "../bytes.ts";
import { CHECKSUM_LENGTH, DIGEST_LENGTH, type DigestOf } from "../digest.ts";
import { HexzError } from "../errors.ts";
import { checkLimit, LIMITS } from "../limits.ts";
import type { PageRef } from "./page.ts";

export const END_MARK_LENGTH = 96;
const SUMMED_LENGTH = 80;
const MAGIC = Uint8Array.from([0x48, 0x45, 0x58, 0x5a, 0x45, 0x4e, 0x44, 0x02]);

export interface EndMark {
  /** Its digest is the archive id. */
  readonly root: PageRef;
  readonly signatures: { readonly offset: number; readonly bodyLength: number } | undefined;
  readonly parity: { readonly offset: number; readonly length: number } | undefined;
}

export function encodeEndMark(mark: EndMark, offset: number, digestOf: DigestOf): Uint8Array {
  const writer = new ByteWriter(END_MARK_LENGTH)
    .u64(offset)
    .u64(mark.root.offset)
    .u32(mark.root.bodyLength)
    .u32(mark.signatures?.bodyLength ?? 0)
    .u64(mark.signatures?.offset ?? 0)
    .u64(mark.parity?.offset ?? 0)
    .u64(mark.parity?.length ?? 0)
    .raw(mark.root.digest);
  return writer.raw(digestOf(writer.view()).subarray(0, CHECKSUM_LENGTH)).raw(MAGIC).take();
}

/**
 * @param bytes END_MARK_LENGTH bytes that stand at `offset`
 * @returns undefined when they are no end mark, or not one of this place
 * @throws HexzError `invalid`, `limit_exceeded`
 */
export function decodeEndMark(bytes: Uint8Array, offset: number, digestOf: DigestOf): EndMark | undefined {
  if (bytes.length !== END_MARK_LENGTH || !equalBytes(bytes.subarray(SUMMED_LENGTH + CHECKSUM_LENGTH), MAGIC)) return;
  const sum = digestOf(bytes.subarray(0, SUMMED_LENGTH)).subarray(0, CHECKSUM_LENGTH);
  if (!equalBytes(bytes.subarray(SUMMED_LENGTH, SUMMED_LENGTH + CHECKSUM_LENGTH), sum)) return;
  const reader = new ByteReader(bytes, `the end mark at ${offset}`);
  if (reader.u64() !== offset) return;
  const root = { offset: reader.u64(), bodyLength: reader.u32() };
  const signatures = { bodyLength: reader.u32(), offset: reader.u64() };
  const parity = { offset: reader.u64(), length: reader.u64() };
  const digest = reader.raw(DIGEST_LENGTH).slice();
  if ((signatures.offset === 0) !== (signatures.bodyLength === 0) || (parity.offset === 0) !== (parity.length === 0)) {
    throw new HexzError("invalid", `the end mark at ${offset} has half a place`);
  }
  for (const part of [root, signatures]) {
    checkLimit("the length of a page", part.bodyLength, LIMITS.pageBody);
    if (part.offset + part.bodyLength > offset) {
      throw new HexzError("invalid", `the end mark at ${offset} points behind itself, to ${part.offset}`);
    }
  }
  return {
    root: { ...root, digest },
    signatures: signatures.bodyLength === 0 ? undefined : signatures,
    parity: parity.offset === 0 ? undefined : parity,
  };
}
