// Sinks for a local file and for standard output. A file is written under a temporary name beside its final one and
// gets that name when it is complete and durable; until then the final name is untouched.

import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { HexzError } from "../core/errors.ts";
import type { Sink } from "../core/write/sink.ts";
import { onAbort } from "./abort.ts";
import { fromSystemError, shownPath, systemCode } from "./errors.ts";
import { renameNew } from "./publish.ts";
import { unblockStdout } from "./stdout.ts";
import { beforeRetry } from "./wait.ts";

export interface FileSinkOptions {
  /** Replace what is there. */
  force?: boolean;
  /** Permission bits before the umask; 0o666. */
  mode?: number;
  /** Given the descriptor of the complete file before it gets its name: to set metadata. */
  restore?: (fd: number) => void;
}

/** A sink that is a file of this machine. */
export interface FileSink extends Sink {
  /** Device and inode of the temporary, so that a walk over its directory can leave it out. */
  readonly identity: { readonly dev: bigint; readonly ino: bigint };
  write(bytes: Uint8Array): void;
  patch(bytes: Uint8Array, offset: number): void;
  /** Appends so many zeros as a hole. */
  skip(length: number): void;
  finish(): Promise<void>;
  abort(): void;
}

/** Bytes of NAME that go into the temporary's name: a name has at most 255. */
const KEPT_NAME = 200;

/**
 * Creates `path` when `finish` is called.
 * @throws HexzError `output_exists` (here, or from `finish` when it appeared meanwhile), `not_found`, `permission`,
 * `no_space`, `wrong_type` when the path is something other than a file
 */
export function createFileSink(path: string | Buffer, options: FileSinkOptions = {}): FileSink {
  const force = options.force === true;
  const final = finalPath(Buffer.from(path), force);
  const name = shownPath(path);
  const slash = final.lastIndexOf("/");
  const directory = slash < 0 ? Buffer.from(".") : final.subarray(0, slash + 1);
  const base = final.subarray(slash + 1);
  const temporary = Buffer.concat([
    slash < 0 ? Buffer.alloc(0) : directory,
    Buffer.from("."),
    base.subarray(0, KEPT_NAME),
    Buffer.from(`.hexz-${process.pid}-${randomBytes(6).toString("hex")}`),
  ]);
  const fd = attempt("create", path, () => {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants;
    return openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, options.mode ?? 0o666);
  });
  const stat = fstatSync(fd, { bigint: true });
  let open = true;
  /** Where the next byte goes, and where the last one that was really written ends. */
  let position = 0;
  let written = 0;
  /** The temporary is gone: renamed or removed. */
  let settled = false;
  let check: ((path: string) => Promise<void>) | undefined;
  const close = () => {
    if (!open) return;
    open = false;
    closeSync(fd);
  };
  const undo = () => {
    if (settled) return;
    settled = true;
    try {
      close();
    } finally {
      unlinkSync(temporary);
    }
  };
  const forget = onAbort(undo);
  const behind = createWriteBehind(fd);

  return {
    name,
    identity: { dev: stat.dev, ino: stat.ino },
    write(bytes) {
      if (!open) throw new HexzError("io", `${name} is finished: nothing can be written to it`);
      attempt("write to", path, () => {
        writeAll(fd, bytes, position);
        behind.wrote(bytes.length);
      });
      position += bytes.length;
      written = position;
    },
    skip(length) {
      position += length;
    },
    patch(bytes, offset) {
      attempt("write to", path, () => writeAll(fd, bytes, offset));
    },
    checkFinished(wanted) {
      check = wanted;
    },
    async finish() {
      const failure = await behind.settle();
      attempt("write to", path, () => {
        if (failure !== undefined) throw failure;
        if (position > written) ftruncateSync(fd, position);
        options.restore?.(fd);
        fsyncSync(fd);
        close();
      });
      await check?.(temporary.toString());
      try {
        if (force) renameSync(temporary, final);
        else renameNew(temporary, final);
      } catch (error) {
        if (systemCode(error) === "EEXIST") throw existsError(name, true);
        throw fromSystemError(error, "create", path);
      }
      settled = true;
      forget();
      attempt("write to", path, () => syncDirectory(directory));
    },
    abort() {
      forget();
      try {
        undo();
      } catch (error) {
        // someone removed it: as wished
        if (systemCode(error) !== "ENOENT") throw fromSystemError(error, "remove", temporary);
      }
    },
  };
}

/** Bytes written after which the system is asked to bring them to the disk. */
const WRITE_BEHIND = 16 * 1024 * 1024;

/**
 * Has what was written brought to the disk meanwhile, so that little is left to wait for at the end. A failure is
 * kept: the system reports it once, here and not to the last `fsync`.
 */
function createWriteBehind(fd: number): { wrote(length: number): void; settle(): Promise<Error | undefined> } {
  let waiting = 0;
  let running: Promise<void> | undefined;
  let failure: Error | undefined;
  return {
    wrote(length) {
      waiting += length;
      if (waiting < WRITE_BEHIND || running !== undefined) return;
      waiting = 0;
      running = new Promise((resolve) => {
        fdatasync(fd, (error) => {
          failure ??= error ?? undefined;
          running = undefined;
          resolve();
        });
      });
    },
    async settle() {
      await running;
      return failure;
    },
  };
}

/** Where the file will be; refuses early what `finish` would refuse late. */
function finalPath(path: Buffer, force: boolean): Buffer {
  const name = shownPath(path);
  const there = attempt("create", path, () => lstatSync(path, { throwIfNoEntry: false }));
  if (there === undefined) return path;
  if (!force && !there.isDirectory()) throw existsError(name, false);
  // through a symlink the file it points to is replaced, as an editor would; a dangling one is replaced itself
  const final = there.isSymbolicLink() ? targetOf(path) : path;
  const replaced = lstatSync(final, { throwIfNoEntry: false });
  if (replaced?.isDirectory()) throw new HexzError("wrong_type", `${name} is a directory, not a file`);
  if (replaced !== undefined && !replaced.isFile() && !replaced.isSymbolicLink()) {
    throw new HexzError("wrong_type", `${name} is not a regular file: it would be replaced, not written to`, {
      hint: "write to standard output with - and redirect it",
    });
  }
  return final;
}

function targetOf(link: Buffer): Buffer {
  try {
    return realpathSync(link, { encoding: "buffer" });
  } catch {
    return link;
  }
}

function existsError(name: string, meanwhile: boolean): HexzError {
  const message = meanwhile ? `${name} appeared while it was being written` : `${name} exists already`;
  return new HexzError("output_exists", message, { hint: "--force replaces it", data: { path: name } });
}

/** Makes the new name durable. Some systems do not let a directory be opened or synchronised; then it is theirs to do. */
function syncDirectory(directory: Buffer): void {
  let fd: number;
  try {
    fd = openSync(directory, "r");
  } catch {
    return;
  }
  try {
    fsyncSync(fd);
  } catch (error) {
    if (systemCode(error) === "EIO" || systemCode(error) === "ENOSPC") throw error;
  } finally {
    closeSync(fd);
  }
}

/** Standard output as a sink: complete in order, durable as far as the other end makes it so. */
export function createStdoutSink(fd = 1): Sink {
  const name = "standard output";
  if (fd === 1) unblockStdout();
  /** @returns how many bytes the other end took now; 0 when it is not ready */
  const push = (bytes: Uint8Array): number => {
    try {
      return writeSync(fd, bytes);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EAGAIN") return 0;
      if (code === "EPIPE") {
        throw new HexzError("io", `the reader of ${name} is gone`, { data: { epipe: true }, cause: error });
      }
      throw fromSystemError(error, "write to", name);
    }
  };
  const drain = async (bytes: Uint8Array): Promise<void> => {
    let left = bytes;
    for (let idle = 0; left.length > 0; ) {
      const taken = push(left);
      left = left.subarray(taken);
      idle = taken > 0 ? 0 : idle + 1;
      if (taken === 0) await beforeRetry(idle);
    }
  };
  return {
    name,
    write(bytes) {
      let left = bytes;
      while (left.length > 0) {
        const taken = push(left);
        if (taken === 0) return drain(left);
        left = left.subarray(taken);
      }
    },
    finish() {},
    abort() {},
  };
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
}

function attempt<T>(doing: string, path: string | Buffer, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw fromSystemError(error, doing, path);
  }
}
