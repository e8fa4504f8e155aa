// Work for the threads of a crew. A task is a record of 32-bit words in the engines' shared memory, so that any thread
// can run it: its kind, pointers to its inputs and where its results go. No thread but the coordinator decides anything;
// what a task yields depends on its input alone.

import { type ChunkSizes, CODEC, type CodecId, type Engine, ZERO_CHUNK } from "../engine.ts";
import { HexzError } from "../errors.ts";
import { runSurveyTask } from "./survey-task.ts";
import { setTask, type Task, type Workspace } from "./task-record.ts";

export { allocateTask, TASK_STATE, type Task, taskAt, type Workspace } from "./task-record.ts";

const KIND = { digest: 1, encode: 2, decode: 3, encodeFormat1: 4 } as const;
/** Set in the length of a stretch of content that is still to be cut into chunks; it ends where the content ends. */
export const TO_CUT = 0x4000_0000;
/** Set in the length of bytes between contents, which nothing becomes of. */
export const TO_SKIP = 0x2000_0000;

export const isSkip = (item: number): boolean => item < TO_CUT && item >= TO_SKIP;

export interface DigestWork {
  /** The items, one after the other. */
  readonly bytes: Uint8Array;
  /** Their lengths: of a chunk, with ZERO_CHUNK; of a stretch with TO_CUT; of what lies between with TO_SKIP. */
  readonly items: Uint32Array;
  readonly count: number;
  /** For cutting. */
  readonly sizes: ChunkSizes;
  /** Only zeros are a fill. */
  readonly zerosOnly: boolean;
  /** Results: lengths of the chunks, with ZERO_CHUNK. */
  readonly lengths: Uint32Array;
  /** Results: for each item, how many chunks there are up to its end. */
  readonly ends: Uint32Array;
  /** Results: 32 bytes a chunk; undefined for fills. */
  readonly digests: Uint8Array;
  /** Results: the value of a fill, -1 for others. */
  readonly fills: Int16Array;
}

export function setDigestTask(task: Task, work: DigestWork): void {
  const { bytes, items, count, sizes, zerosOnly, lengths, ends, digests, fills } = work;
  const { min, avg, max } = sizes;
  const arrays = [bytes, items, lengths, ends, digests, fills].map((array) => array.byteOffset);
  setTask(task, KIND.digest, count, lengths.length, min, avg, max, zerosOnly ? 1 : 0, ...arrays);
}

function runDigest({ engine }: Workspace, words: number[]): void {
  const [count, capacity, min, avg, max, zerosOnly, bytesAt, itemsAt, lengthsAt, endsAt, digestsAt, fillsAt] =
    words as [number, number, number, number, number, number, number, number, number, number, number, number];
  const { buffer } = engine.memory;
  const items = new Uint32Array(buffer, itemsAt, count);
  const lengths = new Uint32Array(buffer, lengthsAt, capacity);
  const ends = new Uint32Array(buffer, endsAt, count);
  const memory = new Uint8Array(buffer);
  const sizes = { min, avg, max };
  const fills = new Int16Array(buffer, fillsAt, capacity);
  let at = bytesAt;
  let chunk = 0;
  for (let item = 0; item < count; item++) {
    const value = items[item]!;
    if (isSkip(value)) {
      at += value - TO_SKIP;
      ends[item] = chunk;
      continue;
    }
    let end = chunk + 1;
    if (value < ZERO_CHUNK && value >= TO_CUT) {
      const stretch = new Uint8Array(buffer, at, value - TO_CUT);
      end = chunk + engine.findCuts(stretch, sizes, true, lengths.subarray(chunk));
    } else lengths[chunk] = value;
    for (; chunk < end; chunk++) {
      const length = (lengths[chunk]! & ~ZERO_CHUNK) >>> 0;
      const isZero = lengths[chunk]! >= ZERO_CHUNK;
      const fill = isZero ? 0 : fillOf(engine, memory, at, length, zerosOnly);
      if (fill < 0) engine.digestAt(at, length, digestsAt + chunk * 32);
      fills[chunk] = fill;
      at += length;
    }
    ends[item] = end;
  }
}

/** The value of a fill, -1 for others. */
function fillOf(engine: Engine, memory: Uint8Array, at: number, length: number, zerosOnly: number): number {
  const value = memory[at]!;
  // Most chunks differ in their first bytes: no call for those.
  const mayBe =
    value === memory[at + (length >> 1)] && value === memory[at + length - 1] && (zerosOnly === 0 || value === 0);
  return mayBe ? engine.fillValue(memory.subarray(at, at + length)) : -1;
}

/** The same object for the same place: engines know by it what they have prepared. Memory is never given back. */
const dictionaries = new WeakMap<ArrayBufferLike, Map<number, Uint8Array>>();

/** @param length 0: no dictionary */
function dictionaryIn(buffer: ArrayBufferLike, address: number, length: number): Uint8Array | undefined {
  if (length === 0) return undefined;
  let known = dictionaries.get(buffer);
  if (known === undefined) {
    known = new Map();
    dictionaries.set(buffer, known);
  }
  let dictionary = known.get(address);
  if (dictionary === undefined) {
    dictionary = new Uint8Array(buffer, address, length);
    known.set(address, dictionary);
  }
  return dictionary;
}

/** Blocks to encode: for each the number of parts, then address and length of every part. Results replace nothing. */
export interface EncodeWork {
  readonly codec: CodecId;
  readonly level: number;
  /** In the engines' memory. */
  readonly dictionary?: Uint8Array | undefined;
  readonly blockCount: number;
  readonly parts: Uint32Array;
  /** Coded blocks go here, one after the other. */
  readonly out: Uint8Array;
  /** Results: codec and stored length of each block. */
  readonly results: Uint32Array;
}

export function setEncodeTask(task: Task, work: EncodeWork): void {
  const { codec, level, blockCount, parts, out, results, dictionary } = work;
  const places = [parts.byteOffset, out.byteOffset, out.length, results.byteOffset];
  setTask(task, KIND.encode, codec, level, blockCount, ...places, dictionary?.byteOffset ?? 0, dictionary?.length ?? 0);
}

function runEncode({ engine, gather }: Workspace, words: number[]): void {
  const [codec, level, blockCount, partsAt, outAt, outLength, resultsAt, dictionaryAt, dictionaryLength] = words as [
    CodecId,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const { buffer } = engine.memory;
  const dictionary = dictionaryIn(buffer, dictionaryAt, dictionaryLength);
  const memory = new Uint8Array(buffer);
  const parts = new Uint32Array(buffer, partsAt);
  const results = new Uint32Array(buffer, resultsAt, blockCount * 2);
  const end = outAt + outLength;
  let at = outAt;
  let read = 0;
  for (let number = 0; number < blockCount; number++) {
    const partCount = parts[read++]!;
    let plain: Uint8Array;
    if (partCount === 1) {
      plain = memory.subarray(parts[read]!, parts[read]! + parts[read + 1]!);
      read += 2;
    } else {
      let length = 0;
      for (let part = 0; part < partCount; part++, read += 2) {
        engine.kernels.copy(parts[read]!, parts[read + 1]!, gather.byteOffset + length);
        length += parts[read + 1]!;
      }
      plain = gather.subarray(0, length);
    }
    // Coded means smaller than plain; otherwise the block is stored.
    const room = memory.subarray(at, Math.min(at + plain.length - 1, end));
    const length =
      codec === CODEC.stored || plain.length < 2 ? 0 : engine.encode(codec, level, plain, room, dictionary);
    if (length === 0) engine.kernels.copy(plain.byteOffset, plain.length, at);
    results[number * 2] = length === 0 ? CODEC.stored : codec;
    results[number * 2 + 1] = length === 0 ? plain.length : length;
    at += results[number * 2 + 1]!;
  }
}

/** The same for format 1, whose blocks have one part each and are coded even where that makes them longer. */
export interface EncodeFormat1Work extends Omit<EncodeWork, "results"> {
  /** Results: CRC-32 and stored length of each block. */
  readonly results: Uint32Array;
}

export function setEncodeFormat1Task(task: Task, work: EncodeFormat1Work): void {
  setEncodeTask(task, work);
  task.words[1] = KIND.encodeFormat1;
}

/** How long a block may become by coding it. */
export const format1Bound = (length: number): number => length + (length >> 7) + 96;

function runEncodeFormat1({ engine }: Workspace, words: number[]): void {
  const [, level, blockCount, partsAt, outAt, , resultsAt, dictionaryAt, dictionaryLength] = words;
  const codec = words[0] as CodecId;
  const { buffer } = engine.memory;
  const dictionary = dictionaryIn(buffer, dictionaryAt!, dictionaryLength!);
  const memory = new Uint8Array(buffer);
  const view = new DataView(buffer);
  const parts = new Uint32Array(buffer, partsAt, blockCount! * 3);
  const results = new Uint32Array(buffer, resultsAt, blockCount! * 2);
  // An LZ4 block has its plain length before it.
  const prefix = codec === CODEC.lz4 ? 4 : 0;
  let at = outAt!;
  for (let number = 0; number < blockCount!; number++) {
    const [, address, plainLength] = parts.subarray(number * 3) as unknown as [number, number, number];
    const plain = memory.subarray(address, address + plainLength);
    if (prefix > 0) view.setUint32(at, plainLength, true);
    const room = memory.subarray(at + prefix, at + format1Bound(plainLength));
    const length = engine.encode(codec, level!, plain, room, dictionary);
    if (length === 0) throw new Error(`a block of ${plainLength} bytes does not fit into ${room.length}`);
    results[number * 2] = engine.crc32(memory.subarray(at, at + prefix + length));
    results[number * 2 + 1] = prefix + length;
    at += prefix + length;
  }
}

/** Words of a block to decode, and of a chunk to verify in it. */
export const DECODE_BLOCK_WORDS = 10;
export const DECODE_CHUNK_WORDS = 10;
/** Results: in a block's word of `results`, and in the first word of each chunk that has another digest. */
export const DECODE_RESULT = { good: 0, badBlock: 1, badChecksum: 2, badChunk: 0xffff_ffff } as const;

export interface DecodeWork {
  readonly blockCount: number;
  /**
   * For each block: codec, address and length stored, address and length plain, number of chunks to verify, address and
   * length of its dictionary (0: none), and of format 1 the length that its checksum is of, up to the end of what is
   * stored (0: none), and the checksum.
   */
  readonly blocks: Uint32Array;
  /** For each chunk, block by block: offset in the block, length, the digest's 8 words. */
  readonly chunks: Uint32Array;
  /** Results, one for each block. */
  readonly results: Uint32Array;
}

export function setDecodeTask(task: Task, work: DecodeWork): void {
  const { blockCount, blocks, chunks, results } = work;
  setTask(task, KIND.decode, blockCount, blocks.byteOffset, chunks.byteOffset, results.byteOffset);
}

function runDecode({ engine }: Workspace, [blockCount, blocksAt, chunksAt, resultsAt]: number[]): void {
  const { buffer } = engine.memory;
  const blocks = new Uint32Array(buffer, blocksAt!, blockCount! * DECODE_BLOCK_WORDS);
  const chunks = new Uint32Array(buffer, chunksAt!);
  const results = new Uint32Array(buffer, resultsAt!, blockCount!);
  const digest = new Uint8Array(32);
  const digestWords = new Uint32Array(digest.buffer);
  let chunkAt = 0;
  for (let number = 0; number < blockCount!; number++) {
    const at = number * DECODE_BLOCK_WORDS;
    const plain = new Uint8Array(buffer, blocks[at + 3]!, blocks[at + 4]!);
    let result: number = DECODE_RESULT.good;
    const stored = new Uint8Array(buffer, blocks[at + 1]!, blocks[at + 2]!);
    const dictionary = dictionaryIn(buffer, blocks[at + 6]!, blocks[at + 7]!);
    const checked = blocks[at + 8]!;
    const end = stored.byteOffset + stored.length;
    if (checked > 0 && engine.crc32(new Uint8Array(buffer, end - checked, checked)) !== blocks[at + 9]!) {
      result = DECODE_RESULT.badChecksum;
    } else if (!decodes(engine, blocks[at]! as CodecId, stored, plain, dictionary)) {
      result = DECODE_RESULT.badBlock;
    }
    for (let chunk = 0; chunk < blocks[at + 5]!; chunk++, chunkAt += DECODE_CHUNK_WORDS) {
      if (result !== DECODE_RESULT.good) continue;
      const start = chunks[chunkAt]!;
      engine.digest(plain.subarray(start, start + chunks[chunkAt + 1]!), digest);
      for (let word = 0; word < 8; word++) {
        if (digestWords[word] !== chunks[chunkAt + 2 + word]) chunks[chunkAt] = DECODE_RESULT.badChunk;
      }
    }
    results[number] = result;
  }
}

function decodes(
  engine: Engine,
  codec: CodecId,
  stored: Uint8Array,
  plain: Uint8Array,
  dictionary: Uint8Array | undefined,
): boolean {
  try {
    engine.decode(codec, stored, plain, dictionary);
    return true;
  } catch (error) {
    if (error instanceof HexzError) return false;
    throw error;
  }
}

/** Runs a task on this thread. Its state is the caller's business. */
export function runTask(workspace: Workspace, task: Task): void {
  const [, kind, ...values] = task.words;
  const words = values.map((value) => value >>> 0);
  if (kind === KIND.digest) runDigest(workspace, words);
  else if (kind === KIND.encode) runEncode(workspace, words);
  else if (kind === KIND.encodeFormat1) runEncodeFormat1(workspace, words);
  else if (kind === KIND.decode) runDecode(workspace, words);
  else if (!runSurveyTask(workspace, kind!, words)) throw new Error(`a task has kind ${kind}`);
}
