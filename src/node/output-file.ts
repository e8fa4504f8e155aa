// One file that is being extracted: under a temporary name until it is complete, with holes where it is to be sparse.

import { closeSync, constants, fstatSync, ftruncateSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { HexzError } from "../core/errors.ts";
import type { Entry } from "../core/format/entry.ts";
import { displayName } from "../core/format/path.ts";
import type { Directory } from "./directory-chain.ts";
import { fromSystemError, systemCode, systemError } from "./errors.ts";
import { libc } from "./libc.ts";
import { renameNewIn } from "./publish.ts";

/** Takes the content of one file, in any order. */
export interface FileOutput {
  /** Writes at `position`, in bytes from the start of the file. @throws HexzError `no_space`, `io` */
  write(bytes: Uint8Array, position: number): void;
  /** The same for `length` zero bytes: a hole unless sparse files are not wanted. */
  writeZeros(length: number, position: number): void;
  /**
   * Sets the metadata and gives the file its name.
   * @throws HexzError `collision` when the name is taken, `io` when content is missing; the temporary is gone then
   */
  finish(): void;
  /** Removes the temporary; nothing after `finish`. */
  abort(): void;
}

export interface OutputOptions {
  readonly directory: Directory;
  readonly temporaryName: string;
  /** The last component of the entry's path. */
  readonly name: string;
  readonly entry: Entry;
  /** Whether zeros may become holes. */
  readonly sparse: boolean;
  /** Whether it may replace what is not a directory. */
  readonly force: boolean;
  /** Sets the metadata of the complete file, which belongs to `owner` so far. */
  restore(fd: number, owner: { readonly uid: number; readonly gid: number }): void;
  /** Called once, after `finish` or `abort`. */
  onClosed(output: FileOutput): void;
}

/** File systems keep holes in units of this many bytes, or of a divisor of it. */
const PAGE = 4096;
/** What the system says where a name is taken; the second one by a directory, when replacing. */
const TAKEN = new Set(["EEXIST", "EISDIR"]);
const ZEROS = Buffer.alloc(64 * 1024);

/** The parts of `bytes` that are more than zeros, page by page of the file that they go to at `position`. */
export function* dataRuns(bytes: Uint8Array, position: number): Generator<{ start: number; end: number }> {
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + PAGE - ((position + at) % PAGE));
    if (bytes[at] === 0 && ZEROS.compare(bytes, at, end, 0, end - at) === 0) {
      if (at > from) yield { start: from, end: at };
      from = end;
    }
    at = end;
  }
  if (bytes.length > from) yield { start: from, end: bytes.length };
}

export function createOutput(options: OutputOptions): FileOutput {
  const { directory, entry } = options;
  const temporary = directory.child(options.temporaryName);
  const shown = Buffer.from(entry.path, "latin1");
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants;
  let fd: number;
  try {
    // nobody else reads it before it has its own mode
    const mode = entry.mode === undefined ? 0o666 : 0o600;
    fd = createIn(directory, options.temporaryName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  } catch (error) {
    throw fromSystemError(error, "create", shown);
  }
  directory.retain();
  /** The end of what was really written, and of what was given, holes included. */
  let written = 0;
  let length = 0;
  let open = true;

  const writeAll = (bytes: Uint8Array, start: number, end: number, position: number): void => {
    for (let at = start; at < end; ) at += writeSync(fd, bytes, at, end - at, position + at - start);
    written = Math.max(written, position + end - start);
  };
  const guarded = (run: () => void): void => {
    if (!open) throw new HexzError("io", `${displayName(entry.path)} is finished: nothing can be written to it`);
    try {
      run();
    } catch (error) {
      throw fromSystemError(error, "write to", shown);
    }
  };
  const end = (remove: boolean): void => {
    if (!open) return;
    open = false;
    closeSync(fd);
    if (remove) removeQuietly(temporary);
    directory.release();
    options.onClosed(output);
  };

  const output: FileOutput = {
    write(bytes, position) {
      guarded(() => {
        // only what had holes is searched for them
        if (options.sparse && entry.sparse === true) {
          for (const { start, end } of dataRuns(bytes, position)) writeAll(bytes, start, end, position + start);
        } else writeAll(bytes, 0, bytes.length, position);
      });
      length = Math.max(length, position + bytes.length);
    },
    writeZeros(count, position) {
      guarded(() => {
        for (let at = 0; at < count && !options.sparse; at += ZEROS.length) {
          writeAll(ZEROS, 0, Math.min(ZEROS.length, count - at), position + at);
        }
      });
      length = Math.max(length, position + count);
    },
    finish() {
      try {
        guarded(() => {
          if (entry.size !== undefined && entry.size !== length) throw lengthError(entry, length);
          if (length > written) ftruncateSync(fd, length);
          directory.ownerOfNew ??= ownerOf(fd);
          options.restore(fd, directory.ownerOfNew);
          try {
            if (options.force) renameSync(temporary, directory.child(options.name));
            else renameNewIn(directory, options.temporaryName, options.name);
          } catch (error) {
            throw TAKEN.has(systemCode(error)) ? collision(entry) : error;
          }
        });
      } catch (error) {
        end(true);
        throw error;
      }
      end(false);
    },
    abort: () => end(true),
  };
  return output;
}

/** Opens by the directory's descriptor where libc is there: the way through /proc takes the kernel twice as long. */
function createIn(directory: Directory, name: string, flags: number, mode: number): number {
  const openAt = directory.fd >= 0 ? libc()?.openAt : undefined;
  if (openAt === undefined) return openSync(directory.child(name), flags, mode);
  const fd = openAt(directory.fd, Buffer.from(`${name}\0`, "latin1"), flags, mode);
  if (fd < 0) throw systemError(fd, "open");
  return fd;
}

function ownerOf(fd: number): { uid: number; gid: number } {
  const { uid, gid } = fstatSync(fd);
  return { uid, gid };
}

/** The error for an entry whose place is taken. */
export function collision(entry: Entry): HexzError {
  return new HexzError("collision", `${displayName(entry.path)} is there already`, {
    data: { path: displayName(entry.path) },
  });
}

function lengthError(entry: Entry, found: number): HexzError {
  const message = `${displayName(entry.path)}: expected ${entry.size} bytes of content, got ${found}`;
  return new HexzError("io", message, { data: { path: displayName(entry.path), expected: entry.size, found } });
}

function removeQuietly(path: Buffer): void {
  try {
    unlinkSync(path);
  } catch {
    // it is gone, or its directory is: nothing more can be done here
  }
}
