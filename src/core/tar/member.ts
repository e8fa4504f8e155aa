// From a member of a tar to an entry: fields from header and pax records, a path that is safe, and what is kept of the
// rest in the entry's metadata.

import type { ErrorCode } from "../errors.ts";
import { HexzError } from "../errors.ts";
import type { Entry, EntryDraft, EntryType, Timestamp, Xattr } from "../format/entry.ts";
import { type ByteString, displayName } from "../format/path.ts";
import { LIMITS } from "../limits.ts";
import type { Subject } from "./header.ts";
import type { TarMember } from "./parser.ts";
import { BASE64_XATTR, parsePaxTime, XATTR } from "./pax.ts";

/** What becomes of a member. */
export type TarEntry =
  | { readonly entry: Entry; readonly note?: string }
  /** It is left out; its bytes are not. */
  | { readonly entry: undefined; readonly code: ErrorCode; readonly why: string };

const TYPES: Readonly<Record<string, EntryType>> = {
  "0": "file",
  "1": "file",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  "7": "file",
  S: "file",
  D: "directory",
};
/** Members that are about the tar itself. */
const NO_ENTRY: Readonly<Record<string, string>> = {
  V: "it is a volume label",
  M: "it is the continuation of a file in another volume",
  N: "it is a list of long names of an old kind",
};
/** Records that have become fields. */
const FIELDS: ReadonlySet<string> = new Set([
  ..."path linkpath size uid gid uname gname mtime hdrcharset".split(" "),
  "SCHILY.devmajor",
  "SCHILY.devminor",
]);

/** What a path has that is not one of an archive as it is. */
const UNUSUAL = /\0|\/$|(?:^|\/)\.{0,2}(?:\/|$)/;

/** A path of a tar as one of an archive, or why it cannot be: an absolute one loses its slash, `.` means nothing. */
export function safePath(path: ByteString): { path: ByteString } | { problem: string } {
  if (!UNUSUAL.test(path)) return { path };
  if (path.includes("\0")) return { problem: "its name has a NUL byte" };
  const components = path.split("/").filter((component) => component !== "" && component !== ".");
  if (components.includes("..")) return { problem: 'its name has ".."' };
  return { path: components.join("/") as ByteString };
}

/** @throws HexzError `invalid`, `limit_exceeded` when a record cannot be read @param what for messages */
export function entryOfMember(member: TarMember, what: Subject): TarEntry {
  const { header, records } = member;
  const { type: flag } = header;
  if (NO_ENTRY[flag] !== undefined) return leave("unsupported", NO_ENTRY[flag]);
  const safe = safePath(member.path);
  if ("problem" in safe) return leave("unsafe_path", safe.problem);
  // Before there was a type for directories, a slash at the end made one.
  const isOldDirectory = flag === "0" && member.path.endsWith("/") && header.format === "v7";
  const type = isOldDirectory ? "directory" : (TYPES[flag] ?? "file");
  if (safe.path === "" && type !== "directory") return leave("invalid", "it has no name");
  const mtime = records.get("mtime" as ByteString);
  const xattrs = xattrsOf(records);
  const userName = records.get("uname" as ByteString) ?? header.userName;
  const groupName = records.get("gname" as ByteString) ?? header.groupName;
  const uid = numberOf(records, "uid", header.uid, what);
  const gid = numberOf(records, "gid", header.gid, what);
  const metadata = metadataOf(member);
  const entry: EntryDraft = {
    path: safe.path,
    type,
    mode: Math.max(0, header.mode) & 0o7777,
    mtime: mtime === undefined ? wholeSeconds(header.mtime) : parsePaxTime(mtime, `the mtime of ${what}`),
  };
  // Some programs write -1 for an owner that they do not know.
  if (uid >= 0) entry.uid = uid;
  if (gid >= 0) entry.gid = gid;
  if (userName !== "") entry.userName = userName;
  if (groupName !== "") entry.groupName = groupName;
  if (xattrs.length > 0) entry.xattrs = xattrs;
  if (metadata !== undefined) entry.metadata = metadata;
  if (type === "file" && member.sparse !== undefined) entry.sparse = true;
  if (flag === "1") {
    const link = safePath(member.linkPath);
    if ("problem" in link) return leave("unsafe_path", link.problem.replace("its name", "what it links to"));
    entry.hardLink = link.path;
    return { entry };
  }
  if (type === "symlink") {
    if (member.linkPath.length > LIMITS.symlinkTarget) return leave("limit_exceeded", "what it points to is too long");
    entry.target = member.linkPath;
    return { entry };
  }
  if (type === "char" || type === "block") {
    const major = numberOf(records, "SCHILY.devmajor", header.device.major, what);
    const minor = numberOf(records, "SCHILY.devminor", header.device.minor, what);
    if (major < 0 || minor < 0) return leave("invalid", "its device number is negative");
    entry.device = { major, minor };
    return { entry };
  }
  if (TYPES[flag] !== undefined) return { entry };
  return { entry, note: `is of the unknown type ${JSON.stringify(flag)}; it is taken for a file` };
}

const NO_XATTRS: readonly Xattr[] = [];
const wholeSeconds = (seconds: number): Timestamp => ({ seconds, nanoseconds: 0 });

const leave = (code: ErrorCode, why: string): TarEntry => ({ entry: undefined, code, why });

/** What the record says, failing that what the header says. */
function numberOf(records: TarMember["records"], key: string, field: number, what: Subject): number {
  const said = records.get(key as ByteString);
  if (said === undefined) return field;
  const value = Number(said);
  if (/^-?[0-9]{1,16}$/.test(said) && Number.isSafeInteger(value)) return value;
  throw new HexzError("invalid", `the ${key} of ${what} is ${JSON.stringify(displayName(said).slice(0, 40))}`);
}

function xattrsOf(records: TarMember["records"]): readonly Xattr[] {
  if (records.size === 0) return NO_XATTRS;
  const found = new Map<ByteString, Uint8Array>();
  for (const [key, value] of records) {
    const isPlain = key.startsWith(XATTR);
    if (!isPlain && !key.startsWith(BASE64_XATTR)) continue;
    const name = (isPlain ? key.slice(XATTR.length) : unescaped(key.slice(BASE64_XATTR.length))) as ByteString;
    if (name === "" || (!isPlain && found.has(name))) continue;
    const bytes = isPlain ? Uint8Array.from(value, (character) => character.charCodeAt(0)) : fromBase64(value);
    if (bytes !== undefined) found.set(name, bytes);
  }
  return [...found].map(([name, value]) => ({ name, value }));
}

const unescaped = (text: string): string =>
  text.replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** Records of the member's own that no field says; those of global headers are the container's. */
function metadataOf({ records, global }: TarMember): Entry["metadata"] {
  if (records.size === 0) return undefined;
  const kept: [string, string][] = [];
  for (const [key, value] of records) {
    if (FIELDS.has(key) || global.has(key) || key.startsWith(XATTR)) continue;
    if (key.startsWith(BASE64_XATTR) && fromBase64(value) !== undefined) continue;
    kept.push([displayName(key), displayName(value)]);
  }
  return kept.length === 0 ? undefined : { pax: Object.fromEntries(kept) };
}

/** Records of global headers, as text. */
export function globalMetadata(records: ReadonlyMap<ByteString, ByteString>): Record<string, string> {
  return Object.fromEntries([...records].map(([key, value]) => [displayName(key), displayName(value)]));
}
