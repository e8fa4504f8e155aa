// Records by path, sorted in bounded memory: those that fit are sorted there; when they are too many they are spilled as
// a run, runs are merged into longer ones, and all are merged when they are read.

import { ByteReader, ByteWriter, varintLength } from "../bytes.ts";
import { type ByteString, byteStringOf, sortKeyOf, splitPath } from "../format/path.ts";
import { PieceReader } from "./leaf-pages.ts";
import type { OpenScratch, Scratch } from "./scratch.ts";

/** What is kept in memory, by estimate. */
const MEMORY_BYTES = 48 * 1024 * 1024;
/** What an item takes in memory beside its path (twice: its key) and bytes. */
const ITEM_BYTES = 136;
/** Records are kept in pieces of so many bytes, or of one that is longer. */
const PIECE_BYTES = 256 * 1024;
/** Bytes of an order. */
const ORDER_BYTES = 8;
/** Runs of one length that become one of the next. */
const FAN_IN = 32;

/** What the order of a record is computed from. */
export interface Unsorted {
  readonly path: ByteString;
  readonly bytes: Uint8Array;
}

/** A text whose plain comparison is the order; no two paths have the same. */
export type KeyOf = (record: Unsorted) => string;

/** A record. Those of one path come by their `order`. What it says is read when it is asked for. */
export class SortedRecord implements Unsorted {
  readonly key: string;
  readonly order: number;
  /** Of the path. */
  readonly directory: ByteString;
  readonly pathLength: number;
  readonly #piece: Uint8Array;
  readonly #start: number;
  readonly #end: number;

  /** @param piece has the record at [start, end) as writeItem wrote it */
  constructor(piece: Uint8Array, start: number, end: number, path: ByteString, order: number, key: string) {
    this.#piece = piece;
    this.#start = start;
    this.#end = end;
    this.directory = splitPath(path).directory;
    this.pathLength = path.length;
    this.order = order;
    this.key = key;
  }

  /** All of it, as writeItem wrote it. */
  get stored(): Uint8Array {
    return this.#piece.subarray(this.#start, this.#end);
  }

  /** The path as `ByteWriter.name` writes it, and `bytes`. */
  get named(): Uint8Array {
    return this.#piece.subarray(this.#start + ORDER_BYTES, this.#end);
  }

  get path(): ByteString {
    return byteStringOf(this.#piece.subarray(this.#bytesAt - this.pathLength, this.#bytesAt));
  }

  get bytes(): Uint8Array {
    return this.#piece.subarray(this.#bytesAt, this.#end);
  }

  get #bytesAt(): number {
    return this.#start + ORDER_BYTES + varintLength(this.pathLength) + this.pathLength;
  }
}

interface Run {
  readonly scratch: Scratch;
  readonly count: number;
}

type Place = Pick<SortedRecord, "key" | "order">;

export function isBefore(a: Place, b: Place): boolean {
  return a.key === b.key ? a.order < b.order : a.key < b.key;
}

const comparePlaces = (a: Place, b: Place): number => (isBefore(a, b) ? -1 : 1);

/** What is in memory, and in a run behind its length. */
function writeItem(writer: ByteWriter, path: ByteString, order: number, bytes: Uint8Array): void {
  writer.u64(order).name(path).raw(bytes);
}

export class RecordSorter {
  readonly #openScratch: OpenScratch;
  readonly #memoryBytes: number;
  readonly #keyOf: KeyOf;
  #items: SortedRecord[] = [];
  #piece = new ByteWriter(0);
  /** All the room of the piece. */
  #room = this.#piece.view();
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
    const length = ORDER_BYTES + varintLength(path.length) + path.length + bytes.length;
    if (this.#piece.length + length > this.#room.length || this.#items.length === 0) {
      const room = Math.max(PIECE_BYTES, length);
      this.#piece = new ByteWriter(room);
      this.#room = this.#piece.view(0, room);
    }
    const start = this.#piece.length;
    writeItem(this.#piece, path, order, bytes);
    const item = new SortedRecord(this.#room, start, start + length, path, order, this.#keyOf({ path, bytes }));
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

  #inMemory(): SortedRecord[] {
    if (!this.#sorted) this.#items.sort(comparePlaces);
    this.#sorted = true;
    return this.#items;
  }

  /** Writes a run. A level that is full becomes one run of the next. */
  #keep(level: number, items: Iterable<SortedRecord>): void {
    const scratch = this.#openScratch(0);
    const record = new ByteWriter(1024);
    let count = 0;
    for (const { stored } of items) {
      scratch.append(record.u32(stored.length).raw(stored).view());
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
    return merge([...kept, this.#inMemory().values()]);
  }

  close(): void {
    for (const { scratch } of this.#levels.flat()) scratch.close();
    this.#levels.length = 0;
    this.#items = [];
  }
}

function* readRun({ scratch, count }: Run, keyOf: KeyOf): Generator<SortedRecord> {
  const pieces = new PieceReader(scratch.read());
  for (let number = 0; number < count; number++) {
    const length = new ByteReader(pieces.take(4), "the scratch").u32();
    const stored = pieces.take(length);
    const reader = new ByteReader(stored, "the scratch");
    const order = reader.u64();
    const path = reader.name();
    yield new SortedRecord(stored, 0, length, path, order, keyOf({ path, bytes: reader.raw(reader.left) }));
  }
}

/** Merges sorted sequences with a heap of their next items. */
function* merge(sources: Iterator<SortedRecord>[]): Generator<SortedRecord> {
  const heap: { item: SortedRecord; source: Iterator<SortedRecord> }[] = [];
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
    if (last === undefined) heap[0] = { item: (next as IteratorYieldResult<SortedRecord>).value, source };
    else if (heap.length > 0) heap[0] = last;
    if (heap.length > 0) sink(0);
  }
}
