// The reference decoder: numbers, hashes and errors (docs/format.md, "Conventions", "Limits" and "Errors").
// Slow and plain on purpose. Nothing in tests/support/reference*.ts imports from src.

import { blake3 } from "@noble/hashes/blake3.js";

export type Code =
  | "truncated"
  | "not_an_archive"
  | "version_unknown"
  | "feature_unknown"
  | "damaged"
  | "invalid"
  | "limit_exceeded"
  | "password_missing"
  | "parent_missing";

export function fail(code: Code, text: string): never {
  throw new Error(`${code}: ${text}`);
}

/** The usual case of `fail`: a rule of the text, and what must hold. */
export function rule(holds: boolean, text: string): asserts holds {
  if (!holds) fail("invalid", text);
}

export function limit(value: number, most: number, what: string): void {
  if (value > most) fail("limit_exceeded", `${what} is ${value}, the limit is ${most}`);
}

export const hash = (...parts: Uint8Array[]): Uint8Array => blake3(concatAll(parts));

export const concat = (...parts: Uint8Array[]): Uint8Array => concatAll(parts);

/** For lists that are too long to be arguments. */
export function concatAll(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Bytewise order; a prefix comes first. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}

export const equal = (a: Uint8Array, b: Uint8Array): boolean => compare(a, b) === 0;

export const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

export const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** Strict UTF-8; a byte order mark is a character like others. */
export function utf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail("invalid", `${what} is not UTF-8`);
  }
}

export function jsonObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(utf8(bytes, what));
  } catch {
    fail("invalid", `${what} is not JSON`);
  }
  rule(typeof value === "object" && value !== null && !Array.isArray(value), `${what} is not a JSON object`);
  return value as Record<string, unknown>;
}

export function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

/** Of files, addresses and sizes. */
export const MOST_BYTES = 2 ** 52 - 1;

const MOST = BigInt(Number.MAX_SAFE_INTEGER);

/** Reads one field after the other; `what` names the record in errors. */
export class Cursor {
  readonly bytes: Uint8Array;
  readonly what: string;
  at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.what = what;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  take(length: number): Uint8Array {
    rule(length <= this.left, `${this.what} ends inside a field: ${length} bytes wanted, ${this.left} left`);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  integer(length: number): bigint {
    return this.take(length).reduceRight((value, byte) => value * 256n + BigInt(byte), 0n);
  }

  small(value: bigint): number {
    if (value > MOST) fail("limit_exceeded", `${this.what} holds the number ${value}, the limit is 2^53 - 1`);
    return Number(value);
  }

  u8 = (): number => Number(this.integer(1));
  u16 = (): number => Number(this.integer(2));
  u32 = (): number => Number(this.integer(4));
  u64 = (): number => this.small(this.integer(8));

  varint(): number {
    let value = 0n;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) {
        rule(byte !== 0 || i === 0, `${this.what} has a varint that is longer than it need be`);
        return this.small(value);
      }
    }
    return fail("invalid", `${this.what} has a varint of more than 8 bytes`);
  }

  svarint(): number {
    const value = this.varint();
    const n = value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    rule(Math.abs(n) < 2 ** 52, `${this.what} has an svarint that is out of range`);
    return n;
  }

  sized(): Uint8Array {
    return this.take(this.varint());
  }

  zero(length: number): void {
    rule(isZero(this.take(length)), `${this.what} has bytes that must be zero and are not`);
  }

  /** Every record ends where its fields do. */
  end(): void {
    rule(this.left === 0, `${this.what} has ${this.left} bytes too many`);
  }
}
