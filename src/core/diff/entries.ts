// What can differ between two entries of one path besides their content.

import { equalBytes } from "../bytes.ts";
import type { Entry, Xattr } from "../format/entry.ts";
import { comparePaths } from "../format/path.ts";

/** Fields of the metadata by the names that are shown. */
export type MetadataField =
  | "mode"
  | "uid"
  | "gid"
  | "user"
  | "group"
  | "mtime"
  | "xattrs"
  | "hard_link"
  | "sparse"
  | "metadata";

const FIELDS: Readonly<Record<MetadataField, (entry: Entry) => string | number | boolean | undefined>> = {
  mode: ({ mode }) => mode,
  uid: ({ uid }) => uid,
  gid: ({ gid }) => gid,
  user: ({ userName }) => userName,
  group: ({ groupName }) => groupName,
  mtime: ({ mtime }) => mtime && `${mtime.seconds} ${mtime.nanoseconds}`,
  xattrs: () => undefined,
  hard_link: ({ hardLink }) => hardLink,
  sparse: ({ sparse }) => sparse ?? false,
  metadata: ({ metadata }) => metadata && JSON.stringify(metadata),
};

/** Fields whose values differ. */
export function changedMetadata(a: Entry, b: Entry): MetadataField[] {
  const names = Object.keys(FIELDS) as MetadataField[];
  return names.filter((name) =>
    name === "xattrs" ? !sameXattrs(a.xattrs ?? [], b.xattrs ?? []) : FIELDS[name](a) !== FIELDS[name](b),
  );
}

function sameXattrs(a: readonly Xattr[], b: readonly Xattr[]): boolean {
  return (
    a.length === b.length && a.every(({ name, value }, at) => name === b[at]!.name && equalBytes(value, b[at]!.value))
  );
}

/** Whether two entries that are no files hold the same: type, target, device. */
export function sameSpecial(a: Entry, b: Entry): boolean {
  return (
    a.type === b.type &&
    a.target === b.target &&
    a.device?.major === b.device?.major &&
    a.device?.minor === b.device?.minor
  );
}

/** The entries of both trees in one order, those of one path together. */
export async function* mergeEntries(
  a: AsyncIterable<Entry>,
  b: AsyncIterable<Entry>,
): AsyncGenerator<{ a?: Entry; b?: Entry }> {
  const left = a[Symbol.asyncIterator]();
  const right = b[Symbol.asyncIterator]();
  let [x, y] = [await left.next(), await right.next()];
  while (!x.done || !y.done) {
    const order = x.done ? 1 : y.done ? -1 : comparePaths(x.value.path, y.value.path);
    if (order < 0) yield { a: x.value };
    else if (order > 0) yield { b: y.value };
    else yield { a: x.value, b: y.value };
    if (order <= 0) x = await left.next();
    if (order >= 0) y = await right.next();
  }
}
