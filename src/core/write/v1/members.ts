// The entries of an archive of format 1 that is being written, as the members of its manifest (docs/format-1.md,
// "Manifests"), and what format 1 cannot keep of them: refused, or with `lossy` left out and told.

import { HexzError, type Warning } from "../../errors.ts";
import type { Stretch } from "../../format/containers.ts";
import type { Entry } from "../../format/entry.ts";
import { type ByteString, checkPath, comparePaths, displayName, splitPath, textOf } from "../../format/path.ts";
import type { Counts } from "../../format/root.ts";
import { encodeMetadata, type Member } from "../../format/v1/manifest.ts";

/** What stat() says of a regular file besides its permissions. */
const REGULAR_FILE = 0o100_000;
const DEFAULT_MODE = 0o644;
/** Keys of a member that `metadata` may not have. */
const OWN_KEYS: readonly string[] = ["path", "offset", "size", "mode", "mtime"] satisfies (keyof Member)[];

const NO = "is left out: format 1 has no";
const LEFT_OUT = {
  symlink: `${NO} symlinks`,
  fifo: `${NO} FIFOs`,
  char: `${NO} device nodes`,
  block: `${NO} device nodes`,
} as const;

export class Members {
  readonly #lossy: boolean;
  readonly #warn: (warning: Warning) => void;
  readonly #members: Member[] = [];
  readonly #directories: ByteString[] = [];
  /** Directories that a member lies in; extraction makes no others. */
  readonly #filled = new Set<ByteString>([""] as ByteString[]);
  #last: ByteString | undefined;
  /** Nothing is known of the root directory: it stands around files that were packed. */
  #isRootPlain = true;
  /** Bytes of the members as JSON. */
  jsonLength = 0;

  constructor(lossy: boolean, warn: (warning: Warning) => void) {
    this.#lossy = lossy;
    this.#warn = warn;
  }

  /** What is kept. */
  get counts(): Pick<Counts, "files" | "directories" | "symlinks" | "other"> {
    const directories = this.#last === undefined ? 0 : this.#filled.size;
    return { files: this.#members.length, directories, symlinks: 0, other: 0 };
  }

  /**
   * Adds the next entry in tree order.
   * @param content of a file or hard link, by its place in the main stream
   * @throws HexzError `usage` when something of it cannot be kept
   */
  add(entry: Entry, content: Stretch | undefined): void {
    const { path, type } = entry;
    checkPath(path);
    if (this.#last !== undefined && comparePaths(this.#last, path) >= 0) {
      throw new HexzError("usage", `the entry "${displayName(path)}" does not come in tree order`);
    }
    this.#last = path;
    if (entry.xattrs !== undefined && entry.xattrs.length > 0) this.#lose(path, "loses its extended attributes");
    if (path === "") this.#isRootPlain = entry.mode === undefined;
    if (type === "directory") this.#directories.push(path);
    else if (type === "file") this.#file(entry, content!);
    else this.#lose(path, LEFT_OUT[type]);
  }

  #file(entry: Entry, { start, size }: Stretch): void {
    const { path, hardLink, mtime, mode = DEFAULT_MODE, metadata = {} } = entry;
    const text = textOf(path);
    if (text === undefined) {
      this.#lose(path, `${NO} names but those in UTF-8`);
      return;
    }
    if (hardLink !== undefined) this.#lose(path, "becomes a file of its own: format 1 has no hard links");
    const seconds = mtime?.seconds ?? 0;
    if (seconds < 0) this.#lose(path, "loses its time: format 1 has none before 1970");
    const facts = Object.entries(metadata).filter(([key]) => !OWN_KEYS.includes(key));
    const member: Member = {
      path: text,
      offset: size === 0 ? 0 : start,
      size,
      mode: REGULAR_FILE | mode,
      mtime: Math.max(0, seconds),
      ...(facts.length === 0 ? {} : { facts: Object.fromEntries(facts) }),
    };
    this.#members.push(member);
    this.jsonLength += encodeMetadata({ ...member, facts: undefined, ...member.facts }).length + 1;
    this.#fill(path);
  }

  #fill(path: ByteString): void {
    for (let { directory } = splitPath(path); !this.#filled.has(directory); { directory } = splitPath(directory)) {
      this.#filled.add(directory);
    }
  }

  #lose(path: ByteString, what: string): void {
    const message = `${path === "" ? "the root directory" : `"${displayName(path)}"`} ${what}`;
    if (!this.#lossy) {
      throw new HexzError("usage", `format 1 does not keep everything: ${message}`, {
        hint: "--lossy leaves out what it cannot keep, and lists it",
        data: { path: displayName(path) },
      });
    }
    this.#warn({ path, code: "unsupported", message });
  }

  /** A file that was packed alone, and no directory with one file. */
  get isLone(): boolean {
    return this.#isRootPlain && this.#members.length === 1 && this.#filled.size === 1;
  }

  /** All of them. Directories that stayed empty are lost. */
  finish(): readonly Member[] {
    // The deepest first, so that one of several empty ones inside each other is told.
    const told = new Set<ByteString>();
    for (const path of this.#directories.reverse()) {
      if (this.#filled.has(path) || told.has(path)) continue;
      this.#lose(path, `${NO} empty directories`);
      for (let { directory } = splitPath(path); directory !== ""; { directory } = splitPath(directory))
        told.add(directory);
    }
    return this.#members;
  }
}
