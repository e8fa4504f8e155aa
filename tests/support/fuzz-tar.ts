// Changed tars and lists of pieces, for the fuzzer: a tar is read, and its list gives it back, or it is refused by name.

import { type ByteString, nameProblem } from "../../src/core/format/path.ts";
import { LONGEST_PIECE_RECORD, type Piece, PieceListDecoder } from "../../src/core/format/pieces.ts";
import type { ContentInput, Entry } from "../../src/core/index.ts";
import { contentOf } from "../../src/core/index.ts";
import { decodeTarHeader } from "../../src/core/tar/header.ts";
import { decodePax, encodePax, type PaxRecord, parsePaxTime } from "../../src/core/tar/pax.ts";
import { paxSparse } from "../../src/core/tar/sparse.ts";
import { PathChecker } from "../../src/core/write/tree-writer.ts";
import { openBufferedInlet } from "../../src/node/buffered-input.ts";
import type { ImportContext } from "../../src/node/convert/format.ts";
import { importTar } from "../../src/node/convert/tar-import.ts";
import { change, mangle, type Random } from "./fuzz.ts";
import type { Decoder } from "./fuzz-records.ts";
import type { Keep } from "./fuzz-run.ts";
import { codeOf, WrongOutcome } from "./outcomes.ts";
import { headerOf, type Member, memberOf, paxOf, tarOf } from "./tars.ts";

const GNU = "ustar  \0";
const octals = (...values: number[]) => values.map((value) => `${value.toString(8).padStart(11, "0")}\0`).join("");

/** Small tars that have everything. */
export function tarSeeds(): Uint8Array[] {
  const text = "some text ".repeat(60);
  const plain: Member[] = [
    { name: "./d/", type: "5" },
    { name: "./d/a", content: text },
    { name: "./d/b", content: "b" },
  ];
  const sparse = (records: Record<string, string>) => paxOf({ "GNU.sparse.name": "s", ...records });
  return [
    tarOf(...plain, { name: "l", type: "1", fields: { 157: "./d/a" } }, { name: "s", type: "2", fields: { 157: "d" } }),
    tarOf(
      paxOf({ comment: "all" }, "g"),
      paxOf({ path: "é/x", mtime: "5.25", size: "3", uid: "70000", "SCHILY.xattr.user.a": "v", "VENDOR.k": "w" }),
      { content: "abc" },
      ...plain,
    ),
    tarOf({ name: "L", type: "L", content: `${"n".repeat(600)}\0`, magic: GNU }, { content: text, magic: GNU }),
    tarOf(
      {
        name: "s",
        type: "S",
        magic: GNU,
        content: "x".repeat(8),
        fields: { 386: octals(0, 5, 100, 3), 483: octals(200) },
      },
      sparse({ "GNU.sparse.map": "0,5,100,3", "GNU.sparse.size": "200" }),
      { content: "12345678" },
      sparse({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "200" }),
      { content: `2\n0\n5\n100\n3\n${"\0".repeat(500)}12345678` },
    ),
    new Uint8Array(Buffer.concat([tarOf(...plain), Buffer.from("behind the end")])),
    new Uint8Array(Buffer.concat(plain.map(memberOf))),
  ];
}

/** Sets the checksums of headers right again, so that the changes are read. */
function summed(bytes: Uint8Array): Uint8Array {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (String.fromCharCode(...block.subarray(257, 262)) !== "ustar") continue;
    block.fill(32, 148, 156);
    let sum = 0;
    for (const byte of block) sum += byte;
    block.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  }
  return bytes;
}

function changed(seed: Uint8Array, random: Random): Uint8Array {
  if (random(8) === 0) return mangle(seed, random);
  const bytes = seed.slice();
  for (let times = 1 + random(3); times > 0; times--) {
    const block = 512 * random(Math.floor(bytes.length / 512));
    if (random(3) === 0) bytes.set(headerOf({ name: "new", type: "01257xgLKSDZ"[random(12)]! }), block);
    else if (random(2) === 0) change(bytes, block, block + 512, random);
    else bytes[block + [124, 156, 130, 148, 257, 386, 482, 483][random(8)]!] = random(256);
  }
  return random(4) === 0 ? bytes : summed(bytes);
}

/** What an archive's writer gets, all in memory: contents at addresses, entries, the container. */
class Recorder {
  readonly #paths = new PathChecker();
  address = 0;
  readonly contents: Uint8Array[] = [];
  readonly entries: Entry[] = [];
  pieces: { readonly start: number; readonly size: number } | undefined;
  size = 0;

  async addContent(input: ContentInput) {
    const start = this.address;
    const end = start + (input.size ?? Number.POSITIVE_INFINITY);
    while (this.address < end) {
      // Holes are not looked into: behind them everything is as before.
      const hole = input.hole?.() ?? 0;
      if (hole > MOST_HOLE) throw new TooLarge();
      const into = new Uint8Array(700);
      const length = await input.read(into.subarray(0, end - this.address));
      if (length === 0) break;
      this.contents.push(into.subarray(0, length));
      this.address += length;
    }
    input.finish();
    if (input.size !== undefined && this.address !== end) throw new WrongOutcome("a content ended early");
    return { start: this.address === start ? 0 : start, size: this.address - start, sparse: input.sparse === true };
  }

  openInlet(input: ContentInput) {
    return openBufferedInlet(input, (content) => this.addContent(content));
  }

  checkPath(path: ByteString) {
    this.#paths.check(path);
  }

  async addEntry(entry: Entry) {
    for (const component of entry.path === "" ? [] : entry.path.split("/")) {
      if (nameProblem(component) !== undefined) throw new WrongOutcome(`the path ${JSON.stringify(entry.path)}`);
    }
    this.entries.push(entry);
  }

  addContainer(container: { size: number; pieces: { start: number; size: number } }) {
    this.pieces = container.pieces;
    this.size = container.size;
  }
}

const MOST_HOLE = 100_000;
class TooLarge extends Error {}

function* piecesIn(list: Uint8Array, step: number, addressSpace: number): Generator<Piece> {
  const decoder = new PieceListDecoder("the list", addressSpace);
  for (let at = 0; at < list.length; at += step) {
    yield* decoder.pieces(list.subarray(at, at + step), at + step >= list.length);
  }
}

/** @returns "read", "large" when a hole is, or the code of why it was refused */
export async function outcomeOfTar(bytes: Uint8Array): Promise<string> {
  const recorder = new Recorder();
  try {
    const writer = recorder as unknown as ImportContext["writer"];
    const context = { writer, warn() {} };
    await importTar({ input: contentOf(bytes, "x.tar"), name: "x.tar", format: "tar" }, context);
  } catch (error) {
    if (error instanceof TooLarge) return "large";
    return codeOf(error);
  }
  const space = new Uint8Array(Buffer.concat(recorder.contents));
  const { start, size } = recorder.pieces!;
  const again = [...piecesIn(space.subarray(start, start + size), LONGEST_PIECE_RECORD, space.length)].map((piece) => {
    if ("bytes" in piece) return piece.bytes;
    return "zeros" in piece ? new Uint8Array(piece.zeros) : space.subarray(piece.start, piece.end);
  });
  if (Buffer.compare(Buffer.concat(again), bytes) !== 0 || recorder.size !== bytes.length) {
    throw new WrongOutcome("the tar does not come back");
  }
  return "read";
}

export async function fuzzTar(seeds: readonly Uint8Array[], random: Random, keep: Keep) {
  const bytes = changed(seeds[random(seeds.length)]!, random);
  keep(bytes);
  return outcomeOfTar(bytes);
}

/** Reads a changed list; its pieces are not made. */
export function fuzzPieces(list: Uint8Array, random: Random, keep: Keep): string {
  const bytes = mangle(list, random);
  keep(bytes);
  return outcomeOfPieces(bytes);
}

export function outcomeOfPieces(bytes: Uint8Array): string {
  try {
    for (const piece of piecesIn(bytes, 300, 1 << 20)) {
      if ("start" in piece && !(piece.start >= 0 && piece.end >= piece.start && piece.end <= 1 << 20)) {
        throw new WrongOutcome(`a range from ${piece.start} to ${piece.end}`);
      }
    }
    return "read";
  } catch (error) {
    return codeOf(error);
  }
}

/** The list of a tar. */
export async function listOf(tar: Uint8Array): Promise<Uint8Array> {
  const recorder = new Recorder();
  const writer = recorder as unknown as ImportContext["writer"];
  const context = { writer, warn() {} };
  await importTar({ input: contentOf(tar, "x.tar"), name: "x.tar", format: "tar" }, context);
  const { start, size } = recorder.pieces!;
  return new Uint8Array(Buffer.concat(recorder.contents)).slice(start, start + size);
}

/** Changes records within their lengths: with a wrong one nothing else of them is read. */
function changedRecords(input: Uint8Array, random: Random): Uint8Array {
  const records = decodePax(input, "a seed").map(([key, value]): [string, string] => [key, value]);
  const number = random(records.length);
  const half = random(4) === 0 ? 0 : 1;
  const text = Buffer.from(records[number]![half]!, "latin1");
  const changed = random(8) === 0 ? mangle(text, random) : text;
  if (changed === text && text.length > 0)
    for (let times = 1 + random(2); times > 0; times--)
      text[random(text.length)] = PAX_BYTES[random(PAX_BYTES.length)]!;
  records[number]![half] = Buffer.from(changed).toString("latin1");
  if (random(8) === 0) records.push(records[random(records.length)]!);
  return encodePax(records as unknown as PaxRecord[]);
}

/** What may stand in records, and what should not. */
const PAX_BYTES = Buffer.from("0123456789-.,=\n \0/\xff", "latin1");

/** What stands before members: headers, and pax records with the maps of sparse files in them. */
export function tarDecoders(): Decoder[] {
  const header = headerOf({ name: "a/name", content: "some text" });
  const records: Record<string, string>[] = [
    { path: "é/x", mtime: "5.25", size: "3", uid: "70000", "SCHILY.xattr.user.a": "v", "VENDOR.k": "w" },
    { "GNU.sparse.map": "0,5,100,3", "GNU.sparse.size": "200" },
    { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "200", "GNU.sparse.name": "s" },
  ];
  const decodeHeader = (bytes: Uint8Array) => {
    const block = new Uint8Array(512);
    block.set(bytes.subarray(0, 512));
    decodeTarHeader(summed(block), "a header");
  };
  const decodeRecords = (bytes: Uint8Array) => {
    const found = decodePax(bytes, "the records");
    paxSparse(found, "the records");
    for (const [key, value] of found) if (key === "mtime") parsePaxTime(value, "a time");
    if (Buffer.compare(encodePax(found), encodePax(decodePax(encodePax(found), "the same"))) !== 0)
      throw new WrongOutcome("the records do not come back");
  };
  const pax = records.map((record) => ({
    name: "pax records",
    input: new Uint8Array(paxOf(record).content as Uint8Array),
  }));
  return [
    { name: "tar header", input: header, decode: decodeHeader },
    ...pax.map((one) => ({ ...one, decode: decodeRecords, changed: changedRecords })),
  ];
}
