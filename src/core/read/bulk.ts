// Reading much: ranges in a given order, many blocks at a time, decoded and verified by a crew. Extraction, `cat` and
// `check` read through here.

import { digestWith } from "../digest.ts";
import type { Engine } from "../engine.ts";
import { HexzError } from "../errors.ts";
import { type BlockRef, blockKey, type IndexLeaf } from "../format/index-page.ts";
import { codedPart } from "../format/v1/stored-block.ts";
import { type ByteRange, mergeRanges } from "../source/merge.ts";
import type { RangeSource } from "../source/source.ts";
import type { Crew } from "../work/crew.ts";
import {
  allocateTask,
  DECODE_BLOCK_WORDS,
  DECODE_CHUNK_WORDS,
  DECODE_RESULT,
  setDecodeTask,
  type Task,
} from "../work/task.ts";
import { type BulkPlan, SLOT_BLOCKS, SLOT_CHUNKS, SLOT_PIECES } from "./bulk-plan.ts";
import { CrewDictionaries } from "./crew-dictionaries.ts";
import { runAtOnce } from "./io.ts";
import { type ChunkPiece, type Piece, piecesOf, sameChunk } from "./locate.ts";
import type { BlockStore, DictionaryOf, Index, Stores } from "./parts.ts";
import { ambiguousBlock, badChecksum, checkBlockPlace, damagedBlock, damagedChunk, sameBlock } from "./random.ts";

/** Bytes between blocks that are read along: a page of the index of format 1, as a rule. */
const GAP = 4096;
/** Milliseconds of work after which the event loop gets a turn, for signals and progress. */
const TURN = 100;

/** Logical addresses [start, end). */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** What is asked for, in the order in which it is wanted. */
export type Ranges<R extends Range> = Iterable<R> | AsyncIterable<R>;

/**
 * A part of a range that was asked for; the parts of a range come in order, and an empty range has one empty part.
 * `bytes` is good until the next group of parts is asked for.
 */
export type Part<R extends Range> = { readonly range: R; readonly start: number; readonly end: number } & (
  | { readonly bytes: Uint8Array }
  | { readonly fill: number }
  | { readonly error: HexzError }
);

type PendingPart<R extends Range> = { range: R; start: number; end: number } & (
  | { block: number; chunk: number; blockStart: number }
  | { fill: number }
  | { error: HexzError }
);

/** A group of blocks on its way: fetched, then decoded by any thread. */
interface Slot<R extends Range> {
  readonly stored: Uint8Array;
  readonly plain: Uint8Array;
  readonly blockWords: Uint32Array;
  readonly chunkWords: Uint32Array;
  readonly results: Uint32Array;
  readonly task: Task;
  blocks: {
    readonly block: BlockRef;
    readonly source: RangeSource;
    readonly plainAt: number;
    readonly chunks: ChunkPiece[];
  }[];
  /** Numbers of blocks whose bytes are not in `stored`, or that lack their dictionary, and why. */
  readonly unreadable: Map<number, HexzError>;
  /** For each block, where its chunks begin in `chunkWords`, counted in chunks. */
  chunkStarts: number[];
  readonly numbers: Map<number | string, number>;
  plainLength: number;
  chunkCount: number;
  parts: PendingPart<R>[];
}

/** Bytes [start, end) of a source. */
interface Run {
  readonly source: RangeSource;
  readonly start: number;
  readonly end: number;
}

const isDamage = (error: unknown): error is HexzError => error instanceof HexzError && error.code === "damaged";

function allocateSlot<R extends Range>(engine: Engine, length: number): Slot<R> {
  const words = (count: number) => {
    const bytes = engine.allocate(count * 4);
    return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
  };
  return {
    stored: engine.allocate(length),
    plain: engine.allocate(length),
    blockWords: words(SLOT_BLOCKS * DECODE_BLOCK_WORDS),
    chunkWords: words(SLOT_CHUNKS * DECODE_CHUNK_WORDS),
    results: words(SLOT_BLOCKS),
    task: allocateTask(engine),
    blocks: [],
    unreadable: new Map(),
    chunkStarts: [],
    numbers: new Map(),
    plainLength: 0,
    chunkCount: 0,
    parts: [],
  };
}

const lengthOf = (runs: readonly ByteRange[]) => runs.reduce((sum, { start, end }) => sum + end - start, 0);

/** What a block takes of a slot, which has the same room for stored and for plain bytes. */
const roomFor = ({ plainLength, storedLength }: BlockRef): number => Math.max(plainLength, storedLength);

export interface BulkParts {
  readonly index: Index;
  readonly stores: Stores;
  readonly dictionaries: DictionaryOf;
  readonly crew: Crew;
  readonly plan: BulkPlan;
  readonly signal: AbortSignal | undefined;
}

export class BulkReader<R extends Range> {
  readonly #parts: BulkParts;
  readonly #length: number;
  readonly #free: Slot<R>[];
  readonly #decoding: Slot<R>[] = [];
  readonly #dictionaries: CrewDictionaries;
  #leaf: { leaf: IndexLeaf; start: number; end: number } | undefined;
  #lastTurn = performance.now();
  /** The digest of no bytes. */
  readonly #nothing: Uint8Array;

  constructor(parts: BulkParts) {
    this.#parts = parts;
    this.#dictionaries = new CrewDictionaries(parts);
    this.#nothing = digestWith(parts.crew.engine)(new Uint8Array(0));
    const { length, count } = parts.plan;
    this.#length = length;
    this.#free = Array.from({ length: count }, () => allocateSlot<R>(parts.crew.engine, length));
  }

  /** The parts of the ranges, in the order of the ranges, in groups. Damage is a part with an error; reading goes on. */
  async *read(ranges: Ranges<R>): AsyncGenerator<Part<R>[]> {
    let slot = this.#free.pop()!;
    try {
      for await (const range of ranges) {
        if (range.start === range.end) slot.parts.push({ range, start: range.start, end: range.end, fill: 0 });
        for (let at = range.start; at < range.end; ) {
          const error = await this.#findLeaf(at);
          if (error !== undefined) {
            const end = Math.min(range.end, error.end);
            slot.parts.push({ range, start: at, end, error: error.error });
            at = end;
            continue;
          }
          const { leaf, end: leafEnd } = this.#leaf!;
          const stop = Math.min(range.end, leafEnd);
          for (const piece of piecesOf(leaf, at, stop)) {
            if (this.#add(slot, range, piece, leaf)) continue;
            yield* this.#send(slot);
            slot = this.#free.pop()!;
            this.#add(slot, range, piece, leaf);
          }
          at = stop;
        }
        if (slot.parts.length < SLOT_PIECES) continue;
        yield* this.#send(slot);
        slot = this.#free.pop()!;
      }
      yield* this.#send(slot);
      while (this.#decoding.length > 0) yield this.#finished();
    } finally {
      // The caller may stop early; no task may go on in memory that others will use.
      for (const { task } of this.#decoding) this.#parts.crew.wait(task);
    }
  }

  /** Makes #leaf cover an address; or says what is wrong, and up to which address. */
  async #findLeaf(at: number): Promise<{ error: HexzError; end: number } | undefined> {
    if (this.#leaf !== undefined && this.#leaf.start <= at && at < this.#leaf.end) return undefined;
    const { index, signal } = this.#parts;
    const found = await runAtOnce(index.find(at), signal);
    if ("error" in found) return found;
    this.#leaf = found;
    return undefined;
  }

  /** Puts a piece into the slot; false when it has no room. */
  #add(slot: Slot<R>, range: R, piece: Piece, leaf: IndexLeaf): boolean {
    const { start, end } = piece;
    if (slot.parts.length >= SLOT_PIECES) return false;
    if ("value" in piece) {
      slot.parts.push({ range, start, end, fill: piece.value });
      return true;
    }
    const block = leaf.blocks[piece.block]!;
    const key = blockKey(block);
    let number = slot.numbers.get(key);
    if (number === undefined) {
      const source = this.#sourceOf(block);
      if (source instanceof HexzError) {
        slot.parts.push({ range, start, end, error: source });
        return true;
      }
      if (slot.plainLength + roomFor(block) > this.#length || slot.blocks.length === SLOT_BLOCKS) return false;
      if (slot.chunkCount === SLOT_CHUNKS) return false;
      number = slot.blocks.length;
      slot.numbers.set(key, number);
      slot.blocks.push({ block, source, plainAt: slot.plainLength, chunks: [] });
      slot.plainLength += roomFor(block);
    }
    const { block: known, source, chunks } = slot.blocks[number]!;
    if (!sameBlock(known, block)) {
      slot.parts.push({ range, start, end, error: ambiguousBlock(source.name, block) });
      return true;
    }
    const last = chunks.at(-1);
    if (last === undefined || !sameChunk(last, piece)) {
      if (slot.chunkCount === SLOT_CHUNKS) return false;
      chunks.push(piece);
      slot.chunkCount++;
    }
    const chunk = chunks.length - 1;
    slot.parts.push({ range, start, end, block: number, chunk, blockStart: piece.blockStart });
    return true;
  }

  /** Where to fetch a block, or why it cannot be. */
  #sourceOf(block: BlockRef): RangeSource | HexzError {
    const store = this.#parts.stores.known(block.archive);
    if (store instanceof HexzError) return store;
    const { source } = store;
    try {
      checkBlockPlace(block, source.size, source.name);
    } catch (error) {
      return error as HexzError;
    }
    if (roomFor(block) <= this.#length) return source;
    return new HexzError(
      "invalid",
      `a block of ${source.name} is longer than its root says: ${block.plainLength} bytes`,
    );
  }

  /** Fetches the blocks of a slot and starts decoding; yields groups until there is a free slot. */
  async *#send(slot: Slot<R>): AsyncGenerator<Part<R>[]> {
    await this.#fetch(slot);
    const { blockWords, chunkWords, results } = slot;
    setDecodeTask(slot.task, { blockCount: slot.blocks.length, blocks: blockWords, chunks: chunkWords, results });
    this.#parts.crew.start(slot.task);
    this.#decoding.push(slot);
    while (this.#free.length === 0) yield this.#finished();
    if (performance.now() - this.#lastTurn > TURN) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#lastTurn = performance.now();
      this.#parts.signal?.throwIfAborted();
    }
  }

  async #fetch(slot: Slot<R>): Promise<void> {
    const fetched = new Map<RangeSource, { start: number; end: number; address: number }[]>();
    let at = 0;
    let spare = slot.stored.length - slot.blocks.reduce((sum, { block }) => sum + block.storedLength, 0);
    for (const source of new Set(slot.blocks.map((wanted) => wanted.source))) {
      const wanted = slot.blocks.filter((one) => one.source === source).map(({ block }) => block);
      const places = wanted.map(({ offset, storedLength }) => ({ start: offset, end: offset + storedLength }));
      const [exact, wide] = [mergeRanges(places, 0), mergeRanges(places, GAP)];
      const more = lengthOf(wide) - lengthOf(exact);
      const isRoomy = more <= spare;
      if (isRoomy) spare -= more;
      const runs = [];
      for (const { start, end } of isRoomy ? wide : exact) {
        const into = slot.stored.subarray(at, at + end - start);
        await this.#readRun(slot, { source, start, end }, into);
        runs.push({ start, end, address: into.byteOffset });
        at += end - start;
      }
      fetched.set(source, runs);
    }
    let chunkAt = 0;
    for (const [number, { block, source, plainAt, chunks }] of slot.blocks.entries()) {
      const dictionary = block.dictionary === undefined ? undefined : await this.#dictionaries.of(block);
      if (dictionary instanceof HexzError) slot.unreadable.set(number, dictionary);
      const run = fetched.get(source)!.find(({ start, end }) => start <= block.offset && block.offset < end)!;
      const at = run.address - slot.stored.byteOffset + block.offset - run.start;
      const stored = slot.stored.subarray(at, at + block.storedLength);
      const opened = slot.unreadable.has(number) ? stored : await this.#open(slot, number, stored);
      const coded = codedPart(block, opened);
      // What was encrypted was checked when it was opened.
      const seal = opened === stored ? block.seal : undefined;
      const place = dictionary instanceof Uint8Array ? [dictionary.byteOffset, dictionary.length] : [0, 0];
      const words = [block.codec, coded.byteOffset, coded.length, slot.plain.byteOffset + plainAt, block.plainLength];
      const check = seal === undefined ? [0, 0] : [stored.length, seal.checksum];
      slot.blockWords.set([...words, chunks.length, ...place, ...check], number * DECODE_BLOCK_WORDS);
      slot.chunkStarts.push(chunkAt / DECODE_CHUNK_WORDS);
      for (const { chunkStart, chunkEnd, digest } of chunks) {
        // Where there is no digest, nothing is compared with that of nothing: the block's checksum has to do.
        slot.chunkWords[chunkAt] = chunkStart;
        slot.chunkWords[chunkAt + 1] = digest === undefined ? 0 : chunkEnd - chunkStart;
        const room = new Uint8Array(slot.chunkWords.buffer, slot.chunkWords.byteOffset + (chunkAt + 2) * 4, 32);
        room.set(digest ?? this.#nothing);
        chunkAt += DECODE_CHUNK_WORDS;
      }
    }
  }

  /** An encrypted block of format 1, opened in its place; any other as it is. */
  async #open(slot: Slot<R>, number: number, stored: Uint8Array): Promise<Uint8Array> {
    const { block } = slot.blocks[number]!;
    const store = this.#parts.stores.known(block.archive) as BlockStore;
    if (store.open === undefined) return stored;
    try {
      const opened = await runAtOnce(store.open(block, stored), this.#parts.signal);
      stored.set(opened);
      return stored.subarray(0, opened.length);
    } catch (error) {
      if (!isDamage(error)) throw error;
      slot.unreadable.set(number, error);
      return stored;
    }
  }

  /** Reads a run of blocks; where that fails because an envelope is damaged there, each of them alone. */
  async #readRun(slot: Slot<R>, { source, start, end }: Run, into: Uint8Array): Promise<void> {
    try {
      await this.#readInto(source, start, into);
      return;
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
    for (const [number, { block, source: own }] of slot.blocks.entries()) {
      const { offset, storedLength } = block;
      if (own !== source || offset < start || offset >= end) continue;
      try {
        await this.#readInto(source, offset, into.subarray(offset - start, offset - start + storedLength));
      } catch (error) {
        if (!isDamage(error)) throw error;
        slot.unreadable.set(number, error);
      }
    }
  }

  async #readInto(source: RangeSource, start: number, into: Uint8Array): Promise<void> {
    if (source.readIntoSync !== undefined) source.readIntoSync(start, into);
    else into.set(await source.read(start, start + into.length, this.#parts.signal));
  }

  /** The parts of the slot that was sent first. */
  #finished(): Part<R>[] {
    const slot = this.#decoding.shift()!;
    this.#parts.crew.wait(slot.task);
    const parts = slot.parts.map((part): Part<R> => this.#finishPart(slot, part));
    slot.blocks = [];
    slot.unreadable.clear();
    slot.chunkStarts = [];
    slot.numbers.clear();
    slot.plainLength = 0;
    slot.chunkCount = 0;
    slot.parts = [];
    this.#free.push(slot);
    return parts;
  }

  #finishPart(slot: Slot<R>, part: PendingPart<R>): Part<R> {
    if (!("block" in part)) return part;
    const { range, start, end } = part;
    const { block, source, plainAt } = slot.blocks[part.block]!;
    const { name } = source;
    const unreadable = slot.unreadable.get(part.block);
    if (unreadable !== undefined) return { range, start, end, error: unreadable };
    const result = slot.results[part.block];
    if (result !== DECODE_RESULT.good) {
      const cause = result === DECODE_RESULT.badChecksum ? badChecksum() : undefined;
      return { range, start, end, error: damagedBlock(name, block, cause) };
    }
    const chunk = slot.chunkStarts[part.block]! + part.chunk;
    if (slot.chunkWords[chunk * DECODE_CHUNK_WORDS] === DECODE_RESULT.badChunk) {
      return { range, start, end, error: damagedChunk(name, block, start) };
    }
    const at = plainAt + part.blockStart;
    return { range, start, end, bytes: slot.plain.subarray(at, at + end - start) };
  }
}
