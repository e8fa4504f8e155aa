// Entries of an archive as `inspect --entries` shows them: for JSON, and as `ls -l` does.

import type { Entry } from "../core/format/entry.ts";
import { type ByteString, byteStringFromText, displayName } from "../core/format/path.ts";
import type { Stream } from "../core/format/root.ts";
import { isoTime, nameFields, printable, shownName } from "./text.ts";

/** One element of `entry_list`; what the archive does not know is null. */
export function entryDocument(entry: Entry): object {
  const { path, type, size, mode, mtime, uid, gid, userName, groupName, target, hardLink, device, xattrs } = entry;
  const name = (key: string, value: ByteString | undefined) =>
    value === undefined ? { [key]: null } : nameFields(key, value);
  return {
    ...nameFields("path", path),
    type,
    size: size ?? null,
    mode: mode ?? null,
    mtime: mtime === undefined ? null : isoTime(mtime),
    uid: uid ?? null,
    gid: gid ?? null,
    ...name("user", userName),
    ...name("group", groupName),
    ...name("target", target),
    ...name("hard_link", hardLink),
    device: device ?? null,
    xattrs: (xattrs ?? []).map((xattr) => displayName(xattr.name)),
    metadata: entry.metadata ?? null,
  };
}

const LETTERS = { file: "-", directory: "d", symlink: "l", fifo: "p", char: "c", block: "b" } as const;

/** "-rwsr-xr-x"; question marks where the mode is not known. */
function modeText({ type, mode }: Entry): string {
  if (mode === undefined) return `${LETTERS[type]}?????????`;
  let text: string = LETTERS[type];
  for (const [shift, special, letter] of [
    [6, 0o4000, "s"],
    [3, 0o2000, "s"],
    [0, 0o1000, "t"],
  ] as const) {
    const bits = (mode >> shift) & 7;
    const last =
      (mode & special) === 0 ? ((bits & 1) === 0 ? "-" : "x") : (bits & 1) === 0 ? letter.toUpperCase() : letter;
    text += ((bits & 4) === 0 ? "-" : "r") + ((bits & 2) === 0 ? "-" : "w") + last;
  }
  return text;
}

function ownerText(name: ByteString | undefined, id: number | undefined): string {
  return name === undefined ? String(id ?? "?") : printable(displayName(name));
}

/** One line, columns wide enough for most. */
export function entryLine(entry: Entry): string {
  const { path, type, mtime, target, hardLink, device } = entry;
  const size = device === undefined ? String(entry.size ?? "-") : `${device.major},${device.minor}`;
  const time = mtime === undefined ? "?" : (isoTime(mtime)?.slice(0, 19).replace("T", " ") ?? "?");
  let line = `${modeText(entry)} ${ownerText(entry.userName, entry.uid).padEnd(8)} `;
  line += `${ownerText(entry.groupName, entry.gid).padEnd(8)} ${size.padStart(12)} ${time.padEnd(19)} ${shownName(path)}`;
  if (type === "symlink") line += ` -> ${shownName(target ?? byteStringFromText("?"))}`;
  if (hardLink !== undefined) line += ` (another name of ${shownName(hardLink)})`;
  return line;
}

/** Streams stand before the entries. */
export function streamLine({ name, size }: Stream): string {
  return `${"stream".padEnd(28)} ${String(size).padStart(12)} ${"".padEnd(19)} ${name}`;
}
