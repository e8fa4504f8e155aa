// The envelope's head and key slots, and where its segments are (docs/format.md, "Encryption").

import { ByteReader, ByteWriter, equalBytes } from "../bytes.ts";
import { CHECKSUM_LENGTH, type DigestOf } from "../digest.ts";
import { HexzError } from "../errors.ts";
import { checkLimit, LIMITS } from "../limits.ts";
import { decodeHead, encodeHead, HEAD_LENGTH } from "./head.ts";

export const ENVELOPE_HEAD_LENGTH = 4096;
/** Plain bytes of a segment, and what it takes in the file: nonce, ciphertext, tag. */
export const SEGMENT_LENGTH = 65_536;
export const SEALED_LENGTH = 24 + SEGMENT_LENGTH + 16;
const SALT_LENGTH = 16;
const SUMMED_LENGTH = 48;
const AREA_UNIT = 4096;
const MAC_LENGTH = 32;
/** Generation, length and number of the slots. */
const AREA_START = 16;

export interface EnvelopeHead {
  /** Of each of the two slot areas. */
  readonly areaLength: number;
  /** Random; makes the segments' key one of this file alone. */
  readonly salt: Uint8Array;
}

export function encodeEnvelopeHead({ areaLength, salt }: EnvelopeHead, digestOf: DigestOf): Uint8Array {
  const writer = new ByteWriter(ENVELOPE_HEAD_LENGTH).raw(encodeHead("encrypted", digestOf)).u32(areaLength);
  writer.raw(new Uint8Array(12)).raw(salt);
  writer.raw(digestOf(writer.view()).subarray(0, CHECKSUM_LENGTH));
  return writer.raw(new Uint8Array(ENVELOPE_HEAD_LENGTH - writer.length)).take();
}

/**
 * @param bytes the first ENVELOPE_HEAD_LENGTH bytes of the file, or all of a shorter one
 * @throws HexzError `truncated`, `damaged`, `invalid`, `limit_exceeded`
 */
export function decodeEnvelopeHead(bytes: Uint8Array, name: string, digestOf: DigestOf): EnvelopeHead {
  decodeHead(bytes, name, digestOf);
  if (bytes.length < ENVELOPE_HEAD_LENGTH) {
    throw new HexzError("truncated", `${name} ends within the head of its encryption, at ${bytes.length}`);
  }
  const sum = digestOf(bytes.subarray(0, SUMMED_LENGTH)).subarray(0, CHECKSUM_LENGTH);
  if (!equalBytes(bytes.subarray(SUMMED_LENGTH, SUMMED_LENGTH + CHECKSUM_LENGTH), sum)) {
    throw new HexzError("damaged", `the encryption's head of ${name} is damaged: its checksum does not fit`, {
      data: { start: 0, end: ENVELOPE_HEAD_LENGTH },
    });
  }
  const reader = new ByteReader(bytes.subarray(HEAD_LENGTH), `the encryption's head of ${name}`);
  const areaLength = reader.u32();
  checkLimit("the length of a slot area", areaLength, LIMITS.slotArea.max);
  if (areaLength < LIMITS.slotArea.min || areaLength % AREA_UNIT !== 0) {
    throw reader.fail(`a slot area has ${areaLength} bytes, which is no multiple of ${AREA_UNIT}`);
  }
  reader.zeros(12);
  const salt = reader.raw(SALT_LENGTH).slice();
  reader.raw(CHECKSUM_LENGTH);
  reader.zeros(ENVELOPE_HEAD_LENGTH - SUMMED_LENGTH - CHECKSUM_LENGTH);
  return { areaLength, salt };
}

export interface SlotArea {
  readonly generation: number;
  /** age files, each around the archive key. */
  readonly slots: readonly Uint8Array[];
}

/** How long slot areas are made: with room for as much again. */
export function areaLengthFor(slots: readonly Uint8Array[]): number {
  const needed = 2 * slotsLength(slots) + AREA_START + CHECKSUM_LENGTH + MAC_LENGTH;
  return Math.max(4 * AREA_UNIT, Math.ceil(needed / AREA_UNIT) * AREA_UNIT);
}

function slotsLength(slots: readonly Uint8Array[]): number {
  return slots.reduce((sum, slot) => sum + 4 + slot.length, 0);
}

/**
 * The area with its checksum, and zeros where its HMAC will be.
 * @throws HexzError `limit_exceeded` when the slots do not fit
 */
export function encodeSlotArea(area: SlotArea, areaLength: number, digestOf: DigestOf): Uint8Array {
  const { generation, slots } = area;
  const length = slotsLength(slots);
  checkLimit("the number of key slots", slots.length, LIMITS.keySlots);
  checkLimit("the length of all key slots", length, areaLength - AREA_START - CHECKSUM_LENGTH - MAC_LENGTH);
  const writer = new ByteWriter(areaLength).u64(generation).u32(length).u32(slots.length);
  for (const slot of slots) writer.u32(slot.length).raw(slot);
  writer.raw(new Uint8Array(areaLength - writer.length - CHECKSUM_LENGTH - MAC_LENGTH));
  writer.raw(digestOf(writer.view()).subarray(0, CHECKSUM_LENGTH));
  return writer.raw(new Uint8Array(MAC_LENGTH)).take();
}

/** What the HMAC of an area covers. @param head the beginning of the file */
export function areaMessage(head: Uint8Array, area: Uint8Array): Uint8Array {
  const length = SUMMED_LENGTH + area.length - MAC_LENGTH;
  return new ByteWriter(length).raw(head.subarray(0, SUMMED_LENGTH)).raw(area.subarray(0, -MAC_LENGTH)).take();
}

export function areaMac(area: Uint8Array): Uint8Array {
  return area.subarray(-MAC_LENGTH);
}

/**
 * @returns undefined when the checksum does not fit
 * @throws HexzError `invalid`, `limit_exceeded`
 */
export function decodeSlotArea(bytes: Uint8Array, what: string, digestOf: DigestOf): SlotArea | undefined {
  const summed = bytes.subarray(0, bytes.length - MAC_LENGTH - CHECKSUM_LENGTH);
  const sum = bytes.subarray(summed.length, summed.length + CHECKSUM_LENGTH);
  if (!equalBytes(digestOf(summed).subarray(0, CHECKSUM_LENGTH), sum)) return undefined;
  const reader = new ByteReader(summed, what);
  const generation = reader.u64();
  const length = reader.u32();
  const count = reader.u32();
  checkLimit(`the number of slots of ${what}`, count, LIMITS.keySlots);
  const inner = new ByteReader(reader.raw(length), what);
  const slots = Array.from({ length: count }, () => inner.raw(inner.u32()).slice());
  inner.end();
  if (count === 0 || generation === 0) throw reader.fail("it has no slot or no generation");
  reader.zeros(reader.left);
  return { generation, slots };
}

/**
 * Number of segments of a file.
 * @throws HexzError `truncated` when the last one is not whole, or there is none
 */
export function segmentCount(fileLength: number, { areaLength }: EnvelopeHead, name: string): number {
  const length = fileLength - segmentsStart(areaLength);
  const count = Math.floor(length / SEALED_LENGTH);
  if (count >= 1 && length % SEALED_LENGTH === 0) return count;
  const where = length < 0 ? "within its key slots" : `within its segment ${count}`;
  throw new HexzError("truncated", `${name} has lost its end: it ends ${where}, at ${fileLength}`, {
    data: { size: fileLength },
  });
}

export function segmentsStart(areaLength: number): number {
  return ENVELOPE_HEAD_LENGTH + 2 * areaLength;
}

/** Number of segments of at least `count` to which sizes are padded (Padmé). */
export function paddedSegmentCount(count: number): number {
  if (count < 2) return count;
  const exponent = Math.floor(Math.log2(count));
  const unit = 2 ** Math.max(0, exponent - Math.floor(Math.log2(exponent)) - 1);
  return Math.ceil(count / unit) * unit;
}
