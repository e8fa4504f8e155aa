// Index pages: from a logical address to a chunk, its block and where that is stored (docs/format.md, "Index").

import { ByteReader, ByteWriter } from "../bytes.ts";
import { DIGEST_LENGTH } from "../digest.ts";
import { CODEC } from "../engine.ts";
import { HexzError } from "../errors.ts";
import { checkLimit, LIMITS } from "../limits.ts";
import { type PageRef, RefReader, RefWriter } from "./page.ts";

/** Where a block is and how to decode it. */
export interface BlockRef {
  /** 0: this file; n: the n-th parent of the root. */
  readonly archive: number;
  /** Number in the root's dictionaries, for the codec that needs one. */
  readonly dictionary: number | undefined;
  readonly codec: number;
  readonly offset: number;
  readonly storedLength: number;
  readonly plainLength: number;
  /** Format 1 only: what its index says of a block besides. */
  readonly seal?: BlockSeal;
}

/** How format 1 guards a block as a whole. */
export interface BlockSeal {
  /** CRC-32 of the stored bytes. */
  readonly checksum: number;
  /** BLAKE3-256 of the plain block; not known of encrypted blocks and of the oldest archives. */
  readonly digest: Uint8Array | undefined;
  /** Where blocks are encrypted: the number that the nonce is made of. */
  readonly number: number | undefined;
}

/** Tells the blocks of one archive and its parents apart: a number where that is enough. */
export function blockKey({ archive, offset }: BlockRef): number | string {
  return archive === 0 ? offset : `${archive} ${offset}`;
}

/** A page below, and how many logical bytes it covers. */
export interface IndexChild {
  readonly span: number;
  readonly ref: PageRef;
}

/** A decoded leaf: columns, one element a chunk, in address order. */
export interface IndexLeaf {
  /** Addresses where chunks begin, and at the end the address behind the last. */
  readonly starts: Float64Array;
  /** The byte value of a fill, -1 for others. */
  readonly fills: Int16Array;
  /** Numbers into `blocks`; meaningless for fills. */
  readonly blockNumbers: Uint32Array;
  /** Where the chunk begins in its plain block. */
  readonly blockOffsets: Uint32Array;
  /** 32 bytes a chunk; zeros for fills. */
  readonly digests: Uint8Array;
  /** Format 1 only: 1 for chunks that have no digest of their own, at most that of their block. */
  readonly undigested?: Uint8Array;
  readonly blocks: readonly BlockRef[];
}

const FLAG_PARENT = 0x10;
const FLAG_DICTIONARY = 0x20;
const FLAG_FILTER = 0x40;
const FLAG_ZERO = 0x80;
const SOURCE_FILL = 0;
const SOURCE_NEXT = 1;
const SOURCE_BLOCKS = 2;
const LEAF_HEAD_LENGTH = 16;

/** Blocks by the numbers of one writer. */
export interface NumberedBlocks {
  get(number: number): BlockRef;
}

/** Collects the chunks of one leaf and knows its size at any moment. */
export class IndexLeafBuilder {
  readonly firstAddress: number;
  #address: number;
  #chunkCount = 0;
  readonly #blocks = new ByteWriter(4096);
  readonly #chunks = new ByteWriter(8192);
  readonly #digests = new ByteWriter(65_536);
  /** Numbers of this leaf by those of the writer, and the plain lengths of its blocks. */
  readonly #blockNumbers = new Map<number, number>();
  readonly #plainLengths: number[] = [];
  readonly #ends = new Map<number, number>();
  #nextBlock = 0;
  #nextOffset = 0;

  constructor(firstAddress: number) {
    this.firstAddress = firstAddress;
    this.#address = firstAddress;
  }

  /** Bytes of the payload so far. */
  get length(): number {
    return LEAF_HEAD_LENGTH + this.#blocks.length + this.#chunks.length + this.#digests.length;
  }

  get span(): number {
    return this.#address - this.firstAddress;
  }

  fill(length: number, value: number): void {
    this.#chunks.varint(length).varint(SOURCE_FILL).u8(value);
    this.#address += length;
    this.#chunkCount++;
  }

  /** @param block one of `blocks` @returns whether it ends with this chunk */
  chunk(length: number, digest: Uint8Array, block: number, offset: number, blocks: NumberedBlocks): boolean {
    let number = this.#blockNumbers.get(block);
    if (number === undefined) {
      number = this.#blockNumbers.size;
      this.#blockNumbers.set(block, number);
      this.#block(blocks.get(block));
    }
    this.#chunks.varint(length);
    if (number === this.#nextBlock && offset === this.#nextOffset) this.#chunks.varint(SOURCE_NEXT);
    else this.#chunks.varint(SOURCE_BLOCKS + number).varint(offset);
    this.#digests.raw(digest);
    const ends = offset + length === this.#plainLengths[number];
    this.#nextBlock = ends ? number + 1 : number;
    this.#nextOffset = ends ? 0 : offset + length;
    this.#address += length;
    this.#chunkCount++;
    return ends;
  }

  #block(block: BlockRef): void {
    this.#plainLengths.push(block.plainLength);
    const flags = (block.archive === 0 ? 0 : FLAG_PARENT) | (block.dictionary === undefined ? 0 : FLAG_DICTIONARY);
    this.#blocks.u8(block.codec | flags);
    if (block.archive !== 0) this.#blocks.varint(block.archive);
    if (block.dictionary !== undefined) this.#blocks.varint(block.dictionary);
    this.#blocks
      .svarint(block.offset - (this.#ends.get(block.archive) ?? 0))
      .varint(block.storedLength)
      .varint(block.plainLength);
    this.#ends.set(block.archive, block.offset + block.storedLength);
  }

  encode(): Uint8Array {
    return new ByteWriter(this.length)
      .u64(this.firstAddress)
      .u32(this.#blockNumbers.size)
      .u32(this.#chunkCount)
      .raw(this.#blocks.view())
      .raw(this.#chunks.view())
      .raw(this.#digests.view())
      .take();
  }
}

/** What the root says that the block records of a page may name. */
export interface BlockNames {
  readonly parents: number;
  readonly dictionaries: number;
}

function decodeBlock(reader: ByteReader, ends: Map<number, number>, names: BlockNames): BlockRef {
  const head = reader.u8();
  const codec = head & 0x0f;
  if (head & FLAG_ZERO) throw reader.fail("a block has an unknown flag");
  const archive = head & FLAG_PARENT ? reader.varint() : 0;
  if (head & FLAG_PARENT && (archive < 1 || archive > names.parents)) {
    throw reader.fail(`a block is in parent ${archive} of ${names.parents}`);
  }
  const dictionary = head & FLAG_DICTIONARY ? reader.varint() : undefined;
  if (dictionary !== undefined && dictionary >= names.dictionaries) {
    throw reader.fail(`a block needs dictionary ${dictionary} of ${names.dictionaries}`);
  }
  if (head & FLAG_FILTER) throw new HexzError("feature_unknown", "a block needs the feature filters");
  if (codec > CODEC.zstdDictionary) {
    throw new HexzError("feature_unknown", `a block has codec ${codec}, which this version does not know`, {
      data: { codec },
    });
  }
  if ((codec === CODEC.zstdDictionary) !== (dictionary !== undefined)) {
    throw reader.fail(`a block of codec ${codec} has ${dictionary === undefined ? "no" : "a"} dictionary`);
  }
  const offset = (ends.get(archive) ?? 0) + reader.svarint();
  const storedLength = reader.varint();
  const plainLength = reader.varint();
  if (offset < 0) throw reader.fail("a block would begin before the file");
  checkLimit("the plain length of a block", plainLength, LIMITS.plainBlock);
  if (storedLength < 1 || storedLength > plainLength || (codec === CODEC.stored) !== (storedLength === plainLength)) {
    throw reader.fail(`a block of codec ${codec} has ${storedLength} stored and ${plainLength} plain bytes`);
  }
  ends.set(archive, offset + storedLength);
  return { archive, dictionary, codec, offset, storedLength, plainLength };
}

/** @param expected what the page above says of this one; undefined when there is none */
export function decodeIndexLeaf(
  payload: Uint8Array,
  expected: { start: number; span: number } | undefined,
  names: BlockNames,
  what: string,
): IndexLeaf {
  const reader = new ByteReader(payload, what);
  const firstAddress = reader.u64();
  if (expected !== undefined && firstAddress !== expected.start)
    throw reader.fail(`it begins at address ${firstAddress}, expected ${expected.start}`);
  const blockCount = reader.u32();
  const chunkCount = reader.u32();
  // Each takes more than one byte, so the page's own length bounds what is allocated.
  if (blockCount + chunkCount > payload.length)
    throw reader.fail(`it claims ${blockCount} blocks and ${chunkCount} chunks`);
  const blocks: BlockRef[] = [];
  const ends = new Map<number, number>();
  for (let count = 0; count < blockCount; count++) blocks.push(decodeBlock(reader, ends, names));

  const starts = new Float64Array(chunkCount + 1);
  const fills = new Int16Array(chunkCount).fill(-1);
  const blockNumbers = new Uint32Array(chunkCount);
  const blockOffsets = new Uint32Array(chunkCount);
  const used = new Uint8Array(blockCount);
  let address = firstAddress;
  let nextBlock = 0;
  let nextOffset = 0;
  for (let number = 0; number < chunkCount; number++) {
    starts[number] = address;
    const length = reader.varint();
    if (length === 0) throw reader.fail("a chunk is empty");
    const source = reader.varint();
    if (source === SOURCE_FILL) {
      fills[number] = reader.u8();
    } else {
      checkLimit("the length of a chunk", length, LIMITS.chunk);
      const blockNumber = source === SOURCE_NEXT ? nextBlock : source - SOURCE_BLOCKS;
      const offset = source === SOURCE_NEXT ? nextOffset : reader.varint();
      const block = blocks[blockNumber];
      if (block === undefined || offset + length > block.plainLength)
        throw reader.fail("a chunk lies outside its block");
      blockNumbers[number] = blockNumber;
      blockOffsets[number] = offset;
      used[blockNumber] = 1;
      const atEnd = offset + length === block.plainLength;
      nextBlock = atEnd ? blockNumber + 1 : blockNumber;
      nextOffset = atEnd ? 0 : offset + length;
    }
    address += length;
  }
  starts[chunkCount] = address;
  if (expected !== undefined && address - firstAddress !== expected.span)
    throw reader.fail(`it covers ${address - firstAddress} bytes, expected ${expected.span}`);
  if (used.includes(0)) throw reader.fail("a block is not used");

  const digests = new Uint8Array(chunkCount * DIGEST_LENGTH);
  for (let number = 0; number < chunkCount; number++) {
    if (fills[number]! < 0) digests.set(reader.raw(DIGEST_LENGTH), number * DIGEST_LENGTH);
  }
  reader.end();
  return { starts, fills, blockNumbers, blockOffsets, digests, blocks };
}

export function writeIndexChildren(writer: ByteWriter, children: readonly IndexChild[]): void {
  const refs = new RefWriter();
  for (const child of children) {
    writer.varint(child.span);
    refs.write(writer, child.ref);
  }
}

export function readIndexChildren(reader: ByteReader, count: number): IndexChild[] {
  if (count > reader.left) throw reader.fail(`it claims ${count} pages`);
  const refs = new RefReader();
  const children: IndexChild[] = [];
  for (let number = 0; number < count; number++) {
    const span = reader.varint();
    if (span === 0) throw reader.fail("a page covers nothing");
    children.push({ span, ref: refs.read(reader) });
  }
  return children;
}

export function encodeIndexInner(firstAddress: number, children: readonly IndexChild[]): Uint8Array {
  const writer = new ByteWriter(children.length * 48).u64(firstAddress).u32(children.length);
  writeIndexChildren(writer, children);
  return writer.take();
}

export function decodeIndexInner(
  payload: Uint8Array,
  expected: { start: number; span: number },
  what: string,
): IndexChild[] {
  const reader = new ByteReader(payload, what);
  const firstAddress = reader.u64();
  if (firstAddress !== expected.start)
    throw reader.fail(`it begins at address ${firstAddress}, expected ${expected.start}`);
  const children = readIndexChildren(reader, reader.u32());
  reader.end();
  checkSpans(children, expected.span, reader);
  return children;
}

export function checkSpans(children: readonly IndexChild[], span: number, reader: ByteReader): void {
  const sum = children.reduce((total, child) => total + child.span, 0);
  if (sum !== span) throw reader.fail(`its pages cover ${sum} bytes, expected ${span}`);
}
