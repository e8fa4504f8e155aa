// Walks directories to pack, in the archive's tree order (`comparePaths`): the children of a directory as one run in
// byte order, then the same below each subdirectory. Names are read as bytes; nothing but the names of the directories
// that are still to be entered is kept in memory, and one path for each file that has other names to come.

import { type BigIntStats, lstatSync, opendirSync, readdirSync, readlinkSync, statSync } from "node:fs";
import ignore, { type Ignore } from "ignore";
import { type ErrorCode, HexzError, type Warning } from "../core/errors.ts";
import type { Entry } from "../core/format/entry.ts";
import { type ByteString, byteStringOf, displayName, joinPath, textOf } from "../core/format/path.ts";
import { fromSystemError, shownPath, systemCode } from "./errors.ts";
import type { FileFacts } from "./input-file.ts";
import { type Libc, libc } from "./libc.ts";
import { withReachable } from "./long-path.ts";
import { readXattrs } from "./read-xattrs.ts";
import { entryOfStat } from "./stat-entry.ts";

export interface WalkedItem {
  /** The path in the archive and all metadata; files have their size, but no `start`. */
  readonly entry: Entry;
  /** Where it is on this machine. */
  readonly source: Buffer;
  /** For `openInput`, to see whether the file is still what was walked over. */
  readonly facts: FileFacts;
  /** Names that the file has, inside the tree and outside. */
  readonly links: number;
}

export interface WalkOptions {
  /** Patterns in the syntax of gitignore, one or more lines each, relative to the root of the archive. */
  exclude?: readonly string[];
  /** Do not enter directories of other file systems; the directory itself is kept. */
  oneFileSystem?: boolean;
  /** Keep what symlinks point to in their place. Those that point nowhere or to a directory above stay symlinks. */
  dereference?: boolean;
  /** Told of everything that is left out or incomplete. */
  onWarning?: (warning: Warning) => void;
  /** Says which files are left out without a word: the output itself. */
  skip?: (dev: bigint, ino: bigint) => boolean;
}

/** One of several inputs, and its name in the archive. */
export interface WalkInput {
  readonly path: string | Buffer;
  readonly name: ByteString;
}

const NUL = Buffer.alloc(1);

/** A directory whose subdirectories are being entered. */
interface Frame {
  readonly path: ByteString;
  readonly source: ByteString;
  /** Names of the subdirectories to enter, and of which file system and inode each is. */
  readonly below: { readonly name: ByteString; readonly dev: bigint; readonly ino: bigint }[];
  next: number;
  /** The directory itself. */
  readonly dev: bigint;
  readonly ino: bigint;
}

/**
 * Walks over the directory `root`: first itself with the path "", then what is in it. Where `root` is a symlink to a
 * directory, that is walked.
 * @throws HexzError `not_found`, `permission`, `wrong_type` when `root` itself cannot be walked over
 */
export function* walk(root: string | Buffer, options: WalkOptions = {}): Generator<WalkedItem> {
  const source = byteStringOf(Buffer.from(root));
  let stat: BigIntStats;
  try {
    stat = statSync(root, { bigint: true });
    if (!stat.isDirectory()) throw new HexzError("wrong_type", `${shownPath(root)} is not a directory`);
    opendirSync(root).closeSync();
  } catch (error) {
    throw fromSystemError(error, "read", root);
  }
  const walker = new Walker(options);
  yield walker.item("" as ByteString, source, stat, true)!;
  yield* walker.descend({ path: "" as ByteString, source, below: [], next: 0, dev: stat.dev, ino: stat.ino });
}

/**
 * Walks over several inputs as if they were the children of one directory, which itself has no entry. Symlinks among
 * them stay symlinks unless `dereference` is set.
 * @throws HexzError `usage` when two have the same name, `not_found`, `permission`
 */
export function* walkInputs(inputs: readonly WalkInput[], options: WalkOptions = {}): Generator<WalkedItem> {
  const walker = new Walker(options);
  const sorted = [...inputs].sort((a, b) => (a.name < b.name ? -1 : 1));
  const roots: { name: ByteString; source: ByteString; stat: BigIntStats }[] = [];
  for (const [at, { name, path }] of sorted.entries()) {
    if (sorted[at + 1]?.name === name) {
      throw new HexzError("usage", `two inputs have the name ${displayName(name)}`, { data: { name } });
    }
    try {
      roots.push({ name, source: byteStringOf(Buffer.from(path)), stat: walker.stat(Buffer.from(path), name).stat });
    } catch (error) {
      throw fromSystemError(error, "read", path);
    }
  }
  for (const { name, source, stat } of roots) {
    const item = walker.item(name, source, stat, false);
    if (item !== undefined) yield item;
  }
  for (const { name, source, stat } of roots) {
    if (!stat.isDirectory() || walker.excludes(name, true)) continue;
    yield* walker.descend({ path: name, source, below: [], next: 0, dev: stat.dev, ino: stat.ino });
  }
}

class Walker {
  readonly #options: WalkOptions;
  readonly #patterns: Ignore | undefined;
  readonly #xattrs: Libc["xattrs"];
  /** Files with more names to come: the first path, and how many names are left. */
  readonly #links = new Map<string, { path: ByteString; left: number }>();

  constructor(options: WalkOptions) {
    this.#options = options;
    if (options.exclude !== undefined && options.exclude.length > 0) {
      this.#patterns = ignore({ ignorecase: false, allowRelativePaths: true }).add(
        options.exclude.flatMap((lines) => lines.split(/\r?\n/)),
      );
    }
    this.#xattrs = libc()?.xattrs;
    if (this.#xattrs === undefined && process.platform !== "win32") {
      this.#warn("" as ByteString, "unsupported", "extended attributes and access lists are not kept on this machine");
    }
  }

  /** Everything below one directory, the run of its children first. */
  *descend(top: Frame): Generator<WalkedItem> {
    const stack = [top];
    yield* this.#run(top);
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const next = frame.below[frame.next++];
      if (next === undefined) {
        stack.pop();
        continue;
      }
      const path = joinPath(frame.path, next.name);
      const source = `${frame.source}/${next.name}` as ByteString;
      const inner: Frame = { path, source, below: [], next: 0, dev: next.dev, ino: next.ino };
      stack.push(inner);
      // a loop is only possible through followed symlinks
      yield* this.#run(inner, this.#options.dereference === true ? stack : undefined);
    }
  }

  /** The children of one directory; fills in `frame.below`. */
  *#run(frame: Frame, stack: readonly Frame[] = [frame]): Generator<WalkedItem> {
    let names: string[];
    try {
      names = withReachable(Buffer.from(frame.source, "latin1"), (path) => readdirSync(path, { encoding: "latin1" }));
    } catch (error) {
      this.#warnOf(frame.path, "read the directory", error);
      return;
    }
    names.sort();
    for (const name of names as ByteString[]) {
      const path = joinPath(frame.path, name);
      const source = `${frame.source}/${name}` as ByteString;
      if (this.#patterns !== undefined && this.excludes(path, false)) continue;
      let seen: { stat: BigIntStats; followed: boolean };
      try {
        seen = withReachable(Buffer.from(source, "latin1"), (reachable) => this.stat(reachable, path, stack));
      } catch (error) {
        this.#warnOf(path, "read", error);
        continue;
      }
      const { stat } = seen;
      const isDirectory = stat.isDirectory();
      if (isDirectory && this.#patterns !== undefined && this.excludes(path, true)) continue;
      const elsewhere = this.#options.oneFileSystem === true && stat.dev !== stack[0]!.dev;
      if (elsewhere && !isDirectory) continue;
      const item = this.item(path, source, stat, seen.followed);
      if (item === undefined) continue;
      if (isDirectory && !elsewhere) frame.below.push({ name, dev: stat.dev, ino: stat.ino });
      yield item;
    }
  }

  /** What is at `path`: through symlinks where they are to be followed and lead somewhere new. */
  stat(path: Buffer, shown = "" as ByteString, stack: readonly Frame[] = []): { stat: BigIntStats; followed: boolean } {
    const stat = lstatSync(path, { bigint: true });
    if (this.#options.dereference !== true || !stat.isSymbolicLink()) return { stat, followed: false };
    let target: BigIntStats;
    try {
      target = statSync(path, { bigint: true });
    } catch (error) {
      const code = systemCode(error);
      if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "ELOOP") throw error;
      this.#warn(shown, "not_found", "the symlink leads nowhere: it is kept as a symlink");
      return { stat, followed: false };
    }
    if (target.isDirectory() && stack.some((frame) => frame.dev === target.dev && frame.ino === target.ino)) {
      this.#warn(shown, "unsupported", "the symlink leads to a directory above it: it is kept as a symlink");
      return { stat, followed: false };
    }
    return { stat: target, followed: true };
  }

  excludes(path: ByteString, isDirectory: boolean): boolean {
    if (this.#patterns === undefined) return false;
    return this.#patterns.ignores((textOf(path) ?? path) + (isDirectory ? "/" : ""));
  }

  /** The item of one path, or undefined when it is left out. */
  item(path: ByteString, source: ByteString, stat: BigIntStats, followed: boolean): WalkedItem | undefined {
    const entry = entryOfStat(path, stat);
    if (entry === undefined) {
      this.#warn(path, "unsupported", "sockets are not kept");
      return undefined;
    }
    const terminated = Buffer.from(`${source}\0`, "latin1");
    const bytes = terminated.subarray(0, -1);
    if (entry.type === "file") {
      if (this.#options.skip?.(stat.dev, stat.ino) === true) return undefined;
      const first = stat.nlink > 1n ? this.#firstName(path, stat) : undefined;
      if (first !== undefined) entry.hardLink = first;
    } else if (entry.type === "symlink") {
      try {
        entry.target = withReachable(bytes, (reachable) => readlinkSync(reachable, "latin1")) as ByteString;
      } catch (error) {
        this.#warnOf(path, "read the symlink", error);
        return undefined;
      }
    }
    const api = this.#xattrs;
    if (api !== undefined) {
      const onError = (error: unknown) => this.#warnOf(path, "read the extended attributes of", error);
      const xattrs = withReachable(bytes, (reachable) =>
        readXattrs(api, reachable === bytes ? terminated : Buffer.concat([reachable, NUL]), followed, onError),
      );
      if (xattrs !== undefined) entry.xattrs = xattrs;
    }
    const { dev, ino, mtimeNs, size } = stat;
    return { entry, source: bytes, facts: { dev, ino, mtimeNs, size }, links: Number(stat.nlink) };
  }

  /** The path that has the content already, of a file with several names. */
  #firstName(path: ByteString, stat: BigIntStats): ByteString | undefined {
    // an inode number means something on its own device only
    const key = `${stat.dev}:${stat.ino}`;
    const known = this.#links.get(key);
    if (known === undefined) {
      this.#links.set(key, { path, left: Number(stat.nlink) - 1 });
      return undefined;
    }
    known.left--;
    if (known.left === 0) this.#links.delete(key);
    return known.path;
  }

  #warn(path: ByteString, code: ErrorCode, message: string): void {
    this.#options.onWarning?.({ path, code, message });
  }

  #warnOf(path: ByteString, doing: string, error: unknown): void {
    const { code, message } = fromSystemError(error, doing, Buffer.from(path, "latin1"));
    this.#warn(path, code, message);
  }
}
