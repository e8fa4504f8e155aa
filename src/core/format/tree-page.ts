// Tree pages: from a path to its entry (docs/format.md, "Tree").

import { ByteReader, ByteWriter } from "../bytes.ts";
import { checkLimit, LIMITS } from "../limits.ts";
import type { Entry } from "./entry.ts";
import { type PageRef, RefReader, RefWriter } from "./page.ts";
import { type ByteString, byteStringOf, comparePaths, displayName, joinPath, nameProblem, splitPath } from "./path.ts";
import { type ContentRange, readRecord, writeRecord } from "./record.ts";

/** A page below: its first path, how many entries. */
export interface TreeChild {
  readonly path: ByteString;
  readonly count: number;
  readonly ref: PageRef;
}

/** Bytes of an entry beside path and record, at most: flags and lengths. */
const ENTRY_OVERHEAD = 8;

/** Collects the entries of one leaf, in key order, and knows its size at any moment. */
export class TreeLeafBuilder {
  readonly #entries = new ByteWriter(65_536);
  #directory: ByteString | undefined;
  #first: ByteString | undefined;
  count = 0;

  /** Bytes of the payload so far. */
  get length(): number {
    return 4 + this.#entries.length;
  }

  get firstPath(): ByteString {
    return this.#first!;
  }

  /** @param record what writeCheckedRecord made of the entry */
  add(path: ByteString, record: Uint8Array): void {
    const { directory, name } = splitPath(path);
    this.#begin(directory);
    this.#entries.name(name).raw(record);
    this.#first ??= path;
  }

  /** The same with name, of so many bytes, and record as they follow each other. */
  addNamed(directory: ByteString, nameLength: number, bytes: Uint8Array): void {
    this.#begin(directory);
    this.#entries.varint(nameLength).raw(bytes);
    this.#first ??= joinPath(directory, byteStringOf(bytes.subarray(0, nameLength)));
  }

  #begin(directory: ByteString): void {
    if (directory === this.#directory) this.#entries.u8(1);
    else this.#entries.u8(0).name(directory);
    this.#directory = directory;
    this.count++;
  }

  encode(): Uint8Array {
    return new ByteWriter(this.length).u32(this.count).raw(this.#entries.view()).take();
  }
}

/**
 * Appends an entry's record. @param content of a file, instead of what the entry says
 * @throws HexzError `limit_exceeded` on an entry over the limit
 */
export function writeCheckedRecord(writer: ByteWriter, entry: Entry, content: ContentRange | undefined): void {
  const start = writer.length;
  writeRecord(writer, entry, content);
  const length = writer.length - start + entry.path.length + ENTRY_OVERHEAD;
  if (length > LIMITS.entry) checkLimit(`the length of the entry "${displayName(entry.path)}"`, length, LIMITS.entry);
}

function readPath(reader: ByteReader, directory: ByteString): ByteString {
  const name = reader.name();
  if (name === "" && directory === "") return "" as ByteString;
  const problem = name.includes("/") ? 'a "/"' : nameProblem(name);
  if (problem !== undefined) throw reader.fail(`a name has ${problem}`);
  checkLimit("the length of a name", name.length, LIMITS.component);
  const path = joinPath(directory, name);
  checkLimit("the length of a path", path.length, LIMITS.path);
  return path;
}

function readDirectory(reader: ByteReader): ByteString {
  const directory = reader.name();
  if (directory === "") return directory;
  const components = directory.split("/");
  checkLimit("the depth of a path", components.length + 1, LIMITS.pathComponents);
  for (const component of components) {
    const problem = nameProblem(component);
    if (problem !== undefined) throw reader.fail(`a directory has ${problem}`);
  }
  return directory;
}

/** @param expected what the page above says of this one; undefined when there is none */
export function decodeTreeLeaf(
  payload: Uint8Array,
  expected: { path: ByteString; count: number } | undefined,
  what: string,
): Entry[] {
  const reader = new ByteReader(payload, what);
  const count = reader.u32();
  if (expected !== undefined && count !== expected.count)
    throw reader.fail(`it has ${count} entries, expected ${expected.count}`);
  const entries: Entry[] = [];
  let directory: ByteString | undefined;
  for (let number = 0; number < count; number++) {
    const same = reader.u8();
    if (same > 1 || (same === 1 && directory === undefined)) throw reader.fail("an entry has no directory");
    if (same === 0) {
      const before = directory;
      directory = readDirectory(reader);
      if (directory === before) throw reader.fail("a directory is repeated");
    }
    const path = readPath(reader, directory!);
    const before = entries.at(-1)?.path;
    const isFirst = before === undefined && (expected === undefined || path === expected.path);
    if (!isFirst && (before === undefined || comparePaths(before, path) >= 0)) {
      throw reader.fail("entries are not in order");
    }
    entries.push(readRecord(reader, path));
  }
  reader.end();
  return entries;
}

/** Path and record, as stored, of every entry of a leaf that decodeTreeLeaf accepts. */
export function* storedEntries(payload: Uint8Array): Generator<{ path: ByteString; record: Uint8Array }> {
  const reader = new ByteReader(payload, "a tree page");
  let directory = "" as ByteString;
  for (let left = reader.u32(); left > 0; left--) {
    if (reader.u8() === 0) directory = reader.name();
    const path = joinPath(directory, reader.name());
    const start = reader.at;
    reader.u8();
    while (reader.u8() !== 0) reader.bytes();
    yield { path, record: payload.subarray(start, reader.at) };
  }
}

export function writeTreeChildren(writer: ByteWriter, children: readonly TreeChild[]): void {
  const refs = new RefWriter();
  for (const child of children) {
    const { directory, name } = splitPath(child.path);
    writer.name(directory).name(name).varint(child.count);
    refs.write(writer, child.ref);
  }
}

export function readTreeChildren(reader: ByteReader, count: number): TreeChild[] {
  if (count > reader.left) throw reader.fail(`it claims ${count} pages`);
  const refs = new RefReader();
  const children: TreeChild[] = [];
  for (let number = 0; number < count; number++) {
    const path = readPath(reader, readDirectory(reader));
    const before = children.at(-1)?.path;
    if (before !== undefined && comparePaths(before, path) >= 0) throw reader.fail("pages are not in order");
    const entries = reader.varint();
    if (entries === 0) throw reader.fail("a page has no entry");
    children.push({ path, count: entries, ref: refs.read(reader) });
  }
  return children;
}

export function encodeTreeInner(children: readonly TreeChild[]): Uint8Array {
  const writer = new ByteWriter(children.length * 80).u32(children.length);
  writeTreeChildren(writer, children);
  return writer.take();
}

export function decodeTreeInner(
  payload: Uint8Array,
  expected: { path: ByteString; count: number },
  what: string,
): TreeChild[] {
  const reader = new ByteReader(payload, what);
  const children = readTreeChildren(reader, reader.u32());
  reader.end();
  const count = children.reduce((total, child) => total + child.count, 0);
  if (count !== expected.count) throw reader.fail(`it has ${count} entries, expected ${expected.count}`);
  if (children[0]?.path !== expected.path) throw reader.fail("its first entry is not the one that its reference names");
  return children;
}
