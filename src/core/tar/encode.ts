// From an entry to the headers of a new tar: POSIX ustar, with a pax extended header before it for what ustar cannot
// say. GNU tar, bsdtar and Python read the same from it.

import type { Entry } from "../format/entry.ts";
import { type ByteString, splitPath, textOf, undisplayed } from "../format/path.ts";
import { TAR_BLOCK } from "../format/tar-block.ts";
import { encodeTarHeader, octalLimit, textLimit } from "./header.ts";
import { BASE64_XATTR, encodePax, formatPaxTime, type PaxRecord, XATTR } from "./pax.ts";

const TYPES: Readonly<Record<Entry["type"], string>> = {
  file: "0",
  symlink: "2",
  char: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};
/** Whether a name needs no record that says that it is UTF-8. */
const isAscii = (name: ByteString): boolean => !/[^ -~]/.test(name);

/** The end of a tar: two blocks of zeros, then zeros up to a multiple of 20 blocks. */
export function tarEndLength(length: number): number {
  const record = 20 * TAR_BLOCK;
  return Math.ceil((length + 2 * TAR_BLOCK) / record) * record - length;
}

/** Headers of an entry; its content follows, unless it is a hard link, then zeros up to a multiple of 512. */
export function encodeMember(entry: Entry): Uint8Array {
  const records: PaxRecord[] = [];
  const say = (key: string, value: string) => records.push([key as ByteString, value as ByteString]);
  /** The text where its field holds it, else what fits and a record. */
  const text = (field: Parameters<typeof textLimit>[0], key: string, value: ByteString): ByteString => {
    if (value.length > textLimit(field) || (!isAscii(value) && textOf(value) !== undefined)) say(key, value);
    return value.slice(0, textLimit(field)) as ByteString;
  };
  const number = (field: Parameters<typeof octalLimit>[0], key: string, value: number): number => {
    if (value <= octalLimit(field)) return value;
    say(key, String(value));
    return 0;
  };
  const isLink = entry.hardLink !== undefined;
  const path = (entry.type === "directory" ? `${entry.path === "" ? "." : entry.path}/` : entry.path) as ByteString;
  const { name, prefix } = splitName(path);
  if (name === undefined || !isAscii(path)) text("name", "path", path);
  const { device } = entry;
  const header = encodeTarHeader({
    type: isLink ? "1" : TYPES[entry.type],
    name: name ?? (path.slice(0, textLimit("name")) as ByteString),
    prefix,
    linkName: text("linkName", "linkpath", entry.hardLink ?? entry.target ?? ("" as ByteString)),
    mode: entry.mode ?? (entry.type === "directory" ? 0o755 : entry.type === "symlink" ? 0o777 : 0o644),
    uid: number("uid", "uid", entry.uid ?? 0),
    gid: number("gid", "gid", entry.gid ?? 0),
    size: number("size", "size", entry.type === "file" && !isLink ? entry.size! : 0),
    mtime: headerTime(entry.mtime, say),
    userName: text("userName", "uname", entry.userName ?? ("" as ByteString)),
    groupName: text("groupName", "gname", entry.groupName ?? ("" as ByteString)),
    device: device && {
      major: number("major", "SCHILY.devmajor", device.major),
      minor: number("major", "SCHILY.devminor", device.minor),
    },
  });
  sayXattrs(entry, say);
  sayKept(entry, say);
  if (records.length === 0) return header;
  return withRecords(path, records, header);
}

/** Name and prefix of ustar; undefined when the path does not fit them. */
function splitName(path: ByteString): { name: ByteString | undefined; prefix: ByteString } {
  const none = "" as ByteString;
  if (path.length <= textLimit("name")) return { name: path, prefix: none };
  // The slash of a directory's own name is no place to split.
  const slash = path.lastIndexOf("/", Math.min(textLimit("prefix"), path.length - 2));
  const name = path.slice(slash + 1) as ByteString;
  if (slash <= 0 || name.length > textLimit("name")) return { name: undefined, prefix: none };
  return { name, prefix: path.slice(0, slash) as ByteString };
}

function headerTime(mtime: Entry["mtime"], say: (key: string, value: string) => void): number {
  if (mtime === undefined) return 0;
  const fits = mtime.seconds >= 0 && mtime.seconds <= octalLimit("mtime");
  if (!fits || mtime.nanoseconds !== 0) say("mtime", formatPaxTime(mtime));
  return fits ? mtime.seconds : 0;
}

function sayXattrs({ xattrs = [] }: Entry, say: (key: string, value: string) => void): void {
  for (const { name, value } of xattrs) {
    const bytes = [...value].map((byte) => String.fromCharCode(byte)).join("");
    // A key ends at the first "=".
    if (!/[=%]/.test(name)) say(`${XATTR}${name}`, bytes);
    else say(`${BASE64_XATTR}${name.replace(/[=%]/g, (sign) => (sign === "=" ? "%3D" : "%25"))}`, btoa(bytes));
  }
}

/** Records that came from a tar and have no field of their own. */
function sayKept({ metadata }: Entry, say: (key: string, value: string) => void): void {
  const { pax } = metadata ?? {};
  if (typeof pax !== "object" || pax === null) return;
  for (const [key, value] of Object.entries(pax)) {
    if (typeof value !== "string" || /[=\0]/.test(key) || key === "" || key.startsWith("GNU.sparse.")) continue;
    say(undisplayed(key), undisplayed(value));
  }
}

function withRecords(path: ByteString, records: readonly PaxRecord[], header: Uint8Array): Uint8Array {
  const isText = records.every(([key, value]) => key.startsWith(XATTR) || textOf(value) !== undefined);
  const all: PaxRecord[] = isText ? [...records] : [["hdrcharset" as ByteString, "BINARY" as ByteString], ...records];
  const bytes = encodePax(all);
  const none = "" as ByteString;
  const { name } = splitPath(path.replace(/\/$/, "") as ByteString);
  const before = encodeTarHeader({
    type: "x",
    name: `PaxHeaders/${name}`.slice(0, textLimit("name")) as ByteString,
    prefix: none,
    linkName: none,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: bytes.length,
    mtime: 0,
    userName: none,
    groupName: none,
    device: undefined,
  });
  const whole = new Uint8Array(TAR_BLOCK + Math.ceil(bytes.length / TAR_BLOCK) * TAR_BLOCK + TAR_BLOCK);
  whole.set(before);
  whole.set(bytes, TAR_BLOCK);
  whole.set(header, whole.length - TAR_BLOCK);
  return whole;
}
