// Records of pax extended headers, both directions: "LENGTH KEY=VALUE\n", the length in decimal and counting itself.

import { HexzError } from "../errors.ts";
import type { Timestamp } from "../format/entry.ts";
import { type ByteString, byteStringOf, bytesOf, displayName } from "../format/path.ts";

/** Key and value. A later one counts; an empty value takes back what was said before. */
export type PaxRecord = readonly [key: ByteString, value: ByteString];

/** What the key of an extended attribute begins with: its value as it is, or in base64, its name escaped as in a URL. */
export const XATTR = "SCHILY.xattr.";
export const BASE64_XATTR = "LIBARCHIVE.xattr.";

/** @param what for messages @throws HexzError `invalid` */
export function decodePax(bytes: Uint8Array, what: string): PaxRecord[] {
  const records: PaxRecord[] = [];
  const text = byteStringOf(bytes);
  for (let at = 0; at < text.length; ) {
    const fail = (why: string) => new HexzError("invalid", `${what} is invalid at its byte ${at}: ${why}`);
    const space = text.indexOf(" ", at);
    const digits = text.slice(at, space);
    if (space < 0 || !/^[0-9]{1,10}$/.test(digits)) throw fail("a record has no length");
    const end = at + Number(digits);
    if (end > text.length || text[end - 1] !== "\n") throw fail(`a record of ${digits} bytes does not end there`);
    const equals = text.indexOf("=", space);
    if (equals <= space + 1 || equals >= end) throw fail("a record has no key");
    records.push([text.slice(space + 1, equals) as ByteString, text.slice(equals + 1, end - 1) as ByteString]);
    at = end;
  }
  return records;
}

export function encodePax(records: Iterable<PaxRecord>): Uint8Array {
  let text = "";
  for (const [key, value] of records) {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + 1;
    while (String(length).length + rest.length > length) length++;
    text += `${length}${rest}`;
  }
  return bytesOf(text as ByteString);
}

/** A time in decimal seconds, also negative. Digits beyond nanoseconds are cut. @throws HexzError `invalid` */
export function parsePaxTime(text: string, what: string): Timestamp {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text);
  if (match === null) {
    throw new HexzError("invalid", `${what} is ${JSON.stringify(displayName(text as ByteString))}, which is no time`);
  }
  const [, sign, whole, fraction = ""] = match;
  const seconds = Number(whole);
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign === "") return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: seconds === 0 ? 0 : -seconds, nanoseconds }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

export function formatPaxTime({ seconds, nanoseconds }: Timestamp): string {
  const negative = seconds < 0;
  const whole = negative && nanoseconds > 0 ? -seconds - 1 : Math.abs(seconds);
  const rest = negative && nanoseconds > 0 ? 1_000_000_000 - nanoseconds : nanoseconds;
  const fraction = rest === 0 ? "" : `.${String(rest).padStart(9, "0").replace(/0+$/, "")}`;
  return `${negative ? "-" : ""}${whole}${fraction}`;
}
