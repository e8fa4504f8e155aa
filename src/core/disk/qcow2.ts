// The structures of a qcow2 image, versions 2 and 3: header, table entries, snapshots. Bytes in, values out; all numbers
// are big endian. The format is QEMU's (docs/interop/qcow2 of its sources).

import { HexzError } from "../errors.ts";
import { checkLimit, IMAGE_LIMITS, LIMITS } from "../limits.ts";

const MAGIC = 0x514649fb;
const V2_LENGTH = 72;
const V3_LENGTH = 104;
/** How much of the file `decodeQcow2Header` wants: header, extensions and the name of the backing file. */
export const QCOW2_HEADER_LENGTH = 64 * 1024;

const EXTENSION = { end: 0, backingFormat: 0xe2792aca, featureNames: 0x6803f857 } as const;
/** Incompatible features by bit. A dirty image has stale reference counts, which reading does not need. */
const FEATURE = { dirty: 0, corrupt: 1, externalData: 2, compressionType: 3, extendedL2: 4 } as const;
const KNOWN_FEATURES = 5;
const CIPHERS: Readonly<Record<number, string>> = { 1: "AES", 2: "LUKS" };
const SUBCLUSTERS = 32;

export type Compression = "deflate" | "zstd";

export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  /** Of the disk, in bytes. */
  readonly size: number;
  readonly l1: { readonly offset: number; readonly entries: number };
  readonly snapshots: { readonly offset: number; readonly count: number };
  /** As it is recorded; a relative name counts from the image. */
  readonly backing: { readonly name: string; readonly format: string | undefined } | undefined;
  readonly compression: Compression;
  /** Entries of L2 tables have a bitmap of 32 subclusters. */
  readonly extendedL2: boolean;
  /** QEMU has found the image inconsistent. */
  readonly corrupt: boolean;
}

/** Whether a file that begins like this is a qcow2 image. */
export function looksLikeQcow2(start: Uint8Array): boolean {
  return start.length >= 8 && viewOf(start).getUint32(0) === MAGIC;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function invalid(name: string, what: string, data: Record<string, unknown> = {}): HexzError {
  return new HexzError("invalid", `${name} is not a valid qcow2 image: ${what}`, { data });
}

function refused(name: string, what: string, feature: string): HexzError {
  return new HexzError("feature_unknown", `${name} ${what}, which is not supported`, {
    data: { feature },
    hint: "qemu-img convert -O raw reads it where QEMU does",
  });
}

/** A 64-bit number that must be one of our sizes or places. @throws HexzError `limit_exceeded` */
function place(view: DataView, at: number, what: string): number {
  const value = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
  checkLimit(what, value, LIMITS.bytes);
  return value;
}

/**
 * @param start the beginning of the file, at least QCOW2_HEADER_LENGTH of it or all
 * @param name of the image, for messages
 * @throws HexzError `invalid`, `truncated`, `version_unknown`, `feature_unknown`, `limit_exceeded`
 */
export function decodeQcow2Header(start: Uint8Array, name: string): Qcow2Header {
  if (!looksLikeQcow2(start)) throw invalid(name, "it does not begin with the magic of one");
  const view = viewOf(start);
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) {
    throw new HexzError("version_unknown", `${name} is a qcow2 image of version ${version}; 2 and 3 are known`);
  }
  const fixed = version === 2 ? V2_LENGTH : V3_LENGTH;
  if (start.length < fixed) throw new HexzError("truncated", `${name} ends inside its qcow2 header`);
  const length = version === 2 ? V2_LENGTH : view.getUint32(100);
  if (length < fixed || length % 8 !== 0 || length > start.length)
    throw invalid(name, `its header has ${length} bytes`);
  const clusterBits = view.getUint32(20);
  if (clusterBits < 9 || clusterBits > 21) throw invalid(name, `its cluster bits are ${clusterBits}, not 9 to 21`);
  const extensions = extensionsOf(
    start,
    length,
    view.getUint32(16) === 0 ? undefined : place(view, 8, "a place"),
    name,
  );
  const { has, unknown } = featuresOf(view, version, extensions.get(EXTENSION.featureNames));
  if (unknown !== undefined) throw refused(name, `needs the qcow2 feature "${unknown}"`, unknown);
  if (has(FEATURE.externalData)) throw refused(name, "keeps its data in an external file", "external data file");
  const cipher = view.getUint32(32);
  if (cipher !== 0) {
    const feature = CIPHERS[cipher] ?? `method ${cipher}`;
    throw refused(name, `is encrypted (${feature})`, `encryption: ${feature}`);
  }
  const extendedL2 = has(FEATURE.extendedL2);
  if (extendedL2 && clusterBits < 14) throw invalid(name, "it has subclusters in clusters of less than 16 KiB");
  const size = place(view, 24, `the disk size of ${name}`);
  const l1 = { offset: place(view, 40, `the place of the L1 table of ${name}`), entries: view.getUint32(36) };
  checkTables(name, { size, l1, clusterBits, extendedL2 });
  const snapshots = { offset: place(view, 64, `the place of the snapshots of ${name}`), count: view.getUint32(60) };
  checkLimit(`the number of snapshots of ${name}`, snapshots.count, IMAGE_LIMITS.snapshots);
  return {
    version,
    clusterBits,
    size,
    l1,
    snapshots,
    backing: backingOf(start, name, extensions.get(EXTENSION.backingFormat)),
    compression: compressionOf(view, length, has(FEATURE.compressionType), name),
    extendedL2,
    corrupt: has(FEATURE.corrupt),
  };
}

function checkTables(
  name: string,
  { size, l1, clusterBits, extendedL2 }: Pick<Qcow2Header, "size" | "l1" | "clusterBits" | "extendedL2">,
): void {
  checkLimit(`the L1 table of ${name}, in bytes,`, l1.entries * 8, IMAGE_LIMITS.l1Table);
  const needed = Math.ceil(size / l1Span({ clusterBits, extendedL2 }));
  if (l1.entries < needed) throw invalid(name, `its L1 table has ${l1.entries} entries, ${needed} are needed`);
  if (l1.entries > 0 && (l1.offset === 0 || l1.offset % 2 ** clusterBits !== 0)) {
    throw invalid(name, `its L1 table lies at ${l1.offset}, not at a cluster`, { at: l1.offset });
  }
}

function featuresOf(view: DataView, version: number, names: Uint8Array | undefined) {
  const bits = version === 2 ? 0n : view.getBigUint64(72);
  const has = (bit: number) => ((bits >> BigInt(bit)) & 1n) === 1n;
  let unknown: string | undefined;
  for (let bit = KNOWN_FEATURES; bit < 64; bit++) if (has(bit)) unknown ??= featureName(bit, names);
  return { has, unknown };
}

/** From the table in the image: records of type (0: incompatible), bit, and 46 bytes of name. */
function featureName(bit: number, names: Uint8Array = new Uint8Array(0)): string {
  for (let at = 0; at + 48 <= names.length; at += 48) {
    if (names[at] === 0 && names[at + 1] === bit) return textOf(names.subarray(at + 2, at + 48));
  }
  return `incompatible bit ${bit}`;
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** They follow the header, each padded to 8 bytes, up to the name of the backing file. */
function extensionsOf(start: Uint8Array, from: number, until: number | undefined, name: string) {
  const found = new Map<number, Uint8Array>();
  const end = Math.min(start.length, until ?? start.length);
  const view = viewOf(start);
  for (let at = from; at + 8 <= end; ) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === EXTENSION.end) break;
    if (at + 8 + length > end)
      throw invalid(name, `a header extension of ${length} bytes at ${at} does not fit`, { at });
    found.set(type, start.subarray(at + 8, at + 8 + length));
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return found;
}

function backingOf(start: Uint8Array, name: string, format: Uint8Array | undefined): Qcow2Header["backing"] {
  const view = viewOf(start);
  const length = view.getUint32(16);
  const at = place(view, 8, `the place of the backing file's name in ${name}`);
  if (at === 0 || length === 0) return undefined;
  if (length > 1023 || at + length > start.length) {
    throw invalid(name, `the name of its backing file has ${length} bytes at ${at}`, { at });
  }
  const text = textOf(start.subarray(at, at + length));
  return { name: text, format: format === undefined ? undefined : textOf(format) };
}

function compressionOf(view: DataView, length: number, named: boolean, name: string): Compression {
  const type = length > V3_LENGTH ? view.getUint8(V3_LENGTH) : 0;
  if (named !== (type !== 0)) throw invalid(name, `its compression type is ${type}, but its features say otherwise`);
  if (type > 1) throw refused(name, `is compressed by method ${type}`, `compression type ${type}`);
  return type === 1 ? "zstd" : "deflate";
}

/** Bytes of an entry of an L2 table. */
export function l2EntryLength({ extendedL2 }: Pick<Qcow2Header, "extendedL2">): number {
  return extendedL2 ? 16 : 8;
}

/** Bytes of the disk that one entry of the L1 table describes. */
export function l1Span(header: Pick<Qcow2Header, "clusterBits" | "extendedL2">): number {
  const clusterSize = 2 ** header.clusterBits;
  return (clusterSize / l2EntryLength(header)) * clusterSize;
}

/** Bits 9 to 55: where a table or cluster is. */
function offsetBits(high: number, low: number): number {
  return (high & 0x00ff_ffff) * 2 ** 32 + ((low & ~0x1ff) >>> 0);
}

/** @returns where the L2 table is; undefined: nothing is allocated there */
export function decodeL1Entry(high: number, low: number): number | undefined {
  const offset = offsetBits(high, low);
  return offset === 0 ? undefined : offset;
}

/** What is known of a part of a cluster. `at` is where its cluster begins in the file. */
export type ClusterPart =
  | { readonly kind: "unallocated" }
  | { readonly kind: "zero" }
  | { readonly kind: "data"; readonly at: number }
  | { readonly kind: "coded"; readonly at: number; readonly length: number };

const UNALLOCATED: ClusterPart = { kind: "unallocated" };
const ZERO: ClusterPart = { kind: "zero" };

/**
 * An entry of an L2 table.
 * @param entry its words: two, or four with subclusters
 * @param subcluster which of the 32; without subclusters, it does not matter
 * @returns a text when the entry breaks a rule
 */
export function decodeL2Entry(
  { version, clusterBits, extendedL2 }: Qcow2Header,
  entry: readonly number[],
  subcluster: number,
): ClusterPart | string {
  const [high = 0, low = 0, zeroes = 0, allocated = 0] = entry;
  if ((high & 0x4000_0000) !== 0) return codedPart(high, low, clusterBits);
  const at = offsetBits(high, low);
  if (at % 2 ** clusterBits !== 0) return `a cluster lies at ${at}, which is not a multiple of its size`;
  if (!extendedL2) {
    const isZero = (low & 1) !== 0;
    if (isZero && version === 2) return "it has a zero cluster, which version 2 does not know";
    return isZero ? ZERO : at === 0 ? UNALLOCATED : { kind: "data", at };
  }
  if (at === 0 && allocated !== 0) return "a subcluster is allocated in no cluster";
  if ((zeroes & allocated) !== 0) return "a subcluster is allocated and zero";
  const bit = (1 << subcluster) >>> 0;
  if ((zeroes & bit) !== 0) return ZERO;
  return (allocated & bit) !== 0 ? { kind: "data", at } : UNALLOCATED;
}

/** Low bits: the place, to the byte; above them, how many sectors of 512 bytes follow the first one. */
function codedPart(high: number, low: number, clusterBits: number): ClusterPart {
  const word = (BigInt(high & 0x3fff_ffff) << 32n) | BigInt(low >>> 0);
  const bits = BigInt(62 - (clusterBits - 8));
  const at = Number(word & ((1n << bits) - 1n));
  const sectors = Number(word >> bits) + 1;
  return { kind: "coded", at, length: sectors * 512 - (at % 512) };
}

/** How many bytes of the disk share one state: a cluster, or a subcluster. */
export function partSize({ clusterBits, extendedL2 }: Qcow2Header): number {
  return extendedL2 ? 2 ** clusterBits / SUBCLUSTERS : 2 ** clusterBits;
}

export interface Snapshot {
  readonly id: string;
  readonly name: string;
}

/** Fixed part of a snapshot's record. */
export const SNAPSHOT_LENGTH = 40;

/** @returns the lengths of what follows the fixed part: extra data, id, name; and of all, padded */
export function decodeSnapshotLengths(fixed: Uint8Array) {
  const view = viewOf(fixed);
  const [id, name, extra] = [view.getUint16(12), view.getUint16(14), view.getUint32(36)];
  return { extra, id, name, all: Math.ceil((SNAPSHOT_LENGTH + extra + id + name) / 8) * 8 };
}

/** @param names id and name, one after the other */
export function decodeSnapshotNames(names: Uint8Array, idLength: number): Snapshot {
  const decoder = new TextDecoder();
  return { id: decoder.decode(names.subarray(0, idLength)), name: decoder.decode(names.subarray(idLength)) };
}
