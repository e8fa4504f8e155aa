// The blocks of a tar become members: headers, extended headers and sparse maps are put together, contents are the
// caller's to read. Blocks in, values out; no input is read here.

import { ByteWriter } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import type { ByteString } from "../format/path.ts";
import { TAR_BLOCK } from "../format/tar-block.ts";
import { checkLimit, LIMITS } from "../limits.ts";
import { decodeTarHeader, isTarHeader, isZero, type Subject, type TarHeader, textField } from "./header.ts";
import { decodePax, type PaxRecord, XATTR } from "./pax.ts";
import {
  checkedMap,
  createMapReader,
  decodeOldSparse,
  MOST_RUNS,
  type PaxSparse,
  paxSparse,
  type SparseMap,
} from "./sparse.ts";

/** What stands before a content. */
export interface TarMember {
  /** Where its last header is in the tar. */
  readonly at: number;
  readonly header: TarHeader;
  /** As they are in the tar, wherever they were said. */
  readonly path: ByteString;
  readonly linkPath: ByteString;
  /** Records of global and own extended headers that count; those of sparse maps left out. */
  readonly records: ReadonlyMap<ByteString, ByteString>;
  /** Those of `records` that a global header said, and nothing else. */
  readonly global: ReadonlySet<ByteString>;
  /** Bytes of content that follow. */
  readonly storedSize: number;
  readonly sparse: SparseMap | undefined;
}

/** Types whose size says nothing: nothing follows them. Links, devices, directories and FIFOs. */
const WITHOUT_CONTENT = new Set(["1", "2", "3", "4", "5", "6"]);

/** Takes a block of what is being put together over several; returns a member, or whether it was the last. */
type Collect = (block: Uint8Array) => TarMember | boolean;
const NO_RECORDS = new Map<ByteString, ByteString>();
const NO_GLOBAL = new Set<ByteString>();
/** Global records of a tar. */
const MOST_GLOBAL = 10_000;

export class TarParser {
  readonly #name: string;
  readonly #global = new Map<ByteString, ByteString>();
  #local: PaxRecord[] = [];
  #longName: ByteString | undefined;
  #longLink: ByteString | undefined;
  #collecting: Collect | undefined;
  /** Bytes of extended headers since the last member. */
  #extended = 0;
  /** The header that came last, and where it is. */
  #before: TarHeader | undefined;
  #headerAt = 0;
  /** For messages about the header that came last, and about the member that it begins. */
  readonly #headerSubject: Subject = { toString: () => `the header at ${this.#headerAt} of ${this.#name}` };
  readonly subject: Subject = { toString: () => `the member at ${this.#headerAt} of ${this.#name}` };
  /** Offset of the next block in the tar. Add the contents that were read. */
  at = 0;
  /** The header that the last block was; undefined when it went with an earlier one. */
  header: TarHeader | undefined;

  /** @param name of the tar, for messages */
  constructor(name: string) {
    this.#name = name;
  }

  /** Records of global headers so far. */
  get global(): ReadonlyMap<ByteString, ByteString> {
    return this.#global;
  }

  /** Whether something was begun that needs another block. */
  get isInside(): boolean {
    const hasOwn = this.#local.length > 0 || this.#longName !== undefined || this.#longLink !== undefined;
    return this.#collecting !== undefined || hasOwn;
  }

  /**
   * Takes the next 512 bytes that are no content.
   * @returns a member when this block completes one: `storedSize` bytes follow, then zeros up to a multiple of 512;
   * "end" when it is the first block of the end mark
   * @throws HexzError `damaged`, `invalid`, `feature_unknown`, `limit_exceeded`
   */
  block(block: Uint8Array): TarMember | "end" | undefined {
    const { at } = this;
    this.at += TAR_BLOCK;
    this.header = undefined;
    if (this.#collecting !== undefined) {
      const done = this.#collecting(block);
      if (done === false) return undefined;
      this.#collecting = undefined;
      return done === true ? undefined : done;
    }
    if (isZero(block)) {
      if (!this.isInside) return "end";
      throw new HexzError("invalid", `the tar ${this.#name} ends at ${at} behind an extended header`, { data: { at } });
    }
    this.#headerAt = at;
    const header = this.#header(block);
    this.#before = header;
    this.header = header;
    return this.#begin(block, header, at);
  }

  #header(block: Uint8Array): TarHeader {
    if (this.#before === undefined && !isTarHeader(block)) {
      throw new HexzError("invalid", `${this.#name} is no tar: it begins with no header of one`);
    }
    return decodeTarHeader(block, this.#headerSubject, this.#before);
  }

  #begin(block: Uint8Array, header: TarHeader, at: number): TarMember | undefined {
    switch (header.type) {
      case "x":
      case "X":
        this.#collect(header, at, (bytes, what) => this.#local.push(...decodePax(bytes, what)));
        return undefined;
      case "g":
        this.#collect(header, at, (bytes, what) => {
          for (const [key, value] of decodePax(bytes, what)) {
            if (value === "") this.#global.delete(key);
            else this.#global.set(key, value);
          }
          checkLimit(`the number of global records of ${this.#name}`, this.#global.size, MOST_GLOBAL);
        });
        return undefined;
      case "L":
        this.#collect(header, at, (bytes) => {
          this.#longName = textField(bytes);
        });
        return undefined;
      case "K":
        this.#collect(header, at, (bytes) => {
          this.#longLink = textField(bytes);
        });
        return undefined;
      case "S":
        return this.#oldSparse(block, header, at);
      default:
        return this.#plain(header, at);
    }
  }

  /** @param use of all its bytes */
  #collect({ size }: TarHeader, at: number, use: (bytes: Uint8Array, what: string) => void): void {
    const what = `the extended header at ${at} of ${this.#name}`;
    if (size < 0) throw new HexzError("invalid", `${what} has ${size} bytes`);
    this.#extended += size;
    checkLimit(`the length of ${what} and those before it`, this.#extended, LIMITS.entry);
    const bytes = new ByteWriter(TAR_BLOCK);
    if (size === 0) {
      use(bytes.view(), what);
      return;
    }
    this.#collecting = (block) => {
      bytes.raw(block);
      if (bytes.length < size) return false;
      use(bytes.view(0, size), what);
      return true;
    };
  }

  #plain(header: TarHeader, at: number): TarMember | undefined {
    const what = this.subject;
    const sparse = paxSparse(this.#local, what);
    const own = this.#local.length === 0 ? undefined : this.#local.findLast(([key]) => key === "size")?.[1];
    const said = own ?? this.#global.get("size" as ByteString);
    const size = said === undefined || said === "" ? header.size : decimalSize(said, what);
    if (size < 0) throw new HexzError("invalid", `${what} has ${size} bytes`, { data: { at } });
    if (size > LIMITS.bytes) checkLimit(`the size of ${what}`, size, LIMITS.bytes);
    if (WITHOUT_CONTENT.has(header.type)) return this.#member(header, at, 0);
    if (sparse === undefined) return this.#member(header, at, size);
    if (sparse.runs !== undefined) {
      return this.#member(header, at, size, checkedMap(sparse.size, sparse.runs, size, what), sparse.name);
    }
    return this.#mapBeforeData(header, at, size, sparse);
  }

  #mapBeforeData(header: TarHeader, at: number, size: number, { size: whole, name }: PaxSparse): undefined {
    const what = this.subject;
    const map = createMapReader(what);
    let stored = size;
    this.#collecting = (block) => {
      stored -= TAR_BLOCK;
      if (stored < 0) throw new HexzError("invalid", `the map of ${what} is longer than its ${size} bytes`);
      const runs = map.block(block);
      return runs !== undefined && this.#member(header, at, stored, checkedMap(whole, runs, stored, what), name);
    };
  }

  #oldSparse(block: Uint8Array, header: TarHeader, at: number): TarMember | undefined {
    const what = this.subject;
    const { runs, more, size } = decodeOldSparse(block, true, what);
    const finish = () => this.#member(header, at, header.size, checkedMap(size, runs, header.size, what));
    if (!more) return finish();
    this.#collecting = (next) => {
      const further = decodeOldSparse(next, false, what);
      for (const run of further.runs) runs.push(run);
      checkLimit(`the number of runs of ${what}`, runs.length, MOST_RUNS);
      return further.more ? false : finish();
    };
    return undefined;
  }

  #member(header: TarHeader, at: number, storedSize: number, sparse?: SparseMap, name?: ByteString): TarMember {
    const hasRecords = this.#global.size + this.#local.length > 0;
    const records = hasRecords ? new Map(this.#global) : NO_RECORDS;
    const global = hasRecords ? new Set(records.keys()) : NO_GLOBAL;
    for (const [key, value] of this.#local) {
      global.delete(key);
      if (key.startsWith("GNU.sparse.")) continue;
      // An attribute may be empty.
      if (value === "" && !key.startsWith(XATTR)) records.delete(key);
      else records.set(key, value);
    }
    const path = name ?? records.get("path" as ByteString) ?? this.#longName ?? header.name;
    const linkPath = records.get("linkpath" as ByteString) ?? this.#longLink ?? header.linkName;
    this.#local = [];
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#extended = 0;
    return { at, header, path, linkPath, records, global, storedSize, sparse };
  }
}

function decimalSize(text: string, what: Subject): number {
  if (/^[0-9]{1,16}$/.test(text)) return Number(text);
  throw new HexzError("invalid", `the size of ${what} is ${JSON.stringify(text.slice(0, 40))}`);
}
