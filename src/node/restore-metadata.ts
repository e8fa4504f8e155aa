// Owners, modes, extended attributes and times of what is extracted, by file descriptor. What this machine cannot
// restore is counted by kind and told once.

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lutimesSync,
  openSync,
  utimesSync,
} from "node:fs";
import { type ErrorCode, HexzError, type Warning } from "../core/errors.ts";
import type { Entry, Timestamp, Xattr } from "../core/format/entry.ts";
import { type ByteString, displayName } from "../core/format/path.ts";
import { accounts } from "./accounts.ts";
import { systemCode, systemError } from "./errors.ts";
import { type Libc, libc } from "./libc.ts";

export interface MetadataOptions {
  /** Restore owner and group. Default: when the process is root. */
  owner?: boolean;
  /** Take the numbers even where a name is recorded that this machine knows. */
  numericOwner?: boolean;
  /** Restore extended attributes and access lists. Default: yes. */
  xattrs?: boolean;
  /** Restore setuid, setgid and sticky bits also when not root, and where the owner is not restored. */
  preserveSetuid?: boolean;
}

/** Where metadata goes: what is open, or a path whose last component is not followed. */
type Place = { readonly fd: number } | { readonly path: Buffer; readonly symlink: boolean };

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

interface Loss {
  readonly code: ErrorCode;
  readonly first: ByteString;
  readonly what: string;
  count: number;
}

/** Only Linux has it: a descriptor that names a path without opening what is there. */
const O_PATH = 0o10000000;
const SETUID_SETGID = 0o6000;
const SPECIAL = 0o7000;
const UNSUPPORTED = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EOVERFLOW"]);

export class MetadataRestorer {
  readonly #options: MetadataOptions;
  readonly #root = process.geteuid?.() === 0;
  readonly #owner: boolean;
  readonly #libc: Libc | undefined = libc();
  readonly #losses = new Map<string, Loss>();

  constructor(options: MetadataOptions) {
    this.#options = options;
    this.#owner = process.platform !== "win32" && (options.owner ?? this.#root);
  }

  /** Files and directories that are open. @param owner whose it is, where that is known */
  toFile(fd: number, entry: Entry, owner?: Owner): void {
    this.#apply({ fd }, entry, owner);
  }

  /** Symlinks: the link itself, never what it points to. */
  toSymlink(path: Buffer, entry: Entry): void {
    this.#apply({ path, symlink: true }, entry);
  }

  /** FIFOs and devices: not opened, as that would wait or act, but held so that nobody can put a symlink there. */
  toSpecial(path: Buffer, entry: Entry): void {
    if (process.platform !== "linux") {
      this.#apply({ path, symlink: false }, entry);
      return;
    }
    const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
    try {
      const stat = fstatSync(fd);
      const kept = entry.type === "fifo" ? stat.isFIFO() : stat.isCharacterDevice() || stat.isBlockDevice();
      if (!kept) throw new HexzError("unsafe_path", `${displayName(entry.path)} was replaced by something else`);
      this.#apply({ path: Buffer.from(`/proc/self/fd/${fd}`), symlink: false }, entry);
    } finally {
      closeSync(fd);
    }
  }

  /** Counts something that could not be restored. */
  lose(what: string, code: ErrorCode, path: ByteString): void {
    const known = this.#losses.get(what);
    if (known === undefined) this.#losses.set(what, { code, first: path, what, count: 1 });
    else known.count++;
  }

  /** One warning a kind, at the first path that it happened to. */
  report(onWarning: (warning: Warning) => void): void {
    for (const { code, first, what, count } of this.#losses.values()) {
      const others = count > 1 ? ` (and of ${count - 1} more)` : "";
      onWarning({ path: first, code, message: `${what} could not be restored${others}` });
    }
    this.#losses.clear();
  }

  // The order matters: a change of owner clears setuid bits and capabilities; user attributes need a file that its
  // owner may write; everything changes times.
  #apply(place: Place, entry: Entry, owner?: Owner): void {
    const owned = this.#applyOwner(place, entry, owner);
    if (this.#options.xattrs !== false && entry.xattrs !== undefined) {
      for (const xattr of entry.xattrs) this.#applyXattr(place, xattr, entry.path);
    }
    if (entry.mode !== undefined && entry.type !== "symlink") this.#applyMode(place, entry, entry.mode, owned);
    if (entry.mtime !== undefined) this.#applyTime(place, entry.mtime, entry.path);
  }

  /** @returns whether owner and group are now the recorded ones */
  #applyOwner(place: Place, entry: Entry, owner: Owner | undefined): boolean {
    if (entry.uid === undefined && entry.gid === undefined) return true;
    const { users, groups } = accounts();
    const named = this.#options.numericOwner !== true;
    const uid = (named && entry.userName !== undefined ? users.idOf(entry.userName) : undefined) ?? entry.uid ?? -1;
    const gid = (named && entry.groupName !== undefined ? groups.idOf(entry.groupName) : undefined) ?? entry.gid ?? -1;
    if (owner !== undefined && (uid === owner.uid || uid < 0) && (gid === owner.gid || gid < 0)) return true;
    if (!this.#owner) {
      const ours = uid === process.geteuid?.() && gid === process.getegid?.();
      if (!ours && this.#options.owner === undefined) this.lose("the owner", "permission", entry.path);
      return ours;
    }
    try {
      if ("fd" in place) fchownSync(place.fd, uid, gid);
      else if (place.symlink) lchownSync(place.path, uid, gid);
      else chownSync(place.path, uid, gid);
      return true;
    } catch (error) {
      this.#loseTo(error, "the owner", entry.path);
      return false;
    }
  }

  #applyMode(place: Place, entry: Entry, recorded: number, owned: boolean): void {
    let mode = recorded & 0o7777;
    if (this.#options.preserveSetuid !== true) {
      // a program that runs as its owner must not run as somebody else
      if (!this.#root) mode &= ~SPECIAL;
      else if (!owned && entry.type !== "directory") mode &= ~SETUID_SETGID;
      if (mode !== (recorded & 0o7777)) this.lose("the setuid, setgid or sticky bit", "permission", entry.path);
    }
    try {
      if ("fd" in place) fchmodSync(place.fd, mode);
      else chmodSync(place.path, mode);
    } catch (error) {
      this.#loseTo(error, "the mode", entry.path);
    }
  }

  #applyXattr(place: Place, { name, value }: Xattr, path: ByteString): void {
    const xattrs = this.#libc?.xattrs;
    if (xattrs === undefined) {
      this.lose("extended attributes", "unsupported", path);
      return;
    }
    const cName = Buffer.from(`${name}\0`, "latin1");
    const result =
      "fd" in place
        ? xattrs.setOfFile(place.fd, cName, value)
        : xattrs.set(terminated(place.path), cName, value, !place.symlink);
    if (result >= 0) return;
    const code = systemCode(systemError(result, "setxattr"));
    const denied = code === "EPERM" || code === "EACCES";
    const dot = name.indexOf(".");
    const kind = dot < 0 ? name : name.slice(0, dot);
    this.lose(
      `extended attributes (${kind})`,
      denied ? "permission" : code === "ENOSPC" ? "no_space" : "unsupported",
      path,
    );
  }

  #applyTime(place: Place, mtime: Timestamp, path: ByteString): void {
    const times = this.#libc?.times;
    if (times !== undefined) {
      const result =
        "fd" in place ? times.ofFile(place.fd, mtime) : times.ofPath(terminated(place.path), mtime, !place.symlink);
      if (result < 0) this.#loseTo(systemError(result, "utimensat"), "the modification time", path);
      return;
    }
    // Node takes seconds as a number, good for microseconds, or a Date, good for milliseconds and times before 1970
    const exact = mtime.seconds >= 0 ? 1000 : 1_000_000;
    if (mtime.nanoseconds % exact !== 0) this.lose("nanoseconds of the modification time", "unsupported", path);
    const time =
      mtime.seconds >= 0
        ? mtime.seconds + Math.floor(mtime.nanoseconds / 1000) / 1e6
        : new Date(mtime.seconds * 1000 + Math.floor(mtime.nanoseconds / 1e6));
    try {
      if ("fd" in place) futimesSync(place.fd, time, time);
      else if (place.symlink) lutimesSync(place.path, time, time);
      else utimesSync(place.path, time, time);
    } catch (error) {
      this.#loseTo(error, "the modification time", path);
    }
  }

  /** Counts what the system refused; anything else, such as a failing disk, is an error. */
  #loseTo(error: unknown, what: string, path: ByteString): void {
    const code = systemCode(error);
    if (code === "EPERM" || code === "EACCES") this.lose(what, "permission", path);
    else if (UNSUPPORTED.has(code)) this.lose(what, "unsupported", path);
    else throw error;
  }
}

function terminated(path: Buffer): Buffer {
  return Buffer.concat([path, Buffer.alloc(1)]);
}
