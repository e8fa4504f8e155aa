// Records by path, sorted in bounded memory: those that fit are sorted there; when they are too many they are spilled as
// a run, runs are merged into longer ones, and all are merged when they are read.

import { ByteReader, ByteWriter } from "../bytes.ts";
import { type ByteString, sortKeyOf } from "../format/path.ts";
import { PieceReader } from "./leaf-pages.ts";
import type { OpenScratch, Scratch } from "./scratch.ts";

/** What is kept in memory, by estimate. */
const MEMORY_BYTES = 48 * 1024 * 1024;
/** What an item takes in memory beside its path (twice: its key) and bytes. */
const ITEM_BYTES = 400;
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

interface Item extends SortedRecord {
  readonly key: string;
}

interface Run {
  readonly scratch: Scratch;
  readonly count: number;
}

function isBefore(a: Item, b: Item): boolean {
  return a.key === b.key ? a.order < b.order : a.key < b.key;
}

const compareItems = (a: Item, b: Item): number => (isBefore(a, b) ? -1 : 1);

export class RecordSorter {
  readonly #openScratch: OpenScratch;
  readonly #memoryBytes: number;
  readonly #keyOf: KeyOf;
  #items: Item[] = [];
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

  /** Adds a record; keeps its bytes. */
  add(path: ByteString, order: number, bytes: Uint8Array): void {
    const item = { path, order, bytes, key: this.#keyOf({ path, order, bytes }) };
    const last = this.#items.at(-1);
    if (last !== undefined && isBefore(item, last)) this.#sorted = false;
    this.#items.push(item);
    this.#held += ITEM_BYTES + 2 * path.length + bytes.length;
    if (this.#held < this.#memoryBytes) return;
    this.#keep(0, this.#inMemory());
    this.#items = [];
    this.#held = 0;
  }

  #inMemory(): Item[] {
    if (!this.#sorted) this.#items.sort(compareItems);
    this.#sorted = true;
    return this.#items;
  }

  /** Writes a run. A level that is full becomes one run of the next. */
  #keep(level: number, items: Iterable<Item>): void {
    const scratch = this.#openScratch(0);
    const record = new ByteWriter(1024);
    let count = 0;
    for (const { path, order, bytes } of items) {
      const length = 4 + path.length + 8 + bytes.length;
      scratch.append(record.u32(length).u32(path.length).rawName(path).u64(order).raw(bytes).view());
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
    return merge([...kept, this.#inMemory()[Symbol.iterator]()]);
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
    const reader = new ByteReader(pieces.take(length), "the scratch");
    const path = reader.rawName(reader.u32());
    const order = reader.u64();
    const record = { path, order, bytes: reader.raw(reader.left) };
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
