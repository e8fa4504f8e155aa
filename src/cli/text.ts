// Names and values as they are shown: in text with control characters escaped, in JSON with their bytes where they are
// not UTF-8.

import { hexOf } from "../core/bytes.ts";
import { HexzError, type Warning } from "../core/errors.ts";
import type { Timestamp } from "../core/format/entry.ts";
import { type ByteString, bytesOf, displayName, textOf } from "../core/format/path.ts";

/** C0, DEL, C1, and what turns the direction of writing or breaks lines: a name must not rewrite the terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** The text with such characters as \xNN, as a PATH argument takes them. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) =>
    [...new TextEncoder().encode(character)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}

/** A name for people; "." for the root. */
export function shownName(path: ByteString): string {
  return path === "" ? "." : printable(displayName(path));
}

/** A name for JSON under `key`, with its bytes in hex beside it when they are not UTF-8. */
export function nameFields(key: string, name: ByteString): Record<string, string> {
  const text = textOf(name);
  if (text !== undefined) return { [key]: text };
  return { [key]: displayName(name), [`${key}_bytes`]: hexOf(bytesOf(name)) };
}

export function warningDocument({ path, code, message }: Warning): Record<string, string> {
  return { ...nameFields("path", path as ByteString), code, message };
}

export function warningText({ path, message }: Warning): string {
  const name = displayName(path as ByteString);
  return message.includes(name) ? message : `${name}: ${message}`;
}

/** ISO 8601 with nanoseconds; null outside of what such a date can be. */
export function isoTime({ seconds, nanoseconds }: Timestamp): string | null {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return null;
  return `${date.toISOString().slice(0, -5)}.${String(nanoseconds).padStart(9, "0")}Z`;
}

/** Metadata may be anything. */
export function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function plainValue(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  return value instanceof Uint8Array ? hexOf(value) : value;
}

export function errorDocument(error: HexzError): { error: Record<string, unknown> } {
  const facts = Object.entries(error.data).map(([key, value]) => [snakeCase(key), plainValue(value)]);
  const { code, message, hint = null } = error;
  return { error: { ...Object.fromEntries(facts), code, message, hint } };
}

/** Anything that was thrown, as an error that can be told. */
export function asHexzError(thrown: unknown): HexzError {
  if (thrown instanceof HexzError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new HexzError("io", `something unexpected happened: ${message}`, {
    hint: "this is a defect of hexz; HEXZ_DEBUG=1 shows where",
    cause: thrown,
  });
}
