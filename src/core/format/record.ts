// The record of an entry: type and fields (docs/format.md, "Tree").

import { type ByteReader, ByteWriter, svarintLength, varintLength } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import { checkLimit, LIMITS } from "../limits.ts";
import type { Entry, EntryDraft, EntryType, Xattr } from "./entry.ts";
import { type ByteString, byteStringFromText, byteStringOf, checkPath, displayName } from "./path.ts";

const TYPES: readonly (EntryType | undefined)[] = [undefined, "file", "directory", "symlink", "fifo", "char", "block"];

const TAG = {
  start: 1,
  size: 2,
  mode: 3,
  uid: 4,
  gid: 5,
  userName: 6,
  groupName: 7,
  mtime: 8,
  target: 9,
  hardLink: 10,
  device: 11,
  xattr: 12,
  sparse: 13,
  metadata: 14,
  derived: 15,
} as const;
const FIRST_OPTIONAL_TAG = 128;

/** The content of a file, where the writer put it. */
export interface ContentRange {
  readonly start: number;
  readonly size: number;
  readonly sparse: boolean;
}

/** Longer values are put together here: one at a time, so one buffer serves all. */
const value = new ByteWriter(256);

function endField(writer: ByteWriter, tag: number): void {
  writer.u8(tag).bytes(value.view());
  value.clear();
}

function numberField(writer: ByteWriter, tag: number, number: number | undefined): void {
  if (number !== undefined) writer.u8(tag).varint(varintLength(number)).varint(number);
}

function nameField(writer: ByteWriter, tag: number, name: ByteString | undefined): void {
  if (name !== undefined) writer.u8(tag).name(name);
}

/**
 * Appends type and fields; the path is not part of the record.
 * @param content of a file, instead of what the entry says
 */
export function writeRecord(writer: ByteWriter, entry: Entry, content: ContentRange | undefined): void {
  writer.u8(TYPES.indexOf(entry.type));
  const { mtime, device, metadata, xattrs, derived } = entry;
  const place = derived?.from ?? content ?? entry;
  numberField(writer, TAG.start, place.start);
  numberField(writer, TAG.size, place.size);
  numberField(writer, TAG.mode, entry.mode);
  numberField(writer, TAG.uid, entry.uid);
  numberField(writer, TAG.gid, entry.gid);
  nameField(writer, TAG.userName, entry.userName);
  nameField(writer, TAG.groupName, entry.groupName);
  if (mtime !== undefined) {
    const { seconds, nanoseconds } = mtime;
    writer.u8(TAG.mtime).varint(svarintLength(seconds) + varintLength(nanoseconds));
    writer.svarint(seconds).varint(nanoseconds);
  }
  nameField(writer, TAG.target, entry.target);
  nameField(writer, TAG.hardLink, entry.hardLink);
  if (device !== undefined) {
    value.varint(device.major).varint(device.minor);
    endField(writer, TAG.device);
  }
  if (xattrs !== undefined) {
    for (const xattr of [...xattrs].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      value.name(xattr.name).raw(xattr.value);
      endField(writer, TAG.xattr);
    }
  }
  if (content?.sparse ?? entry.sparse) endField(writer, TAG.sparse);
  if (metadata !== undefined) {
    value.raw(new TextEncoder().encode(JSON.stringify(metadata)));
    endField(writer, TAG.metadata);
  }
  if (derived !== undefined) {
    value.name(byteStringFromText(derived.method)).varint(entry.size!).rawName(derived.parameter);
    endField(writer, TAG.derived);
  }
  writer.u8(0);
}

/** How a record of writeRecord begins: the type, and of a file its place in the address space. */
export function beginningOf(record: Uint8Array): { type: EntryType; start: number; size: number } {
  const type = TYPES[record[0]!]!;
  if (type !== "file") return { type, start: 0, size: 0 };
  // Start and size come first, each behind its tag and length.
  const sizeAt = 3 + record[2]! + 2;
  return { type, start: varintAt(record, 3), size: varintAt(record, sizeAt) };
}

function varintAt(bytes: Uint8Array, from: number): number {
  let value = 0;
  let scale = 1;
  for (let at = from; ; at++) {
    value += (bytes[at]! & 127) * scale;
    if (bytes[at]! < 128) return value;
    scale *= 128;
  }
}

/** Reads what writeRecord wrote. */
export function readRecord(reader: ByteReader, path: ByteString): Entry {
  const type = TYPES[reader.u8()];
  if (type === undefined) throw reader.fail("an entry has an unknown type");
  const entry: EntryDraft = { path, type };
  const xattrs: Xattr[] = [];
  let last = 0;
  for (;;) {
    const tag = reader.u8();
    if (tag === 0) break;
    if (tag < last || (tag === last && tag !== TAG.xattr)) throw reader.fail(`field ${tag} follows field ${last}`);
    last = tag;
    const outer = reader.enter(reader.varint());
    readField(entry, xattrs, tag, reader);
    if (tag < FIRST_OPTIONAL_TAG) reader.end();
    else reader.raw(reader.left);
    reader.leave(outer);
  }
  if (xattrs.length > 0) entry.xattrs = xattrs;
  checkEntry(entry, reader);
  return entry;
}

function readField(entry: EntryDraft, xattrs: Xattr[], tag: number, field: ByteReader): void {
  const rest = () => byteStringOf(field.raw(field.left));
  switch (tag) {
    case TAG.start:
      entry.start = field.varint();
      break;
    case TAG.size:
      entry.size = field.varint();
      break;
    case TAG.mode:
      entry.mode = field.varint();
      if (entry.mode > 0o7777) throw field.fail("the mode has more than permission bits");
      break;
    case TAG.uid:
      entry.uid = field.varint();
      break;
    case TAG.gid:
      entry.gid = field.varint();
      break;
    case TAG.userName:
      entry.userName = rest();
      break;
    case TAG.groupName:
      entry.groupName = rest();
      break;
    case TAG.mtime:
      entry.mtime = { seconds: field.svarint(), nanoseconds: field.varint() };
      if (entry.mtime.nanoseconds > 999_999_999) throw field.fail("a second has fewer nanoseconds");
      break;
    case TAG.target:
      checkLimit("the target of a symlink", field.left, LIMITS.symlinkTarget);
      entry.target = rest();
      break;
    case TAG.hardLink:
      entry.hardLink = rest();
      checkPath(entry.hardLink);
      break;
    case TAG.device:
      entry.device = { major: field.varint(), minor: field.varint() };
      break;
    case TAG.xattr: {
      const name = field.name();
      const before = xattrs.at(-1)?.name;
      if (before !== undefined && name <= before) throw field.fail("xattrs are not in order");
      xattrs.push({ name, value: field.raw(field.left).slice() });
      break;
    }
    case TAG.sparse:
      entry.sparse = true;
      break;
    case TAG.metadata:
      entry.metadata = parseJsonObject(field.raw(field.left), field);
      break;
    case TAG.derived:
      readDerived(entry, field);
      break;
    default:
      if (tag < FIRST_OPTIONAL_TAG) {
        throw new HexzError("feature_unknown", `an entry has field ${tag}, which this version does not know`, {
          data: { tag },
        });
      }
  }
}

/** Start and size, which have come before, are what the content is computed from. */
function readDerived(entry: EntryDraft, field: ByteReader): void {
  const { start, size } = entry;
  if (start === undefined || size === undefined) throw field.fail("it is computed from nothing");
  const method = displayName(field.name());
  entry.size = field.varint();
  entry.start = 0;
  entry.computed = true;
  entry.derived = { method, parameter: byteStringOf(field.raw(field.left)), from: { start, size } };
}

/** A JSON object in UTF-8; `reader` says where, when it is none. */
export function parseJsonObject(bytes: Uint8Array, reader: ByteReader): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw reader.fail("metadata is not JSON in UTF-8");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw reader.fail("metadata is not a JSON object");
  return value as Record<string, unknown>;
}

function checkEntry(entry: Entry, reader: ByteReader): void {
  const isFile = entry.type === "file";
  if (isFile !== (entry.start !== undefined) || isFile !== (entry.size !== undefined)) {
    throw reader.fail("files, and only files, have start and size");
  }
  if (entry.size === 0 && entry.start !== 0) throw reader.fail("an empty file begins at an address");
  if (entry.start! + entry.size! > Number.MAX_SAFE_INTEGER) throw reader.fail("a file ends behind 2^53");
  if ((entry.type === "symlink") !== (entry.target !== undefined))
    throw reader.fail("symlinks, and only symlinks, have a target");
  const isDevice = entry.type === "char" || entry.type === "block";
  if (isDevice !== (entry.device !== undefined)) throw reader.fail("devices, and only devices, have a number");
  if (!isFile && (entry.hardLink !== undefined || entry.sparse || entry.derived !== undefined))
    throw reader.fail("only a file can be a hard link, sparse or derived");
  if (entry.hardLink !== undefined && entry.derived !== undefined) throw reader.fail("a hard link is derived");
}
