// Makes an archive of another one's content without coding it again: with no parents (flatten) or with other ones
// (rebase). Coded blocks are verified and copied; chunks of blocks that are needed in part only are put together anew.
//
// Two passes over the index: the first finds which blocks are needed as a whole, the second writes.

import type { Signer } from "../crypto/ed25519.ts";
import { type DigestOf, digestWith } from "../digest.ts";
import type { CodecId, Engine } from "../engine.ts";
import type { Entry } from "../format/entry.ts";
import { encodeHead } from "../format/head.ts";
import type { BlockRef, IndexLeaf } from "../format/index-page.ts";
import type { Root } from "../format/root.ts";
import { Appender } from "./appender.ts";
import { type Base, type KnownChunks, loadBases, loadReferences } from "./bases.ts";
import { ChunkSet } from "./chunk-set.ts";
import type { Location } from "./dedup.ts";
import { IndexWriter } from "./index-writer.ts";
import type { CodedBlock } from "./layout.ts";
import { OwnDictionaries } from "./own-dictionaries.ts";
import { Recoder } from "./recoder.ts";
import type { Scratch } from "./scratch.ts";
import type { Sink } from "./sink.ts";
import { SketchBuilder } from "./sketch.ts";
import { SourceBlocks } from "./source-blocks.ts";
import { finishState, type WrittenArchive } from "./state-end.ts";
import { Totals } from "./totals.ts";
import { TreeWriter } from "./tree-writer.ts";

/** What is copied: an open archive. */
export interface CopySource {
  readonly root: Root;
  /** That must come out; undefined when the content is not that of a finished archive. */
  readonly contentId: Uint8Array | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
  leaves(): AsyncIterable<IndexLeaf>;
  entries(): AsyncIterable<Entry>;
  /** Whether a content begins or ends at an address; without it, fills stay as they are cut. */
  isBorder?(address: number): boolean;
  /** A chunk's bytes, verified. */
  chunk(block: BlockRef, offset: number, length: number, digest: Uint8Array): Promise<Uint8Array>;
  /** Whether the block is stored and could be taken over as it is. */
  isStored(block: BlockRef): boolean;
  /** That a chunk is there, and is what its digest says. */
  verify(block: BlockRef, offset: number, length: number, digest: Uint8Array): Promise<void>;
  /** A block as it is stored, until the next one is asked for. */
  stored(block: BlockRef): Promise<Uint8Array>;
  /** The dictionary of a block that needs one. */
  dictionary(block: BlockRef): Promise<Uint8Array>;
}

export interface CopyOptions {
  readonly bases?: readonly Base[];
  /** Refer to the parents of the source as it does itself: they are not read. */
  readonly keepParents?: boolean;
  /** Who signs the copy. */
  readonly signers?: readonly Signer[];
  /** Told of every stretch of content, in bytes. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface CopiedArchive extends WrittenArchive {
  /** Blocks that were taken over as they were. */
  readonly copied: { readonly count: number; readonly storedBytes: number };
}

/**
 * Copies an archive into the sink.
 * @param openScratch for the second copies of pages
 * @throws HexzError `damaged`, and `parent_missing` when a block is needed of a parent that is not there
 */
export async function copyArchive(
  source: CopySource,
  sink: Sink,
  engine: Engine,
  openScratch: () => Scratch,
  options: CopyOptions = {},
): Promise<CopiedArchive> {
  try {
    const known = await loadBases(options.bases ?? [], sink);
    if (options.keepParents === true) await loadReferences(source.root, source.leaves(), known);
    return await new Copier(source, sink, engine, known, openScratch, options).run();
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

class Copier {
  readonly #source: CopySource;
  readonly #sink: Sink;
  readonly #engine: Engine;
  readonly #digestOf: DigestOf;
  readonly #known: KnownChunks;
  readonly #options: CopyOptions;
  readonly #appender: Appender;
  readonly #index: IndexWriter;
  readonly #tree: TreeWriter;
  readonly #totals = new Totals();
  readonly #sketch = new SketchBuilder();
  readonly #recoder: Recoder;
  readonly #dictionaries: OwnDictionaries;
  /** Of the source's dictionaries, by number: the origin of the blocks that were copied with it. */
  readonly #dictionaryOrigins = new Map<number, number>();
  readonly #sourceBlocks = new SourceBlocks();
  /** Chunks below this number are those of bases. */
  readonly #basesCount: number;
  /** Chunks that have occurred in the second pass. */
  readonly #placed = new ChunkSet();
  readonly #copied = { count: 0, storedBytes: 0 };
  #longestBlock: number;

  constructor(
    source: CopySource,
    sink: Sink,
    engine: Engine,
    known: KnownChunks,
    openScratch: () => Scratch,
    options: CopyOptions,
  ) {
    this.#source = source;
    this.#sink = sink;
    this.#engine = engine;
    this.#digestOf = digestWith(engine);
    this.#known = known;
    this.#basesCount = known.dedup.count;
    this.#options = options;
    this.#appender = new Appender(sink);
    const { coding } = source.root;
    this.#longestBlock = coding.blockSize;
    const parts = { engine, digestOf: this.#digestOf, appender: this.#appender };
    const { blocks, origins } = known;
    this.#dictionaries = new OwnDictionaries({ ...parts, origins });
    const dictionaries = this.#dictionaries;
    this.#index = new IndexWriter({ ...parts, blocks, dictionaries, totals: this.#totals, scratch: openScratch() });
    this.#tree = new TreeWriter({ ...parts, index: this.#index, scratch: openScratch() });
    this.#recoder = new Recoder(engine, coding, (block) => this.#append(block));
  }

  async run(): Promise<CopiedArchive> {
    const { root } = this.#source;
    try {
      for await (const leaf of this.#source.leaves()) this.#survey(leaf);
      await this.#engine.load(root.coding.codec as CodecId);
      this.#appender.append(encodeHead("plain", this.#digestOf));
      for await (const leaf of this.#source.leaves()) await this.#leaf(leaf);
      this.#recoder.close();
      for await (const entry of this.#source.entries()) this.#tree.add(entry, undefined);
      return { ...(await this.#finish()), copied: this.#copied };
    } finally {
      this.#index.close();
      this.#tree.close();
    }
  }

  /** First pass: counts what the first occurrences of chunks need of each block. */
  #survey(leaf: IndexLeaf): void {
    const { dedup } = this.#known;
    const words = new Uint32Array(leaf.digests.buffer, leaf.digests.byteOffset, leaf.digests.length / 4);
    for (let number = 0; number < leaf.fills.length; number++) {
      const digest = words.subarray(number * 8, number * 8 + 8);
      if (leaf.fills[number]! >= 0 || dedup.find(digest) !== undefined) continue;
      const length = leaf.starts[number + 1]! - leaf.starts[number]!;
      const source = leaf.blocks[leaf.blockNumbers[number]!]!;
      const block = this.#source.isStored(source) ? this.#sourceBlocks.need(source, length) : 0;
      dedup.add(digest, { block, offset: leaf.blockOffsets[number]! });
    }
  }

  /** Second pass. */
  async #leaf(leaf: IndexLeaf): Promise<void> {
    for (let number = 0; number < leaf.fills.length; number++) {
      const length = leaf.starts[number + 1]! - leaf.starts[number]!;
      if (leaf.fills[number]! >= 0) {
        this.#index.fill(length, leaf.fills[number]!);
        // Neighbours stay apart when they are, or may be, of two contents.
        if (this.#source.isBorder?.(this.#index.address) ?? true) this.#index.border();
      } else {
        const digest = leaf.digests.slice(number * 32, number * 32 + 32);
        const block = leaf.blocks[leaf.blockNumbers[number]!]!;
        await this.#chunk(length, digest, block, leaf.blockOffsets[number]!);
      }
      this.#options.onProgress?.(length);
    }
    this.#options.signal?.throwIfAborted();
  }

  async #chunk(length: number, digest: Uint8Array, block: BlockRef, offset: number): Promise<void> {
    const { dedup } = this.#known;
    const words = new Uint32Array(digest.buffer);
    const found = dedup.find(words)!;
    let location: Location = found;
    if (this.#placed.add(found.chunk)) {
      this.#sketch.add(words);
      if (found.chunk < this.#basesCount) this.#totals.parent(length);
      else {
        this.#totals.unique(length);
        location = await this.#store(length, digest, { block, offset, sourceBlock: found.block });
        dedup.move(found.chunk, location);
      }
    } else this.#totals.duplicate(length);
    this.#index.chunk(length, digest, location.block, location.offset);
  }

  /** Gives a chunk its place: in a copied block, or in one that is coded anew. */
  async #store(
    length: number,
    digest: Uint8Array,
    from: { block: BlockRef; offset: number; sourceBlock: number },
  ): Promise<Location> {
    const { block, offset, sourceBlock } = from;
    const { blocks } = this.#known;
    if (!this.#source.isStored(block) || !this.#sourceBlocks.isWhole(sourceBlock, block)) {
      const plain = await this.#source.chunk(block, offset, length, digest);
      const location = this.#recoder.add(plain, () => blocks.count);
      await this.#appender.flush();
      return location;
    }
    await this.#source.verify(block, offset, length, digest);
    let copy = this.#sourceBlocks.copyOf(sourceBlock);
    if (copy === undefined) {
      this.#recoder.close();
      copy = blocks.count;
      const stored = await this.#source.stored(block);
      const origin = await this.#originOf(block);
      this.#append({ codec: block.codec, stored, plainLength: block.plainLength, origin });
      await this.#appender.flush();
      this.#sourceBlocks.setCopy(sourceBlock, copy);
      this.#copied.count++;
      this.#copied.storedBytes += stored.length;
    }
    return { block: copy, offset };
  }

  /** The dictionary comes along. */
  async #originOf(block: BlockRef): Promise<number> {
    const { dictionary } = block;
    if (dictionary === undefined) return 0;
    let origin = this.#dictionaryOrigins.get(dictionary);
    if (origin === undefined) {
      origin = this.#dictionaries.add(await this.#source.dictionary(block));
      this.#dictionaryOrigins.set(dictionary, origin);
    }
    return origin;
  }

  #append(block: CodedBlock): void {
    this.#index.block(block);
    this.#longestBlock = Math.max(this.#longestBlock, block.plainLength);
  }

  async #finish(): Promise<WrittenArchive> {
    const { root, metadata, contentId } = this.#source;
    const { coding } = root;
    this.#totals.takeEntries(root.counts);
    const parts = {
      engine: this.#engine,
      digestOf: this.#digestOf,
      appender: this.#appender,
      index: this.#index,
      tree: this.#tree,
      totals: this.#totals,
      origins: this.#known.origins,
      dictionaries: this.#dictionaries,
      sketch: this.#sketch,
      streams: root.streams,
      // Blocks of parents may be longer than those of the child were.
      coding: this.#longestBlock > coding.sizes.max ? { ...coding, blockSize: this.#longestBlock } : coding,
      metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
      ...(contentId === undefined ? {} : { expectedContentId: contentId }),
      signers: this.#options.signers,
    };
    return finishState(parts, this.#sink);
  }
}
