// The 512-byte header of a tar member, both directions: v7, POSIX ustar, GNU and star. Numbers are octal text or, where
// they do not fit, binary in base 256.

import { HexzError } from "../errors.ts";
import { type ByteString, byteStringOf } from "../format/path.ts";
import { putTarChecksum, signedTarChecksum, TAR_BLOCK, tarChecksum } from "../format/tar-block.ts";

export interface TarHeader {
  readonly format: "v7" | "ustar" | "gnu" | "star";
  /** As it is computed, not as the header may say it. */
  readonly checksum: number;
  /** The type flag as a character. */
  readonly type: string;
  readonly name: ByteString;
  readonly linkName: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content that follow, by this header. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly userName: ByteString;
  readonly groupName: ByteString;
  readonly device: { readonly major: number; readonly minor: number };
}

/** What a message is about, made into text only for one. */
export interface Subject {
  toString(): string;
}

/** Where the fields are. */
const FIELD = {
  name: { from: 0, to: 100 },
  mode: { from: 100, to: 108 },
  uid: { from: 108, to: 116 },
  gid: { from: 116, to: 124 },
  size: { from: 124, to: 136 },
  mtime: { from: 136, to: 148 },
  checksum: { from: 148, to: 156 },
  linkName: { from: 157, to: 257 },
  userName: { from: 265, to: 297 },
  groupName: { from: 297, to: 329 },
  major: { from: 329, to: 337 },
  minor: { from: 337, to: 345 },
  prefix: { from: 345, to: 500 },
  starPrefix: { from: 345, to: 476 },
} as const;
type Field = keyof typeof FIELD;
type Range = { readonly from: number; readonly to: number };
const TYPE_AT = 156;
const MAGIC_AT = 257;
const STAR_MAGIC_AT = 508;

/** Whether all bytes are zero. */
export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** The text at [from, to), up to the first NUL. */
export function textField(bytes: Uint8Array, from = 0, to = bytes.length): ByteString {
  let end = from;
  while (end < to && bytes[end] !== 0) end++;
  return end === from ? ("" as ByteString) : byteStringOf(bytes.subarray(from, end));
}

/**
 * The number at [from, to): 0 when it is blank.
 * @throws HexzError `invalid`, `limit_exceeded` @param name, @param what for messages: "the size", "the header at 0"
 */
export function numberField(bytes: Uint8Array, from: number, to: number, name: string, what: Subject): number {
  if (bytes[from]! >= 0x80) return checkSafe(binaryNumber(bytes.subarray(from, to)), name, what);
  let at = from;
  while (at < to && isBlank(bytes[at]!)) at++;
  let value = 0;
  for (; at < to && !isBlank(bytes[at]!); at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 7) {
      const shown = JSON.stringify(textField(bytes, from, to));
      throw new HexzError("invalid", `${name} of ${what} is ${shown}, which is no octal number`);
    }
    value = value * 8 + digit;
  }
  return checkSafe(value, name, what);
}

const isBlank = (byte: number): boolean => byte === 0 || byte === 0x20;

/** Two's complement, big endian; the first bit says that it is binary. */
function binaryNumber(bytes: Uint8Array): number {
  const negative = (bytes[0]! & 0x40) !== 0;
  let value = negative ? (bytes[0]! | 0x80) - 0x100 : bytes[0]! & 0x7f;
  for (const byte of bytes.subarray(1)) value = value * 256 + byte;
  return value;
}

function checkSafe(value: number, name: string, what: Subject): number {
  if (Math.abs(value) < 2 ** 52) return value;
  throw new HexzError("limit_exceeded", `${name} of ${what} is ${value}, beyond 2^52`);
}

/** Whether the block says its checksum, by one of the two ways to compute it. @param sum of its bytes @param what for messages */
function hasChecksum(block: Uint8Array, sum: number, what: Subject): boolean {
  const { from, to } = FIELD.checksum;
  const found = numberField(block, from, to, "the checksum", what);
  return found === sum || found === signedTarChecksum(block);
}

/**
 * @param what for messages: "the header at 1024 of x.tar"
 * @param before a header that came before: most owners are the same
 * @throws HexzError `damaged`, `invalid`, `limit_exceeded`
 */
export function decodeTarHeader(block: Uint8Array, what: Subject, before?: TarHeader): TarHeader {
  const checksum = tarChecksum(block);
  if (!hasChecksum(block, checksum, what)) {
    throw new HexzError("damaged", `${what} is damaged: its checksum is not ${checksum}`, {
      data: { expected: checksum },
    });
  }
  const format = formatOf(block);
  const hasNames = format !== "v7";
  const prefix =
    format === "ustar" ? text(block, FIELD.prefix) : format === "star" ? text(block, FIELD.starPrefix) : "";
  const name = text(block, FIELD.name);
  return {
    format,
    checksum,
    type: block[TYPE_AT] === 0 ? "0" : String.fromCharCode(block[TYPE_AT]!),
    name: (prefix === "" ? name : `${prefix}/${name}`) as ByteString,
    linkName: text(block, FIELD.linkName),
    mode: number(block, FIELD.mode, "the mode", what),
    uid: number(block, FIELD.uid, "the uid", what),
    gid: number(block, FIELD.gid, "the gid", what),
    size: number(block, FIELD.size, "the size", what),
    mtime: number(block, FIELD.mtime, "the mtime", what),
    userName: hasNames ? textLike(block, FIELD.userName, before?.userName) : NO_NAME,
    groupName: hasNames ? textLike(block, FIELD.groupName, before?.groupName) : NO_NAME,
    device: hasNames
      ? { major: number(block, FIELD.major, "the major", what), minor: number(block, FIELD.minor, "the minor", what) }
      : NO_DEVICE,
  };
}

const NO_NAME = "" as ByteString;
const NO_DEVICE = { major: 0, minor: 0 };

function text(block: Uint8Array, { from, to }: Range): ByteString {
  return textField(block, from, to);
}

/** The text of a field; `known` when it is that, which is cheaper than to make it again. */
function textLike(block: Uint8Array, { from, to }: Range, known = NO_NAME): ByteString {
  const end = from + known.length;
  const isThat = hasAt(block, from, known) && (end === to || block[end] === 0);
  return isThat ? known : textField(block, from, to);
}

function number(block: Uint8Array, { from, to }: Range, name: string, what: Subject): number {
  return numberField(block, from, to, name, what);
}

function formatOf(block: Uint8Array): TarHeader["format"] {
  if (hasAt(block, MAGIC_AT, "ustar  \0")) return "gnu";
  if (!hasAt(block, MAGIC_AT, "ustar")) return "v7";
  return hasAt(block, STAR_MAGIC_AT, "tar\0") ? "star" : "ustar";
}

function hasAt(block: Uint8Array, at: number, magic: string): boolean {
  for (let index = 0; index < magic.length; index++) if (block[at + index] !== magic.charCodeAt(index)) return false;
  return true;
}

/** Whether a block can be the first of a tar: its checksum is right. */
export function isTarHeader(block: Uint8Array): boolean {
  if (block.length < TAR_BLOCK || isZero(block)) return false;
  try {
    const header = block.subarray(0, TAR_BLOCK);
    return hasChecksum(header, tarChecksum(header), "a header");
  } catch {
    return false;
  }
}

/** What a member's header says when it is written. */
export interface NewHeader {
  readonly type: string;
  readonly name: ByteString;
  readonly prefix: ByteString;
  readonly linkName: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly userName: ByteString;
  readonly groupName: ByteString;
  readonly device: { readonly major: number; readonly minor: number } | undefined;
}

/** The most that a field of octal digits and a NUL holds. */
export function octalLimit(field: "mode" | "uid" | "gid" | "size" | "mtime" | "major"): number {
  const { from, to } = FIELD[field];
  return 8 ** (to - from - 1) - 1;
}

/** The most bytes of a field of text. */
export function textLimit(field: "name" | "prefix" | "linkName" | "userName" | "groupName"): number {
  const { from, to } = FIELD[field];
  return to - from - (field === "userName" || field === "groupName" ? 1 : 0);
}

/** A POSIX ustar header; everything must fit its field. */
export function encodeTarHeader(header: NewHeader): Uint8Array {
  const block = new Uint8Array(TAR_BLOCK);
  const text = (field: Field, value: string) => {
    const { from } = FIELD[field];
    for (let at = 0; at < value.length; at++) block[from + at] = value.charCodeAt(at);
  };
  const number = (field: Field, value: number) => {
    const { from, to } = FIELD[field];
    text(field, value.toString(8).padStart(to - from - 1, "0"));
  };
  text("name", header.name);
  text("prefix", header.prefix);
  text("linkName", header.linkName);
  text("userName", header.userName);
  text("groupName", header.groupName);
  number("mode", header.mode);
  number("uid", header.uid);
  number("gid", header.gid);
  number("size", header.size);
  number("mtime", header.mtime);
  const { device } = header;
  number("major", device?.major ?? 0);
  number("minor", device?.minor ?? 0);
  block[TYPE_AT] = header.type.charCodeAt(0);
  for (const [at, character] of [..."ustar\x0000"].entries()) block[MAGIC_AT + at] = character.charCodeAt(0);
  putTarChecksum(block);
  return block;
}
