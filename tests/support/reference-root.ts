// The reference decoder: the root page and its sections (docs/format.md, "Root").

import { Cursor, equal, fail, jsonObject, limit, MOST_BYTES, rule, utf8 } from "./reference-bytes.ts";
import { KIND, type Page, type Ref, readPage, refReader } from "./reference-pages.ts";

export interface IndexChild {
  span: number;
  ref: Ref;
}

export interface TreeChild {
  directory: Uint8Array;
  name: Uint8Array;
  count: number;
  ref: Ref;
}

export interface Section<Child> {
  depth: number;
  pages: number;
  children: Child[];
}

export interface ReferenceStream {
  name: string;
  start: number;
  size: number;
  sparse: boolean;
}

export interface ReferenceCoding {
  chunking: "fixed" | "fastcdc";
  min: number;
  avg: number;
  max: number;
  blockSize: number;
  codec: number;
  level: number;
  encoder: string;
}

export interface ReferenceCounts {
  files: number;
  directories: number;
  symlinks: number;
  others: number;
  originalSize: number;
  chunks: number;
  chunkBytes: number;
  duplicates: number;
  duplicateBytes: number;
  parentChunks: number;
  parentChunkBytes: number;
  fills: number;
  fillBytes: number;
  codecs: { codec: number; blocks: number; storedBytes: number; plainBytes: number }[];
}

export interface Sketch {
  chunking: number;
  avg: number;
  values: bigint[];
}

export interface Root {
  page: Page;
  features: { parents: boolean; dictionaries: boolean; filters: boolean; oneChunkBlocks: boolean };
  addressSpace: number;
  state: number;
  index: Section<IndexChild>;
  tree: Section<TreeChild>;
  streams: ReferenceStream[];
  streamsPayload: Uint8Array;
  coding: ReferenceCoding;
  counts: ReferenceCounts;
  parents: { id: Uint8Array; hint: string }[];
  dictionaries: { archive: number; ref: Ref }[];
  metadata: Ref | undefined;
  sketch: Sketch | undefined;
  contentId: Uint8Array;
  previous: Ref | undefined;
  salt: Uint8Array | undefined;
}

export function readRoot(file: Uint8Array, ref: Ref): Root {
  const page = readPage(file, ref, KIND.root);
  const cursor = new Cursor(page.payload, "the root");
  const version = cursor.u32();
  if (version !== 2) fail("version_unknown", `the root says version ${version}`);
  cursor.zero(4);
  const required = cursor.u32();
  cursor.zero(4);
  const append = cursor.u32();
  cursor.zero(4);
  cursor.u32();
  cursor.zero(4);
  for (let bit = 3; bit < 32; bit++) {
    if (((required >>> bit) & 1) === 1) fail("feature_unknown", `required feature ${bit}`);
  }
  const addressSpace = cursor.u64();
  limit(addressSpace, MOST_BYTES, "the address space");
  const state = cursor.u64();
  rule(state >= 1, "the state number is 0");
  const payloads = readSections(cursor);
  const section = (type: number): Cursor | undefined => {
    const payload = payloads.get(type);
    return payload && new Cursor(payload, `section ${type} of the root`);
  };
  const always = (type: number): Cursor => section(type) ?? fail("invalid", `the root has no section ${type}`);
  const optional = <T>(type: number, read: (cursor: Cursor) => T): T | undefined => {
    const found = section(type);
    return found && whole(found, read);
  };
  const coding = whole(always(4), readCoding);
  const root: Root = {
    page,
    features: {
      parents: (required & 1) !== 0,
      dictionaries: (required & 2) !== 0,
      filters: (required & 4) !== 0,
      oneChunkBlocks: (append & 1) !== 0,
    },
    addressSpace,
    state,
    index: whole(always(1), (c) => readChildren(c, readIndexChildren)),
    tree: whole(always(2), (c) => readChildren(c, readTreeChildren)),
    streams: whole(always(3), readStreams),
    streamsPayload: always(3).bytes,
    coding,
    counts: whole(always(5), readCounts),
    parents: optional(6, readParents) ?? [],
    dictionaries: optional(7, readDictionaries) ?? [],
    metadata: optional(8, (c) => refReader(c)()),
    sketch: optional(9, readSketch),
    contentId: whole(always(10), (c) => c.take(32)),
    previous: optional(11, (c) => ({ offset: c.u64(), bodyLength: c.u32(), digest: c.take(32) })),
    salt: optional(12, (c) => c.take(32)),
  };
  rule((root.previous === undefined) === (state === 1), "state 1 and only that has no previous state");
  for (const { archive } of root.dictionaries) {
    rule(archive <= root.parents.length, `a dictionary lies in the unknown parent ${archive}`);
  }
  return root;
}

function whole<T>(cursor: Cursor, read: (cursor: Cursor) => T): T {
  const value = read(cursor);
  cursor.end();
  return value;
}

function readSections(cursor: Cursor): Map<number, Uint8Array> {
  const payloads = new Map<number, Uint8Array>();
  let previous = -1;
  while (cursor.left > 0) {
    const type = cursor.u16();
    rule(type > previous, `section ${type} of the root follows section ${previous}`);
    previous = type;
    cursor.zero(2);
    payloads.set(type, cursor.take(cursor.u32()));
  }
  return payloads;
}

function readChildren<T>(cursor: Cursor, read: (cursor: Cursor, count: number) => T[]): Section<T> {
  const depth = cursor.u8();
  limit(depth, 8, `${cursor.what}: depth`);
  const pages = cursor.varint();
  const children = read(cursor, cursor.varint());
  rule(children.length > 0 || (depth === 0 && pages === 0), `${cursor.what}: pages without children`);
  return { depth, pages, children };
}

export function list<T>(cursor: Cursor, count: number, read: () => T): T[] {
  if (count > cursor.left) fail("limit_exceeded", `${cursor.what} says ${count} items in ${cursor.left} bytes`);
  return Array.from({ length: count }, read);
}

export function readIndexChildren(cursor: Cursor, count: number): IndexChild[] {
  const ref = refReader(cursor);
  return list(cursor, count, () => {
    const span = cursor.varint();
    rule(span > 0, `${cursor.what} has an empty child`);
    return { span, ref: ref() };
  });
}

export function readTreeChildren(cursor: Cursor, count: number): TreeChild[] {
  const ref = refReader(cursor);
  return list(cursor, count, () => {
    const child = { directory: cursor.sized(), name: cursor.sized(), count: cursor.varint(), ref: ref() };
    rule(child.count > 0, `${cursor.what} has an empty child`);
    return child;
  });
}

function readStreams(cursor: Cursor): ReferenceStream[] {
  const count = cursor.varint();
  limit(count, 2, "number of streams");
  const streams = list(cursor, count, () => {
    const name = utf8(cursor.sized(), "the name of a stream");
    rule(name === "disk" || name === "memory", `a stream has the name ${name}`);
    const start = cursor.varint();
    const size = cursor.varint();
    const flags = cursor.u8();
    rule(flags <= 1, `the stream ${name} has the flags ${flags}`);
    return { name, start, size, sparse: flags === 1 };
  });
  rule(new Set(streams.map((stream) => stream.name)).size === count, "two streams have one name");
  return streams;
}

function readCoding(cursor: Cursor): ReferenceCoding {
  const chunking = cursor.u8();
  rule(chunking <= 1, `the chunking ${chunking} is unknown`);
  const [min, avg, max, blockSize] = [cursor.u32(), cursor.u32(), cursor.u32(), cursor.u32()];
  const codec = cursor.u8();
  if (codec > 3) fail("feature_unknown", `codec ${codec}`);
  const level = cursor.u8();
  const encoder = utf8(cursor.sized(), "the encoder's name");
  const size = (value: number, least: number, most: number, what: string): void => {
    if (value < least || value > most) fail("limit_exceeded", `${what} is ${value}`);
  };
  size(blockSize, 4096, 2 ** 24, "block size");
  if (chunking === 0) {
    rule(min === blockSize && avg === blockSize && max === blockSize, "fixed chunks and blocks differ in size");
  } else {
    size(min, 64, 2 ** 24, "min");
    size(avg, 256, 2 ** 22, "avg");
    size(max, 64, 2 ** 24, "max");
    rule(Number.isInteger(Math.log2(avg)), "avg is no power of two");
    rule(min <= avg && avg <= max, "min, avg and max do not ascend");
  }
  return { chunking: chunking === 0 ? "fixed" : "fastcdc", min, avg, max, blockSize, codec, level, encoder };
}

function readCounts(cursor: Cursor): ReferenceCounts {
  const next = (): number => cursor.varint();
  return {
    files: next(),
    directories: next(),
    symlinks: next(),
    others: next(),
    originalSize: next(),
    chunks: next(),
    chunkBytes: next(),
    duplicates: next(),
    duplicateBytes: next(),
    parentChunks: next(),
    parentChunkBytes: next(),
    fills: next(),
    fillBytes: next(),
    codecs: list(cursor, next(), () => ({
      codec: next(),
      blocks: next(),
      storedBytes: next(),
      plainBytes: next(),
    })),
  };
}

function readParents(cursor: Cursor): { id: Uint8Array; hint: string }[] {
  const count = cursor.varint();
  limit(count, 8192, "number of parents");
  const parents = list(cursor, count, () => {
    const id = cursor.take(32);
    const bytes = cursor.sized();
    limit(bytes.length, 1024, "a parent's hint");
    const hint = utf8(bytes, "a parent's hint");
    rule(!/^(\/|[A-Za-z][A-Za-z0-9+.-]*:)/.test(hint), `the hint ${hint} is not relative`);
    return { id, hint };
  });
  for (const [i, parent] of parents.entries()) {
    rule(!parents.slice(0, i).some((other) => equal(other.id, parent.id)), "a parent is listed twice");
  }
  return parents;
}

function readDictionaries(cursor: Cursor): { archive: number; ref: Ref }[] {
  const count = cursor.varint();
  limit(count, 256, "number of dictionaries");
  const ref = refReader(cursor);
  return list(cursor, count, () => ({ archive: cursor.varint(), ref: ref() }));
}

function readSketch(cursor: Cursor): Sketch {
  const chunking = cursor.u8();
  const avg = cursor.u32();
  const count = cursor.u32();
  rule(count <= 256, `the sketch has ${count} values`);
  return { chunking, avg, values: list(cursor, count, () => cursor.integer(8)) };
}

export function readMetadata(file: Uint8Array, root: Root): { page: Page | undefined; value: Record<string, unknown> } {
  if (root.metadata === undefined) return { page: undefined, value: {} };
  const page = readPage(file, root.metadata, KIND.metadata);
  const value = jsonObject(page.payload, "the metadata");
  for (const key of ["note", "created"]) {
    rule(!(key in value) || typeof value[key] === "string", `the metadata's ${key} is not a string`);
  }
  return { page, value };
}
