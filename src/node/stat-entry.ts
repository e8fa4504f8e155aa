// From what `lstat` says to an Entry.

import type { BigIntStats } from "node:fs";
import type { EntryDraft, EntryType, Timestamp } from "../core/format/entry.ts";
import type { ByteString } from "../core/format/path.ts";
import { accounts } from "./accounts.ts";
import { deviceNumbers } from "./device-size.ts";

const TYPE_MASK = 0o170000;
const TYPES = new Map<number, EntryType>([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o120000, "symlink"],
  [0o010000, "fifo"],
  [0o020000, "char"],
  [0o060000, "block"],
]);

const BILLION = 1_000_000_000n;

/** Nanoseconds since 1970, negative before, as seconds rounded down and a remainder that is never negative. */
function timestampOf(ns: bigint): Timestamp {
  let seconds = ns / BILLION;
  let rest = ns % BILLION;
  if (rest < 0n) {
    seconds -= 1n;
    rest += BILLION;
  }
  return { seconds: Number(seconds), nanoseconds: Number(rest) };
}

/** Everything that one `lstat` tells; undefined for a socket, which an archive does not hold. */
export function entryOfStat(path: ByteString, stat: BigIntStats): EntryDraft | undefined {
  const mode = Number(stat.mode);
  const type = TYPES.get(mode & TYPE_MASK);
  if (type === undefined) return undefined;
  const entry: EntryDraft = { path, type, mode: mode & 0o7777, mtime: timestampOf(stat.mtimeNs) };
  if (process.platform !== "win32") {
    const { users, groups } = accounts();
    const uid = Number(stat.uid);
    const gid = Number(stat.gid);
    entry.uid = uid;
    entry.gid = gid;
    const userName = users.nameOf(uid);
    const groupName = groups.nameOf(gid);
    if (userName !== undefined) entry.userName = userName;
    if (groupName !== undefined) entry.groupName = groupName;
  }
  if (type === "file") {
    entry.size = Number(stat.size);
    // fewer blocks (512 bytes each) than bytes: something in it takes no room
    if (stat.blocks * 512n < stat.size) entry.sparse = true;
  } else if (type === "char" || type === "block") {
    entry.device = deviceNumbers(stat.rdev);
  }
  return entry;
}
