// The envelope as a source: the plain archive inside, segment by segment. Nothing above knows of it
// (docs/format.md, "Encryption").

import { HexzError } from "../errors.ts";
import { SEALED_LENGTH, SEGMENT_LENGTH } from "../format/envelope.ts";
import type { RangeSource } from "../source/source.ts";
import type { SegmentCipher } from "./segments.ts";

/** Opened segments that are kept: small reads come several to a segment. */
const KEPT = 32;

export interface SegmentsOf {
  readonly cipher: SegmentCipher;
  /** Where the first segment begins. */
  readonly start: number;
  readonly count: number;
}

export function createEnvelopeSource(
  file: RangeSource,
  { cipher, start: segmentsStart, count }: SegmentsOf,
): RangeSource {
  const size = count * SEGMENT_LENGTH;
  /** In the order of their last use. */
  const kept = new Map<number, Uint8Array>();

  const keep = (number: number, plain: Uint8Array): void => {
    kept.delete(number);
    kept.set(number, plain);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
  };
  const known = (number: number): Uint8Array | undefined => {
    const plain = kept.get(number);
    if (plain !== undefined) keep(number, plain);
    return plain;
  };
  const place = (number: number) => segmentsStart + number * SEALED_LENGTH;
  const damaged = (number: number) =>
    new HexzError(
      "damaged",
      `segment ${number} of ${file.name} is damaged: it is not what was sealed there (bytes ${place(number)} to ${place(number + 1)})`,
      { data: { segment: number, start: place(number), end: place(number + 1) } },
    );
  const check = (start: number, end: number): void => {
    if (start >= 0 && start <= end && end <= size) return;
    throw new HexzError("io", `cannot read bytes ${start} to ${end} of ${file.name}: it has ${size}`);
  };
  /** Numbers [first, end) of the segments of a range that are not kept: those between the kept ones at its two ends. */
  const wanted = (start: number, end: number): { first: number; end: number } => {
    let first = Math.floor(start / SEGMENT_LENGTH);
    let last = Math.ceil(end / SEGMENT_LENGTH);
    while (first < last && kept.has(first)) first++;
    while (first < last && kept.has(last - 1)) last--;
    return { first, end: last };
  };
  /** Puts what a segment has of the range into `into`. */
  const put = (number: number, plain: Uint8Array, start: number, into: Uint8Array): void => {
    const from = number * SEGMENT_LENGTH;
    const part = plain.subarray(Math.max(0, start - from), Math.min(SEGMENT_LENGTH, start + into.length - from));
    into.set(part, Math.max(0, from - start));
  };
  const putKept = (start: number, into: Uint8Array, except: { first: number; end: number }): void => {
    const end = Math.ceil((start + into.length) / SEGMENT_LENGTH);
    for (let number = Math.floor(start / SEGMENT_LENGTH); number < end; number++) {
      if (number < except.first || number >= except.end) put(number, known(number)!, start, into);
    }
  };
  const opened = (number: number, plain: Uint8Array | undefined): Uint8Array => {
    if (plain === undefined) throw damaged(number);
    return plain;
  };
  const sealedOf = (bytes: Uint8Array, at: number) => bytes.subarray(at * SEALED_LENGTH, (at + 1) * SEALED_LENGTH);
  /** Of a long run only its ends are worth keeping: the next read begins where this one ended. */
  const keepEnds = (number: number, run: { first: number; end: number }, plain: Uint8Array): void => {
    if (number === run.first || number === run.end - 1) keep(number, plain);
  };

  const { sync } = cipher;
  const readFileSync = file.readSync?.bind(file);
  const readIntoSync =
    sync && readFileSync
      ? (start: number, into: Uint8Array): void => {
          check(start, start + into.length);
          if (into.length === 0) return;
          const run = wanted(start, start + into.length);
          putKept(start, into, run);
          if (run.first === run.end) return;
          const sealed = readFileSync(place(run.first), place(run.end));
          for (let number = run.first; number < run.end; number++) {
            const plain = opened(number, sync.open(number, sealedOf(sealed, number - run.first)));
            put(number, plain, start, into);
            keepEnds(number, run, plain);
          }
        }
      : undefined;

  return {
    name: file.name,
    ...(file.path === undefined ? {} : { path: file.path }),
    size,
    ...(file.gap === undefined ? {} : { gap: file.gap }),
    async read(start, end, signal) {
      check(start, end);
      const into = new Uint8Array(end - start);
      if (end === start) return into;
      const run = wanted(start, end);
      putKept(start, into, run);
      if (run.first === run.end) return into;
      const sealed = await file.read(place(run.first), place(run.end), signal);
      const numbers = Array.from({ length: run.end - run.first }, (_, at) => run.first + at);
      await Promise.all(
        numbers.map(async (number, at) => {
          const bytes = sealedOf(sealed, at);
          const plain = opened(
            number,
            sync === undefined ? await cipher.open(number, bytes) : sync.open(number, bytes),
          );
          put(number, plain, start, into);
          keepEnds(number, run, plain);
        }),
      );
      return into;
    },
    ...(readIntoSync && {
      readIntoSync,
      readSync(start: number, end: number) {
        check(start, end);
        const into = new Uint8Array(end - start);
        readIntoSync(start, into);
        return into;
      },
    }),
    close: () => file.close?.(),
  };
}
