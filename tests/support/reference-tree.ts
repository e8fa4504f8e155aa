// The reference decoder: the tree and its entries (docs/format.md, "Tree").

import { ascii, Cursor, compare, concat, equal, fail, hex, jsonObject, limit, rule } from "./reference-bytes.ts";
import { KIND, type Page, readPage } from "./reference-pages.ts";
import { list, type Root, readTreeChildren, type TreeChild } from "./reference-root.ts";

export interface ReferenceEntry {
  /** The path as UTF-8 with replacement characters; `pathBytes` are exact. The root directory's is empty. */
  path: string;
  pathBytes: Uint8Array;
  directory: Uint8Array;
  name: Uint8Array;
  type: "file" | "directory" | "symlink" | "fifo" | "char" | "block";
  start?: number;
  size?: number;
  mode?: number;
  uid?: number;
  gid?: number;
  userName?: Uint8Array;
  groupName?: Uint8Array;
  mtime?: { seconds: number; nanoseconds: number };
  target?: Uint8Array;
  hardLink?: Uint8Array;
  device?: { major: number; minor: number };
  xattrs: { name: Uint8Array; value: Uint8Array }[];
  sparse: boolean;
  metadata?: Record<string, unknown>;
  derived?: { method: string; size: number; parameter: Uint8Array };
  /** Fields from tag 128 on. */
  others: { tag: number; value: Uint8Array }[];
  record: Uint8Array;
}

export interface Tree {
  entries: ReferenceEntry[];
  leaves: { page: Page }[];
  inner: { page: Page; level: number }[];
}

const SLASH = 0x2f;
const TYPES = ["file", "directory", "symlink", "fifo", "char", "block"] as const;

export function readTree(file: Uint8Array, root: Root): Tree {
  const tree: Tree = { entries: [], leaves: [], inner: [] };
  visit(root.tree.children, root.tree.depth);
  const pages = tree.leaves.length + tree.inner.length;
  rule(pages === root.tree.pages, `the tree has ${pages} pages and not ${root.tree.pages}`);
  checkEntries(tree.entries, root);
  return tree;

  function visit(children: TreeChild[], depth: number): void {
    for (const child of children) {
      const before = tree.entries.length;
      if (depth === 0) {
        const page = readPage(file, child.ref, KIND.treeLeaf);
        tree.leaves.push({ page });
        readLeaf(page, tree.entries);
      } else {
        const page = readPage(file, child.ref, KIND.treeInner);
        tree.inner.push({ page, level: depth - 1 });
        const cursor = new Cursor(page.payload, `the inner page of the tree at ${page.offset}`);
        const below = readTreeChildren(cursor, cursor.u32());
        cursor.end();
        visit(below, depth - 1);
      }
      const count = tree.entries.length - before;
      rule(
        count === child.count,
        `the page of the tree at ${child.ref.offset} has ${count} entries, not ${child.count}`,
      );
      const first = tree.entries[before]!;
      const same = equal(first.directory, child.directory) && equal(first.name, child.name);
      rule(same, `the page of the tree at ${child.ref.offset} begins with another entry than its reference says`);
    }
  }
}

function readLeaf(page: Page, entries: ReferenceEntry[]): void {
  const cursor = new Cursor(page.payload, `the leaf of the tree at ${page.offset}`);
  let previous: Uint8Array | undefined;
  for (const _ of list(cursor, cursor.u32(), () => 0)) {
    const same = cursor.u8();
    rule(same <= 1, `${cursor.what}: an entry begins with ${same}`);
    rule(same === 0 || previous !== undefined, `${cursor.what}: its first entry has no directory`);
    const directory: Uint8Array = same === 1 ? previous! : cursor.sized();
    const repeated = same === 0 && previous !== undefined && equal(previous, directory);
    rule(!repeated, `${cursor.what}: an entry repeats the directory ${show(directory)}`);
    previous = directory;
    const name = cursor.sized();
    const entry = readRecord(cursor, directory, name);
    entries.push(entry);
    limit(directory.length + name.length + entry.record.length, 1_000_000, "length of an entry");
  }
  cursor.end();
}

const components = (path: Uint8Array): Uint8Array[] => {
  if (path.length === 0) return [];
  const found: Uint8Array[] = [];
  for (let from = 0; from <= path.length; ) {
    const slash = path.indexOf(SLASH, from);
    const to = slash < 0 ? path.length : slash;
    found.push(path.subarray(from, to));
    from = to + 1;
  }
  return found;
};

function pathOf(directory: Uint8Array, name: Uint8Array): Uint8Array {
  const path = directory.length === 0 ? name : concat(directory, ascii("/"), name);
  limit(path.length, 65_535, "length of a path");
  const parts = components(path);
  limit(parts.length, 256, "components of a path");
  for (const part of parts) {
    limit(part.length, 4096, "length of a component");
    const bad = ["", "2e", "2e2e"].includes(hex(part)) || part.includes(0);
    rule(!bad, `the path ${show(path)} has the component '${show(part)}'`);
  }
  rule(directory.length === 0 || name.length > 0, `an entry in ${show(directory)} has no name`);
  return path;
}

const show = (path: Uint8Array): string => new TextDecoder().decode(path);

function readRecord(page: Cursor, directory: Uint8Array, name: Uint8Array): ReferenceEntry {
  const pathBytes = pathOf(directory, name);
  rule(!name.includes(SLASH), `the name ${show(name)} has a slash`);
  const path = show(pathBytes);
  const what = `the entry '${path}'`;
  const from = page.at;
  const type = TYPES[page.u8() - 1] ?? fail("invalid", `${what} is of an unknown type`);
  const entry: ReferenceEntry = {
    path,
    pathBytes,
    directory,
    name,
    type,
    xattrs: [],
    sparse: false,
    others: [],
    record: name,
  };
  let previous = 0;
  for (let tag = page.u8(); tag !== 0; tag = page.u8()) {
    rule(tag > previous || (tag === 12 && previous === 12), `${what}: field ${tag} follows field ${previous}`);
    previous = tag;
    const value = new Cursor(page.sized(), `${what}: field ${tag}`);
    readField(entry, tag, value);
    value.end();
  }
  entry.record = page.bytes.subarray(from, page.at);
  limit(entry.record.length, 1_000_000, `${what}: length of the record`);
  checkFields(entry, what);
  return entry;
}

function readField(entry: ReferenceEntry, tag: number, value: Cursor): void {
  const rest = (): Uint8Array => value.take(value.left);
  switch (tag) {
    case 1:
      entry.start = value.varint();
      return;
    case 2:
      entry.size = value.varint();
      return;
    case 3:
      entry.mode = value.varint();
      rule(entry.mode <= 0o7777, `${value.what} is 0o${entry.mode.toString(8)}`);
      return;
    case 4:
      entry.uid = value.varint();
      return;
    case 5:
      entry.gid = value.varint();
      return;
    case 6:
      entry.userName = rest();
      return;
    case 7:
      entry.groupName = rest();
      return;
    case 8:
      entry.mtime = { seconds: value.svarint(), nanoseconds: value.varint() };
      rule(entry.mtime.nanoseconds < 1e9, `${value.what} has ${entry.mtime.nanoseconds} nanoseconds`);
      return;
    case 9:
      entry.target = rest();
      limit(entry.target.length, 65_535, value.what);
      return;
    case 10:
      entry.hardLink = rest();
      return;
    case 11:
      entry.device = { major: value.varint(), minor: value.varint() };
      return;
    case 12: {
      const xattr = { name: value.sized(), value: rest() };
      const before = entry.xattrs.at(-1);
      rule(before === undefined || compare(before.name, xattr.name) < 0, `${value.what}: names do not ascend`);
      entry.xattrs.push(xattr);
      return;
    }
    case 13:
      entry.sparse = true;
      return;
    case 14:
      entry.metadata = jsonObject(rest(), value.what);
      return;
    case 15:
      entry.derived = { method: show(value.sized()), size: value.varint(), parameter: rest() };
      return;
    default:
      if (tag < 128) fail("feature_unknown", value.what);
      entry.others.push({ tag, value: rest() });
  }
}

/** Which fields go with which type. */
function checkFields(entry: ReferenceEntry, what: string): void {
  const file = entry.type === "file";
  const device = entry.type === "char" || entry.type === "block";
  rule((entry.start !== undefined) === file && (entry.size !== undefined) === file, `${what}: start and size`);
  rule(entry.size !== 0 || entry.start === 0, `${what} is empty and begins at ${entry.start}`);
  rule((entry.target !== undefined) === (entry.type === "symlink"), `${what}: target`);
  rule((entry.device !== undefined) === device, `${what}: device`);
  rule(file || !entry.sparse, `${what}: only files have holes`);
  rule(file || entry.hardLink === undefined, `${what}: only files have hard links`);
  rule(entry.derived === undefined || (file && entry.hardLink === undefined), `${what}: what is derived`);
}

function compareKeys(a: ReferenceEntry, b: ReferenceEntry): number {
  const [left, right] = [components(a.directory), components(b.directory)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const order = compare(left[i]!, right[i]!);
    if (order !== 0) return order;
  }
  return left.length - right.length || compare(a.name, b.name);
}

function checkEntries(entries: ReferenceEntry[], root: Root): void {
  const files = new Map<string, ReferenceEntry>();
  for (const [i, entry] of entries.entries()) {
    const what = `the entry '${entry.path}'`;
    if (i === 0)
      rule(entry.pathBytes.length === 0 && entry.type === "directory", "the root directory is not the first entry");
    else rule(compareKeys(entries[i - 1]!, entry) < 0, `${what} is not in its place`);
    if (entry.type !== "file") continue;
    rule(entry.start! + entry.size! <= root.addressSpace, `${what} ends behind the address space`);
    if (entry.hardLink === undefined) {
      files.set(hex(entry.pathBytes), entry);
      continue;
    }
    const first = files.get(hex(entry.hardLink)) ?? fail("invalid", `${what} is a hard link to no earlier file`);
    rule(
      first.start === entry.start && first.size === entry.size,
      `${what} differs from the file that it is a name of`,
    );
  }
}
