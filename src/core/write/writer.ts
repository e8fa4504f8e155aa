// The conductor of the write line: streams and entries go in, an archive comes out of the sink, forward only
// (docs/format.md, "The writer's order").

import { ByteWriter } from "../bytes.ts";
import { digestWith } from "../digest.ts";
import { HexzError } from "../errors.ts";
import { encodeEndMark } from "../format/end-mark.ts";
import type { Entry } from "../format/entry.ts";
import { encodeHead } from "../format/head.ts";
import { encodePageBody, PAGE_KIND } from "../format/page.ts";
import { type ByteString, displayName } from "../format/path.ts";
import type { ContentRange } from "../format/record.ts";
import { type Coding, type Counts, encodeRoot, encodeStreams, type Stream } from "../format/root.ts";
import type { Crew } from "../work/crew.ts";
import { Appender } from "./appender.ts";
import { BlockTable } from "./block-table.ts";
import { type CodingOptions, resolveCoding } from "./coding.ts";
import type { ContentInput } from "./content-input.ts";
import { IndexWriter } from "./index-writer.ts";
import { appendPage } from "./leaf-pages.ts";
import { Pipeline } from "./pipeline.ts";
import { createMemoryScratch, type Scratch } from "./scratch.ts";
import type { Sink } from "./sink.ts";
import { Totals } from "./totals.ts";
import { PathChecker, TreeWriter } from "./tree-writer.ts";

export interface WriterOptions extends CodingOptions {
  /** Kept in the archive's metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Told of every stretch of input, in bytes. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** What an archive has become. */
export interface WrittenArchive {
  /** 32 bytes. */
  readonly id: Uint8Array;
  readonly contentId: Uint8Array;
  /** Length of the archive in bytes. */
  readonly size: number;
  readonly counts: Counts;
  readonly coding: Coding;
}

/**
 * Writes one archive. Streams come first, then entries in tree order (`comparePaths`), then `finish`; after any error,
 * `abort`. Calls must not overlap.
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
  readonly #totals = new Totals();
  readonly #streams: Stream[] = [];
  /** Ranges of files that hard links may name; only those with more than one link are worth keeping. */
  readonly #linkable = new Map<ByteString, ContentRange>();
  readonly #paths = new PathChecker();
  #entryCount = 0;

  private constructor(sink: Sink, crew: Crew, options: WriterOptions, openScratch: () => Scratch) {
    this.#sink = sink;
    this.#crew = crew;
    this.#options = options;
    this.#coding = resolveCoding(options, crew.engine.description);
    const { engine } = crew;
    const digestOf = digestWith(engine);
    const appender = new Appender(sink);
    const blocks = new BlockTable();
    const totals = this.#totals;
    this.#appender = appender;
    this.#index = new IndexWriter({ engine, digestOf, appender, blocks, totals, scratch: openScratch() });
    this.#tree = new TreeWriter({ engine, digestOf, appender, index: this.#index, scratch: openScratch() });
    const { signal, onProgress } = options;
    this.#pipeline = new Pipeline({
      crew,
      coding: this.#coding,
      appender,
      blocks,
      index: this.#index,
      totals,
      signal,
      onProgress,
    });
    appender.append(encodeHead("plain", digestOf));
  }

  /** @throws HexzError `usage` when an option cannot be */
  static async create(
    sink: Sink,
    crew: Crew,
    options: WriterOptions = {},
    openScratch: () => Scratch = createMemoryScratch,
  ): Promise<ArchiveWriter> {
    const writer = new ArchiveWriter(sink, crew, options, openScratch);
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

  /** Adds an entry without content of its own: anything but a file, or a hard link to an earlier file. */
  async addEntry(entry: Entry): Promise<void> {
    this.#paths.check(entry.path);
    // Events need a slot to stand in.
    await this.#pipeline.ready();
    if (entry.hardLink === undefined) return this.#add(entry, undefined);
    const content = this.#linkable.get(entry.hardLink);
    if (content === undefined) {
      throw new HexzError(
        "usage",
        `"${displayName(entry.path)}" links to "${displayName(entry.hardLink)}", which was not packed`,
      );
    }
    this.#add(entry, content);
  }

  /** Whether a later entry may be a hard link to this path. */
  hasLinkTarget(path: ByteString): boolean {
    return this.#linkable.has(path);
  }

  #add(entry: Entry, content: ContentRange | undefined): void {
    // The tree begins with the root directory, whether or not anything is known of it.
    if (this.#entryCount === 0 && entry.path !== "")
      this.#add({ path: "" as ByteString, type: "directory" }, undefined);
    this.#entryCount++;
    this.#totals.entry(entry, content?.size ?? 0);
    this.#pipeline.event(() => this.#tree.add(entry, content));
  }

  /** Writes what remains and finishes the sink. */
  async finish(): Promise<WrittenArchive> {
    await this.#pipeline.finish();
    this.#tree.finishLeaves();
    this.#index.finishLeaves();
    const { engine } = this.#crew;
    const digestOf = digestWith(engine);
    const appender = this.#appender;
    const { top: tree, entriesDigest } = await this.#tree.finish();
    const { top: index, chunksDigest } = await this.#index.finish();
    const streamsDigest = digestOf(encodeStreams(this.#streams));
    const contentId = digestOf(new ByteWriter(96).raw(chunksDigest).raw(entriesDigest).raw(streamsDigest).view());
    const metadata = this.#options.metadata;
    const metadataBody =
      metadata === undefined
        ? undefined
        : encodePageBody(PAGE_KIND.metadata, new TextEncoder().encode(JSON.stringify(metadata)), engine, digestOf);
    const counts = this.#totals.counts();
    const coding = this.#coding;
    const payload = encodeRoot({
      addressSpace: this.#index.address,
      state: 1,
      index,
      tree,
      streams: this.#streams,
      coding,
      counts,
      parents: [],
      metadata: metadataBody && appendPage(appender, metadataBody, digestOf),
      sketch: { chunking: coding.chunking, avg: coding.sizes.avg, values: this.#pipeline.sketch.values() },
      contentId,
      previous: undefined,
    });
    const root = appendPage(appender, encodePageBody(PAGE_KIND.root, payload, engine, digestOf), digestOf);
    appender.append(encodeEndMark({ root, signatures: undefined, parity: undefined }, appender.position, digestOf));
    await appender.flush();
    await this.#sink.finish();
    return { id: root.digest, contentId, size: appender.position, counts, coding };
  }

  /** Undoes everything: the sink shows nothing. */
  async abort(): Promise<void> {
    this.#pipeline.drainTasks();
    this.#index.close();
    this.#tree.close();
    await this.#sink.abort();
  }
}
