// A local file or block device as a RangeSource.

import { closeSync, constants, fstatSync, openSync, read, readSync } from "node:fs";
import { HexzError } from "../core/errors.ts";
import type { RangeSource } from "../core/source/source.ts";
import { blockDeviceSize } from "./device-size.ts";
import { fromSystemError, shownPath } from "./errors.ts";

/** A file source always reads without waiting too, and closes at once. */
export interface FileSource extends RangeSource {
  readSync(start: number, end: number): Uint8Array;
  close(): void;
  readonly path: string;
}

/** One call of the system reads less than 2 GiB. */
const LARGEST_READ = 1 << 30;

/** @throws HexzError `not_found`, `permission`, `wrong_type` for what is neither a file nor a block device */
export function openFileSource(path: string | Buffer): FileSource {
  const name = shownPath(path);
  let fd: number;
  try {
    // without O_NONBLOCK, opening a FIFO would wait for a writer
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw fromSystemError(error, "open", path);
  }
  let size: number;
  try {
    size = sizeOf(fd, path);
  } catch (error) {
    closeSync(fd);
    throw fromSystemError(error, "open", path);
  }
  const check = (start: number, end: number): void => {
    if (fd < 0) throw new HexzError("io", `${name} is closed`);
    if (start < 0 || end < start || end > size) throw shortRead(name, start, end, Math.max(0, size - start));
  };
  const fill = (into: Uint8Array, start: number): void => {
    for (let at = 0; at < into.length; ) {
      let count: number;
      try {
        count = readSync(fd, into, at, Math.min(into.length - at, LARGEST_READ), start + at);
      } catch (error) {
        throw fromSystemError(error, "read", path);
      }
      if (count === 0) throw shortRead(name, start, start + into.length, at);
      at += count;
    }
  };
  return {
    name,
    path: path.toString(),
    size,
    async read(start, end, signal) {
      check(start, end);
      const bytes = new Uint8Array(end - start);
      for (let at = 0; at < bytes.length; ) {
        if (signal?.aborted) throw new HexzError("interrupted", `reading ${name} was cancelled`);
        // closed while a part was read: the number may be another file's by now
        if (fd < 0) throw new HexzError("io", `${name} is closed`);
        const count = await readPart(fd, bytes, at, start + at).catch((error: unknown) => {
          throw fromSystemError(error, "read", path);
        });
        if (count === 0) throw shortRead(name, start, end, at);
        at += count;
      }
      return bytes;
    },
    readSync(start, end) {
      check(start, end);
      const bytes = new Uint8Array(end - start);
      fill(bytes, start);
      return bytes;
    },
    readIntoSync(start, into) {
      check(start, start + into.length);
      fill(into, start);
    },
    close() {
      if (fd >= 0) closeSync(fd);
      fd = -1;
    },
  };
}

function sizeOf(fd: number, path: string | Buffer): number {
  const stat = fstatSync(fd, { bigint: true });
  if (stat.isFile()) return Number(stat.size);
  const name = shownPath(path);
  if (stat.isBlockDevice()) {
    const size = blockDeviceSize(fd, stat.rdev);
    if (size !== undefined) return size;
    throw new HexzError("unsupported", `the size of the block device ${name} cannot be found on this machine`);
  }
  const found = stat.isDirectory() ? "a directory" : "neither a file nor a block device";
  throw new HexzError("wrong_type", `${name} is ${found}`, { data: { path: name } });
}

function readPart(fd: number, bytes: Uint8Array, at: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const length = Math.min(bytes.length - at, LARGEST_READ);
    read(fd, bytes, at, length, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

function shortRead(name: string, start: number, end: number, found: number): HexzError {
  const expected = end - start;
  return new HexzError("io", `short read of ${name} at ${start}: expected ${expected} bytes, found ${found}`, {
    data: { path: name, start, expected, found },
  });
}
