// Records by path, sorted in bounded memory: those that fit are sorted there; when they are too many they are spilled as
// a run, runs are merged into longer ones, and all are merged when they are read.

import { ByteReader, ByteWriter } from "../bytes.ts";
import { type ByteString, sortKeyOf } from "../format/path.ts";
import { PieceReader } from "./leaf-pages.ts";
import type { OpenScratch, Scratch } from "./scratch.ts";

/** What is kept in memory, by estimate. */
const MEMORY_BYTES = 48 * 1024 * 1024;
/** What an item takes in memory beside its path (twice: its key) and bytes. */
const ITEM_BYTES = 120;
/** Records are kept in pieces of so many bytes, or of one that is longer. */
const PIECE_BYTES = 256 * 1024;
/** Of a record beside its path and bytes. */
const RECORD_BYTES = 12;
/** Runs of one length that become one of the next. */
const FAN_IN = 32;

/** A record. Those of one path come by their `order`. */
export interface SortedRecord {
  readonly path: ByteString;
  readonly order: number;
  readonly bytes: Uint8Array;
}

/** A text whose plain comparison is the order. */
export type KeyOf = (record: SortedRecord) => string;

interface Place {
  readonly key: string;
  readonly order: number;
}

/** A record in memory: where it is, so that thousands of them are not as many objects with bytes of their own. */
interface Held extends Place {
  readonly piece: ByteWriter;
  readonly at: number;
  readonly length: number;
}

interface Item extends SortedRecord, Place {}

interface Run {
  readonly scratch: Scratch;
  readonly count: number;
}

function isBefore(a: Place, b: Place): boolean {
  return a.key === b.key ? a.order < b.order : a.key < b.key;
}

const comparePlaces = (a: Place, b: Place): number => (isBefore(a, b) ? -1 : 1);

/** What is in memory, and in a run behind its length: path, order, bytes. */
function writeItem(writer: ByteWriter, { path, order, bytes }: SortedRecord): void {
  writer.u32(path.length).rawName(path).u64(order).raw(bytes);
}

function readItem(bytes: Uint8Array): SortedRecord {
  const reader = new ByteReader(bytes, "the scratch");
  const path = reader.rawName(reader.u32());
  return { path, order: reader.u64(), bytes: reader.raw(reader.left) };
}

export class RecordSorter {
  readonly #openScratch: OpenScratch;
  readonly #memoryBytes: number;
  readonly #keyOf: KeyOf;
  #items: Held[] = [];
  #piece = new ByteWriter(0);
  #held = 0;
  #sorted = true;
  /** By level: those of a level are about as long as each other. */
  readonly #levels: Run[][] = [];

  /** @param keyOf in what order: by default that of the tree */
  constructor(openScratch: OpenScratch, memoryBytes = MEMORY_BYTES, keyOf: KeyOf = ({ path }) => sortKeyOf(path)) {
    this.#openScratch = openScratch;
    this.#keyOf = keyOf;
    this.#memoryBytes = memoryBytes;
  }

  /** Adds a record. */
  add(path: ByteString, order: number, bytes: Uint8Array): void {
    const record = { path, order, bytes };
    const length = RECORD_BYTES + path.length + bytes.length;
    if (this.#piece.length + length > PIECE_BYTES || this.#items.length === 0) {
      this.#piece = new ByteWriter(Math.max(PIECE_BYTES, length));
    }
    const item = { key: this.#keyOf(record), order, piece: this.#piece, at: this.#piece.length, length };
    writeItem(this.#piece, record);
    const last = this.#items.at(-1);
    if (last !== undefined && isBefore(item, last)) this.#sorted = false;
    this.#items.push(item);
    this.#held += ITEM_BYTES + 2 * path.length + bytes.length;
    if (this.#held < this.#memoryBytes) return;
    this.#keep(0, this.#inMemory());
    this.#items = [];
    this.#sorted = true;
    this.#held = 0;
  }

  *#inMemory(): Generator<Item> {
    if (!this.#sorted) this.#items.sort(comparePlaces);
    this.#sorted = true;
    for (const { key, piece, at, length } of this.#items) {
      const { path, order, bytes } = readItem(piece.view().subarray(at, at + length));
      yield { path, order, bytes, key };
    }
  }

  /** Writes a run. A level that is full becomes one run of the next. */
  #keep(level: number, items: Iterable<Item>): void {
    const scratch = this.#openScratch(0);
    const record = new ByteWriter(1024);
    let count = 0;
    for (const item of items) {
      writeItem(record.u32(RECORD_BYTES + item.path.length + item.bytes.length), item);
      scratch.append(record.view());
      record.clear();
      count++;
    }
    if (this.#levels.length === level) this.#levels.push([]);
    const runs = this.#levels[level]!;
    runs.push({ scratch, count });
    if (runs.length < FAN_IN) return;
    this.#keep(level + 1, merge(runs.map((run) => readRun(run, this.#keyOf))));
    for (const run of runs) run.scratch.close();
    runs.length = 0;
  }

  /** All records in order. May be asked for again; what was added meanwhile is there then. */
  sorted(): Iterable<SortedRecord> {
    const runs = this.#levels.flat();
    if (runs.length === 0) return this.#inMemory();
    const kept = runs.map((run) => readRun(run, this.#keyOf));
    return merge([...kept, this.#inMemory()]);
  }

  close(): void {
    for (const { scratch } of this.#levels.flat()) scratch.close();
    this.#levels.length = 0;
    this.#items = [];
  }
}

function* readRun({ scratch, count }: Run, keyOf: KeyOf): Generator<Item> {
  const pieces = new PieceReader(scratch.read());
  for (let number = 0; number < count; number++) {
    const length = new ByteReader(pieces.take(4), "the scratch").u32();
    const record = readItem(pieces.take(length));
    yield { ...record, key: keyOf(record) };
  }
}

/** Merges sorted sequences with a heap of their next items. */
function* merge(sources: Iterator<Item>[]): Generator<Item> {
  const heap: { item: Item; source: Iterator<Item> }[] = [];
  const sink = (from: number): void => {
    const moving = heap[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!.item, heap[child]!.item)) child++;
      if (!isBefore(heap[child]!.item, moving.item)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moving;
  };
  for (const source of sources) {
    const first = source.next();
    if (!first.done) heap.push({ item: first.value, source });
  }
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) sink(at);
  while (heap.length > 0) {
    const { item, source } = heap[0]!;
    yield item;
    const next = source.next();
    const last = next.done ? heap.pop()! : undefined;
    if (last === undefined) heap[0] = { item: (next as IteratorYieldResult<Item>).value, source };
    else if (heap.length > 0) heap[0] = last;
    if (heap.length > 0) sink(0);
  }
}
