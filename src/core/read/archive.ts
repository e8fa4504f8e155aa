// The conductor of the read line: an open archive, its entries and their bytes.

import { ByteReader, hexOf } from "../bytes.ts";
import type { Ciphers } from "../crypto/ciphers.ts";
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
import { ArchiveFile } from "./archive-file.ts";
import { BulkReader, type Part, type Range, type Ranges } from "./bulk.ts";
import { bulkPlan } from "./bulk-plan.ts";
import { Dictionaries } from "./dictionaries.ts";
import type { Envelope, Unlocking } from "./envelope.ts";
import { IndexReader } from "./index-reader.ts";
import { type Io, runAsync } from "./io.ts";
import { foundLeavesOf, leavesOf } from "./leaves.ts";
import { type Opened, openAnyIo } from "./open.ts";
import { type PageContext, readPage } from "./pages.ts";
import type { ContentView, Derivation, DictionaryOf, FoundLeaf, Index, Stores, Tree } from "./parts.ts";
import { RandomReader } from "./random.ts";
import { type CheckedSignature, checkSignatures, readSignatures, requireSigners } from "./signatures.ts";
import { BlockStores, type FindParent } from "./stores.ts";
import { TreeReader } from "./tree-reader.ts";
import { type Format1, metadataObject, openParts } from "./v1/archive.ts";
import { bulkByPieces, suitsBulk } from "./v1/bulk.ts";

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
  /** Computes contents that lie nowhere (`Entry.derived`); without it, or for a method it lacks, they cannot be read. */
  readonly derivation?: Derivation;
  readonly signal?: AbortSignal;
}

const CACHE_BYTES = 32 * 1024 * 1024;
/** Bytes that are computed at once. */
const VIEW_PIECE = 1024 * 1024;

/** What an archive works with. */
export interface Machinery {
  /** For pages and single reads. */
  readonly engine: Engine;
  /** Threads that bulk reading uses. */
  readonly threads: number;
  readonly ciphers: Ciphers;
  /** A crew whose coordinator can allocate so many bytes, for these codecs; bulk reading closes it. */
  openCrew(heapBytes: number, codecs: readonly CodecId[]): Promise<Crew>;
  readonly verifySignature: VerifySignature;
}

function unlockingOf({ ciphers }: Machinery, { secrets = {} }: ReadOptions): Unlocking {
  return { ciphers, secrets };
}

function codecsOf(roots: readonly Root[]): CodecId[] {
  return [...new Set(roots.flatMap(({ counts }) => counts.codecs.map(({ codec }) => codec as CodecId)))];
}

/** What only format 2 has. */
export interface Format2 {
  readonly endMark: EndMark;
  /** What is known of the encryption; undefined of a plain archive. */
  readonly envelope: Envelope | undefined;
  readonly index: IndexReader;
  readonly tree: TreeReader;
}

/** An open archive, of either format. Get one from `openArchive`; `close` it. */
export class Archive {
  readonly source: RangeSource;
  /** Of format 1, as much of it as that format says. */
  readonly root: Root;
  readonly index: Index;
  readonly tree: Tree;
  readonly stores: Stores;
  readonly dictionaries: DictionaryOf;
  readonly random: RandomReader;
  readonly context: PageContext;
  /** Undefined of an archive of format 2. */
  readonly format1: Format1 | undefined;
  readonly #format2: Format2 | undefined;
  readonly #machinery: Machinery;
  readonly #signal: AbortSignal | undefined;
  readonly #derivation: Derivation | undefined;

  private constructor(opened: Opened | Format1, context: PageContext, machinery: Machinery, options: ReadOptions) {
    const { cacheBytes = CACHE_BYTES, verify = true, signal } = options;
    this.context = context;
    this.source = context.source;
    this.root = opened.root;
    if ("endMark" in opened) {
      const { endMark, envelope, root } = opened;
      const index = new IndexReader(context, root);
      const tree = new TreeReader(context, root);
      this.#format2 = { endMark, envelope, index, tree };
      this.index = index;
      this.tree = tree;
      this.stores = new BlockStores(context, root, envelope && unlockingOf(machinery, options), options.findParent);
      this.dictionaries = new Dictionaries(context, root.dictionaries, this.stores);
    } else {
      this.format1 = opened;
      ({ index: this.index, tree: this.tree, stores: this.stores, dictionaries: this.dictionaries } = opened);
    }
    this.random = new RandomReader(context, this, { cacheBytes, verify });
    this.#machinery = machinery;
    this.#signal = signal;
    this.#derivation = options.derivation;
  }

  /**
   * Opens an archive with one read of its end (two when the root is longer than 16 KiB); one that is encrypted, or of
   * format 1, with two or more besides.
   * @throws HexzError `not_an_archive`, `truncated`, `version_unknown`, `feature_unknown`, `damaged`, `invalid`,
   * `password_missing`, `password_wrong`, `untrusted`
   */
  static async open(source: RangeSource, machinery: Machinery, options: ReadOptions = {}): Promise<Archive> {
    const { engine } = machinery;
    const { requireSignedBy = [], verify, signal, findParent, secrets } = options;
    if (requireSignedBy.length > 0 && verify === false) {
      throw new HexzError("usage", "signers are required and digests are not to be checked: one excludes the other");
    }
    const digestOf = digestWith(engine);
    const unlocking = unlockingOf(machinery, options);
    const found = await runAsync(openAnyIo(source, engine, digestOf, unlocking), signal);
    const context = { source: found.source, engine, digestOf };
    let opened: Opened | Format1;
    if ("endMark" in found) opened = found;
    else {
      const { ciphers } = machinery;
      opened = await runAsync(openParts(found, { context, ciphers, findParent, secrets }), signal);
      // Single reads may not wait for a key.
      if (secrets !== undefined && ciphers.sync !== undefined && found.source.readSync !== undefined) {
        await opened.stores.prepare();
      }
    }
    const archive = new Archive(opened, context, machinery, options);
    if (requireSignedBy.length > 0 && archive.version === 1) {
      throw new HexzError("untrusted", `${source.name} is of format 1, whose signatures do not cover the contents`);
    }
    if (requireSignedBy.length > 0) requireSigners(await archive.signatures(), requireSignedBy, source.name);
    // Keys have to be waited for: parents that single reads without waiting may need are opened now.
    if (archive.envelope !== undefined && archive.source.readSync !== undefined) {
      await archive.run(archive.stores.all());
    }
    // What parents need is not known before they are found, and single reads may not wait.
    const codecs = archive.root.parents.length > 0 ? Object.values(CODEC) : codecsOf([archive.root]);
    for (const codec of codecs) await engine.load(codec);
    return archive;
  }

  get version(): 1 | 2 {
    return this.format1 === undefined ? 2 : 1;
  }

  /** @throws HexzError `not_available` of an archive of format 1, which has none of it */
  get format2(): Format2 {
    if (this.#format2 !== undefined) return this.#format2;
    throw new HexzError("not_available", `${this.source.name} is of format 1, which cannot be used for this`, {
      hint: "hexz convert hexz1 makes an archive of format 2 of it",
    });
  }

  get endMark(): EndMark {
    return this.format2.endMark;
  }

  /** BLAKE3-256 of the root: names these bytes and no others. @throws HexzError `not_available` of format 1 */
  get id(): Uint8Array {
    return this.endMark.root.digest;
  }

  /** What is known of the encryption of format 2; undefined of a plain archive. */
  get envelope(): Envelope | undefined {
    return this.#format2?.envelope;
  }

  /** Length of the archive's file in bytes. */
  get fileLength(): number {
    return this.envelope?.fileLength ?? this.source.size;
  }

  get streams(): readonly Stream[] {
    return this.root.streams;
  }

  /**
   * The streams that hold contents of their own: those to take when nothing is named. In format 1 both streams are
   * always there, and as a rule the entries are ranges of the first.
   */
  get ownStreams(): readonly Stream[] {
    if (this.format1 === undefined) return this.streams;
    const { manifest, problem } = this.format1;
    if (manifest !== undefined || problem !== undefined) return [];
    const filled = this.streams.filter(({ size }) => size > 0);
    return filled.length === 0 ? this.streams.slice(0, 1) : filled;
  }

  run<T>(io: Io<T>): Promise<T> {
    return runAsync(io, this.#signal);
  }

  /** All entries in tree order: a directory's children are one run. */
  async *entries(): AsyncGenerator<Entry> {
    if (this.format1 !== undefined) {
      yield* this.format1.tree.list();
      return;
    }
    const { tree } = this.format2;
    let last: ByteString | undefined;
    for (const group of await this.run(tree.groups())) {
      const entries = await this.run(tree.entries(group));
      tree.checkOrder(last, entries[0]!.path);
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

  /** The content of a file's entry, as it came from this archive. @throws HexzError `wrong_type` */
  fileOf(entry: Entry): ArchiveFile {
    const name = displayName(entry.path);
    if (entry.type !== "file") {
      throw new HexzError("wrong_type", `"${name}" in ${this.source.name} is a ${entry.type}, not a file`, {
        data: { path: name, type: entry.type },
      });
    }
    const view = entry.derived === undefined ? this.format1?.tree.view(entry.path) : this.#derive(entry, name);
    if (view !== undefined) return new ArchiveFile(this, name, view, view.size);
    this.checkRange(name, entry.start!, entry.size!);
    return new ArchiveFile(this, name, entry.start!, entry.size!);
  }

  #derive({ derived, size }: Entry, name: string): ContentView {
    const { method, from } = derived!;
    const compute = this.#derivation?.methods[method];
    if (compute === undefined) {
      throw new HexzError(
        "feature_unknown",
        `"${name}" in ${this.source.name} is derived by ${method}, which is not known here`,
        {
          data: { path: name, method },
        },
      );
    }
    this.checkRange(name, from.start, from.size);
    const what = `${this.source.name}, as ${name} needs it,`;
    return compute(new ArchiveFile(this, what, from.start, from.size), derived!, size!);
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
  async *bulk<R extends Range>(ranges: Ranges<R>): AsyncGenerator<Part<R>[]> {
    const { index, stores, dictionaries } = this;
    if (this.format1 !== undefined && !(await this.run(suitsBulk(this.format1)))) {
      yield* bulkByPieces(this, ranges);
      return;
    }
    const { threads, openCrew } = this.#machinery;
    const roots = (await this.run(stores.all())).map(({ root }) => root);
    const codecs = codecsOf(roots);
    const codings = roots.map(({ coding }) => coding);
    const plan = bulkPlan(codings, threads, dictionaries.mostBytes());
    const crew = await openCrew(plan.heapBytes, codecs);
    try {
      for (const codec of codecs) await crew.load(codec);
      yield* new BulkReader<R>({ index, stores, dictionaries, crew, plan, signal: this.#signal }).read(ranges);
    } finally {
      await crew.close();
    }
  }

  /** Bytes [start, end) of a content, in parts as `bulk` gives them, wherever they come from. */
  async *parts(file: ArchiveFile, start = 0, end = file.size): AsyncGenerator<Part<Range>[]> {
    if (file.start !== undefined) {
      yield* this.bulk([{ start: file.start + start, end: file.start + end }]);
      return;
    }
    const range = { start, end };
    let at = start;
    do {
      const stop = Math.min(end, at + VIEW_PIECE);
      yield [{ range, start: at, end: stop, bytes: await file.read(at, stop) }];
      at = stop;
    } while (at < end);
  }

  /**
   * The pages of the index in address order, without any block; nothing is left out.
   * @throws HexzError `damaged`, `invalid`, `parent_missing`, `io`
   */
  leaves(): AsyncGenerator<IndexLeaf> {
    return leavesOf(this);
  }

  /**
   * The same, with what an index of format 1 cannot tell in its place: a page that is broken, references that nothing
   * resolves. @throws HexzError `damaged`, `invalid`, `io`
   */
  foundLeaves(): AsyncGenerator<FoundLeaf> {
    return foundLeavesOf(this);
  }

  /** The metadata of the archive: note, creation time and what a conversion keeps. */
  async metadata(): Promise<Record<string, unknown>> {
    if (this.format1 !== undefined) return metadataObject(this.format1);
    const { metadata } = this.root;
    if (metadata === undefined) return {};
    const payload = await this.run(readPage(this.context, metadata, PAGE_KIND.metadata, "the metadata"));
    return parseJsonObject(payload, new ByteReader(payload, `the metadata of ${this.source.name}`));
  }

  /** Who has signed this state, and whether that is so. In the end that was read to open the archive, as a rule. */
  async signatures(): Promise<CheckedSignature[]> {
    // Those of format 1 say nothing about a state: see `verifyFormat1`.
    if (this.format1 !== undefined) return [];
    return this.checkSignatures(await this.run(readSignatures(this.context, this.endMark)));
  }

  get verifySignature(): VerifySignature {
    return this.#machinery.verifySignature;
  }

  /** Whether these are signatures of this state. */
  checkSignatures(signatures: readonly Signature[]): Promise<CheckedSignature[]> {
    return checkSignatures(signatures, this.id, this.#machinery.verifySignature);
  }

  /** For messages and scripts; null of format 1. */
  get idText(): string | null {
    return this.#format2 === undefined ? null : hexOf(this.id);
  }

  async close(): Promise<void> {
    this.#derivation?.close();
    await this.stores.close();
    await this.source.close?.();
  }
}
