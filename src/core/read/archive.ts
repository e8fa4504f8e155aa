// The conductor of the read line: an open archive, its entries and their bytes.

import { ByteReader, hexOf } from "../bytes.ts";
import type { VerifySignature } from "../crypto/ed25519.ts";
import type { AskSecrets, Secrets } from "../crypto/secrets.ts";
import { digestWith } from "../digest.ts";
import { CODEC, type CodecId, type Engine } from "../engine.ts";
import { HexzError } from "../errors.ts";
import type { EndMark } from "../format/end-mark.ts";
import type { Entry } from "../format/entry.ts";
import type { IndexLeaf } from "../format/index-page.ts";
import { PAGE_KIND } from "../format/page.ts";
import { type ByteString, displayName, parsePathText } from "../format/path.ts";
import { parseJsonObject } from "../format/record.ts";
import type { Root, Stream } from "../format/root.ts";
import type { Signature } from "../format/signatures.ts";
import type { RangeSource } from "../source/source.ts";
import type { Crew } from "../work/crew.ts";
import { BulkReader, bulkPlan, type Part, type Range } from "./bulk.ts";
import { IndexReader } from "./index-reader.ts";
import { type Io, runAsync, runSync } from "./io.ts";
import { type Opened, openIo } from "./open.ts";
import { pagesOf } from "./page-groups.ts";
import { type PageContext, readPage } from "./pages.ts";
import { RandomReader } from "./random.ts";
import { type CheckedSignature, checkSignatures, readSignatures, requireSigners } from "./signatures.ts";
import { BlockStores, type FindParent } from "./stores.ts";
import { TreeReader } from "./tree-reader.ts";

export interface ReadOptions {
  /** Bytes of decoded blocks to keep; default 32 MiB. */
  readonly cacheBytes?: number;
  /**
   * Check the digest of every chunk that is read; default true. Without it, damage that still decodes is not noticed.
   * Bulk reading always checks.
   */
  readonly verify?: boolean;
  /** Where the parents of a thin archive may be; without it, what they store cannot be read. */
  readonly findParent?: FindParent;
  /** What opens an encrypted archive and its parents: the secrets, or who is to be asked for them when one turns up. */
  readonly secrets?: Secrets | AskSecrets;
  /**
   * Public keys, 32 bytes each, that must all have signed the archive; checked before anything of it is returned. Not
   * together with `verify: false`: then nothing would tie the bytes to the signature.
   */
  readonly requireSignedBy?: readonly Uint8Array[];
  readonly signal?: AbortSignal;
}

const CACHE_BYTES = 32 * 1024 * 1024;

/** What an archive works with. */
export interface Machinery {
  /** For pages and single reads. */
  readonly engine: Engine;
  /** Threads that bulk reading uses. */
  readonly threads: number;
  /** A crew whose coordinator can allocate so many bytes, for these codecs; bulk reading closes it. */
  openCrew(heapBytes: number, codecs: readonly CodecId[]): Promise<Crew>;
  readonly verifySignature: VerifySignature;
}

/** The content of a file or stream: bytes that can be read anywhere. */
export class ArchiveFile {
  readonly #archive: Archive;
  /** Length in bytes. */
  readonly size: number;
  /** Where its first byte is in the archive's address space. */
  readonly start: number;
  /** For messages. */
  readonly name: string;

  constructor(archive: Archive, name: string, start: number, size: number) {
    this.#archive = archive;
    this.name = name;
    this.start = start;
    this.size = size;
  }

  #range(start: number, end: number): [number, number] {
    if (!(start >= 0 && start <= end && end <= this.size)) {
      throw new HexzError("usage", `bytes ${start} to ${end} of ${this.name} are asked for; it has ${this.size}`);
    }
    return [this.start + start, this.start + end];
  }

  /**
   * Bytes [start, end), by default all of them, verified.
   * @throws HexzError `damaged`, `io`, and `usage` when the range is not within the file
   */
  async read(start = 0, end = this.size): Promise<Uint8Array> {
    return this.#archive.run(this.#archive.random.read(...this.#range(start, end)));
  }

  /** The same without waiting, where the source can: local files and memory. */
  readSync(start = 0, end = this.size): Uint8Array {
    return runSync(this.#archive.random.read(...this.#range(start, end)));
  }
}

function codecsOf(roots: readonly Root[]): CodecId[] {
  return [...new Set(roots.flatMap(({ counts }) => counts.codecs.map(({ codec }) => codec as CodecId)))];
}

/** An open archive. Get one from `openArchive`; `close` it. */
export class Archive {
  readonly source: RangeSource;
  readonly root: Root;
  readonly endMark: EndMark;
  readonly index: IndexReader;
  readonly tree: TreeReader;
  readonly stores: BlockStores;
  readonly random: RandomReader;
  readonly context: PageContext;
  readonly #machinery: Machinery;
  readonly #signal: AbortSignal | undefined;

  private constructor(opened: Opened, machinery: Machinery, options: ReadOptions) {
    const { engine } = machinery;
    const digestOf = digestWith(engine);
    this.source = opened.source;
    this.root = opened.root;
    this.endMark = opened.endMark;
    this.context = { source: opened.source, engine, digestOf };
    this.index = new IndexReader(this.context, opened.root);
    this.tree = new TreeReader(this.context, opened.root);
    const { cacheBytes = CACHE_BYTES, verify = true, signal } = options;
    this.stores = new BlockStores(this.context, opened.root, options.findParent);
    this.random = new RandomReader(this.context, this.index, this.stores, { cacheBytes, verify });
    this.#machinery = machinery;
    this.#signal = signal;
  }

  /**
   * Opens an archive with one read of its end (two when the root is longer than 16 KiB).
   * @throws HexzError `not_an_archive`, `truncated`, `version_unknown`, `feature_unknown`, `damaged`, `invalid`,
   * `untrusted`
   */
  static async open(source: RangeSource, machinery: Machinery, options: ReadOptions = {}): Promise<Archive> {
    const { engine } = machinery;
    const { requireSignedBy = [], verify, signal } = options;
    if (requireSignedBy.length > 0 && verify === false) {
      throw new HexzError("usage", "signers are required and digests are not to be checked: one excludes the other");
    }
    const opened = await runAsync(openIo(source, engine, digestWith(engine)), signal);
    const archive = new Archive(opened, machinery, options);
    if (requireSignedBy.length > 0) requireSigners(await archive.signatures(), requireSignedBy, source.name);
    // What parents need is not known before they are found, and single reads may not wait.
    const codecs = archive.root.parents.length > 0 ? Object.values(CODEC) : codecsOf([archive.root]);
    for (const codec of codecs) await engine.load(codec);
    return archive;
  }

  /** BLAKE3-256 of the root: names these bytes and no others. */
  get id(): Uint8Array {
    return this.endMark.root.digest;
  }

  get streams(): readonly Stream[] {
    return this.root.streams;
  }

  run<T>(io: Io<T>): Promise<T> {
    return runAsync(io, this.#signal);
  }

  /** All entries in tree order: a directory's children are one run. */
  async *entries(): AsyncGenerator<Entry> {
    let last: ByteString | undefined;
    for (const group of await this.run(this.tree.groups())) {
      const entries = await this.run(this.tree.entries(group));
      this.tree.checkOrder(last, entries[0]!.path);
      last = entries.at(-1)!.path;
      yield* entries;
    }
  }

  /** The entry of a path, or undefined. A text may hold \xNN for bytes; see parsePathText. */
  async entry(path: string): Promise<Entry | undefined> {
    return this.run(this.tree.find(parsePathText(path)));
  }

  /**
   * The content of a stream (`disk`, `memory`) or of the file of that path. A stream goes first where both have a name;
   * "./disk" is always the file.
   * @throws HexzError `no_such_path`, `wrong_type`
   */
  async file(path: string): Promise<ArchiveFile> {
    const stream = this.streams.find(({ name }) => name === path);
    if (stream !== undefined) return new ArchiveFile(this, stream.name, stream.start, stream.size);
    const entry = await this.entry(path);
    if (entry === undefined) {
      throw new HexzError("no_such_path", `${this.source.name} has no entry "${path}"`, { data: { path } });
    }
    return this.fileOf(entry);
  }

  /** The content of a file's entry. @throws HexzError `wrong_type` */
  fileOf(entry: Entry): ArchiveFile {
    const name = displayName(entry.path);
    if (entry.type !== "file") {
      throw new HexzError("wrong_type", `"${name}" in ${this.source.name} is a ${entry.type}, not a file`, {
        data: { path: name, type: entry.type },
      });
    }
    this.checkRange(name, entry.start!, entry.size!);
    return new ArchiveFile(this, name, entry.start!, entry.size!);
  }

  /** @throws HexzError `invalid` when a content would lie behind the address space */
  checkRange(name: ByteString | string, start: number, size: number): void {
    if (start + size > this.root.addressSpace) {
      throw new HexzError(
        "invalid",
        `"${name}" in ${this.source.name} would end at address ${start + size}, behind ${this.root.addressSpace}`,
      );
    }
  }

  /** Reads ranges of the address space in the given order, with all threads; every chunk is verified. */
  async *bulk<R extends Range>(ranges: Iterable<R> | AsyncIterable<R>): AsyncGenerator<Part<R>[]> {
    const { index, stores } = this;
    const { threads, openCrew } = this.#machinery;
    const roots = (await this.run(stores.all())).map(({ root }) => root);
    const codecs = codecsOf(roots);
    const plan = bulkPlan(
      roots.map(({ coding }) => coding),
      threads,
    );
    const crew = await openCrew(plan.heapBytes, codecs);
    try {
      for (const codec of codecs) await crew.load(codec);
      yield* new BulkReader<R>({ index, stores, crew, plan, signal: this.#signal }).read(ranges);
    } finally {
      await crew.close();
    }
  }

  /** The pages of the index in address order, without any block. @throws HexzError `damaged`, `invalid`, `io` */
  async *leaves(): AsyncGenerator<IndexLeaf> {
    const places = await this.run(this.index.places());
    for await (const { child: place, bytes } of pagesOf(this, places, ({ child }) => child.ref)) {
      if (bytes instanceof HexzError) throw bytes;
      yield this.index.decodeLeaf(place, bytes);
    }
  }

  /** The metadata of the archive: note, creation time and what a conversion keeps. */
  async metadata(): Promise<Record<string, unknown>> {
    const { metadata } = this.root;
    if (metadata === undefined) return {};
    const payload = await this.run(readPage(this.context, metadata, PAGE_KIND.metadata, "the metadata"));
    return parseJsonObject(payload, new ByteReader(payload, `the metadata of ${this.source.name}`));
  }

  /** Who has signed this state, and whether that is so. In the end that was read to open the archive, as a rule. */
  async signatures(): Promise<CheckedSignature[]> {
    return this.checkSignatures(await this.run(readSignatures(this.context, this.endMark)));
  }

  /** Whether these are signatures of this state. */
  checkSignatures(signatures: readonly Signature[]): Promise<CheckedSignature[]> {
    return checkSignatures(signatures, this.id, this.#machinery.verifySignature);
  }

  /** For messages and scripts. */
  get idText(): string {
    return hexOf(this.id);
  }

  async close(): Promise<void> {
    await this.stores.close();
    await this.source.close?.();
  }
}
