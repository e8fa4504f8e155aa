// A damaged file as a source that can be read everywhere: what cannot be read, or was cut off in front, is zeros. Nothing
// is taken from it without a digest or a checksum, so zeros are found out.

import { HexzError } from "../errors.ts";
import type { RangeSource } from "../source/source.ts";

/** What is read again by itself after a failure; disks fail by sectors. */
const SECTOR = 4096;

/** @param missing bytes that the file has lost at its beginning */
export function createSalvageSource(source: RangeSource, missing: number): RangeSource {
  const isThere = (start: number, end: number) => start >= missing && end <= source.size + missing;

  /** The parts of a stretch that failed as a whole: sectors of what is there. */
  function* sectors(start: number, end: number): Generator<[number, number]> {
    const last = Math.min(end, source.size + missing);
    for (let at = Math.max(start, missing); at < last; ) {
      const next = Math.min(last, (Math.floor(at / SECTOR) + 1) * SECTOR);
      yield [at, next];
      at = next;
    }
  }

  async function read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    const readPart = (from: number, to: number) => source.read(from - missing, to - missing, signal);
    if (isThere(start, end)) {
      const bytes = await unlessLost(() => readPart(start, end));
      if (bytes !== undefined) return bytes;
    }
    const bytes = new Uint8Array(end - start);
    for (const [from, to] of sectors(start, end)) {
      const part = await unlessLost(() => readPart(from, to));
      if (part !== undefined) bytes.set(part, from - start);
    }
    return bytes;
  }

  const { readIntoSync } = source;
  function readInto(start: number, into: Uint8Array): void {
    const end = start + into.length;
    const readPart = (from: number, to: number): boolean => {
      try {
        readIntoSync!.call(source, from - missing, into.subarray(from - start, to - start));
        return true;
      } catch (error) {
        if (!isLost(error)) throw error;
        return false;
      }
    };
    if (isThere(start, end) && readPart(start, end)) return;
    into.fill(0);
    for (const [from, to] of sectors(start, end)) {
      if (!readPart(from, to)) into.fill(0, from - start, to - start);
    }
  }

  return {
    name: source.name,
    ...(source.path === undefined ? {} : { path: source.path }),
    ...(source.gap === undefined ? {} : { gap: source.gap }),
    size: source.size + missing,
    read,
    ...(readIntoSync && { readIntoSync: readInto }),
    close: () => source.close?.(),
  };
}

async function unlessLost(read: () => Promise<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isLost(error)) throw error;
    return undefined;
  }
}

function isLost(error: unknown): boolean {
  return error instanceof HexzError && (error.code === "io" || error.code === "damaged");
}

/** Two stretches of bytes as one: a file, and behind it what is in memory. */
export function joinSources(front: RangeSource, behind: Uint8Array): RangeSource {
  const held = (start: number, end: number) =>
    start >= front.size ? behind.subarray(start - front.size, end - front.size) : undefined;
  const { readIntoSync } = front;
  return {
    name: front.name,
    ...(front.path === undefined ? {} : { path: front.path }),
    ...(front.gap === undefined ? {} : { gap: front.gap }),
    size: front.size + behind.length,
    async read(start, end, signal) {
      const bytes = held(start, end);
      if (bytes !== undefined) return bytes;
      if (end <= front.size) return front.read(start, end, signal);
      const joined = new Uint8Array(end - start);
      joined.set(await front.read(start, front.size, signal));
      joined.set(behind.subarray(0, end - front.size), front.size - start);
      return joined;
    },
    ...(readIntoSync && {
      // Blocks do not reach from one into the other.
      readIntoSync: (start: number, into: Uint8Array) => {
        const bytes = held(start, start + into.length);
        if (bytes === undefined) readIntoSync.call(front, start, into);
        else into.set(bytes);
      },
    }),
    close: () => front.close?.(),
  };
}
