// Integers and byte strings, both directions (docs/format.md, "Conventions"). Every number becomes a safe integer here,
// once; nothing above sees a bigint.

import { HexzError } from "./errors.ts";
import { type ByteString, byteStringOf } from "./format/path.ts";

const MAX_SAFE = Number.MAX_SAFE_INTEGER;
const TWO_31 = 0x8000_0000;
const TWO_32 = 0x1_0000_0000;

/** Bytes that `ByteWriter.varint` takes. */
export function varintLength(value: number): number {
  let length = 1;
  for (let limit = 128; value >= limit; limit *= 128) length++;
  return length;
}

/** A signed number as the one that its varint holds. */
const zigzag = (value: number): number => (value >= 0 ? value * 2 : -value * 2 - 1);

export const svarintLength = (value: number): number => varintLength(zigzag(value));

/** Appends to a buffer that grows. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Makes room for so many bytes more. */
  #grow(more: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + more));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  u8(value: number): this {
    if (this.length + 1 > this.#bytes.length) this.#grow(1);
    this.#bytes[this.length++] = value;
    return this;
  }

  u16(value: number): this {
    if (this.length + 2 > this.#bytes.length) this.#grow(2);
    this.#view.setUint16(this.length, value, true);
    this.length += 2;
    return this;
  }

  u32(value: number): this {
    if (this.length + 4 > this.#bytes.length) this.#grow(4);
    this.#view.setUint32(this.length, value, true);
    this.length += 4;
    return this;
  }

  u64(value: number): this {
    return value < TWO_32 ? this.u32(value).u32(0) : this.u32(value % TWO_32).u32(Math.floor(value / TWO_32));
  }

  varint(value: number): this {
    if (this.length + 8 > this.#bytes.length) this.#grow(8);
    const bytes = this.#bytes;
    let at = this.length;
    let rest = value;
    for (; rest >= TWO_31; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128;
    for (; rest >= 128; rest >>= 7) bytes[at++] = (rest & 127) | 128;
    bytes[at++] = rest;
    this.length = at;
    return this;
  }

  svarint(value: number): this {
    return this.varint(zigzag(value));
  }

  /** The bytes alone, without a length. */
  raw(bytes: Uint8Array): this {
    if (this.length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  /** The bytes at [from, to), which are few. */
  part(bytes: Uint8Array, from: number, to: number): this {
    if (this.length + to - from > this.#bytes.length) this.#grow(to - from);
    for (let at = from; at < to; at++) this.#bytes[this.length++] = bytes[at]!;
    return this;
  }

  /** A varint length and the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  /** A name's bytes without a length. */
  rawName(name: ByteString): this {
    if (this.length + name.length > this.#bytes.length) this.#grow(name.length);
    for (let at = 0; at < name.length; at++) this.#bytes[this.length + at] = name.charCodeAt(at);
    this.length += name.length;
    return this;
  }

  /** A varint length and a name's bytes. */
  name(name: ByteString): this {
    return this.varint(name.length).rawName(name);
  }

  zeros(count: number): this {
    if (this.length + count > this.#bytes.length) this.#grow(count);
    this.#bytes.fill(0, this.length, this.length + count);
    this.length += count;
    return this;
  }

  /** What was written, or a part of it, as a view that the next write may change. */
  view(from = 0, to = this.length): Uint8Array {
    return this.#bytes.subarray(from, to);
  }

  /** What was written, as a copy. */
  take(): Uint8Array {
    return this.view().slice();
  }

  clear(): void {
    this.length = 0;
  }
}

/** Reads fields in order; every broken rule is an error that names what was read and where. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #end: number;
  at = 0;

  /** @param what what the bytes are, for messages: "the root at 1234" */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
    this.#end = bytes.length;
  }

  /** From here on there are only so many bytes, until `leave`. @returns what `leave` is to be told */
  enter(length: number): number {
    const outer = this.#end;
    if (length > this.left) throw this.fail(`${length} bytes expected, ${this.left} are left`);
    this.#end = this.at + length;
    return outer;
  }

  leave(outer: number): void {
    this.#end = outer;
  }

  /** An `invalid` error at the current place. */
  fail(message: string): HexzError {
    return new HexzError("invalid", `${this.#what} is invalid at its byte ${this.at}: ${message}`, {
      data: { at: this.at },
    });
  }

  #tooLarge(): HexzError {
    return new HexzError("limit_exceeded", `${this.#what} has a number over 2^53 - 1 before its byte ${this.at}`);
  }

  get left(): number {
    return this.#end - this.at;
  }

  #take(length: number): number {
    if (length > this.left) throw this.fail(`${length} bytes expected, ${this.left} are left`);
    const at = this.at;
    this.at += length;
    return at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u16(): number {
    const at = this.#take(2);
    return this.#bytes[at]! | (this.#bytes[at + 1]! << 8);
  }

  u32(): number {
    const at = this.#take(4);
    const bytes = this.#bytes;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  u64(): number {
    const low = this.u32();
    const value = this.u32() * TWO_32 + low;
    if (value > MAX_SAFE) throw this.#tooLarge();
    return value;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (byte === 0 && count > 0) throw this.fail("a varint has a superfluous byte");
        if (value > MAX_SAFE) throw this.#tooLarge();
        return value;
      }
      scale *= 128;
    }
    throw this.fail("a varint has more than 8 bytes");
  }

  svarint(): number {
    const value = this.varint();
    if (value === MAX_SAFE) throw this.fail("a signed number is -2^52");
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  bytes(): Uint8Array {
    return this.raw(this.varint());
  }

  name(): ByteString {
    return this.rawName(this.varint());
  }

  rawName(length: number): ByteString {
    return byteStringOf(this.raw(length));
  }

  zeros(count: number): void {
    if (this.raw(count).some((byte) => byte !== 0)) throw this.fail("bytes that must be zero are not");
  }

  end(): void {
    if (this.left !== 0) throw this.fail(`${this.left} bytes follow that nothing explains`);
  }
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));

export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}
