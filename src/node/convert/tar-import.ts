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
import { PathChecker } from "../../core/write/tree-writer.ts";
import { BufferedInput } from "./buffered-input.ts";
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
  readonly #input: BufferedInput;
  readonly #parser: TarParser;
  readonly #list = new PieceList();
  readonly #paths = new PathChecker();
  /** Whether the content that was read last is followed by zeros that are not in the list yet. */
  #padded = false;
  /** What the block before was. */
  #sort = "";
  #toldOfAbsolute = false;

  constructor(options: TarImport, context: TarContext) {
    this.#options = options;
    this.#context = context;
    this.#input = new BufferedInput(options.input);
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
      this.#input.skip(TAR_BLOCK);
      const { header } = this.#parser;
      this.#sort = header === undefined ? `behind ${this.#sort}` : header.type;
      this.#list.encoder.block(block.slice(), { sort: this.#sort, size: header?.size, padded: this.#padded });
      this.#padded = false;
      this.#list.flush();
      if (member !== undefined) await this.#member(member);
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
    const { start, size } = await this.#context.writer.addContent(this.#content(undefined, undefined));
    encoder.range(start, size);
    this.#warn("unsupported", `has ${size} bytes behind its end, from ${at} on: they are kept, but not read`);
  }

  async #member(member: TarMember): Promise<void> {
    const what = `the member at ${member.at} of ${this.#name}`;
    const converted = entryOfMember(member, what);
    const kept = converted.entry !== undefined && this.#isKept(member, converted.entry, converted.note);
    if (converted.entry === undefined) this.#warnOf(member, converted.code, `is left out: ${converted.why}`);
    const isEmpty = member.storedSize === 0 && (member.sparse?.size ?? 0) === 0;
    const content = isEmpty ? NO_CONTENT : await this.#store(member);
    if (converted.entry === undefined || !kept) return;
    const entry = this.#options.place?.(converted.entry, member) ?? converted.entry;
    const isOwn = entry.type === "file" && entry.hardLink === undefined;
    await this.#context.writer.addEntry(entry, isOwn ? content : undefined);
  }

  /** Whether an archive can have the entry; tells of what it changes. */
  #isKept(member: TarMember, entry: Entry, note: string | undefined): boolean {
    try {
      this.#paths.check(entry.path);
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
  async #store(member: TarMember): Promise<ContentRange> {
    const { storedSize, sparse } = member;
    const { encoder } = this.#list;
    if (this.#context.writer.address + (sparse?.size ?? storedSize) > LIMITS.bytes) {
      throw new HexzError(
        "limit_exceeded",
        `the contents of ${this.#name} are over the limit of ${LIMITS.bytes} bytes`,
      );
    }
    const content = await this.#context.writer.addContent(this.#content(member, storedSize));
    if (sparse === undefined) encoder.range(content.start, storedSize);
    else for (const { offset, length } of sparse.runs) encoder.range(content.start + offset, length);
    const padding = -storedSize & (TAR_BLOCK - 1);
    const pending = this.#input.peek(padding);
    const bytes = pending instanceof Uint8Array ? pending : await pending;
    this.#padded = padding > 0 && bytes.length === padding && isZero(bytes);
    if (!this.#padded) encoder.bytes(bytes);
    this.#input.skip(bytes.length);
    this.#parser.at = this.#input.position;
    return content;
  }

  /** The bytes from here on: of a member, or all that is left. */
  #content(member: TarMember | undefined, storedSize: number | undefined): ContentInput {
    const stored = new StoredInput(this.#input, this.#name, storedSize, member);
    return member?.sparse === undefined ? stored : withHoles(stored, member.sparse);
  }

  #warn(code: "truncated" | "unsupported", what: string): void {
    this.#context.warn({ path: this.#name, code, message: `${this.#name} ${what}` });
  }
}

/** Bytes of a tar that are a content. */
class StoredInput implements ContentInput {
  readonly name: string;
  readonly size: number | undefined;
  readonly #input: BufferedInput;
  readonly #member: TarMember | undefined;
  readonly #end: number;

  constructor(input: BufferedInput, name: string, size: number | undefined, member: TarMember | undefined) {
    this.name = name;
    this.size = size;
    this.#input = input;
    this.#member = member;
    this.#end = input.position + (size ?? Number.POSITIVE_INFINITY);
  }

  read(into: Uint8Array): number | Promise<number> {
    const left = this.#end - this.#input.position;
    const pending = this.#input.read(into.length <= left ? into : into.subarray(0, left));
    return typeof pending === "number" ? this.#checked(pending) : pending.then((count) => this.#checked(count));
  }

  #checked(count: number): number {
    if (count > 0 || this.size === undefined) return count;
    const { position } = this.#input;
    const name = displayName(this.#member!.path);
    const message = `${this.name} ends at ${position}: "${name}" has ${this.#end - position} bytes more`;
    throw new HexzError("truncated", message, { data: { at: position } });
  }

  finish(): void {}
  close(): void {}
}

/** Stored runs with the holes between them. */
function withHoles(stored: StoredInput, { size, runs }: SparseMap): ContentInput {
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
    name: stored.name,
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
      const pending = stored.read(into.subarray(0, run.offset + run.length - position));
      return typeof pending === "number" ? took(pending) : pending.then(took);
    },
    finish() {},
    close() {},
  };
}
