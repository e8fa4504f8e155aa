// Extended attributes of a path, read through libc: access lists and capabilities are among them.

import type { Xattr } from "../core/format/entry.ts";
import type { ByteString } from "../core/format/path.ts";
import { systemCode, systemError } from "./errors.ts";
import type { Libc } from "./libc.ts";

/** Linux allows 64 KiB for all names of a file and 64 KiB for a value. */
const LARGEST = 65536;
const names = Buffer.alloc(LARGEST);
const value = Buffer.alloc(LARGEST);

/** The file system has none, or the file is gone: nothing is lost by going on. */
const NOTHING_THERE = new Set(["ENOTSUP", "EOPNOTSUPP", "ENODATA", "ENOENT"]);

/**
 * The attributes by name, or undefined when there are none.
 * @param path ended by NUL
 * @param onError told for each that could not be read
 */
export function readXattrs(
  libc: NonNullable<Libc["xattrs"]>,
  path: Buffer,
  follow: boolean,
  onError: (error: NodeJS.ErrnoException) => void,
): Xattr[] | undefined {
  // asking for the length alone is the common case, and half the price
  let length = libc.list(path, null, follow);
  if (length === 0) return undefined;
  if (length > 0) length = libc.list(path, names, follow);
  if (length < 0) {
    report(length, "listxattr", onError);
    return undefined;
  }
  const found: Xattr[] = [];
  for (let at = 0; at < length; ) {
    const end = names.indexOf(0, at);
    const count = libc.get(path, names.subarray(at, end + 1), value, follow);
    if (count < 0) report(count, "getxattr", onError);
    else
      found.push({
        name: names.toString("latin1", at, end) as ByteString,
        value: Uint8Array.prototype.slice.call(value, 0, count),
      });
    at = end + 1;
  }
  if (found.length === 0) return undefined;
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function report(result: number, call: string, onError: (error: NodeJS.ErrnoException) => void): void {
  const error = systemError(result, call);
  if (!NOTHING_THERE.has(systemCode(error))) onError(error);
}
