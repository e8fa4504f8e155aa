// The fields that format 1 is made of: fixed little-endian integers, options with a tag byte, counted texts
// (docs/format-1.md, "Encoding").

import type { ByteReader, ByteWriter } from "../../bytes.ts";
import { byteStringFromText, byteStringOf, textOf } from "../path.ts";

/** Bytes that a region of the file takes. */
export interface Section {
  readonly offset: number;
  readonly length: number;
}

export function writeOption<T>(writer: ByteWriter, value: T | undefined, write: (value: T) => void): void {
  writer.u8(value === undefined ? 0 : 1);
  if (value !== undefined) write(value);
}

export function readOption<T>(reader: ByteReader, read: () => T): T | undefined {
  return readBoolean(reader, "an option") ? read() : undefined;
}

export function writeBoolean(writer: ByteWriter, value: boolean): void {
  writer.u8(value ? 1 : 0);
}

export function readBoolean(reader: ByteReader, what: string): boolean {
  const value = reader.u8();
  if (value > 1) throw reader.fail(`${what} has the tag ${value}`);
  return value === 1;
}

export function writeText(writer: ByteWriter, text: string): void {
  const bytes = byteStringFromText(text);
  writer.u64(bytes.length).rawName(bytes);
}

export function readText(reader: ByteReader): string {
  const length = reader.u64();
  if (length > reader.left) throw reader.fail(`a text of ${length} bytes`);
  const text = textOf(byteStringOf(reader.raw(length)));
  if (text === undefined) throw reader.fail("a text is not UTF-8");
  return text;
}

/** Offset and length are options of their own; a section is there when both are. */
export function writeSection(writer: ByteWriter, section: Section | undefined): void {
  writeOption(writer, section?.offset, (offset) => writer.u64(offset));
  writeOption(writer, section?.length, (length) => writer.u32(length));
}

export function readSection(reader: ByteReader): Section | undefined {
  const offset = readOption(reader, () => reader.u64());
  const length = readOption(reader, () => reader.u32());
  return offset === undefined || length === undefined ? undefined : { offset, length };
}
