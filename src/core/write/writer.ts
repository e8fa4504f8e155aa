// The conductor of the write line: streams and entries go in, an archive comes out of the sink, forward only
// (docs/format.md, "The writer's order").

import type { Signer } from "../crypto/ed25519.ts";
import type { CodecId } from "../engine.ts";
import { HexzError, type Warning } from "../errors.ts";
import { type Container, contentIn, type Stretch } from "../format/containers.ts";
import type { Entry } from "../format/entry.ts";
import { type ByteString, displayName } from "../format/path.ts";
import { beginningOf, type ContentRange } from "../format/record.ts";
import type { Stream } from "../format/root.ts";
import type { Crew } from "../work/crew.ts";
import { Appender } from "./appender.ts";
import { type Base, loadBases } from "./bases.ts";
import { type CodingOptions, resolveCoding } from "./coding.ts";
import type { ContentInput } from "./content-input.ts";
import type { Encryption } from "./envelope-sink.ts";
import type { FormatWriter, SharedParts } from "./format-writer.ts";
import { Format2Writer } from "./format2-writer.ts";
import type { Inlet } from "./inlet.ts";
import { Intake } from "./intake.ts";
import { Pipeline } from "./pipeline.ts";
import { createMemoryScratch, type OpenScratch } from "./scratch.ts";
import type { Sink } from "./sink.ts";
import type { WrittenArchive } from "./state-end.ts";
import { Totals } from "./totals.ts";
import { PathChecker } from "./tree-writer.ts";
import { isDerived, UnorderedEntries } from "./unordered-entries.ts";
import { createFormat1Writer, type Format1Options } from "./v1/format1-writer.ts";

export interface WriterOptions extends CodingOptions {
  /**
   * Archives that hold chunks which need not be stored again: their parents, too, each on its own. Chunking and block
   * size are the first one's where no option says otherwise.
   */
  readonly bases?: readonly Base[];
  /** Kept in the archive's metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /**
   * Entries come in any order, not in tree order: they are sorted at the end, in bounded memory. A hard link may then
   * name any file. It is told of entries that are left out: of one path all but the last, and links to what is no file.
   */
  readonly anyOrder?: (leftOut: Warning) => void;
  /** Who signs it. */
  readonly signers?: readonly Signer[];
  /** Told of every stretch of input, in bytes. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
  /** Writes an archive of format 1, whose bases are its own. */
  readonly format1?: Format1Options;
}

/** What a source of contents and entries needs of the writer. */
export type ContentSink = Pick<
  ArchiveWriter,
  | "address"
  | "checkPath"
  | "openInlet"
  | "addStream"
  | "addFile"
  | "addContent"
  | "addContainer"
  | "addEntry"
  | "addMetadata"
  | "hasLinkTarget"
>;

const runNow = (add: () => void): void => add();

/** Entries after which pages that they have filled are written. Fewer are placed while the last blocks are still coded. */
const FLUSH_ENTRIES = 16_384;

export interface CreateOptions extends WriterOptions {
  /** Who can read the archive; without it, everybody. A base that is encrypted makes it necessary. */
  readonly encryption?: Encryption;
}

/**
 * Writes one archive. Streams come first, then entries in tree order (`comparePaths`) unless `anyOrder` says otherwise,
 * then `finish`; after any error, `abort`. Calls must not overlap.
 */
export class ArchiveWriter {
  readonly #sink: Sink;
  readonly #options: WriterOptions;
  readonly #appender: Appender;
  readonly #format: FormatWriter;
  readonly #pipeline: Pipeline;
  readonly #intake: Intake;
  readonly #totals: Totals;
  readonly #streams: Stream[] = [];
  /** Ranges of files that hard links may name; only those with more than one link are worth keeping. */
  readonly #linkable = new Map<ByteString, ContentRange>();
  readonly #paths = new PathChecker();
  readonly #unordered: UnorderedEntries | undefined;
  readonly #containers: Container[] = [];
  /** Streams, and containers that are stored whole. */
  readonly #whole: Stretch[] = [];
  #metadata: Readonly<Record<string, unknown>> = {};
  #entryCount = 0;
  #placedCount = 0;

  private constructor(parts: SharedParts, options: WriterOptions, format: FormatWriter, openScratch: OpenScratch) {
    const { appender, coding, crew, sink, totals } = parts;
    const { signal, onProgress, anyOrder } = options;
    this.#sink = sink;
    this.#options = options;
    this.#appender = appender;
    this.#format = format;
    this.#totals = totals;
    this.#unordered = anyOrder && new UnorderedEntries(openScratch, anyOrder);
    this.#pipeline = new Pipeline({ crew, coding, appender, format, totals, signal });
    this.#intake = new Intake({ crew, coding, layout: format.layout, pipeline: this.#pipeline, onProgress });
  }

  /** @throws HexzError `usage` when an option cannot be, and what reading the bases' indexes throws */
  static async create(
    sink: Sink,
    crew: Crew,
    options: WriterOptions = {},
    openScratch: OpenScratch = createMemoryScratch,
  ): Promise<ArchiveWriter> {
    const coding = resolveCoding(options, crew.engine.description);
    const { signers = [], dictionary } = options;
    const parts = { sink, crew, coding, appender: new Appender(sink), totals: new Totals(), dictionary, signers };
    const format =
      options.format1 === undefined
        ? new Format2Writer(parts, await loadBases(options.bases ?? [], sink), openScratch)
        : await createFormat1Writer(parts, options.format1);
    const writer = new ArchiveWriter(parts, options, format, openScratch);
    await crew.load(coding.codec as CodecId);
    return writer;
  }

  /** Packs an image beside the tree. All streams come before the first entry. */
  async addStream(name: Stream["name"], input: ContentInput): Promise<ContentRange> {
    if (this.#entryCount > 0) throw new HexzError("usage", "streams come before entries");
    if (this.#streams.some((stream) => stream.name === name))
      throw new HexzError("usage", `there is a stream ${name} already`);
    await this.#beginStream(name);
    const content = await this.#intake.content(input);
    input.finish();
    await this.#beginStream(undefined);
    this.#streams.push({ name, ...content });
    this.#whole.push(content);
    this.#totals.stream(content.size);
    return content;
  }

  async #beginStream(name: Stream["name"] | undefined): Promise<void> {
    if (this.#format.stream === undefined) return;
    // Events need a slot to stand in.
    await this.#intake.ready();
    this.#intake.event(() => this.#format.stream!(name));
  }

  /**
   * Packs a file. The entry gets the range of what was read; the size it came with does not matter.
   * @throws HexzError `changed` when the file changed meanwhile: the entry is in the archive as it was read. After
   * any other failure to read, it is not, and the writer can go on.
   */
  async addFile(entry: Entry, input: ContentInput, options: { linkable?: boolean } = {}): Promise<void> {
    this.#paths.check(entry.path);
    const content = await this.#intake.content(input);
    if (options.linkable) this.#linkable.set(entry.path, content);
    this.#add(entry, content);
    input.finish();
  }

  /**
   * Packs bytes without an entry, to be named by entries and containers. They are of the address space from here on, and
   * are not counted as content.
   * @throws HexzError `changed`, and what reading throws
   */
  async addContent(input: ContentInput): Promise<ContentRange> {
    const content = await this.#intake.content(input);
    input.finish();
    return content;
  }

  /** Opens an input of which only parts are contents, until another is opened. Other contents may be packed between. */
  openInlet(input: ContentInput): Inlet {
    return this.#intake.openInlet(input);
  }

  /** Says whether a path can be that of an entry before its content is packed. @throws HexzError */
  checkPath(path: ByteString): void {
    this.#paths.check(path);
  }

  /** The address that the next content gets. */
  get address(): number {
    return this.#intake.address;
  }

  /** Keeps more of the archive as a whole. What an option says of it counts more. */
  addMetadata(metadata: Readonly<Record<string, unknown>>): void {
    this.#metadata = { ...this.#metadata, ...metadata };
  }

  /**
   * Says that what `addContent` packed was one file of another format, which can be had back. One that is stored whole is
   * counted as content; files in it, added later, are not counted again.
   */
  addContainer(container: Container): void {
    this.#containers.push(container);
    if (!("start" in container)) return;
    this.#whole.push(container);
    this.#totals.stream(container.size);
  }

  /**
   * Adds an entry without content of its own: anything but a file, a hard link, or a file whose content was packed before.
   * @param content what `addContent` has packed, or any part of it
   */
  addEntry(entry: Entry, content?: ContentRange): void | Promise<void> {
    this.#paths.check(entry.path);
    if (this.#unordered === undefined) return this.#addInOrder(entry, content);
    this.#add(entry, content);
  }

  async #addInOrder(entry: Entry, content: ContentRange | undefined): Promise<void> {
    await this.#intake.ready();
    if (entry.hardLink === undefined) return this.#add(entry, content);
    const linked = this.#linkable.get(entry.hardLink);
    if (linked === undefined) {
      throw new HexzError(
        "usage",
        `"${displayName(entry.path)}" links to "${displayName(entry.hardLink)}", which was not packed`,
      );
    }
    this.#add(entry, linked);
  }

  /** Whether a later entry may be a hard link to this path. */
  hasLinkTarget(path: ByteString): boolean {
    return this.#linkable.has(path);
  }

  #add(entry: Entry, content: ContentRange | undefined): void {
    this.#entryCount++;
    if (this.#unordered !== undefined) this.#unordered.add(entry, content);
    else this.#place(entry, content, (add) => this.#intake.event(add));
  }

  /** Gives an entry its place in the tree. */
  #place(entry: Entry, content: ContentRange | undefined, schedule: (add: () => void) => void): void {
    this.#beginTree(entry.path === "", schedule);
    const range = content ?? (entry.type === "file" ? { start: entry.start!, size: entry.size! } : undefined);
    this.#count(entry, range, entry.derived !== undefined);
    schedule(() => this.#format.add(entry, content));
  }

  /** The tree begins with the root directory, whether or not anything is known of it. */
  #beginTree(isRoot: boolean, schedule: (add: () => void) => void): void {
    if (this.#placedCount++ === 0 && !isRoot) {
      this.#place({ path: "" as ByteString, type: "directory" }, undefined, schedule);
    }
  }

  /** What lies in another content is counted with that. */
  #count(entry: Pick<Entry, "type" | "hardLink">, range: Stretch | undefined, derived: boolean): void {
    const isCounted = range !== undefined && !derived && (this.#whole.length === 0 || !contentIn(this.#whole, range));
    this.#totals.entry(entry, isCounted ? range.size : 0);
  }

  async #placeUnordered(entries: UnorderedEntries): Promise<void> {
    for (const placed of entries.placed()) {
      if ("entry" in placed) this.#place(placed.entry, placed.content, runNow);
      else {
        this.#beginTree(placed.pathLength === 0, runNow);
        const { type, start, size } = beginningOf(placed.bytes);
        this.#count({ type }, type === "file" ? { start, size } : undefined, isDerived(placed));
        this.#format.addSorted(placed);
      }
      if (this.#placedCount % FLUSH_ENTRIES === 0) {
        await this.#pipeline.drain();
        await this.#appender.flush();
      }
    }
    entries.close();
  }

  /** Writes what remains and finishes the sink. */
  async finish(): Promise<WrittenArchive> {
    await this.#intake.finish();
    if (this.#unordered !== undefined) await this.#placeUnordered(this.#unordered);
    await this.#pipeline.drain();
    const { metadata } = this.#options;
    const hasMore = Object.keys(this.#metadata).length > 0;
    return this.#format.finish({
      streams: this.#streams,
      containers: this.#containers,
      metadata: hasMore ? { ...this.#metadata, ...metadata } : metadata,
      sketch: this.#pipeline.sketch,
    });
  }

  /** Undoes everything: the sink shows nothing. */
  async abort(): Promise<void> {
    this.#pipeline.drainTasks();
    this.#format.close();
    this.#unordered?.close();
    await this.#sink.abort();
  }
}
