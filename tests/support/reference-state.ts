// The reference decoder: one state, everything in it decoded and compared (docs/format.md, "Root" to "Tree",
// "Chunking", "Parents", "Content id and sketch").

import { concat, concatAll, equal, fail, hash, hex, rule, u64 } from "./reference-bytes.ts";
import { decodeCodec, filteredLength, undoStep, type ZstdDecoder } from "./reference-codecs.ts";
import { type ReferenceContainer, type ReferencePiece, readContainers, readPieces } from "./reference-containers.ts";
import { type Block, type Chunk, type Index, readIndex } from "./reference-index.ts";
import { KIND, lastEndMark, type Page, type Ref, readPage } from "./reference-pages.ts";
import { type ReferenceCounts, type Root, readMetadata, readRoot } from "./reference-root.ts";
import { type ReferenceEntry, readTree, type Tree } from "./reference-tree.ts";

export interface ReferenceOptions {
  /** Whole parent archives by archive id, in hexadecimal. */
  parents?: Map<string, Uint8Array>;
  zstd?: ZstdDecoder;
  /** The archive key of an encrypted archive, 32 bytes. */
  key?: Uint8Array;
}

export interface State {
  root: Root;
  index: Index;
  tree: Tree;
  metadataPage: Page | undefined;
  metadata: Record<string, unknown>;
  /** By number in section 7. `local`: in this file. */
  dictionaries: { page: Page; local: boolean }[];
  bytesOf(chunk: Chunk): Uint8Array;
  /** Logical bytes [start, end). */
  read(start: number, end: number): Uint8Array;
  /** Each with the pieces that its bytes are. */
  containers: (ReferenceContainer & { pieces: ReferencePiece[] })[];
}

type StoredChunk = Chunk & { fill?: undefined };

export function readState(file: Uint8Array, ref: Ref, options: ReferenceOptions): State {
  const root = readRoot(file, ref);
  const index = readIndex(file, root);
  const tree = readTree(file, root);
  const metadata = readMetadata(file, root);
  const archives = new Map<number, Uint8Array>([[0, file]]);
  const dictionaries = root.dictionaries.map((dictionary) => ({
    page: readPage(archive(dictionary.archive), dictionary.ref, KIND.dictionary),
    local: dictionary.archive === 0,
  }));
  const plain = new Map<Block, Uint8Array>();
  const state: State = {
    root,
    index,
    tree,
    metadataPage: metadata.page,
    metadata: metadata.value,
    dictionaries,
    bytesOf: (chunk) =>
      chunk.fill === undefined
        ? decodeBlock(chunk.block).subarray(chunk.offset, chunk.offset + chunk.length)
        : new Uint8Array(chunk.length).fill(chunk.fill),
    read(start, end) {
      const bytes = new Uint8Array(end - start);
      for (const chunk of index.chunks) {
        const from = Math.max(start, chunk.start);
        const to = Math.min(end, chunk.start + chunk.length);
        if (from >= to) continue;
        if (chunk.fill !== undefined) bytes.fill(chunk.fill, from - start, to - start);
        else bytes.set(state.bytesOf(chunk).subarray(from - chunk.start, to - chunk.start), from - start);
      }
      return bytes;
    },
    containers: [],
  };
  for (const chunk of index.chunks) if (chunk.fill === undefined) checkChunk(state, chunk);
  for (const block of index.blocks.values()) decodeBlock(block);
  checkBlocks(state);
  state.containers = readContainers(state.metadata, root.addressSpace).map((container) => {
    const { start, end, size, isList } = container;
    const pieces = isList ? readPieces(state.read(start, end), size, root.addressSpace) : [{ start, end }];
    return { ...container, pieces };
  });
  checkBorders(state);
  checkFeatures(state);
  checkCounts(state);
  checkContentId(state);
  checkSketch(state);
  return state;

  function archive(number: number): Uint8Array {
    const known = archives.get(number);
    if (known !== undefined) return known;
    const bytes = openParent(root.parents[number - 1]!.id, options);
    archives.set(number, bytes);
    return bytes;
  }

  function decodeBlock(block: Block): Uint8Array {
    const known = plain.get(block);
    if (known !== undefined) return known;
    const from = archive(block.archive);
    const stored = from.subarray(block.offset, block.offset + block.storedLength);
    if (stored.length < block.storedLength) fail("damaged", `the block ${block.key} is not wholly in its file`);
    const steps = block.steps.map(({ step }) => step);
    const dictionary = block.dictionary === undefined ? undefined : dictionaries[block.dictionary]!.page.payload;
    const length = filteredLength(steps, block.plainLength);
    let bytes = decodeCodec(block.codec, stored, length, { zstd: options.zstd, dictionary });
    for (const { step, base } of block.steps.toReversed()) {
      const offset = "offset" in step ? step.offset : 0;
      const baseBytes = base && decodeBlock(base).subarray(offset, offset + block.plainLength);
      bytes = undoStep(step, bytes, block.plainLength, baseBytes);
    }
    plain.set(block, bytes);
    return bytes;
  }
}

function openParent(id: Uint8Array, options: ReferenceOptions): Uint8Array {
  const bytes = options.parents?.get(hex(id)) ?? fail("parent_missing", hex(id));
  const mark = lastEndMark(bytes);
  if (mark === undefined || !equal(mark.id, id)) fail("parent_missing", `${hex(id)} is another archive`);
  readRoot(bytes, { offset: mark.rootOffset, bodyLength: mark.rootLength, digest: id });
  return bytes;
}

function checkChunk(state: State, chunk: StoredChunk): void {
  const bytes = state.bytesOf(chunk);
  const what = `the chunk at address ${chunk.start}`;
  if (!equal(hash(bytes), chunk.digest)) fail("damaged", `${what} has another digest`);
  rule(!bytes.every((byte) => byte === bytes[0]), `${what} holds one value and is no fill`);
}

/** A block of this file is its chunks, one after the other, and nothing else. */
function checkBlocks({ index, root }: State): void {
  const ranges = new Map<Block, Map<string, { start: number; end: number }>>();
  for (const chunk of index.chunks) {
    if (chunk.fill !== undefined) continue;
    const range = { start: chunk.offset, end: chunk.offset + chunk.length };
    const known = ranges.get(chunk.block) ?? new Map();
    ranges.set(chunk.block, known.set(`${range.start}-${range.end}`, range));
  }
  for (const block of index.blocks.values()) {
    if (block.archive > 0) continue;
    const chunks = [...(ranges.get(block)?.values() ?? [])].sort((a, b) => a.start - b.start);
    let at = 0;
    for (const { start, end } of chunks) {
      rule(start === at, `the block ${block.key} has a chunk at ${start} and not at ${at}`);
      at = end;
    }
    rule(at === block.plainLength, `the block ${block.key} holds ${block.plainLength} bytes, its chunks ${at}`);
    rule(!root.features.oneChunkBlocks || chunks.length === 1, `the block ${block.key} holds ${chunks.length} chunks`);
  }
  if (root.state === 1) checkBlockOrder([...ranges.keys()].filter((block) => block.archive === 0));
}

/** @param blocks as chunks name them first */
function checkBlockOrder(blocks: Block[]): void {
  let at = 0;
  for (const block of blocks) {
    rule(block.offset >= at, `the block ${block.key} is named after one behind it`);
    at = block.offset;
  }
}

/** What is chunked on its own: streams, containers, and files that are not another name of one or computed. */
function contents(state: State): { start: number; end: number }[] {
  const { root, tree } = state;
  const wholes = state.containers.filter(({ isList }) => !isList);
  const files = tree.entries.filter(
    (entry) => entry.type === "file" && (entry.hardLink ?? entry.derived) === undefined,
  );
  return [...root.streams, ...wholes, ...(files as (ReferenceEntry & { start: number; size: number })[])]
    .filter(({ size }) => size > 0)
    .map(({ start, size }) => ({ start, end: start + size }));
}

function checkBorders(state: State): void {
  const { root, index } = state;
  for (const stream of root.streams) {
    rule(stream.start + stream.size <= root.addressSpace, `the stream ${stream.name} ends behind the address space`);
  }
  const borders = new Set(contents(state).flatMap(({ start, end }) => [start, end]));
  // Contents without an entry, where no rule says that there is a border.
  const unnamed = new Set(
    state.containers.flatMap(({ start, end, pieces }) => [
      start,
      end,
      ...pieces.flatMap((piece) => ("start" in piece ? [piece.start, piece.end] : [])),
    ]),
  );
  const between = new Set([0, root.addressSpace]);
  for (const [i, chunk] of index.chunks.entries()) {
    between.add(chunk.start);
    const next = index.chunks[i + 1];
    if (next?.fill === undefined || next.fill !== chunk.fill || root.state > 1) continue;
    rule(
      borders.has(next.start) || unnamed.has(next.start),
      `the fills at ${chunk.start} and ${next.start} should be one`,
    );
  }
  for (const border of borders) rule(between.has(border), `a chunk crosses the border of an entry at ${border}`);
}

function checkFeatures({ root, index, dictionaries }: State): void {
  const blocks = [...index.blocks.values()];
  const { features } = root;
  rule(features.parents === blocks.some((block) => block.archive > 0), "the feature `parents` is wrong");
  rule(features.dictionaries === blocks.some((block) => block.codec === 3), "the feature `dictionaries` is wrong");
  rule(features.filters === blocks.some((block) => block.steps.length > 0), "the feature `filters` is wrong");
  for (const [number, { page }] of dictionaries.entries()) {
    const users = blocks.filter((block) => block.dictionary === number);
    rule(users.length > 0, `no block needs dictionary ${number}`);
    rule(page.payload.length > 0, `dictionary ${number} is empty`);
  }
}

/** Original size: every file, stream and container once; what lies inside another content counts nothing. */
function originalSize(state: State): number {
  const ranges = contents(state).sort((a, b) => a.start - b.start || b.end - a.end);
  let sum = 0;
  let furthest = 0;
  for (const { start, end } of ranges) {
    if (end > furthest) sum += end - start;
    furthest = Math.max(furthest, end);
  }
  return sum;
}

function checkCounts(state: State): void {
  const { root, index, tree } = state;
  const counts: ReferenceCounts = {
    files: tree.entries.filter(({ type }) => type === "file").length,
    directories: tree.entries.filter(({ type }) => type === "directory").length,
    symlinks: tree.entries.filter(({ type }) => type === "symlink").length,
    others: tree.entries.filter(({ type }) => ["fifo", "char", "block"].includes(type)).length,
    originalSize: originalSize(state),
    chunks: 0,
    chunkBytes: 0,
    duplicates: 0,
    duplicateBytes: 0,
    parentChunks: 0,
    parentChunkBytes: 0,
    fills: 0,
    fillBytes: 0,
    codecs: [],
  };
  const seen = new Set<string>();
  for (const chunk of index.chunks) {
    if (chunk.fill !== undefined) {
      counts.fills++;
      counts.fillBytes += chunk.length;
    } else if (seen.has(hex(chunk.digest))) {
      counts.duplicates++;
      counts.duplicateBytes += chunk.length;
    } else if (chunk.block.archive > 0) {
      counts.parentChunks++;
      counts.parentChunkBytes += chunk.length;
    } else {
      counts.chunks++;
      counts.chunkBytes += chunk.length;
    }
    if (chunk.fill === undefined) seen.add(hex(chunk.digest));
  }
  for (let codec = 0; codec <= 3; codec++) {
    const blocks = [...index.blocks.values()].filter((block) => block.archive === 0 && block.codec === codec);
    if (blocks.length === 0) continue;
    const sum = (of: (block: Block) => number): number => blocks.reduce((total, block) => total + of(block), 0);
    const storedBytes = sum((block) => block.storedLength);
    counts.codecs.push({ codec, blocks: blocks.length, storedBytes, plainBytes: sum((block) => block.plainLength) });
  }
  for (const key of Object.keys(counts) as (keyof ReferenceCounts)[]) {
    const [found, said] = [JSON.stringify(counts[key]), JSON.stringify(root.counts[key])];
    rule(found === said, `the count of ${key} is ${found}, the root says ${said}`);
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Uint8Array.from([...bytes, rest]);
}

function checkContentId({ root, index, tree }: State): void {
  const chunks = index.chunks.map((chunk) =>
    concat(
      u64(chunk.length),
      chunk.fill === undefined ? concat(Uint8Array.of(1), chunk.digest) : Uint8Array.of(0, chunk.fill),
    ),
  );
  const entries = tree.entries.map(({ pathBytes, record }) => concat(varint(pathBytes.length), pathBytes, record));
  const id = hash(hash(concatAll(chunks)), hash(concatAll(entries)), hash(root.streamsPayload));
  rule(equal(id, root.contentId), `the content id is ${hex(id)}, the root says ${hex(root.contentId)}`);
}

function checkSketch({ root, index }: State): void {
  if (root.sketch === undefined) return;
  const values = new Set<bigint>();
  for (const chunk of index.chunks) {
    if (chunk.fill !== undefined) continue;
    const first = chunk.digest.slice(0, 8);
    values.add(new DataView(first.buffer).getBigUint64(0, true));
  }
  const smallest = [...values].sort((a, b) => (a < b ? -1 : 1)).slice(0, 256);
  const { chunking, avg } = root.coding;
  rule(root.sketch.chunking === (chunking === "fixed" ? 0 : 1), "the sketch is of another chunking");
  rule(root.sketch.avg === avg, "the sketch is of another average");
  rule(smallest.join() === root.sketch.values.join(), "the sketch holds other values");
}
