// Tars made by hand, right and wrong ones, field by field; and what becomes of a tar in memory.

import {
  contentOf,
  createArchive,
  createMemorySink,
  type Entry,
  openArchive,
  type Warning,
} from "../../src/core/index.ts";
import { importTar } from "../../src/node/convert/tar-import.ts";
import { entriesOf } from "./archives.ts";

export interface Member {
  readonly name?: string;
  readonly type?: string;
  readonly content?: Uint8Array | string;
  /** What the header says instead of what is true, by the offset of the field. */
  readonly fields?: Readonly<Record<number, string>>;
  readonly magic?: string;
}

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");
const bytesOf = (content: Uint8Array | string): Uint8Array =>
  typeof content === "string" ? Buffer.from(content) : content;
const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");

export function headerOf({
  name = "file",
  type = "0",
  content = "",
  fields = {},
  magic = "ustar\x0000",
}: Member): Uint8Array {
  const block = new Uint8Array(512);
  const put = (at: number, text: string) => block.set(latin1(text), at);
  put(0, name);
  put(100, `0000644\0${"0000000\0".repeat(2)}`);
  put(124, `${octal(bytesOf(content).length, 11)}\0${octal(1_700_000_000, 11)}\0`);
  put(156, type);
  put(257, magic);
  for (const [at, text] of Object.entries(fields)) put(Number(at), text);
  if (fields[148] === undefined) {
    put(148, " ".repeat(8));
    put(
      148,
      `${octal(
        block.reduce((sum, byte) => sum + byte, 0),
        6,
      )}\0 `,
    );
  }
  return block;
}

export function memberOf(member: Member): Uint8Array {
  const content = bytesOf(member.content ?? "");
  return new Uint8Array(Buffer.concat([headerOf(member), content, new Uint8Array(-content.length & 511)]));
}

/** A member for the next one, of pax records. */
export function paxOf(records: Readonly<Record<string, string>>, type = "x"): Member {
  let content = "";
  for (const [key, value] of Object.entries(records)) {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + 1;
    while (`${length}${rest}`.length !== length) length++;
    content += `${length}${rest}`;
  }
  return { name: "PaxHeaders/x", type, content: latin1(content) };
}

export const END = new Uint8Array(1024);

export function tarOf(...parts: readonly (Member | Uint8Array)[]): Uint8Array {
  const all = parts.map((part) => (part instanceof Uint8Array ? part : memberOf(part)));
  return new Uint8Array(Buffer.concat([...all, END]));
}

/** Some bytes at a time, as a pipe gives them. */
function* piecesOf(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

const SMALL = { minChunk: 64, avgChunk: 256, maxChunk: 1024, blockSize: 4096 };

/** Converts a tar in memory. @throws what the conversion throws */
export async function convertBytes(
  tar: Uint8Array,
  pieceLength = 1000,
): Promise<{ archive: Uint8Array; warnings: Warning[] }> {
  const warnings: Warning[] = [];
  const warn = (warning: Warning) => warnings.push(warning);
  const sink = createMemorySink();
  const writer = await createArchive(sink, { ...SMALL, anyOrder: warn });
  try {
    const input = contentOf(piecesOf(tar, pieceLength), "x.tar");
    await importTar({ input, name: "x.tar", format: "tar" }, { writer, warn });
    await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return { archive: sink.bytes(), warnings };
}

/** Entries but the root by path, and warnings as "code: path". */
export async function entriesOfTar(tar: Uint8Array) {
  const { archive, warnings } = await convertBytes(tar);
  const opened = await openArchive(archive);
  const entries = new Map<string, Entry & { content?: string }>();
  for (const entry of await entriesOf(opened)) {
    if (entry.path === "") continue;
    const content =
      entry.type === "file" ? Buffer.from(await opened.fileOf(entry).read()).toString("latin1") : undefined;
    entries.set(entry.path, content === undefined ? entry : { ...entry, content });
  }
  return { archive, entries, warnings: warnings.map(({ code, path }) => `${code}: ${path}`) };
}
