// The root: what commits to everything else (docs/format.md, "Root").

import { ByteReader, ByteWriter } from "../bytes.ts";
import { DIGEST_LENGTH } from "../digest.ts";
import type { ChunkSizes } from "../engine.ts";
import { HexzError } from "../errors.ts";
import { checkLimit, LIMITS, TARGETS } from "../limits.ts";
import { checkSpans, type IndexChild, readIndexChildren, writeIndexChildren } from "./index-page.ts";
import { type PageRef, RefReader, RefWriter } from "./page.ts";
import { byteStringFromText, textOf } from "./path.ts";
import { readTreeChildren, type TreeChild, writeTreeChildren } from "./tree-page.ts";

export interface Stream {
  readonly name: "disk" | "memory";
  readonly start: number;
  readonly size: number;
  readonly sparse: boolean;
}

export interface Coding {
  readonly chunking: "fixed" | "cdc";
  readonly sizes: ChunkSizes;
  readonly blockSize: number;
  readonly codec: number;
  readonly level: number;
  readonly encoder: string;
}

/** Bytes and numbers of one kind of chunk. */
export interface Tally {
  count: number;
  bytes: number;
}

export interface CodecTally {
  readonly codec: number;
  blocks: number;
  storedBytes: number;
  plainBytes: number;
}

export interface Counts {
  files: number;
  directories: number;
  symlinks: number;
  other: number;
  originalSize: number;
  /** First occurrences, stored in this file. */
  unique: Tally;
  duplicate: Tally;
  /** First occurrences, stored in a parent. */
  parent: Tally;
  fill: Tally;
  codecs: CodecTally[];
}

export interface Sketch {
  readonly chunking: "fixed" | "cdc";
  readonly avg: number;
  /** Ascending; 64 bits each. */
  readonly values: BigUint64Array;
}

/** The top of a B+tree: its highest level of children. */
export interface TreeTop<Child> {
  /** Levels of inner pages between these children and the leaves. */
  readonly depth: number;
  readonly pageCount: number;
  readonly children: readonly Child[];
}

export interface Parent {
  readonly id: Uint8Array;
  readonly hint: string;
}

/** A Zstandard dictionary: the archive that holds it, numbered as in a BlockRef, and its page there. */
export interface DictionaryRef {
  readonly archive: number;
  readonly ref: PageRef;
}

export interface Root {
  readonly addressSpace: number;
  readonly state: number;
  readonly index: TreeTop<IndexChild>;
  readonly tree: TreeTop<TreeChild>;
  readonly streams: readonly Stream[];
  readonly coding: Coding;
  readonly counts: Counts;
  readonly parents: readonly Parent[];
  readonly dictionaries: readonly DictionaryRef[];
  readonly metadata: PageRef | undefined;
  readonly sketch: Sketch | undefined;
  readonly contentId: Uint8Array;
  readonly previous: PageRef | undefined;
  /** Random, of an encrypted archive. */
  readonly salt: Uint8Array | undefined;
}

const SECTION = {
  index: 1,
  tree: 2,
  streams: 3,
  coding: 4,
  counts: 5,
  parents: 6,
  dictionaries: 7,
  metadata: 8,
  sketch: 9,
  contentId: 10,
  previous: 11,
  salt: 12,
} as const;

/** Required features by bit; those in SUPPORTED can be read. */
const REQUIRED_FEATURES = ["parents", "dictionaries", "filters"] as const;
const SUPPORTED: readonly string[] = ["parents", "dictionaries"];
const VERSION = 2;
const SALT_LENGTH = 32;
const CHUNKING = ["fixed", "cdc"] as const;

export function encodeStreams(streams: readonly Stream[]): Uint8Array {
  const writer = new ByteWriter().varint(streams.length);
  for (const stream of streams) {
    writer
      .name(byteStringFromText(stream.name))
      .varint(stream.start)
      .varint(stream.size)
      .u8(stream.sparse ? 1 : 0);
  }
  return writer.take();
}

export function encodeRoot(root: Root): Uint8Array {
  const required = (root.parents.length > 0 ? 1 : 0) + (root.dictionaries.length > 0 ? 2 : 0);
  const writer = new ByteWriter(16_384).u32(VERSION).u32(0).u64(required).u64(0).u64(0);
  writer.u64(root.addressSpace).u64(root.state);
  const section = (type: number, write: (payload: ByteWriter) => void) => {
    const payload = new ByteWriter();
    write(payload);
    writer.u16(type).u16(0).u32(payload.length).raw(payload.view());
  };
  const { coding, counts, sketch, metadata, previous, salt } = root;
  section(SECTION.index, (out) => {
    out.u8(root.index.depth).varint(root.index.pageCount).varint(root.index.children.length);
    writeIndexChildren(out, root.index.children);
  });
  section(SECTION.tree, (out) => {
    out.u8(root.tree.depth).varint(root.tree.pageCount).varint(root.tree.children.length);
    writeTreeChildren(out, root.tree.children);
  });
  section(SECTION.streams, (out) => out.raw(encodeStreams(root.streams)));
  section(SECTION.coding, (out) => {
    out.u8(CHUNKING.indexOf(coding.chunking)).u32(coding.sizes.min).u32(coding.sizes.avg).u32(coding.sizes.max);
    out.u32(coding.blockSize).u8(coding.codec).u8(coding.level).name(byteStringFromText(coding.encoder));
  });
  section(SECTION.counts, (out) => {
    out.varint(counts.files).varint(counts.directories).varint(counts.symlinks).varint(counts.other);
    out.varint(counts.originalSize);
    for (const tally of [counts.unique, counts.duplicate, counts.parent, counts.fill]) {
      out.varint(tally.count).varint(tally.bytes);
    }
    out.varint(counts.codecs.length);
    for (const tally of counts.codecs) {
      out.varint(tally.codec).varint(tally.blocks).varint(tally.storedBytes).varint(tally.plainBytes);
    }
  });
  if (root.parents.length > 0) {
    section(SECTION.parents, (out) => {
      out.varint(root.parents.length);
      for (const parent of root.parents) out.raw(parent.id).name(byteStringFromText(parent.hint));
    });
  }
  if (root.dictionaries.length > 0) {
    section(SECTION.dictionaries, (out) => {
      out.varint(root.dictionaries.length);
      const refs = new RefWriter();
      for (const { archive, ref } of root.dictionaries) refs.write(out.varint(archive), ref);
    });
  }
  if (metadata !== undefined) section(SECTION.metadata, (out) => new RefWriter().write(out, metadata));
  if (sketch !== undefined) {
    section(SECTION.sketch, (out) => {
      out.u8(CHUNKING.indexOf(sketch.chunking)).u32(sketch.avg).u32(sketch.values.length);
      for (const value of sketch.values) out.u32(Number(value & 0xffff_ffffn)).u32(Number(value >> 32n));
    });
  }
  section(SECTION.contentId, (out) => out.raw(root.contentId));
  if (previous !== undefined) {
    section(SECTION.previous, (out) => out.u64(previous.offset).u32(previous.bodyLength).raw(previous.digest));
  }
  if (salt !== undefined) section(SECTION.salt, (out) => out.raw(salt));
  return writer.take();
}

function checkFeatures(required: number, name: string): void {
  for (let bit = 0; bit < 32; bit++) {
    if (Math.floor(required / 2 ** bit) % 2 === 0) continue;
    const feature: string = REQUIRED_FEATURES[bit] ?? `number ${bit}`;
    if (SUPPORTED.includes(feature)) continue;
    throw new HexzError("feature_unknown", `${name} needs the feature ${feature}, which this version does not have`, {
      data: { feature },
      hint: "a newer version of hexz may read it",
    });
  }
}

/** @param name the archive, for messages */
export function decodeRoot(payload: Uint8Array, name: string): Root {
  const reader = new ByteReader(payload, `the root of ${name}`);
  const version = reader.u32();
  if (version !== VERSION) {
    throw new HexzError("version_unknown", `${name} is of version ${version}; this program reads version ${VERSION}`);
  }
  reader.zeros(4);
  const features = reader.u64();
  checkFeatures(features, name);
  const append = reader.u64();
  const optional = reader.u64();
  if (Math.max(append, optional) >= 2 ** 32) throw reader.fail("a feature is numbered over 31");
  const addressSpace = reader.u64();
  checkLimit("the address space", addressSpace, LIMITS.bytes);
  const state = reader.u64();
  const sections = new Map<number, ByteReader>();
  let last = 0;
  while (reader.left > 0) {
    const type = reader.u16();
    if (type <= last) throw reader.fail(`section ${type} follows section ${last}`);
    last = type;
    reader.zeros(2);
    sections.set(type, new ByteReader(reader.raw(reader.u32()), `section ${type} of the root of ${name}`));
  }
  const optionally = <T>(type: number, read: (from: ByteReader) => T): T | undefined => {
    const from = sections.get(type);
    if (from === undefined) return undefined;
    const value = read(from);
    from.end();
    return value;
  };
  const required = <T>(type: number, read: (from: ByteReader) => T): T => {
    if (!sections.has(type)) throw reader.fail(`section ${type} is missing`);
    return optionally(type, read) as T;
  };
  const parents = optionally(SECTION.parents, readParents) ?? [];
  const dictionaries = optionally(SECTION.dictionaries, (from) => readDictionaries(from, parents.length)) ?? [];
  if (features % 2 !== Math.min(parents.length, 1)) throw reader.fail("the feature parents does not fit section 6");
  if (Math.floor(features / 2) % 2 !== Math.min(dictionaries.length, 1)) {
    throw reader.fail("the feature dictionaries does not fit section 7");
  }
  return {
    addressSpace,
    state,
    index: required(SECTION.index, (from) => {
      const top = readTop(from, readIndexChildren);
      checkSpans(top.children, addressSpace, from);
      return top;
    }),
    tree: required(SECTION.tree, (from) => readTop(from, readTreeChildren)),
    streams: required(SECTION.streams, (from) => readStreams(from, addressSpace)),
    coding: required(SECTION.coding, readCoding),
    counts: required(SECTION.counts, readCounts),
    parents,
    dictionaries,
    metadata: optionally(SECTION.metadata, (from) => new RefReader().read(from)),
    sketch: optionally(SECTION.sketch, readSketch),
    contentId: required(SECTION.contentId, (from) => from.raw(DIGEST_LENGTH).slice()),
    previous: optionally(SECTION.previous, (from) => ({
      offset: from.u64(),
      bodyLength: from.u32(),
      digest: from.raw(DIGEST_LENGTH).slice(),
    })),
    salt: optionally(SECTION.salt, (from) => from.raw(SALT_LENGTH).slice()),
  };
}

function readTop<Child>(reader: ByteReader, read: (reader: ByteReader, count: number) => Child[]): TreeTop<Child> {
  const depth = reader.u8();
  checkLimit("the depth of a tree of pages", depth, LIMITS.treeDepth);
  const pageCount = reader.varint();
  const children = read(reader, reader.varint());
  if (children.length === 0 && depth + pageCount > 0) throw reader.fail("it has pages and no children");
  return { depth, pageCount, children };
}

function readText(reader: ByteReader): string {
  const text = textOf(reader.name());
  if (text === undefined) throw reader.fail("a text is not UTF-8");
  return text;
}

function readChunking(reader: ByteReader): "fixed" | "cdc" {
  const number = reader.u8();
  const chunking = CHUNKING[number];
  if (chunking === undefined) throw new HexzError("feature_unknown", `chunking ${number} is not known to this version`);
  return chunking;
}

function readStreams(reader: ByteReader, addressSpace: number): Stream[] {
  const count = reader.varint();
  checkLimit("the number of streams", count, LIMITS.streams);
  const streams: Stream[] = [];
  for (let number = 0; number < count; number++) {
    const name = readText(reader);
    if (name !== "disk" && name !== "memory") throw reader.fail("a stream has an unknown name");
    if (streams.some((stream) => stream.name === name)) throw reader.fail(`there are two streams ${name}`);
    const start = reader.varint();
    const size = reader.varint();
    if (start + size > addressSpace) throw reader.fail(`the stream ${name} ends behind the address space`);
    const flags = reader.u8();
    if (flags > 1) throw reader.fail("a stream has an unknown flag");
    streams.push({ name, start, size, sparse: flags === 1 });
  }
  return streams;
}

function readCoding(reader: ByteReader): Coding {
  const chunking = readChunking(reader);
  const sizes = { min: reader.u32(), avg: reader.u32(), max: reader.u32() };
  const blockSize = reader.u32();
  checkLimit("the maximal chunk size", sizes.max, LIMITS.chunk);
  checkLimit("the block size", blockSize, LIMITS.blockSizeMax);
  return { chunking, sizes, blockSize, codec: reader.u8(), level: reader.u8(), encoder: readText(reader) };
}

function readCounts(reader: ByteReader): Counts {
  const tally = (): Tally => ({ count: reader.varint(), bytes: reader.varint() });
  const counts = {
    files: reader.varint(),
    directories: reader.varint(),
    symlinks: reader.varint(),
    other: reader.varint(),
    originalSize: reader.varint(),
    unique: tally(),
    duplicate: tally(),
    parent: tally(),
    fill: tally(),
    codecs: [] as CodecTally[],
  };
  const count = reader.varint();
  if (count > 16) throw reader.fail(`it counts ${count} codecs`);
  for (let number = 0; number < count; number++) {
    counts.codecs.push({
      codec: reader.varint(),
      blocks: reader.varint(),
      storedBytes: reader.varint(),
      plainBytes: reader.varint(),
    });
  }
  return counts;
}

function readParents(reader: ByteReader): Parent[] {
  const count = reader.varint();
  checkLimit("the number of parents", count, LIMITS.parents);
  const parents: Parent[] = [];
  for (let number = 0; number < count; number++) {
    const id = reader.raw(DIGEST_LENGTH).slice();
    const hint = readText(reader);
    checkLimit("the length of a parent's hint", hint.length, LIMITS.hint);
    parents.push({ id, hint });
  }
  return parents;
}

function readDictionaries(reader: ByteReader, parents: number): DictionaryRef[] {
  const count = reader.varint();
  checkLimit("the number of dictionaries", count, LIMITS.dictionaries);
  const refs = new RefReader();
  const dictionaries: DictionaryRef[] = [];
  for (let number = 0; number < count; number++) {
    const archive = reader.varint();
    if (archive > parents) throw reader.fail(`a dictionary is in parent ${archive} of ${parents}`);
    dictionaries.push({ archive, ref: refs.read(reader) });
  }
  return dictionaries;
}

function readSketch(reader: ByteReader): Sketch {
  const chunking = readChunking(reader);
  const avg = reader.u32();
  const count = reader.u32();
  checkLimit("the number of values of a sketch", count, TARGETS.sketch);
  const values = new BigUint64Array(count);
  for (let number = 0; number < count; number++) {
    const low = BigInt(reader.u32());
    values[number] = (BigInt(reader.u32()) << 32n) | low;
  }
  return { chunking, avg, values };
}
