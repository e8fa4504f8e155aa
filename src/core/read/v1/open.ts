// Opening an archive of format 1 (docs/format-1.md, "Layout"): header, master index, metadata. Pages are read later.

import { HexzError } from "../../errors.ts";
import type { Section } from "../../format/v1/fields.ts";
import { decodeHeader, fitsPages, HEADER_LENGTH, type Header } from "../../format/v1/header.ts";
import { decodeMasterIndex, type MasterIndex, masterIndexLength } from "../../format/v1/index-page.ts";
import { checkLimit, LIMITS } from "../../limits.ts";
import type { RangeSource } from "../../source/source.ts";
import type { Io } from "../io.ts";

/** What opening finds out. */
export interface Opened1 {
  readonly source: RangeSource;
  readonly header: Header;
  readonly master: MasterIndex;
  /** The bytes of header and master index: tell two archives apart. */
  readonly identity: readonly Uint8Array[];
}

export const SIGNATURE_LENGTH = 64;

/** The master index is read in pieces that double, as its length is stored nowhere. */
const FIRST_PIECE = 64 * 1024;

/** @throws HexzError `not_an_archive`, `version_unknown`, `truncated`, `invalid`, `limit_exceeded`, `feature_unknown` */
export function* openFormat1Io(source: RangeSource): Io<Opened1> {
  const { name, size } = source;
  const [start] = yield [{ source, start: 0, end: Math.min(size, HEADER_LENGTH) }];
  const headers = decodeHeader(start!, name);
  let problem: HexzError | undefined;
  for (const header of headers) {
    try {
      const bytes = yield* readMasterIndex(source, header);
      const master = decodeMasterIndex(bytes, `the master index of ${name}`);
      if (fitsPages(header, master.main.pages.length, master.auxiliary.pages.length)) {
        return { source, header, master, identity: [start!, bytes] };
      }
      problem ??= new HexzError("invalid", `${name} is of no known layout: its header and its index do not agree`);
    } catch (error) {
      if (!(error instanceof HexzError) || error.code === "io") throw error;
      problem ??= error;
    }
  }
  throw problem!;
}

function* readMasterIndex(source: RangeSource, { indexOffset }: Header): Io<Uint8Array> {
  const { name, size } = source;
  const what = `the master index of ${name}`;
  if (indexOffset < HEADER_LENGTH) {
    throw new HexzError("invalid", `${what} would begin at ${indexOffset}, within the header`);
  }
  let [end, length] = [indexOffset, 0];
  let bytes = new Uint8Array(0);
  do {
    if (indexOffset + length > size || indexOffset >= size) {
      throw new HexzError("truncated", `${what} begins at ${indexOffset} and ends behind the file's end at ${size}`, {
        data: { size },
      });
    }
    end = Math.min(size, indexOffset + Math.max(FIRST_PIECE, length));
    const [read] = yield [{ source, start: indexOffset, end }];
    bytes = read as Uint8Array<ArrayBuffer>;
    length = masterIndexLength(bytes, what);
  } while (length > bytes.length);
  return bytes.subarray(0, length);
}

/**
 * What is wrong with the bytes behind the master index: metadata and signatures, and nothing else. A header whose fields
 * are damaged may name no metadata, and an archive without its manifest looks like one of streams.
 */
export function tailProblem({ header, identity, source }: Opened1): HexzError | undefined {
  const { indexOffset, metadata, signature } = header;
  const indexEnd = indexOffset + identity[1]!.length;
  const invalid = (what: string) =>
    new HexzError("invalid", `${source.name}: ${what}; its header is damaged, or something was appended`, {
      hint: "hexz cat ARCHIVE disk, or memory, reads the streams all the same",
      data: { index_end: indexEnd, size: source.size },
    });
  if (metadata !== undefined && metadata.offset !== indexEnd) {
    return invalid(`the metadata is at ${metadata.offset}, but the master index ends at ${indexEnd}`);
  }
  const end = indexEnd + (metadata?.length ?? 0);
  // Who signs again leaves the signature before.
  const signatures = signature === undefined ? 0 : signature.offset + signature.length - end;
  if (signatures < 0 || signatures % SIGNATURE_LENGTH > 0 || end + signatures !== source.size) {
    return invalid(`bytes ${end} to ${source.size} are neither the metadata nor a signature`);
  }
  return undefined;
}

/** @param limit on its length @throws HexzError `invalid`, `limit_exceeded` */
export function* readSectionIo(source: RangeSource, section: Section, what: string, limit: number): Io<Uint8Array> {
  const { offset, length } = section;
  checkLimit(`the length of ${what}`, length, limit);
  if (offset + length > source.size) {
    throw new HexzError(
      "invalid",
      `${what} of ${source.name} would lie at ${offset} to ${offset + length}, behind its end at ${source.size}`,
    );
  }
  const [bytes] = yield [{ source, start: offset, end: offset + length }];
  return bytes!;
}

export const METADATA_LIMIT = LIMITS.format1.metadata;
