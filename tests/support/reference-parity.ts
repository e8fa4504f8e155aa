// The reference decoder: parity sections (docs/format.md, "Parity"), recomputed and compared.

import { Cursor, concat, equal, hash, rule } from "./reference-bytes.ts";
import { END_MARK_LENGTH, type EndMark, KIND, type Page, readPageAt } from "./reference-pages.ts";

const SECTOR = 4096;

/** Multiplication in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1. */
export function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = a;
  for (let bit = 0; bit < 8; bit++) {
    if ((b >> bit) & 1) product ^= shifted;
    shifted = shifted & 0x80 ? (shifted << 1) ^ 0x11d : shifted << 1;
  }
  return product;
}

export function inverse(a: number): number {
  for (let b = 1; b < 256; b++) if (multiply(a, b) === 1) return b;
  throw new Error("zero has no inverse");
}

/** Checks the section whose header page is given; returns its length, without the end mark behind it. */
export function checkParity(file: Uint8Array, header: Page, root: Page, markBefore: EndMark): number {
  const what = `the parity section at ${header.offset}`;
  const cursor = new Cursor(header.payload, what);
  const [covered, k, m, rootLength] = [cursor.u64(), cursor.u32(), cursor.u32(), cursor.u32()];
  const digest = cursor.take(32);
  cursor.end();
  rule(covered === header.offset, `${what} covers ${covered} bytes`);
  rule(k >= 1 && k <= 223 && m >= 1 && m <= 32, `${what} has ${k} data and ${m} parity sectors a stripe`);
  rule(rootLength === root.body.length, `${what} has a root copy of ${rootLength} bytes`);
  const sectors = Math.ceil(covered / SECTOR);
  const stripes = Math.ceil(sectors / k);
  let at = header.end;
  const take = (length: number): Uint8Array => {
    at += length;
    rule(at <= file.length, `${what} is not wholly in the file`);
    return file.subarray(at - length, at);
  };
  const data = (s: number): Uint8Array => {
    const sector = new Uint8Array(SECTOR);
    sector.set(file.subarray(s * SECTOR, Math.min((s + 1) * SECTOR, covered)));
    return sector;
  };
  const checksums: Uint8Array[] = [];
  for (let s = 0; s < sectors; s++) checksums.push(hash(data(s)).subarray(0, 8));
  for (let stripe = 0; stripe < stripes; stripe++) {
    for (let j = 0; j < m; j++) {
      const sum = new Uint8Array(SECTOR);
      for (let i = 0; i * stripes + stripe < sectors; i++) {
        const factor = inverse((255 - j) ^ i);
        const table = Uint8Array.from({ length: 256 }, (_, byte) => multiply(factor, byte));
        for (const [b, byte] of data(i * stripes + stripe).entries()) sum[b]! ^= table[byte]!;
      }
      rule(equal(sum, take(SECTOR)), `${what}: parity sector ${j} of stripe ${stripe} is wrong`);
      checksums.push(hash(sum).subarray(0, 8));
    }
  }
  const all = concat(...checksums);
  rule(equal(all, take(all.length)), `${what}: the checksums are wrong`);
  rule(equal(hash(all), digest), `${what}: the digest of the checksums is wrong`);
  rule(equal(root.body, take(rootLength)), `${what}: the copy of the root is wrong`);
  const mark = file.subarray(markBefore.offset, markBefore.offset + END_MARK_LENGTH);
  rule(equal(mark, take(END_MARK_LENGTH)), `${what}: the copy of the end mark is wrong`);
  const again = readPageAt(file, at);
  rule(again.kind === KIND.parity && equal(again.digest, header.digest), `${what}: the second header differs`);
  return again.end - header.offset;
}
