// Ways to directories below a destination that no symlink can bend. On Linux each component is opened by itself, not
// following symlinks, inside the directory that is open already ("/proc/self/fd/N/name" is `openat` for Node); what is
// open cannot be swapped. Elsewhere every component is looked at before each use, which leaves a moment for a race.

import { closeSync, constants, existsSync, lstatSync, mkdirSync, openSync } from "node:fs";
import { HexzError } from "../core/errors.ts";
import { type ByteString, displayName, joinPath, nameProblem } from "../core/format/path.ts";
import { fromSystemError, systemCode } from "./errors.ts";

/** A directory below the destination. Whoever keeps it beyond the next `enter` retains it, and releases it. */
export interface Directory {
  /** Open for reading; −1 where directories are reached by path. */
  readonly fd: number;
  /** Who owns files that are created in here, once that was seen: some directories pass on their group. */
  ownerOfNew?: { readonly uid: number; readonly gid: number };
  /** The path by which the system finds `name` in here. */
  child(name: string): Buffer;
  retain(): void;
  release(): void;
}

/** Directories kept open at once; deeper ones close those far above, which are opened again when needed. */
const MOST_OPEN = 64;

const { O_RDONLY, O_DIRECTORY = 0, O_NOFOLLOW = 0 } = constants;

class OpenDirectory implements Directory {
  readonly fd: number;
  ownerOfNew?: { readonly uid: number; readonly gid: number };
  readonly #prefix: string;
  #users = 1;

  constructor(fd: number) {
    this.fd = fd;
    this.#prefix = `/proc/self/fd/${fd}/`;
  }

  child(name: string): Buffer {
    return Buffer.from(this.#prefix + name, "latin1");
  }

  retain(): void {
    this.#users++;
  }

  release(): void {
    if (--this.#users === 0) closeSync(this.fd);
  }
}

/** Finds directories by their path below the destination; the latest ones stay open. */
export class DirectoryChain {
  /** The destination as the user names it, bytes. */
  readonly #root: ByteString;
  readonly #byDescriptor: boolean;
  #top: OpenDirectory | undefined;
  /** Components of the current path; the nth is open as `#open[n]`, or was closed to keep within MOST_OPEN. */
  #names: string[] = [];
  #open: (OpenDirectory | undefined)[] = [];
  #path: string | undefined;
  #current: Directory | undefined;

  /** @param root an existing directory; a symlink to it is followed */
  constructor(root: ByteString) {
    this.#root = root;
    this.#byDescriptor = process.platform === "linux" && existsSync("/proc/self/fd");
    if (!this.#byDescriptor) return;
    const path = Buffer.from(root, "latin1");
    try {
      this.#top = new OpenDirectory(openSync(path, O_RDONLY | O_DIRECTORY));
    } catch (error) {
      throw fromSystemError(error, "open the directory", path);
    }
  }

  /**
   * The directory at `path`; valid until the next call unless retained.
   * @param create makes missing directories on the way; without it they give undefined
   * @throws HexzError `unsafe_path` when a component is a symlink, not a directory, or no name at all
   */
  enter(path: ByteString, create: boolean): Directory | undefined {
    if (path === this.#path && this.#byDescriptor) return this.#current;
    const names = path === "" ? [] : path.split("/");
    for (const name of names) checkName(name, path);
    const found = this.#byDescriptor ? this.#descend(names, create) : this.#look(names, create);
    this.#path = found === undefined ? undefined : path;
    this.#current = found;
    return found;
  }

  close(): void {
    this.#truncate(0);
    this.#top?.release();
    this.#top = undefined;
    this.#path = undefined;
  }

  #descend(names: readonly string[], create: boolean): Directory | undefined {
    const top = this.#top;
    if (top === undefined) throw new HexzError("io", "the destination is closed");
    let depth = 0;
    while (depth < names.length && names[depth] === this.#names[depth]) depth++;
    this.#truncate(depth);
    // the lowest one that is still open; those between were closed and are opened again
    while (depth > 0 && this.#open[depth - 1] === undefined) depth--;
    if (depth < this.#names.length) this.#truncate(depth);
    let directory = depth === 0 ? top : this.#open[depth - 1]!;
    for (; depth < names.length; depth++) {
      const fd = openBelow(directory, names, depth, create);
      if (fd === undefined) return undefined;
      directory = new OpenDirectory(fd);
      this.#names.push(names[depth]!);
      this.#open.push(directory);
      this.#open[depth - MOST_OPEN]?.release();
      if (depth >= MOST_OPEN) this.#open[depth - MOST_OPEN] = undefined;
    }
    return directory;
  }

  #truncate(depth: number): void {
    for (const directory of this.#open.splice(depth)) directory?.release();
    this.#names.length = depth;
    this.#path = undefined;
  }

  /** Without descriptors: looks at every component, each time. */
  #look(names: readonly string[], create: boolean): Directory | undefined {
    let path = this.#root;
    for (const [depth, name] of names.entries()) {
      path = joinPath(path, name as ByteString);
      const bytes = Buffer.from(path, "latin1");
      let stat = lstatSync(bytes, { throwIfNoEntry: false });
      if (stat === undefined && !create) return undefined;
      if (stat === undefined) {
        makeDirectory(bytes);
        stat = lstatSync(bytes);
      }
      if (!stat.isDirectory()) throw bentPath(names, depth);
    }
    const prefix = path;
    return {
      fd: -1,
      child: (name) => Buffer.from(`${prefix}/${name}`, "latin1"),
      retain() {},
      release() {},
    };
  }
}

/** Opens the component number `depth` in `directory`; undefined when it is missing and not to be created. */
function openBelow(
  directory: OpenDirectory,
  names: readonly string[],
  depth: number,
  create: boolean,
): number | undefined {
  const path = directory.child(names[depth]!);
  for (let attempt = 0; ; attempt++) {
    try {
      return openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    } catch (error) {
      const code = systemCode(error);
      if (code === "ENOTDIR" || code === "ELOOP") throw bentPath(names, depth);
      const shown = Buffer.from(names.slice(0, depth + 1).join("/"), "latin1");
      if (code !== "ENOENT" || attempt > 0) throw fromSystemError(error, "open the directory", shown);
      if (!create) return undefined;
    }
    makeDirectory(path);
  }
}

/** mkdir; a directory that appeared meanwhile will do, it is opened with care. */
function makeDirectory(path: Buffer): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw fromSystemError(error, "create the directory", path);
  }
}

function bentPath(names: readonly string[], depth: number): HexzError {
  const path = names.join("/") as ByteString;
  const bent = displayName(names.slice(0, depth + 1).join("/") as ByteString);
  return new HexzError("unsafe_path", `${displayName(path)} is left out: ${bent} is a symlink or not a directory`, {
    data: { path: displayName(path) },
  });
}

/** What Windows takes for more than a name: separators, drives and streams, devices, names that it cuts. */
const NOT_ON_WINDOWS = /[\\/:*?"<>|]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** @throws HexzError `unsafe_path` unless `name` is one component that stays where it is put */
export function checkName(name: string, path: ByteString): void {
  const problem =
    nameProblem(name) ??
    (process.platform === "win32" && NOT_ON_WINDOWS.test(name) ? "a name that Windows does not allow" : undefined);
  if (problem === undefined) return;
  throw new HexzError("unsafe_path", `${displayName(path)} is left out: it has ${problem}`, { data: { path } });
}
