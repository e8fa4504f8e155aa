// A tar into an archive: members become entries, the bytes between them a list of pieces, so that the tar can be had
// back byte for byte.

import { type ErrorCode, HexzError } from "../../core/errors.ts";
import type { Entry } from "../../core/format/entry.ts";
import { displayName } from "../../core/format/path.ts";
import type { ContentRange } from "../../core/format/record.ts";
import { TAR_BLOCK } from "../../core/format/tar-block.ts";
import { LIMITS } from "../../core/limits.ts";
import { isZero } from "../../core/tar/header.ts";
import { entryOfMember, globalMetadata } from "../../core/tar/member.ts";
import { type TarMember, TarParser } from "../../core/tar/parser.ts";
import type { SparseMap } from "../../core/tar/sparse.ts";
import type { ContentInput } from "../../core/write/content-input.ts";
import type { Inlet } from "../../core/write/inlet.ts";
import type { ImportContext } from "./format.ts";
import { PieceList } from "./piece-list.ts";

export interface TarImport {
  /** The tar, not compressed. */
  readonly input: ContentInput;
  /** What it is called as a container. */
  readonly name: string;
  readonly format: "tar" | "webdataset";
  /** Changes an entry before it is added. */
  readonly place?: (entry: Entry, member: TarMember) => Entry;
  /** What is to be recorded of the container at the end. */
  readonly summary?: () => Record<string, unknown>;
}

/** What it needs of an import. */
type TarContext = Pick<ImportContext, "writer" | "warn">;

/** Characters of a name in a message. */
const MOST_NAME = 200;
const NO_CONTENT: ContentRange = { start: 0, size: 0, sparse: false };

/** Reads all of a tar. @throws HexzError `invalid`, `damaged`, `truncated`, `limit_exceeded` */
export async function importTar(options: TarImport, context: TarContext): Promise<void> {
  const reader = new TarReader(options, context);
  try {
    await reader.read();
  } finally {
    reader.close();
  }
}

class TarReader {
  readonly #options: TarImport;
  readonly #context: TarContext;
  readonly #input: Inlet;
  readonly #parser: TarParser;
  readonly #list = new PieceList();
  /** Whether the content that was read last is followed by zeros that are not in the list yet. */
  #padded = false;
  /** What the block before was. */
  #sort = "";
  #toldOfAbsolute = false;

  constructor(options: TarImport, context: TarContext) {
    this.#options = options;
    this.#context = context;
    this.#input = context.writer.openInlet(options.input);
    this.#parser = new TarParser(options.input.name);
  }

  get #name(): string {
    return this.#options.input.name;
  }

  async read(): Promise<void> {
    for (;;) {
      const pending = this.#input.peek(TAR_BLOCK);
      const block = pending instanceof Uint8Array ? pending : await pending;
      if (block.length < TAR_BLOCK) {
        this.#endWithout(block);
        break;
      }
      const member = this.#parser.block(block);
      if (member === "end") {
        this.#flushPadding();
        await this.#rest();
        break;
      }
      const { header } = this.#parser;
      this.#sort = header === undefined ? `behind ${this.#sort}` : header.type;
      this.#list.encoder.block(block, { sort: this.#sort, header, padded: this.#padded });
      this.#input.skip(TAR_BLOCK);
      this.#padded = false;
      this.#list.flush();
      const added = member === undefined ? undefined : this.#member(member);
      if (added !== undefined) await added;
    }
    const { format, name, summary } = this.#options;
    const { global } = this.#parser;
    const metadata = { ...summary?.(), ...(global.size === 0 ? {} : { pax: globalMetadata(global) }) };
    const about = { format, name, ...(Object.keys(metadata).length === 0 ? {} : { metadata }) };
    await this.#list.finish(this.#context.writer, about);
  }

  close(): void {
    this.#list.close();
  }

  /** The tar ends without an end mark. */
  #endWithout(rest: Uint8Array): void {
    const { position } = this.#input;
    if (position === 0 && rest.length === 0) throw new HexzError("invalid", `${this.#name} is empty, no tar`);
    if (this.#parser.isInside || !isZero(rest) || position === 0) {
      const why = position < TAR_BLOCK ? "is no tar: it is shorter than a header" : "ends in the middle of a header";
      throw new HexzError(position < TAR_BLOCK ? "invalid" : "truncated", `${this.#name} ${why}, at ${position}`, {
        data: { at: position },
      });
    }
    this.#flushPadding();
    this.#list.encoder.zeros(rest.length);
    this.#warn("truncated", `has no end mark: it may have had more members, behind ${position}`);
  }

  /** Zeros that no block follows. */
  #flushPadding(): void {
    const { encoder } = this.#list;
    if (this.#padded) encoder.zeros(-encoder.size & (TAR_BLOCK - 1));
    this.#padded = false;
  }

  /** What follows the end mark: zeros as a rule. Anything else is kept, but it is no part of the tar. */
  async #rest(): Promise<void> {
    const { encoder } = this.#list;
    for (;;) {
      const bytes = await this.#input.peek(64 * 1024);
      if (bytes.length === 0) return;
      const zeros = bytes.findIndex((byte) => byte !== 0);
      encoder.zeros(zeros < 0 ? bytes.length : zeros);
      this.#input.skip(zeros < 0 ? bytes.length : zeros);
      if (zeros >= 0) break;
    }
    const at = this.#input.position;
    const { start, size } = await this.#input.content(Number.POSITIVE_INFINITY);
    encoder.range(start, size);
    this.#warn("unsupported", `has ${size} bytes behind its end, from ${at} on: they are kept, but not read`);
  }

  #member(member: TarMember): void | Promise<void> {
    const converted = entryOfMember(member, this.#parser.subject);
    if (converted.entry === undefined) this.#warnOf(member, converted.code, `is left out: ${converted.why}`);
    const entry =
      converted.entry !== undefined && this.#isKept(member, converted.entry, converted.note)
        ? converted.entry
        : undefined;
    const isEmpty = member.storedSize === 0 && (member.sparse?.size ?? 0) === 0;
    const content = isEmpty ? NO_CONTENT : this.#store(member);
    if (content instanceof Promise) return content.then((stored) => this.#add(member, entry, stored));
    return this.#add(member, entry, content);
  }

  #add(member: TarMember, entry: Entry | undefined, content: ContentRange): void | Promise<void> {
    if (entry === undefined) return;
    const placed = this.#options.place?.(entry, member) ?? entry;
    const isOwn = placed.type === "file" && placed.hardLink === undefined;
    return this.#context.writer.addEntry(placed, isOwn ? content : undefined);
  }

  /** Whether an archive can have the entry; tells of what it changes. */
  #isKept(member: TarMember, entry: Entry, note: string | undefined): boolean {
    try {
      this.#context.writer.checkPath(entry.path);
    } catch (error) {
      if (!(error instanceof HexzError)) throw error;
      this.#warnOf(member, error.code, `is left out: ${error.message}`);
      return false;
    }
    if (member.path.startsWith("/") && !this.#toldOfAbsolute) {
      this.#toldOfAbsolute = true;
      this.#warnOf(member, "collision", 'and others lose their first "/"');
    }
    if (note !== undefined) this.#warnOf(member, "unsupported", note);
    return true;
  }

  #warnOf({ path }: TarMember, code: ErrorCode, what: string): void {
    this.#context.warn({ path, code, message: `"${displayName(path).slice(0, MOST_NAME)}" ${what}` });
  }

  /** Packs the content that follows; it goes into the list, too. */
  #store(member: TarMember): ContentRange | Promise<ContentRange> {
    const { storedSize, sparse } = member;
    if (this.#context.writer.address + (sparse?.size ?? storedSize) > LIMITS.bytes) {
      throw new HexzError(
        "limit_exceeded",
        `the contents of ${this.#name} are over the limit of ${LIMITS.bytes} bytes`,
      );
    }
    const stored = sparse === undefined ? this.#input.content(storedSize) : this.#storeSparse(member, sparse);
    if (stored instanceof Promise) return stored.then((content) => this.#stored(member, content));
    return this.#stored(member, stored);
  }

  #storeSparse(member: TarMember, sparse: SparseMap): Promise<ContentRange> {
    const end = this.#input.position + member.storedSize;
    const content = withHoles(this.#name, sparse, async (into) => {
      const count = await this.#input.read(into);
      if (count === 0) this.#endsIn(member, end);
      return count;
    });
    return this.#context.writer.addContent(content);
  }

  #stored(member: TarMember, content: ContentRange): ContentRange | Promise<ContentRange> {
    const { storedSize, sparse } = member;
    const { encoder } = this.#list;
    if (sparse === undefined && content.size < storedSize) {
      this.#endsIn(member, this.#input.position + storedSize - content.size);
    }
    if (sparse === undefined) encoder.range(content.start, storedSize);
    else for (const { offset, length } of sparse.runs) encoder.range(content.start + offset, length);
    const padding = -storedSize & (TAR_BLOCK - 1);
    const bytes = this.#input.peek(padding);
    if (bytes instanceof Promise) return bytes.then((behind) => this.#pad(behind, padding, content));
    return this.#pad(bytes, padding, content);
  }

  /** @param bytes of the padding, fewer at the end */
  #pad(bytes: Uint8Array, padding: number, content: ContentRange): ContentRange {
    this.#padded = padding > 0 && bytes.length === padding && isZero(bytes);
    if (!this.#padded) this.#list.encoder.bytes(bytes);
    this.#input.skip(bytes.length);
    this.#parser.at = this.#input.position;
    return content;
  }

  #endsIn({ path }: TarMember, end: number): never {
    const { position } = this.#input;
    const message = `${this.#name} ends at ${position}: "${displayName(path)}" has ${end - position} bytes more`;
    throw new HexzError("truncated", message, { data: { at: position } });
  }

  #warn(code: "truncated" | "unsupported", what: string): void {
    this.#context.warn({ path: this.#name, code, message: `${this.#name} ${what}` });
  }
}

/** Stored runs with the holes between them. */
function withHoles(
  name: string,
  { size, runs }: SparseMap,
  readStored: (into: Uint8Array) => Promise<number>,
): ContentInput {
  let position = 0;
  let number = 0;
  /** Bytes up to the next run. */
  const hole = (): number => {
    while (number < runs.length && runs[number]!.offset + runs[number]!.length <= position) number++;
    return Math.max(0, (runs[number]?.offset ?? size) - position);
  };
  const took = (count: number): number => {
    position += count;
    return count;
  };
  return {
    name,
    size,
    sparse: true,
    hole,
    skip: took,
    read(into) {
      const zeros = Math.min(hole(), into.length, size - position);
      if (zeros > 0) {
        into.fill(0, 0, zeros);
        return took(zeros);
      }
      const run = runs[number];
      if (run === undefined) return 0;
      return readStored(into.subarray(0, run.offset + run.length - position)).then(took);
    },
    finish() {},
    close() {},
  };
}
