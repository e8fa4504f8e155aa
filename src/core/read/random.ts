// Reading any range: locate, fetch, decode, verify, slice. Decoded blocks are remembered, within a limit.

import { equalBytes } from "../bytes.ts";
import type { CodecId } from "../engine.ts";
import { HexzError } from "../errors.ts";
import { type BlockRef, blockKey } from "../format/index-page.ts";
import { codedPart } from "../format/v1/stored-block.ts";
import { mergeRanges } from "../source/merge.ts";
import { Cache } from "./cache.ts";
import type { Io } from "./io.ts";
import { type ChunkPiece, locate, onlyPiece, type Plan, sameChunk } from "./locate.ts";
import type { PageContext } from "./pages.ts";
import type { BlockStore, DictionaryOf, Index, Stores } from "./parts.ts";

/** Requests merged over gaps grow no longer than this. */
const LONGEST_REQUEST = 8 * 1024 * 1024;

/** Buffers for decoded blocks have lengths in steps of this, so that they serve again: fresh memory is slow. */
const BUFFER_STEP = 64 * 1024;
const SPARE_BUFFERS = 32;
const NOTHING = new Uint8Array(0);
/** Stored blocks up to this length are read into one buffer that stays. */
const STORED_BUFFER = 256 * 1024;

interface PlainBlock {
  readonly block: BlockRef;
  /** A buffer that is at least as long as what was decoded. */
  readonly bytes: Uint8Array;
  /** How much of the block was decoded, from its beginning. */
  readonly length: number;
  /** The chunks whose digests were checked, by where they begin. */
  readonly verified: Map<number, ChunkPiece>;
}

export interface RandomOptions {
  /** Bytes of decoded blocks to keep. */
  readonly cacheBytes: number;
  /** Check every chunk's digest. Without it, damage that decodes is not noticed. */
  readonly verify: boolean;
}

/** @throws HexzError `invalid` when a block would not lie in the file */
export function checkBlockPlace(block: BlockRef, size: number, name: string): void {
  if (block.offset + block.storedLength > size) {
    throw new HexzError("invalid", `a block of ${name} would lie at ${block.offset}, behind its end at ${size}`);
  }
}

/** Whether two records of one place are of one block: a hostile index may describe what begins there in two ways. */
export function sameBlock(a: BlockRef, b: BlockRef): boolean {
  return (
    a.offset === b.offset &&
    a.storedLength === b.storedLength &&
    a.plainLength === b.plainLength &&
    a.codec === b.codec &&
    a.archive === b.archive &&
    a.dictionary === b.dictionary &&
    a.seal?.checksum === b.seal?.checksum &&
    a.seal?.number === b.seal?.number
  );
}

export function ambiguousBlock(name: string, { offset }: BlockRef): HexzError {
  return new HexzError("invalid", `the index of ${name} describes the block at ${offset} in two ways`);
}

function allocate(length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new HexzError("limit_exceeded", `${length} bytes are too many to be read at once`, {
      hint: "read it range by range",
      data: { length },
      cause,
    });
  }
}

export class RandomReader {
  readonly #context: PageContext;
  readonly #index: Index;
  readonly #stores: Stores;
  readonly #dictionaries: DictionaryOf;
  readonly #options: RandomOptions;
  readonly #blocks: Cache<number | string, PlainBlock>;
  readonly #spare: Uint8Array[] = [];
  readonly #stored = new Uint8Array(STORED_BUFFER);

  constructor(
    context: PageContext,
    parts: { index: Index; stores: Stores; dictionaries: DictionaryOf },
    options: RandomOptions,
  ) {
    this.#context = context;
    this.#index = parts.index;
    this.#stores = parts.stores;
    this.#dictionaries = parts.dictionaries;
    this.#options = options;
    this.#blocks = new Cache(options.cacheBytes, ({ bytes }) => {
      if (this.#spare.length < SPARE_BUFFERS) this.#spare.push(bytes);
    });
  }

  /** The bytes of logical addresses [start, end). */
  *read(start: number, end: number): Io<Uint8Array> {
    const out = allocate(end - start);
    for (let at = start; at < end; ) {
      const found = yield* this.#index.find(at);
      if ("error" in found) throw found.error;
      const piece = onlyPiece(found.leaf, at, end);
      if (piece !== undefined) {
        if (!("value" in piece)) yield* this.#readPiece(found.leaf.blocks[piece.block]!, piece, out, start);
        else if (piece.value !== 0) out.fill(piece.value, at - start);
        break;
      }
      const plan = locate(found.leaf, at, end);
      yield* this.#execute(plan, out, start);
      at = plan.end;
    }
    return out;
  }

  /** A whole chunk of a block, verified. */
  *chunk(block: BlockRef, chunkStart: number, chunkEnd: number, digest: Uint8Array): Io<Uint8Array> {
    const out = new Uint8Array(chunkEnd - chunkStart);
    const piece = { start: 0, end: out.length, chunkStart, chunkEnd, blockStart: chunkStart, digest };
    yield* this.#readPiece(block, piece, out, 0);
    return out;
  }

  /** Part of a block that has no digest of its own, verified as far as its block can be. */
  *piece(block: BlockRef, offset: number, length: number): Io<Uint8Array> {
    const out = new Uint8Array(length);
    const whole = { chunkStart: 0, chunkEnd: block.plainLength, digest: block.seal?.digest };
    const piece = { start: 0, end: length, blockStart: offset, ...whole };
    yield* this.#readPiece(block, piece, out, 0);
    return out;
  }

  /** Checks that a chunk is what its digest says. */
  *verify(block: BlockRef, chunkStart: number, chunkEnd: number, digest: Uint8Array): Io<void> {
    const piece = { start: 0, end: 0, chunkStart, chunkEnd, blockStart: chunkStart, digest };
    yield* this.#readPiece(block, piece, NOTHING, 0);
  }

  /** A block as it is stored. @param room for it, if it can be read without waiting */
  *stored(block: BlockRef, room?: (length: number) => Uint8Array): Io<Uint8Array> {
    const { source } = yield* this.#stores.store(block.archive);
    checkBlockPlace(block, source.size, source.name);
    const into = room?.(block.storedLength);
    const place = { source, start: block.offset, end: block.offset + block.storedLength };
    const [stored] = yield [into === undefined ? place : { ...place, into }];
    return stored!;
  }

  *#readPiece(block: BlockRef, piece: ChunkPiece, out: Uint8Array, base: number): Io<void> {
    if (this.#takeKnown(block, [piece], out, base)) return;
    const store = yield* this.#stores.store(block.archive);
    const { source } = store;
    const { offset, storedLength } = block;
    checkBlockPlace(block, source.size, source.name);
    const dictionary = block.dictionary === undefined ? undefined : yield* this.#dictionaries.of(block);
    const request = { source, start: offset, end: offset + storedLength };
    const isShort = storedLength <= STORED_BUFFER;
    const [stored] = yield [isShort ? { ...request, into: this.#stored.subarray(0, storedLength) } : request];
    yield* this.#take(store, { block, stored: stored!, dictionary }, [piece], out, base);
  }

  *#execute(plan: Plan, out: Uint8Array, base: number): Io<void> {
    for (const { start, end, value } of plan.fills) if (value !== 0) out.fill(value, start - base, end - base);
    const missing = new Map<number, Plan["blocks"][number][]>();
    for (const wanted of plan.blocks) {
      const { block, pieces } = wanted;
      if (this.#takeKnown(block, pieces, out, base)) continue;
      if (missing.has(block.archive)) missing.get(block.archive)!.push(wanted);
      else missing.set(block.archive, [wanted]);
    }
    for (const [archive, blocks] of missing) {
      yield* this.#fetch(yield* this.#stores.store(archive), blocks, out, base);
    }
  }

  /** Takes pieces out of a block that is remembered; false when it is not. */
  #takeKnown(block: BlockRef, pieces: readonly ChunkPiece[], out: Uint8Array, base: number): boolean {
    const known = this.#blocks.get(blockKey(block));
    if (known === undefined || known.length < lengthFor(pieces)) return false;
    const { name } = this.#context.source;
    if (!sameBlock(known.block, block)) throw ambiguousBlock(name, block);
    this.#slice(name, known, pieces, out, base);
    return true;
  }

  /** Fetches and decodes blocks of one archive. */
  *#fetch(store: BlockStore, missing: Plan["blocks"], out: Uint8Array, base: number): Io<void> {
    const { source } = store;
    for (const { block } of missing) checkBlockPlace(block, source.size, source.name);
    const dictionaries: (Uint8Array | undefined)[] = [];
    for (const { block } of missing) dictionaries.push(yield* this.#dictionaries.of(block));
    const places = missing.map(({ block }) => ({ start: block.offset, end: block.offset + block.storedLength }));
    const ranges = mergeRanges(places, source.gap ?? 0, LONGEST_REQUEST);
    const single = ranges.length === 1 && ranges[0]!.end - ranges[0]!.start <= STORED_BUFFER;
    const fetched = yield ranges.map(({ start, end }) =>
      single ? { source, start, end, into: this.#stored.subarray(0, end - start) } : { source, start, end },
    );
    for (const [number, { block, pieces }] of missing.entries()) {
      const at = ranges.findIndex(({ start, end }) => start <= block.offset && block.offset < end);
      const from = block.offset - ranges[at]!.start;
      const stored = fetched[at]!.subarray(from, from + block.storedLength);
      yield* this.#take(store, { block, stored, dictionary: dictionaries[number] }, pieces, out, base);
    }
  }

  /** Decodes a block, takes pieces out of it, and remembers it. */
  *#take(
    store: BlockStore,
    { block, stored, dictionary }: { block: BlockRef; stored: Uint8Array; dictionary: Uint8Array | undefined },
    pieces: readonly ChunkPiece[],
    out: Uint8Array,
    base: number,
  ): Io<void> {
    const { name } = store.source;
    const opened = store.open === undefined ? stored : yield* store.open(block, stored);
    if (opened === stored) this.#checkSeal(name, block, stored);
    const coded = codedPart(block, opened);
    const plain = this.#decode(name, { block, coded, dictionary }, lengthFor(pieces));
    this.#slice(name, plain, pieces, out, base);
    this.#blocks.set(blockKey(block), plain, plain.bytes.length);
  }

  /**
   * Where a block has a digest, its bytes would be right without this; but a checksum that does not fit is damage, which
   * the original refuses and bulk reading does too.
   */
  #checkSeal(name: string, block: BlockRef, stored: Uint8Array): void {
    if (block.seal === undefined || !this.#options.verify) return;
    if (this.#context.engine.crc32(stored) !== block.seal.checksum) throw damagedBlock(name, block, badChecksum());
  }

  /** @param needed bytes of the block; when nothing is verified, no more are decoded where that is quicker */
  #decode(
    name: string,
    { block, coded, dictionary }: { block: BlockRef; coded: Uint8Array; dictionary: Uint8Array | undefined },
    needed: number,
  ): PlainBlock {
    const { engine } = this.#context;
    const codec = block.codec as CodecId;
    const bytes = this.#buffer(block.plainLength);
    const verified = new Map<number, ChunkPiece>();
    try {
      if (!this.#options.verify && needed < block.plainLength) {
        const front = engine.decodeFront?.(codec, coded, bytes.subarray(0, needed));
        if (front === true) return { block, bytes, length: needed, verified };
      }
      engine.decode(codec, coded, bytes.subarray(0, block.plainLength), dictionary);
    } catch (cause) {
      throw damagedBlock(name, block, cause);
    }
    return { block, bytes, length: block.plainLength, verified };
  }

  #buffer(length: number): Uint8Array {
    const spare = this.#spare.findIndex((bytes) => bytes.length >= length && bytes.length < 2 * length + BUFFER_STEP);
    if (spare >= 0) return this.#spare.splice(spare, 1)[0]!;
    return new Uint8Array(Math.ceil(length / BUFFER_STEP) * BUFFER_STEP);
  }

  #slice(name: string, plain: PlainBlock, pieces: readonly ChunkPiece[], out: Uint8Array, base: number): void {
    for (const piece of pieces) {
      const known = plain.verified.get(piece.chunkStart);
      if (piece.digest !== undefined && this.#options.verify && (known === undefined || !sameChunk(known, piece))) {
        const digest = this.#context.digestOf(plain.bytes.subarray(piece.chunkStart, piece.chunkEnd));
        if (!equalBytes(digest, piece.digest)) throw damagedChunk(name, plain.block, piece.start);
        plain.verified.set(piece.chunkStart, piece);
      }
      const length = piece.end - piece.start;
      out.set(plain.bytes.subarray(piece.blockStart, piece.blockStart + length), piece.start - base);
    }
  }
}

/** How much of a block its pieces need, from its beginning. */
function lengthFor(pieces: readonly ChunkPiece[]): number {
  return pieces.reduce((length, piece) => Math.max(length, piece.blockStart + piece.end - piece.start), 0);
}

export const badChecksum = (): Error => new Error("its checksum does not fit");

export function damagedBlock(name: string, block: BlockRef, cause?: unknown): HexzError {
  const { offset, storedLength } = block;
  return new HexzError("damaged", `the block at ${offset} of ${name} is damaged: it does not decode`, {
    data: { start: offset, end: offset + storedLength },
    cause,
  });
}

export function damagedChunk(name: string, block: BlockRef, address: number): HexzError {
  const { offset, storedLength } = block;
  return new HexzError(
    "damaged",
    `the block at ${offset} of ${name} is damaged: the chunk at address ${address} has another digest`,
    { data: { start: offset, end: offset + storedLength } },
  );
}
