// A file, block device or standard input that is being packed: a ContentInput over a file descriptor.
//
// Files and block devices are read synchronously, straight into the caller's memory, with explicit positions. Pipes are
// read on the thread pool, so that a writer that takes its time does not keep signals from being handled.

import { type BigIntStats, closeSync, constants, fstatSync, openSync, read, readSync } from "node:fs";
import { HexzError } from "../core/errors.ts";
import type { ContentInput } from "../core/write/content-input.ts";
import { blockDeviceSize } from "./device-size.ts";
import { fromSystemError, shownPath, systemCode } from "./errors.ts";
import { type Libc, libc } from "./libc.ts";
import { withReachable } from "./long-path.ts";
import { beforeRetry } from "./wait.ts";

/** What tells whether a file is still the one that was seen before. */
export interface FileFacts {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  /** Bytes. */
  readonly size: bigint;
}

export interface InputOptions {
  /** What the walk saw: the file must still be that. Symlinks are not followed then. */
  expected?: FileFacts;
  /** With `expected`: the walk followed symlinks. */
  dereference?: boolean;
}

/** A shorter hole between data is read: that is cheaper than a call for each side of it. */
const SMALL_HOLE = 64 * 1024;
const FAR_ENOUGH = 8 * 1024 * 1024;

/**
 * Opens what is to be packed. Standard input is 0.
 * @throws HexzError `not_found`, `permission`, `wrong_type`, `changed` when it is not what the walk saw
 */
export function openInput(path: string | Buffer | number, options: InputOptions = {}): ContentInput {
  if (typeof path === "number") return openDescriptor(path);
  const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants;
  const stay = options.expected !== undefined && options.dereference !== true;
  let fd: number;
  try {
    // O_NONBLOCK: what was a file may be a FIFO by now, and opening that would wait for a writer
    const flags = O_RDONLY | O_NONBLOCK | (stay ? O_NOFOLLOW : 0);
    fd = withReachable(Buffer.from(path), (reachable) => openSync(reachable, flags));
  } catch (error) {
    if (stay && systemCode(error) === "ELOOP") throw changedError(shownPath(path), "it is a symlink now");
    throw fromSystemError(error, "open", path);
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (options.expected !== undefined) {
      const difference = differenceOf(stat, options.expected);
      if (difference !== undefined) throw changedError(shownPath(path), difference);
    }
    if (stat.isFile()) return inputOf(fd, path, Number(stat.size), stat);
    if (stat.isBlockDevice()) {
      const size = blockDeviceSize(fd, stat.rdev);
      if (size === undefined)
        throw new HexzError("unsupported", `the size of the block device ${shownPath(path)} is not known`);
      return inputOf(fd, path, size, undefined);
    }
    if (stat.isDirectory()) {
      throw new HexzError("wrong_type", `${shownPath(path)} is a directory`, { data: { path: shownPath(path) } });
    }
  } catch (error) {
    closeSync(fd);
    throw fromSystemError(error, "open", path);
  }
  closeSync(fd);
  if (options.expected !== undefined) throw changedError(shownPath(path), "it is not a file any more");
  try {
    // a FIFO or character device that the user named: wait for its writer as `cat` does
    return streamOf(openSync(path, O_RDONLY), shownPath(path), true);
  } catch (error) {
    throw fromSystemError(error, "open", path);
  }
}

function openDescriptor(fd: number): ContentInput {
  const name = fd === 0 ? "standard input" : `file descriptor ${fd}`;
  let stat: BigIntStats;
  try {
    stat = fstatSync(fd, { bigint: true });
  } catch (error) {
    if (systemCode(error) === "EBADF") throw new HexzError("io", `${name} is closed`, { cause: error });
    throw fromSystemError(error, "read", name);
  }
  if (stat.isDirectory()) throw new HexzError("wrong_type", `${name} is a directory`);
  return streamOf(fd, name, false);
}

/** What is known to have its content at fixed positions. `before` is the file as it was; undefined for a device. */
function inputOf(fd: number, path: string | Buffer, size: number, before: BigIntStats | undefined): ContentInput {
  const holes = holesOf(fd, size, before);
  let open = true;
  let position = 0;
  return {
    // Made when asked for: most files are packed without a word.
    get name() {
      return shownPath(path);
    },
    size,
    seekable: true,
    sparse: holes.any,
    read(into) {
      const wanted = Math.min(into.length, size - position, holes.nextHole(position) - position);
      if (wanted === 0) return 0;
      let count: number;
      try {
        count = readSync(fd, into, 0, wanted, position);
      } catch (error) {
        throw fromSystemError(error, "read", path);
      }
      position += count;
      return count;
    },
    hole: () => holes.lengthAt(position),
    skip(length) {
      position += Math.min(length, size - position);
    },
    finish() {
      if (position < size) throw changedError(shownPath(path), `it shrank from ${size} to ${position} bytes`);
      if (before === undefined) return;
      const difference = differenceOf(fstatSync(fd, { bigint: true }), before);
      if (difference !== undefined) throw changedError(shownPath(path), difference);
    },
    close() {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

interface Holes {
  /** Whether there is a hole before the end. */
  readonly any: boolean;
  /** Bytes from `position` on that are a hole. */
  lengthAt(position: number): number;
  /** Where to stop reading: the next hole worth a call, or the end. */
  nextHole(position: number): number;
}

function holesOf(fd: number, size: number, stat: BigIntStats | undefined): Holes {
  const seek = libc()?.seek;
  // a file with all of its blocks has no holes: no call is needed to know
  if (seek === undefined || stat === undefined || stat.blocks * 512n >= stat.size) {
    return { any: false, lengthAt: () => 0, nextHole: () => size };
  }
  // the latest data that was found, and a hole before it
  let dataStart = 0;
  let dataEnd = 0;
  const firstHole = seek.hole(fd, 0);
  return {
    any: firstHole >= 0 && firstHole < size,
    lengthAt(position) {
      if (position >= size) return 0;
      if (position < dataEnd) return Math.max(0, dataStart - position);
      const data = seek.data(fd, position);
      // any error but ENXIO, "no data behind": this file system cannot tell; ENXIO is 6 on every Linux
      if (data < 0 && data !== -6) {
        dataEnd = size;
        return 0;
      }
      dataStart = data < 0 ? size : Math.min(data, size);
      dataEnd = dataStart < size ? endOfData(seek, fd, dataStart, size) : size;
      return dataStart - position;
    },
    nextHole: (position) => (dataEnd > position ? dataEnd : size),
  };
}

/** Where the data at `start` ends before a hole worth a call; looks at most FAR_ENOUGH bytes ahead. */
function endOfData(seek: NonNullable<Libc["seek"]>, fd: number, start: number, size: number): number {
  let from = start;
  for (;;) {
    const hole = seek.hole(fd, from);
    if (hole < 0 || hole >= size) return size;
    const data = seek.data(fd, hole);
    const next = data < 0 ? size : Math.min(data, size);
    if (next - hole >= SMALL_HOLE || hole - start >= FAR_ENOUGH) return hole;
    if (next === size) return size;
    from = next;
  }
}

/** What comes in order and ends when it ends. */
function streamOf(fd: number, name: string, owned: boolean): ContentInput {
  let open = true;
  const readOnce = (into: Uint8Array): Promise<number> =>
    new Promise((resolve, reject) => {
      read(fd, into, 0, into.length, null, (error, count) => (error ? reject(error) : resolve(count)));
    });
  return {
    name,
    size: undefined,
    async read(into) {
      for (let idle = 0; ; idle++) {
        try {
          return await readOnce(into);
        } catch (error) {
          if (systemCode(error) === "EOF") return 0; // Windows: the writer of the pipe is gone
          if (systemCode(error) !== "EAGAIN") throw fromSystemError(error, "read", name);
        }
        await beforeRetry(idle);
      }
    },
    finish() {},
    close() {
      if (open && owned) closeSync(fd);
      open = false;
    },
  };
}

/** How a file differs from what was seen before; undefined when it does not. */
function differenceOf(now: FileFacts, before: FileFacts): string | undefined {
  if (now.dev !== before.dev || now.ino !== before.ino) return "another file has its name now";
  if (now.size < before.size) return `it shrank from ${before.size} to ${now.size} bytes`;
  if (now.size > before.size) return `it grew from ${before.size} to ${now.size} bytes`;
  if (now.mtimeNs !== before.mtimeNs) return "it was written to";
  return undefined;
}

function changedError(name: string, how: string): HexzError {
  return new HexzError("changed", `${name} changed while it was read: ${how}`, { data: { path: name } });
}
