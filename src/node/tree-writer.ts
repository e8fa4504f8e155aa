// Restores entries below a destination directory, whatever their names say and whoever changes that directory meanwhile:
// nothing outside it is touched, nothing in it is replaced. Files appear complete or not at all; metadata of directories
// comes last, so that read-only ones can be filled.

import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  readSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { type ErrorCode, HexzError, type Warning } from "../core/errors.ts";
import type { Entry } from "../core/format/entry.ts";
import { type ByteString, byteStringOf, comparePaths, displayName, splitPath } from "../core/format/path.ts";
import { onAbort } from "./abort.ts";
import { checkName, type Directory, DirectoryChain } from "./directory-chain.ts";
import { fromSystemError, shownPath, systemCode, systemError } from "./errors.ts";
import { type Libc, libc } from "./libc.ts";
import { collision, createOutput, type FileOutput } from "./output-file.ts";
import { type MetadataOptions, MetadataRestorer } from "./restore-metadata.ts";

export type { FileOutput } from "./output-file.ts";

export interface TreeWriterOptions extends MetadataOptions {
  /** auto: zeros become holes; never: they are written. Default: auto. */
  sparse?: "auto" | "never";
  /** Replace what is in the way, but never a directory, nor by one. Default: that is a collision. */
  force?: boolean;
  /** A file that must not be replaced: the archive. */
  protect?: { readonly dev: number; readonly ino: number };
  /** Create device nodes. Default: they are left out, with a warning. */
  devices?: boolean;
  onWarning?: (warning: Warning) => void;
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY = 0, O_NOFOLLOW = 0 } = constants;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
/** What a file system says that lacks hard links, or has no room for one more. */
const NO_LINK = new Set(["EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);
const NO_SYMLINK = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/**
 * Takes entries in any order; parents that have no entry are created with default metadata.
 * Every method throws HexzError: `collision` when the place is taken, `unsafe_path` when the path leads elsewhere,
 * `permission`, `no_space`, `io`. After an error of one entry the next may be tried.
 */
export class TreeWriter {
  readonly #chain: DirectoryChain;
  /** A second way in, so that hard links do not close the directories that are being filled. */
  readonly #links: DirectoryChain;
  readonly #options: TreeWriterOptions;
  readonly #metadata: MetadataRestorer;
  readonly #directories: Entry[] = [];
  readonly #outputs = new Set<FileOutput>();
  readonly #forget: () => void;
  readonly #stem = `.hexz-${process.pid}-${randomBytes(6).toString("hex")}-`;
  #counter = 0;
  /**
   * Inodes of what was restored, where `force` could make one entry replace another: in a directory that takes names
   * for the same which differ in case.
   */
  readonly #restored: Set<number> | undefined;
  /** Whether the destination held something: it keeps its own metadata then. */
  readonly shared: boolean;

  /** @throws HexzError `not_found` when the parent of `destination` is missing, `wrong_type` when it is not a directory */
  constructor(destination: string | Buffer, options: TreeWriterOptions = {}) {
    this.#options = options;
    this.#metadata = new MetadataRestorer(options);
    this.shared = prepare(destination);
    const root = byteStringOf(Buffer.from(destination));
    this.#chain = new DirectoryChain(root);
    this.#links = new DirectoryChain(root);
    this.#forget = onAbort(() => this.#removeTemporaries());
    this.#restored = options.force === true && this.#foldsNames() ? new Set() : undefined;
  }

  /** Throws what restoring `entry` would throw because something is in its place, and changes nothing. */
  check(entry: Entry): void {
    if (!this.shared || entry.path === "") return;
    const { directory, name } = splitPath(entry.path);
    const parent = this.#chain.enter(directory, false);
    if (parent === undefined) return;
    checkName(name, entry.path);
    const there = lstatSync(parent.child(name), { throwIfNoEntry: false });
    if (there === undefined || (entry.type === "directory" && there.isDirectory())) return;
    const { force, protect } = this.#options;
    if (force !== true || entry.type === "directory" || there.isDirectory()) throw collision(entry);
    if (there.dev === protect?.dev && there.ino === protect.ino) {
      throw new HexzError("output_is_input", `${displayName(entry.path)} would replace the archive itself`);
    }
  }

  /** Creates a directory, or takes the one that is there; its metadata follows in `finish`. */
  directory(entry: Entry): void {
    if (entry.path !== "") {
      const { parent, path } = this.#place(entry);
      try {
        // until its own mode comes, nobody else gets in
        mkdirSync(path, entry.mode === undefined ? 0o777 : 0o700);
      } catch (error) {
        if (systemCode(error) !== "EEXIST") throw fromSystemError(error, "create the directory", shownBytes(entry));
        const there = lstatSync(parent.child(splitPath(entry.path).name), { throwIfNoEntry: false });
        if (there?.isDirectory() !== true) throw collision(entry);
      }
    } else if (this.shared) return;
    this.#directories.push(entry);
  }

  /** Starts a file; several may be open at once. */
  file(entry: Entry): FileOutput {
    const { parent, name } = this.#place(entry);
    const output = createOutput({
      directory: parent,
      temporaryName: `${this.#stem}${this.#counter++}`,
      name,
      entry,
      sparse: this.#options.sparse !== "never",
      force: this.#options.force === true,
      restore: (fd, owner) => {
        this.#checkReplaced(parent.child(name), entry);
        this.#metadata.toFile(fd, entry, owner);
        this.#restored?.add(fstatSync(fd).ino);
      },
      onClosed: (closed) => this.#outputs.delete(closed),
    });
    this.#outputs.add(output);
    return output;
  }

  symlink(entry: Entry): void {
    const path = this.#freePlace(entry);
    try {
      symlinkSync(Buffer.from(entry.target ?? "", "latin1"), path);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EEXIST") throw collision(entry);
      if (!NO_SYMLINK.has(code)) throw fromSystemError(error, "create the symlink", shownBytes(entry));
      this.#metadata.lose("a symlink", "unsupported", entry.path);
      return;
    }
    this.#restored?.add(lstatSync(path).ino);
    this.#metadata.toSymlink(path, entry);
  }

  /**
   * Gives the file `entry.hardLink`, which must be there, a second name; where that cannot be, its content is copied.
   * @throws HexzError `not_found` when the first one is missing, `unsafe_path` when it is not a file
   */
  hardLink(entry: Entry): void {
    const first = entry.hardLink ?? entry.path;
    const { directory, name } = splitPath(first);
    checkName(name, first);
    const source = this.#links.enter(directory, false)?.child(name);
    const stat = source === undefined ? undefined : lstatSync(source, { throwIfNoEntry: false });
    const shown = displayName(entry.path);
    if (source === undefined || stat === undefined) {
      const message = `${shown} is another name of ${displayName(first)}, which is not there`;
      throw new HexzError("not_found", message, { data: { path: shown, first: displayName(first) } });
    }
    if (!stat.isFile()) {
      const message = `${shown} is left out: ${displayName(first)} is not a file`;
      throw new HexzError("unsafe_path", message, { data: { path: shown } });
    }
    const path = this.#freePlace(entry);
    try {
      linkSync(source, path);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EEXIST") throw collision(entry);
      if (!NO_LINK.has(code)) throw fromSystemError(error, "create the hard link", shownBytes(entry));
      this.#metadata.lose("the hard link (the content was copied)", "unsupported", entry.path);
      this.#copy(source, entry);
    }
  }

  /** FIFOs; device nodes where `devices` is set. */
  special(entry: Entry): void {
    if (entry.type !== "fifo" && this.#options.devices !== true) {
      this.#warn(entry.path, "device_refused", "a device node is left out unless --devices is given");
      return;
    }
    const path = this.#freePlace(entry);
    const made = makeSpecial(libc(), Buffer.concat([path, Buffer.alloc(1)]), entry);
    const kind = entry.type === "fifo" ? "a FIFO" : "a device node";
    const error = made === undefined || made >= 0 ? undefined : systemError(made, "mknod");
    if (error?.code === "EEXIST") throw collision(entry);
    if (made === undefined) this.#metadata.lose(kind, "unsupported", entry.path);
    else if (error?.code === "EPERM") this.#metadata.lose(kind, "permission", entry.path);
    else if (error !== undefined) throw fromSystemError(error, `create ${kind}`, shownBytes(entry));
    else this.#metadata.toSpecial(path, entry);
  }

  /** Sets the metadata of directories, deepest first, tells what could not be restored, and closes everything. */
  finish(): void {
    // tree order has every directory before what is in it
    this.#directories.sort((a, b) => comparePaths(b.path, a.path));
    for (const entry of this.#directories) {
      try {
        this.#finishDirectory(entry);
      } catch (error) {
        const { code, message } = fromSystemError(error, "set the metadata of", shownBytes(entry));
        this.#warn(entry.path, code, message);
      }
    }
    this.#metadata.report((warning) => this.#options.onWarning?.(warning));
    this.abort();
  }

  /** Removes unfinished files and closes everything; what was finished stays. */
  abort(): void {
    this.#forget();
    this.#removeTemporaries();
    this.#chain.close();
    this.#links.close();
  }

  #finishDirectory(entry: Entry): void {
    const directory = this.#chain.enter(entry.path, false);
    if (directory === undefined) {
      throw new HexzError("not_found", `${displayName(entry.path)} was removed while the archive was extracted`);
    }
    // without descriptors the directory is opened here; Windows does not do that, and has nothing to set
    const opened = directory.fd < 0 && process.platform !== "win32";
    const fd = opened ? openSync(directory.child("."), O_RDONLY | O_DIRECTORY | O_NOFOLLOW) : directory.fd;
    try {
      if (fd >= 0) this.#metadata.toFile(fd, entry);
    } finally {
      if (opened) closeSync(fd);
    }
  }

  /** The directory that `entry` goes to, opened and checked, and the path of its name there. */
  #place(entry: Entry): { parent: Directory; name: string; path: Buffer } {
    const { directory, name } = splitPath(entry.path);
    checkName(name, entry.path);
    const parent = this.#chain.enter(directory, true)!;
    return { parent, name, path: parent.child(name) };
  }

  /** The same for what cannot replace: with `force` what is in the way goes first, unless that is a directory. */
  #freePlace(entry: Entry): Buffer {
    const { path } = this.#place(entry);
    if (this.#options.force === true && lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === false) {
      this.#checkReplaced(path, entry);
      unlinkSync(path);
    }
    return path;
  }

  /** @throws HexzError `collision` when what would be replaced was restored just now */
  #checkReplaced(path: Buffer, entry: Entry): void {
    if (this.#restored === undefined) return;
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there !== undefined && this.#restored.has(there.ino)) throw collision(entry);
  }

  /** Whether a file of the destination is found by its name in capitals, too. */
  #foldsNames(): boolean {
    const name = `${this.#stem}case`;
    const root = this.#chain.enter("" as ByteString, false)!;
    try {
      closeSync(openSync(root.child(name), O_WRONLY | O_CREAT | O_EXCL, 0o600));
    } catch {
      // Nothing will be restored here either.
      return false;
    }
    try {
      return lstatSync(root.child(name.toUpperCase()), { throwIfNoEntry: false }) !== undefined;
    } finally {
      unlinkSync(root.child(name));
    }
  }

  #copy(source: Buffer, entry: Entry): void {
    const output = this.file(entry);
    const fd = openSync(source, O_RDONLY | O_NOFOLLOW);
    try {
      const buffer = new Uint8Array(1 << 20);
      let position = 0;
      for (let count = 1; count > 0; position += count) {
        count = readSync(fd, buffer, 0, buffer.length, position);
        output.write(buffer.subarray(0, count), position);
      }
      output.finish();
    } catch (error) {
      output.abort();
      throw fromSystemError(error, "copy", shownBytes(entry));
    } finally {
      closeSync(fd);
    }
  }

  #removeTemporaries(): void {
    for (const output of this.#outputs) output.abort();
  }

  #warn(path: ByteString, code: ErrorCode, message: string): void {
    this.#options.onWarning?.({ path, code, message });
  }
}

/** Makes the destination unless it is there. @returns whether it holds something */
function prepare(destination: string | Buffer): boolean {
  try {
    mkdirSync(destination);
    return false;
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw fromSystemError(error, "create the directory", destination);
  }
  try {
    const directory = opendirSync(destination);
    try {
      return directory.readSync() !== null;
    } finally {
      directory.closeSync();
    }
  } catch (error) {
    throw systemCode(error) === "ENOTDIR"
      ? new HexzError("wrong_type", `${shownPath(destination)} is not a directory`, { cause: error })
      : fromSystemError(error, "open the directory", destination);
  }
}

/** The result of mknod or mkfifo; undefined where this machine has neither. */
function makeSpecial(api: Libc | undefined, path: Buffer, entry: Entry): number | undefined {
  // 0600 until its own mode comes
  if (entry.type === "fifo") return api?.makeFifo?.(path, 0o600);
  const type = entry.type === "char" ? S_IFCHR : S_IFBLK;
  return api?.makeNode?.(path, type | 0o600, entry.device ?? { major: 0, minor: 0 });
}

function shownBytes(entry: Entry): Buffer {
  return Buffer.from(entry.path, "latin1");
}
