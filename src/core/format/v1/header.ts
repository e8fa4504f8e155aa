// The header of format 1: the first 4096 bytes (docs/format-1.md, "Header"). Two layouts carry the same version: until
// 0.5.1 one optional parent, since then a list. The fields do not say which it is; what follows them does.

import { ByteReader, ByteWriter, equalBytes } from "../../bytes.ts";
import { HexzError } from "../../errors.ts";
import { checkLimit, LIMITS } from "../../limits.ts";
import {
  readBoolean,
  readOption,
  readSection,
  readText,
  type Section,
  writeBoolean,
  writeOption,
  writeSection,
  writeText,
} from "./fields.ts";

export const HEADER_LENGTH = 4096;
export const VERSION = 1;
const MAGIC = Uint8Array.from([0x48, 0x45, 0x58, 0x5a]);
const SALT_LENGTH = 16;
const COMPRESSIONS = ["lz4", "zstd"] as const;

/** Whether a file that begins like this is an archive of format 1. */
export function looksLikeFormat1(start: Uint8Array): boolean {
  return equalBytes(start.subarray(0, 4), MAGIC) && new ByteReader(start.subarray(4, 8), "a header").u32() === VERSION;
}

/** How parents are stored: `option` until 0.5.1, `list` since 0.5.2. */
export type HeaderLayout = "list" | "option";
const LAYOUTS: readonly HeaderLayout[] = ["list", "option"];

/** How the key comes from the password: PBKDF2 with HMAC-SHA-256. */
export interface KeyParameters {
  readonly salt: Uint8Array;
  readonly iterations: number;
}

/** FastCDC as the header of 0.8 keeps it; the average is 2^bits. */
export interface CdcParameters {
  readonly bits: number;
  readonly min: number;
  readonly max: number;
}

export interface Header {
  readonly layout: HeaderLayout;
  /** Nominal; blocks may be longer. */
  readonly blockSize: number;
  /** Where the master index begins. */
  readonly indexOffset: number;
  /** As they were given to the writer, in the order of searching. */
  readonly parentPaths: readonly string[];
  readonly dictionary?: Section | undefined;
  readonly metadata?: Section | undefined;
  readonly signature?: Section | undefined;
  /** When there are any, every data block is encrypted. */
  readonly encryption?: KeyParameters | undefined;
  readonly compression: (typeof COMPRESSIONS)[number];
  readonly hasMain: boolean;
  readonly hasAuxiliary: boolean;
  readonly variableBlocks: boolean;
  readonly cdc?: CdcParameters | undefined;
}

/** @throws HexzError `limit_exceeded` when the parents' paths do not fit */
export function encodeHeader(header: Header): Uint8Array {
  const writer = new ByteWriter(HEADER_LENGTH).raw(MAGIC).u32(VERSION).u32(header.blockSize).u64(header.indexOffset);
  const { parentPaths } = header;
  if (header.layout === "list") {
    writer.u64(parentPaths.length);
    for (const path of parentPaths) writeText(writer, path);
  } else {
    if (parentPaths.length > 1) throw new HexzError("usage", "the old layout of format 1 keeps one parent");
    writeOption(writer, parentPaths[0], (path) => writeText(writer, path));
  }
  writeSection(writer, header.dictionary);
  writeSection(writer, header.metadata);
  writeSection(writer, header.signature);
  writeOption(writer, header.encryption, ({ salt, iterations }) => writer.raw(salt).u32(iterations));
  writer.u32(COMPRESSIONS.indexOf(header.compression));
  writeBoolean(writer, header.hasMain);
  writeBoolean(writer, header.hasAuxiliary);
  writeBoolean(writer, header.variableBlocks);
  // Nothing and a missing field are the same bytes: what follows is zero.
  if (header.cdc !== undefined) {
    writer.u8(1).u32(header.cdc.bits).u32(header.cdc.min).u32(header.cdc.max);
  }
  checkLimit("the length of the header", writer.length, HEADER_LENGTH);
  return writer.zeros(HEADER_LENGTH - writer.length).take();
}

/**
 * What the header may be: one value for each layout in which it is complete and followed by zeros, the newer one first.
 * The master index tells which it is, see `fitsPages`.
 * @param bytes the beginning of the file, HEADER_LENGTH of them when the file has them
 * @throws HexzError `not_an_archive`, `version_unknown`, `truncated`, `invalid`, `feature_unknown`
 */
export function decodeHeader(bytes: Uint8Array, name: string): Header[] {
  if (!equalBytes(bytes.subarray(0, 4), MAGIC)) {
    throw new HexzError("not_an_archive", `${name} is not a Hexz archive: it does not begin with HEXZ`);
  }
  const version = new ByteReader(bytes.subarray(4), `the header of ${name}`).u32();
  if (version !== VERSION) {
    throw new HexzError(
      "version_unknown",
      `${name} is a Hexz archive of version ${version}, not of version ${VERSION}`,
      {
        data: { found: version, expected: VERSION },
      },
    );
  }
  if (bytes.length < HEADER_LENGTH) {
    throw new HexzError(
      "truncated",
      `${name} ends within its header: it has ${bytes.length} of ${HEADER_LENGTH} bytes`,
    );
  }
  const headers: Header[] = [];
  let problem: unknown;
  for (const layout of LAYOUTS) {
    const reader = new ByteReader(bytes.subarray(0, HEADER_LENGTH), `the header of ${name}`);
    try {
      const header = readHeader(reader, layout);
      reader.zeros(reader.left);
      headers.push(header);
    } catch (error) {
      problem ??= error;
    }
  }
  if (headers.length === 0) throw problem;
  return headers;
}

function readHeader(reader: ByteReader, layout: HeaderLayout): Header {
  reader.raw(8);
  const blockSize = reader.u32();
  const indexOffset = reader.u64();
  const parentPaths = layout === "list" ? readPaths(reader) : [];
  if (layout === "option") {
    const path = readOption(reader, () => readText(reader));
    if (path !== undefined) parentPaths.push(path);
  }
  const dictionary = readSection(reader);
  const metadata = readSection(reader);
  const signature = readSection(reader);
  const encryption = readOption(reader, () => ({ salt: reader.raw(SALT_LENGTH).slice(), iterations: reader.u32() }));
  const codec = reader.u32();
  const compression = COMPRESSIONS[codec];
  if (compression === undefined) {
    throw new HexzError("feature_unknown", `format 1 has no compression ${codec}`, { data: { found: codec } });
  }
  const hasMain = readBoolean(reader, "a feature");
  const hasAuxiliary = readBoolean(reader, "a feature");
  const variableBlocks = readBoolean(reader, "a feature");
  const cdc = readOption(reader, () => ({ bits: reader.u32(), min: reader.u32(), max: reader.u32() }));
  const sections = { dictionary, metadata, signature, encryption, cdc };
  return {
    layout,
    blockSize,
    indexOffset,
    parentPaths,
    ...sections,
    compression,
    hasMain,
    hasAuxiliary,
    variableBlocks,
  };
}

function readPaths(reader: ByteReader): string[] {
  const count = reader.u64();
  checkLimit("the number of parents", count, LIMITS.format1.parents);
  return Array.from({ length: count }, () => readText(reader));
}

/** Whether a header goes with a master index: it says of each stream whether it has pages. */
export function fitsPages(header: Header, mainPages: number, auxiliaryPages: number): boolean {
  return header.hasMain === mainPages > 0 && header.hasAuxiliary === auxiliaryPages > 0;
}
