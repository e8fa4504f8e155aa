// Where the values of an HDF5 dataset lie in its file, if they lie there as they are: superblock, object header and data
// layout message of the HDF5 File Format Specification (versions 1 to 4), as far as that question needs them.

import { ByteReader } from "../../core/bytes.ts";
import { HexzError } from "../../core/errors.ts";

/** Reads bytes of the file. */
export type ReadBytes = (start: number, end: number) => Uint8Array;

/** A run of bytes in the file. */
export interface Place {
  readonly start: number;
  readonly size: number;
}

const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
const UNDEFINED_32 = 0xffff_ffff;

const MESSAGE = { externalFiles: 7, layout: 8, continuation: 16 } as const;
const LAYOUT = { compact: 0, contiguous: 1 } as const;

/** Of one object header: parts and bytes; libhdf5 writes a few hundred bytes. */
const MOST_PARTS = 256;
const LONGEST_PART = 4 * 1024 * 1024;
const SUPERBLOCK_LENGTH = 128;

/** Where an HDF5 superblock may begin: 0, 512, 1024, and so on. */
export function hasSignature(bytes: Uint8Array, at = 0): boolean {
  return SIGNATURE.every((byte, number) => bytes[at + number] === byte);
}

/** What all addresses of a file depend on. */
export interface Addressing {
  /** Address 0 in the file. */
  readonly base: number;
  /** Bytes of an address, and of a length. */
  readonly offsetSize: number;
  readonly lengthSize: number;
}

/**
 * @param size of the file
 * @throws HexzError `invalid` when there is no superblock
 */
export function readAddressing(read: ReadBytes, size: number, name: string): Addressing {
  for (let start = 0; start + SUPERBLOCK_LENGTH <= size; start = start === 0 ? 512 : start * 2) {
    const bytes = read(start, start + SUPERBLOCK_LENGTH);
    if (!hasSignature(bytes)) continue;
    const version = bytes[8]!;
    const [sizes, addresses] = version <= 1 ? [13, version === 0 ? 24 : 28] : [9, 12];
    const [offsetSize, lengthSize] = [bytes[sizes]!, bytes[sizes + 1]!];
    if (version > 3 || ![4, 8].includes(offsetSize) || ![4, 8].includes(lengthSize)) {
      throw new HexzError(
        "invalid",
        `the superblock of ${name} at ${start} has version ${version}, addresses of ${offsetSize} and lengths of ${lengthSize} bytes`,
      );
    }
    const reader = new ByteReader(bytes.subarray(addresses), `the superblock of ${name}`);
    return { base: sizedNumber(reader, offsetSize) ?? start, offsetSize, lengthSize };
  }
  throw new HexzError("invalid", `${name} is not an HDF5 file: it has no superblock`);
}

/** A number of 4 or 8 bytes; undefined when all its bits are set, as in the address of what is not there. */
function sizedNumber(reader: ByteReader, size: number): number | undefined {
  const low = reader.u32();
  const high = size === 8 ? reader.u32() : 0;
  if (low === UNDEFINED_32 && (size === 4 || high === UNDEFINED_32)) return undefined;
  const number = high * 2 ** 32 + low;
  if (number > Number.MAX_SAFE_INTEGER) throw reader.fail(`a number is ${number}`);
  return number;
}

/**
 * The place of a dataset's values.
 * @param address of its object header, from the base
 * @returns undefined when they are not one run of bytes: chunks, virtual and external datasets, nothing written yet
 * @throws HexzError `invalid`
 */
export function placeOfValues(
  read: ReadBytes,
  addressing: Addressing,
  address: number,
  name: string,
): Place | undefined {
  let place: Place | undefined;
  for (const { type, start, bytes } of messagesOf(read, addressing, address, name)) {
    if (type === MESSAGE.externalFiles) return undefined;
    if (type === MESSAGE.layout) place = placeOf(bytes, start, addressing, name);
  }
  return place;
}

/** @param start of the message's body in the file */
function placeOf(bytes: Uint8Array, start: number, addressing: Addressing, name: string): Place | undefined {
  const reader = new ByteReader(bytes, `the layout of a dataset of ${name}`);
  const version = reader.u8();
  // Versions 1 and 2 do not tell the size but by the shape; they are of the previous century.
  if (version < 3) return undefined;
  const kind = reader.u8();
  if (kind === LAYOUT.compact) return { start: start + 4, size: reader.u16() };
  if (kind !== LAYOUT.contiguous) return undefined;
  const address = sizedNumber(reader, addressing.offsetSize);
  const size = sizedNumber(reader, addressing.lengthSize);
  return address === undefined || size === undefined ? undefined : { start: addressing.base + address, size };
}

interface Message {
  readonly type: number;
  /** Of the body in the file. */
  readonly start: number;
  readonly bytes: Uint8Array;
}

function* messagesOf(
  read: ReadBytes,
  { base, offsetSize, lengthSize }: Addressing,
  address: number,
  name: string,
): Generator<Message> {
  const what = `an object header of ${name}`;
  const first = headerPart(read, base + address, what);
  const parts = [first.part];
  for (let number = 0; number < parts.length; number++) {
    const { start, end } = parts[number]!;
    if (number > MOST_PARTS || end - start > LONGEST_PART) {
      throw new HexzError(
        "limit_exceeded",
        `${what} has more than ${MOST_PARTS} parts, or one of ${end - start} bytes`,
      );
    }
    const bytes = read(start, end);
    for (const message of first.version === 1 ? oldMessages(bytes) : newMessages(bytes, first.ordered)) {
      const body = bytes.subarray(message.start, message.end);
      if (body.length < message.end - message.start) {
        throw new HexzError("invalid", `${what} has a message at ${start + message.start} that ends behind it`);
      }
      if (message.type !== MESSAGE.continuation) {
        yield { type: message.type, start: start + message.start, bytes: body };
        continue;
      }
      const reader = new ByteReader(body, what);
      const offset = sizedNumber(reader, offsetSize);
      const length = sizedNumber(reader, lengthSize);
      if (offset === undefined || length === undefined) throw reader.fail("its continuation is nowhere");
      // From version 2 on a continuation has a signature before its messages, and a checksum behind them.
      const from = base + offset;
      parts.push(
        first.version === 1 ? { start: from, end: from + length } : { start: from + 4, end: from + length - 4 },
      );
    }
  }
}

interface Part {
  readonly start: number;
  readonly end: number;
}

/** The first part of an object header: where its messages are. */
function headerPart(read: ReadBytes, at: number, what: string): { version: 1 | 2; ordered: boolean; part: Part } {
  const bytes = read(at, at + 40);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes[0] === 1) {
    const start = at + 16;
    return { version: 1, ordered: false, part: { start, end: start + view.getUint32(8, true) } };
  }
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== "OHDR" || bytes[4] !== 2) {
    throw new HexzError("invalid", `${what} is not at ${at}: found version ${bytes[0]}, expected 1 or 2`);
  }
  const flags = bytes[5]!;
  const sizeAt = 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
  const sizeLength = 1 << (flags & 3);
  if (sizeLength === 8) throw new HexzError("invalid", `${what} at ${at} has a size of 8 bytes`);
  const size = [view.getUint8(sizeAt), view.getUint16(sizeAt, true), view.getUint32(sizeAt, true)][flags & 3]!;
  const start = at + sizeAt + sizeLength;
  return { version: 2, ordered: (flags & 0x04) !== 0, part: { start, end: start + size } };
}

type MessagePlace = { type: number; start: number; end: number };

function* oldMessages(bytes: Uint8Array): Generator<MessagePlace> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 8 <= bytes.length; ) {
    const start = at + 8;
    const end = start + view.getUint16(at + 2, true);
    yield { type: view.getUint16(at, true), start, end };
    at = end;
  }
}

function* newMessages(bytes: Uint8Array, ordered: boolean): Generator<MessagePlace> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const head = ordered ? 6 : 4;
  for (let at = 0; at + head <= bytes.length; ) {
    const start = at + head;
    const end = start + view.getUint16(at + 1, true);
    yield { type: bytes[at]!, start, end };
    at = end;
  }
}
