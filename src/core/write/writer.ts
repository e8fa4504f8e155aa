// The conductor of the write line: streams and entries go in, an archive comes out of the sink, forward only
// (docs/format.md, "The writer's order").

import type { Signer } from "../crypto/ed25519.ts";
import { digestWith } from "../digest.ts";
import { HexzError, type Warning } from "../errors.ts";
import { type Container, containersJson, contentIn } from "../format/containers.ts";
import type { Entry } from "../format/entry.ts";
import { encodeHead } from "../format/head.ts";
import { type ByteString, displayName } from "../format/path.ts";
import type { ContentRange } from "../format/record.ts";
import type { Coding, Stream } from "../format/root.ts";
import type { Crew } from "../work/crew.ts";
import { Appender } from "./appender.ts";
import { type Base, type KnownChunks, loadBases } from "./bases.ts";
import { type CodingOptions, resolveCoding } from "./coding.ts";
import type { ContentInput } from "./content-input.ts";
import { IndexWriter } from "./index-writer.ts";
import type { Origins } from "./origins.ts";
import { Pipeline } from "./pipeline.ts";
import { createMemoryScratch, type OpenScratch } from "./scratch.ts";
import type { Sink } from "./sink.ts";
import { finishState, type WrittenArchive } from "./state-end.ts";
import { Totals } from "./totals.ts";
import { PathChecker, TreeWriter } from "./tree-writer.ts";
import { UnorderedEntries } from "./unordered-entries.ts";

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
}

/** Entries after which pages that they have filled are written. */
const FLUSH_ENTRIES = 4096;

/**
 * Writes one archive. Streams come first, then entries in tree order (`comparePaths`) unless `anyOrder` says otherwise,
 * then `finish`; after any error, `abort`. Calls must not overlap.
 */
export class ArchiveWriter {
  readonly #crew: Crew;
  readonly #sink: Sink;
  readonly #options: WriterOptions;
  readonly #coding: Coding;
  readonly #appender: Appender;
  readonly #index: IndexWriter;
  readonly #tree: TreeWriter;
  readonly #pipeline: Pipeline;
  readonly #origins: Origins;
  readonly #totals = new Totals();
  readonly #streams: Stream[] = [];
  /** Ranges of files that hard links may name; only those with more than one link are worth keeping. */
  readonly #linkable = new Map<ByteString, ContentRange>();
  readonly #paths = new PathChecker();
  readonly #unordered: UnorderedEntries | undefined;
  readonly #containers: Container[] = [];
  #entryCount = 0;
  #placedCount = 0;

  private constructor(sink: Sink, crew: Crew, options: WriterOptions, known: KnownChunks, openScratch: OpenScratch) {
    this.#sink = sink;
    this.#crew = crew;
    this.#options = options;
    this.#coding = resolveCoding(options, crew.engine.description);
    const { engine } = crew;
    const digestOf = digestWith(engine);
    const appender = new Appender(sink);
    const { blocks, dedup } = known;
    const totals = this.#totals;
    this.#appender = appender;
    this.#origins = known.origins;
    this.#index = new IndexWriter({ engine, digestOf, appender, blocks, totals, scratch: openScratch() });
    this.#tree = new TreeWriter({ engine, digestOf, appender, index: this.#index, scratch: openScratch() });
    const { signal, onProgress, anyOrder } = options;
    this.#unordered = anyOrder && new UnorderedEntries(openScratch, anyOrder);
    this.#pipeline = new Pipeline({
      crew,
      coding: this.#coding,
      format: 2,
      appender,
      dedup,
      firstBlock: blocks.count,
      layout: this.#index,
      totals,
      signal,
      onProgress,
    });
    appender.append(encodeHead("plain", digestOf));
  }

  /** @throws HexzError `usage` when an option cannot be, and what reading the bases' indexes throws */
  static async create(
    sink: Sink,
    crew: Crew,
    options: WriterOptions = {},
    openScratch: OpenScratch = createMemoryScratch,
  ): Promise<ArchiveWriter> {
    const known = await loadBases(options.bases ?? []);
    const writer = new ArchiveWriter(sink, crew, options, known, openScratch);
    await crew.load(writer.#coding.codec as 0 | 1 | 2);
    return writer;
  }

  /** Packs an image beside the tree. All streams come before the first entry. */
  async addStream(name: Stream["name"], input: ContentInput): Promise<void> {
    if (this.#entryCount > 0) throw new HexzError("usage", "streams come before entries");
    if (this.#streams.some((stream) => stream.name === name))
      throw new HexzError("usage", `there is a stream ${name} already`);
    const { start, size, sparse } = await this.#pipeline.content(input);
    input.finish();
    this.#streams.push({ name, start, size, sparse });
    this.#totals.stream(size);
  }

  /**
   * Packs a file. The entry gets the range of what was read; the size it came with does not matter.
   * @throws HexzError `changed` when the file changed meanwhile: the entry is in the archive as it was read. After
   * any other failure to read, it is not, and the writer can go on.
   */
  async addFile(entry: Entry, input: ContentInput, options: { linkable?: boolean } = {}): Promise<void> {
    this.#paths.check(entry.path);
    const content = await this.#pipeline.content(input);
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
    const content = await this.#pipeline.content(input);
    input.finish();
    return content;
  }

  /**
   * Says that what `addContent` packed was one file of another format, which can be had back. One that is stored whole is
   * counted as content; files in it, added later, are not counted again.
   */
  addContainer(container: Container): void {
    this.#containers.push(container);
    if ("start" in container) this.#totals.stream(container.size);
  }

  /**
   * Adds an entry without content of its own: anything but a file, a hard link, or a file whose content was packed before.
   * @param content what `addContent` has packed, or any part of it
   */
  async addEntry(entry: Entry, content?: ContentRange): Promise<void> {
    this.#paths.check(entry.path);
    // Events need a slot to stand in.
    await this.#pipeline.ready();
    if (entry.hardLink === undefined || this.#unordered !== undefined) return this.#add(entry, content);
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
    else this.#place(entry, content, (add) => this.#pipeline.event(add));
  }

  /** Gives an entry its place in the tree, which begins with the root directory whether or not anything is known of it. */
  #place(entry: Entry, content: ContentRange | undefined, schedule: (add: () => void) => void): void {
    if (this.#placedCount === 0 && entry.path !== "") {
      this.#placedCount++;
      this.#place({ path: "" as ByteString, type: "directory" }, undefined, schedule);
    }
    this.#placedCount++;
    const range = content ?? (entry.type === "file" ? { start: entry.start!, size: entry.size! } : undefined);
    const isCounted = range !== undefined && !contentIn(this.#containers, range);
    this.#totals.entry(entry, isCounted ? range.size : 0);
    schedule(() => this.#tree.add(entry, content));
  }

  async #placeUnordered(entries: UnorderedEntries): Promise<void> {
    for (const { entry, content } of entries.placed()) {
      this.#place(entry, content, (add) => add());
      if (this.#placedCount % FLUSH_ENTRIES === 0) await this.#appender.flush();
    }
    entries.close();
  }

  /** Writes what remains and finishes the sink. */
  async finish(): Promise<WrittenArchive> {
    await this.#pipeline.finish();
    if (this.#unordered !== undefined) await this.#placeUnordered(this.#unordered);
    const { engine } = this.#crew;
    const parts = {
      engine,
      digestOf: digestWith(engine),
      appender: this.#appender,
      index: this.#index,
      tree: this.#tree,
      totals: this.#totals,
      origins: this.#origins,
      sketch: this.#pipeline.sketch,
      streams: this.#streams,
      coding: this.#coding,
      metadata: this.#metadata(),
      signers: this.#options.signers,
    };
    return finishState(parts, this.#sink);
  }

  #metadata(): Readonly<Record<string, unknown>> | undefined {
    const { metadata } = this.#options;
    return this.#containers.length === 0 ? metadata : { ...metadata, containers: containersJson(this.#containers) };
  }

  /** Undoes everything: the sink shows nothing. */
  async abort(): Promise<void> {
    this.#pipeline.drainTasks();
    this.#index.close();
    this.#tree.close();
    this.#unordered?.close();
    await this.#sink.abort();
  }
}
