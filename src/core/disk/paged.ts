// Small reads of a disk, by pages that are kept for a while; and numbers out of what was read.

import { HexzError } from "../errors.ts";
import type { RangeSource } from "../source/source.ts";

const PAGE = 64 * 1024;
const MOST_PAGES = 256;

/** Little endian fields of a structure. */
export class Fields {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  u8(at: number): number {
    return this.#view.getUint8(at);
  }

  u16(at: number): number {
    return this.#view.getUint16(at, true);
  }

  u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  /** As near as a number can be: what is too large for one is no place on a disk either. */
  u64(at: number): number {
    return this.u32(at) + this.u32(at + 4) * 2 ** 32;
  }

  part(start: number, end: number): Fields {
    return new Fields(this.bytes.subarray(start, end));
  }

  /** One character a byte, up to the first zero. */
  text(start: number, end: number): string {
    const bytes = this.bytes.subarray(start, end);
    const zero = bytes.indexOf(0);
    return String.fromCharCode(...(zero < 0 ? bytes : bytes.subarray(0, zero)));
  }
}

/** A part of a disk: positions count from its beginning. */
export interface DiskPart {
  /** In bytes. */
  readonly size: number;
  /** Where it begins on the disk. */
  readonly start: number;
  /** @throws HexzError `invalid` when [at, at + length) is not all in the part */
  read(at: number, length: number): Promise<Fields>;
}

/** Reads a disk by pages. */
export class PagedDisk {
  readonly #source: Pick<RangeSource, "size" | "read">;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(source: Pick<RangeSource, "size" | "read">) {
    this.#source = source;
  }

  get size(): number {
    return this.#source.size;
  }

  part(start: number, end: number): DiskPart {
    const size = Math.min(end, this.size) - start;
    return {
      start,
      size,
      read: (at, length) => {
        if (at >= 0 && at + length <= size) return this.#read(start + at, length);
        throw new HexzError("invalid", `${length} bytes are expected at ${at}, behind the end at ${size}`);
      },
    };
  }

  async #read(at: number, length: number): Promise<Fields> {
    const first = Math.floor(at / PAGE);
    const last = Math.floor((at + length - 1) / PAGE);
    if (last === first || length === 0) {
      const page = await this.#page(first);
      return new Fields(page.subarray(at - first * PAGE, at - first * PAGE + length));
    }
    const bytes = new Uint8Array(length);
    for (let number = first; number <= last; number++) {
      const page = await this.#page(number);
      const from = Math.max(at, number * PAGE);
      bytes.set(page.subarray(from - number * PAGE, Math.min(page.length, at + length - number * PAGE)), from - at);
    }
    return new Fields(bytes);
  }

  async #page(number: number): Promise<Uint8Array> {
    const known = this.#pages.get(number);
    if (known !== undefined) {
      this.#pages.delete(number);
      this.#pages.set(number, known);
      return known;
    }
    const page = await this.#source.read(number * PAGE, Math.min((number + 1) * PAGE, this.size));
    this.#pages.set(number, page);
    if (this.#pages.size > MOST_PAGES) this.#pages.delete(this.#pages.keys().next().value!);
    return page;
  }
}

/** A set of numbers, one bit each, in pieces where there are any. */
export class NumberSet {
  readonly #pieces = new Map<number, Uint8Array>();

  /** Adds a number; false when it was there. */
  add(number: number): boolean {
    const key = Math.floor(number / 32_768);
    let piece = this.#pieces.get(key);
    if (piece === undefined) {
      piece = new Uint8Array(4096);
      this.#pieces.set(key, piece);
    }
    const at = Math.floor((number % 32_768) / 8);
    const bit = 1 << (number % 8);
    if ((piece[at]! & bit) !== 0) return false;
    piece[at]! |= bit;
    return true;
  }
}
