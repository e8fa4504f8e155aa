// What the file system can do and Node cannot ask for: times in nanoseconds, extended attributes, holes, a rename that
// replaces nothing, device nodes. It goes through the optional package `koffi`, loaded on first use (15 ms). Every group
// is optional by itself: a caller names the loss once and goes on. Only on 64-bit Linux, where the layouts below hold.
//
// Functions return what C returns, or the negative error number. Paths and names end with a NUL byte.

import { createRequire } from "node:module";
import type { Timestamp } from "../core/format/entry.ts";

const O_CLOEXEC = 0o2000000;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const RENAME_NOREPLACE = 1;
/** As tv_nsec: leave this time as it is. */
const UTIME_OMIT = 0x3ffffffen;
const SEEK_END = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const S_IFIFO = 0o010000;

export interface Libc {
  readonly times?: {
    /** futimens: sets the mtime, leaves the atime. */
    ofFile(fd: number, mtime: Timestamp): number;
    /** utimensat: the same by path. */
    ofPath(path: Buffer, mtime: Timestamp, follow: boolean): number;
  };
  readonly xattrs?: {
    /** [l]listxattr: the length of the names, each ended by NUL, written to `into` when there is one. */
    list(path: Buffer, into: Buffer | null, follow: boolean): number;
    /** [l]getxattr: the length of the value. */
    get(path: Buffer, name: Buffer, into: Buffer, follow: boolean): number;
    /** [l]setxattr */
    set(path: Buffer, name: Buffer, value: Uint8Array, follow: boolean): number;
    /** fsetxattr */
    setOfFile(fd: number, name: Buffer, value: Uint8Array): number;
  };
  /** lseek; it moves the file's position, so read with explicit positions beside it. */
  readonly seek?: {
    /** First position ≥ `from` that holds data; −ENXIO when only a hole is left. */
    data(fd: number, from: number): number;
    /** First position ≥ `from` that is in a hole; the end counts as one. */
    hole(fd: number, from: number): number;
    end(fd: number): number;
  };
  /** renameat2 with RENAME_NOREPLACE, in a directory that is open or from here. −EINVAL: this file system cannot. */
  readonly renameNew?: (from: Buffer, to: Buffer, directory?: number) => number;
  /** openat; `name` is relative to the directory. Descriptor or −errno. */
  readonly openAt?: (directory: number, name: Buffer, flags: number, mode: number) => number;
  readonly makeFifo?: (path: Buffer, mode: number) => number;
  /** mknod; `mode` holds the type too. Not exported by glibc before 2.33. */
  readonly makeNode?: (path: Buffer, mode: number, device: { major: number; minor: number }) => number;
}

type Koffi = typeof import("koffi");
type Native = (...values: unknown[]) => number;

const BITS_64 = new Set(["x64", "arm64", "riscv64", "loong64", "ppc64", "s390x"]);
let loaded: { libc: Libc | undefined } | undefined;

/** The functions, or undefined when there are none on this machine. */
export function libc(): Libc | undefined {
  loaded ??= { libc: load() };
  return loaded.libc;
}

function load(): Libc | undefined {
  if (process.platform !== "linux" || !BITS_64.has(process.arch)) return undefined;
  try {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    return bind(koffi);
  } catch {
    return undefined;
  }
}

function bind(koffi: Koffi): Libc {
  // null is the program itself: its C library, be it glibc or musl
  const library = koffi.load(null);
  /** The function `name`, made to return −errno instead of −1; undefined when the C library lacks it. */
  const find = (name: string, result: string, parameters: string[]): Native | undefined => {
    let native: Native;
    try {
      native = library.func(name, result, parameters) as Native;
    } catch {
      return undefined;
    }
    return (...values) => {
      const returned = native(...values);
      return returned === -1 ? -koffi.errno() : returned;
    };
  };
  const rename = find("renameat2", "int", ["int", "void*", "int", "void*", "uint"]);
  const openAt = find("openat", "int", ["int", "void*", "int", "uint"]);
  const fifo = find("mkfifo", "int", ["void*", "uint"]);
  const node = find("mknod", "int", ["void*", "uint", "uint64_t"]);
  return {
    times: bindTimes(find),
    xattrs: bindXattrs(find),
    seek: bindSeek(find),
    renameNew: rename && ((from, to, at = AT_FDCWD) => rename(at, from, at, to, RENAME_NOREPLACE)),
    openAt: openAt && ((directory, name, flags, mode) => openAt(directory, name, flags | O_CLOEXEC, mode)),
    makeFifo: fifo && ((path, mode) => fifo(path, mode | S_IFIFO)),
    makeNode: node && ((path, mode, device) => node(path, mode, makeDevice(device))),
  };
}

type Find = (name: string, result: string, parameters: string[]) => Native | undefined;

function bindTimes(find: Find): Libc["times"] {
  const ofFile = find("futimens", "int", ["int", "void*"]);
  const ofPath = find("utimensat", "int", ["int", "void*", "void*", "int"]);
  if (ofFile === undefined || ofPath === undefined) return undefined;
  // two struct timespec: atime, mtime; each seconds and nanoseconds
  const times = BigInt64Array.of(0n, UTIME_OMIT, 0n, 0n);
  const fill = (mtime: Timestamp): BigInt64Array => {
    times[2] = BigInt(mtime.seconds);
    times[3] = BigInt(mtime.nanoseconds);
    return times;
  };
  return {
    ofFile: (fd, mtime) => ofFile(fd, fill(mtime)),
    ofPath: (path, mtime, follow) => ofPath(AT_FDCWD, path, fill(mtime), follow ? 0 : AT_SYMLINK_NOFOLLOW),
  };
}

function bindXattrs(find: Find): Libc["xattrs"] {
  const list = find("listxattr", "int64_t", ["void*", "void*", "size_t"]);
  const listLink = find("llistxattr", "int64_t", ["void*", "void*", "size_t"]);
  const get = find("getxattr", "int64_t", ["void*", "void*", "void*", "size_t"]);
  const getLink = find("lgetxattr", "int64_t", ["void*", "void*", "void*", "size_t"]);
  const set = find("setxattr", "int", ["void*", "void*", "void*", "size_t", "int"]);
  const setLink = find("lsetxattr", "int", ["void*", "void*", "void*", "size_t", "int"]);
  const setOfFile = find("fsetxattr", "int", ["int", "void*", "void*", "size_t", "int"]);
  if (!list || !listLink || !get || !getLink || !set || !setLink || !setOfFile) return undefined;
  return {
    list: (path, into, follow) => (follow ? list : listLink)(path, into, into?.length ?? 0),
    get: (path, name, into, follow) => (follow ? get : getLink)(path, name, into, into.length),
    set: (path, name, value, follow) => (follow ? set : setLink)(path, name, value, value.length, 0),
    setOfFile: (fd, name, value) => setOfFile(fd, name, value, value.length, 0),
  };
}

function bindSeek(find: Find): Libc["seek"] {
  const seek = find("lseek", "int64_t", ["int", "int64_t", "int"]);
  if (seek === undefined) return undefined;
  return {
    data: (fd, from) => seek(fd, from, SEEK_DATA),
    hole: (fd, from) => seek(fd, from, SEEK_HOLE),
    end: (fd) => seek(fd, 0, SEEK_END),
  };
}

/** Linux's dev_t of two numbers: minor 0–7, major 0–11, minor 8–31, major 12–31, from the low bit up. */
function makeDevice({ major, minor }: { major: number; minor: number }): bigint {
  const high = BigInt(major);
  const low = BigInt(minor);
  return (low & 0xffn) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | ((high & ~0xfffn) << 32n);
}
