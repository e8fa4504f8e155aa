// Reading without saying whether it waits: a step that needs bytes yields what it needs and is given them. Run with
// `runAsync` it works on every source, with `runSync` on those that can, in the same words.

import { HexzError } from "../errors.ts";
import type { RangeSource } from "../source/source.ts";

export interface ReadRequest {
  readonly source: RangeSource;
  readonly start: number;
  readonly end: number;
  /** Memory that the bytes may be read into, of that length; without waiting only, so that nobody else gets between. */
  readonly into?: Uint8Array;
}

/** Yields requests, is given their bytes in the same order, returns a result. */
export type Io<T> = Generator<readonly ReadRequest[], T, Uint8Array[]>;

/**
 * Waits for something that is not reading: to those who run this, it is a source that can only be waited for.
 * @param name for the message of `runSync`
 */
export function* waitIo<T>(name: string, run: () => Promise<T>): Io<T> {
  let result: { value: T } | undefined;
  const read = async () => {
    result = { value: await run() };
    return new Uint8Array(0);
  };
  yield [{ source: { name, size: 0, read }, start: 0, end: 0 }];
  return result!.value;
}

export async function runAsync<T>(io: Io<T>, signal?: AbortSignal): Promise<T> {
  let step = io.next();
  while (!step.done) {
    const requests = step.value;
    const pending = requests.map(({ source, start, end }) => source.read(start, end, signal));
    step = io.next(await Promise.all(pending));
  }
  return step.value;
}

/**
 * Waits only for sources that cannot be read without: for many small reads in a row, where waiting takes longer than
 * reading.
 */
export async function runAtOnce<T>(io: Io<T>, signal?: AbortSignal): Promise<T> {
  let step = io.next();
  while (!step.done) {
    const mustWait = step.value.some(({ source }) => source.readSync === undefined);
    step = io.next(
      mustWait
        ? await Promise.all(step.value.map(({ source, start, end }) => source.read(start, end, signal)))
        : step.value.map(readNow),
    );
  }
  return step.value;
}

/** @throws HexzError `usage` when a source cannot be read without waiting */
export function runSync<T>(io: Io<T>): T {
  let step = io.next();
  while (!step.done) step = io.next(step.value.map(readNow));
  return step.value;
}

function readNow({ source, start, end, into }: ReadRequest): Uint8Array {
  if (source.readSync === undefined) throw new HexzError("usage", `${source.name} cannot be read synchronously`);
  if (into === undefined || source.readIntoSync === undefined) return source.readSync(start, end);
  source.readIntoSync(start, into);
  return into;
}
