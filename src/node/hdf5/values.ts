// The values of a dataset, as raw bytes in C order, any range of them.

import type { Filter, Metadata } from "h5wasm";
import { HexzError } from "../../core/errors.ts";
import type { Hdf5File } from "./library.ts";
import { checkType, type Datatype, isVariable, rawValues } from "./types.ts";

const MIB = 1024 * 1024;
/** Decoded at once: chunks of a few MiB in several columns fit. */
const SLAB = 32 * MIB;
const LARGEST_ELEMENT = 16 * MIB;

/** What libhdf5 knows of a dataset. */
export interface Dataset {
  readonly path: string;
  /** For messages. */
  readonly name: string;
  readonly type: Datatype;
  /** Dimensions; none for a scalar. Undefined when it is empty: a dataset without a space. */
  readonly shape: readonly number[] | undefined;
  readonly chunks: readonly number[] | undefined;
  readonly maxShape: readonly (number | null)[] | undefined;
  readonly filters: readonly Filter[];
  /** Number of elements. */
  readonly count: number;
}

/** @throws HexzError `damaged`, `limit_exceeded` */
export function describeDataset(file: Hdf5File, path: string): Dataset {
  const name = `the dataset "${path}" of ${file.source.name}`;
  const what = `read the description of "${path}"`;
  const metadata: Metadata = file.call(what, (library) => library.get_dataset_metadata(file.id, path));
  const filters = file.call(what, (library) => library.get_dataset_filters(file.id, path));
  const { shape, chunks, maxshape, size, total_size: count } = metadata;
  if (size > LARGEST_ELEMENT || count * size > Number.MAX_SAFE_INTEGER) {
    throw new HexzError("limit_exceeded", `${name} has ${count} elements of ${size} bytes`);
  }
  return {
    path,
    name,
    type: metadata,
    shape: shape ?? undefined,
    chunks: chunks ?? undefined,
    maxShape: maxshape ?? undefined,
    filters,
    count: shape === null ? 0 : count,
  };
}

/** A box of a dataset: so many elements from an offset, in each dimension. */
interface Box {
  readonly offset: readonly number[];
  readonly count: readonly number[];
}

/** Elements [start, end) in C order as boxes of at most `most` elements each, in order. */
export function* boxesOf(shape: readonly number[], start: number, end: number, most: number): Generator<Box> {
  if (start >= end) return;
  const [rows, ...inner] = shape;
  if (rows === undefined) {
    yield { offset: [], count: [] };
    return;
  }
  const row = inner.reduce((a, b) => a * b, 1);
  for (let at = start; at < end; ) {
    const first = Math.floor(at / row);
    const whole = Math.min(Math.floor(end / row) - first, Math.floor(most / row));
    if (at === first * row && whole > 0) {
      yield { offset: [first, ...inner.map(() => 0)], count: [whole, ...inner] };
      at += whole * row;
      continue;
    }
    const stop = Math.min(end, (first + 1) * row);
    for (const box of boxesOf(inner, at - first * row, stop - first * row, most)) {
      yield { offset: [first, ...box.offset], count: [1, ...box.count] };
    }
    at = stop;
  }
}

/** Reads elements [start, end) and hands their raw bytes over, piece by piece in order. */
export function* readElements(file: Hdf5File, dataset: Dataset, start: number, end: number): Generator<Uint8Array> {
  const { type, shape = [], path } = dataset;
  checkType(type, dataset.name);
  for (const { offset, count } of boxesOf(shape, start, end, Math.floor(SLAB / type.size))) {
    const length = count.reduce((a, b) => a * b, 1) * type.size;
    const { library } = file;
    const memory = library._malloc(length);
    if (memory === 0) throw new HexzError("unsupported", `no memory for ${length} bytes of ${dataset.name}`);
    const counts = count.map(BigInt);
    try {
      file.call(`read "${path}"`, () => {
        const whole = count.length === 0 ? [null, null, null] : [counts, offset.map(BigInt), counts.map(() => 1n)];
        const [counted, from, strides] = whole as [bigint[] | null, bigint[] | null, bigint[] | null];
        return library.get_dataset_data(file.id, path, counted, from, strides, BigInt(memory));
      });
      const elements = library.HEAPU8.slice(memory, memory + length);
      yield rawValues(type, elements, { bytes: library.HEAPU8 });
      if (isVariable(type)) library.reclaim_vlen_memory_count(file.id, path, "", BigInt(memory), counts);
    } finally {
      library._free(memory);
    }
  }
}

/** Bytes of all values: of variable lengths this reads them. */
export function sizeOfValues(file: Hdf5File, dataset: Dataset): number {
  if (!isVariable(dataset.type)) return dataset.count * dataset.type.size;
  let size = 0;
  for (const piece of readElements(file, dataset, 0, dataset.count)) size += piece.length;
  return size;
}

/** Reads any range of a dataset's raw bytes. Reading on from the last range decodes whole rows of chunks, once. */
export class ValueReader {
  readonly #file: Hdf5File;
  readonly #dataset: Dataset;
  #held: { start: number; bytes: Uint8Array } = { start: 0, bytes: new Uint8Array(0) };

  constructor(file: Hdf5File, dataset: Dataset) {
    this.#file = file;
    this.#dataset = dataset;
  }

  /** Bytes [start, end). */
  read(start: number, end: number): Uint8Array {
    return isVariable(this.#dataset.type) ? this.#readVariable(start, end) : this.#readFixed(start, end);
  }

  #readFixed(start: number, end: number): Uint8Array {
    const out = new Uint8Array(end - start);
    for (let at = start; at < end; ) {
      const held = this.#held;
      if (at < held.start || at >= held.start + held.bytes.length) {
        this.#held = this.#decode(at, end);
        continue;
      }
      const piece = held.bytes.subarray(at - held.start, end - held.start);
      out.set(piece, at - start);
      at += piece.length;
    }
    return out;
  }

  /** The elements from a byte on, within a slab: to the end of the range or of the rows of chunks that it lies in. */
  #decode(at: number, end: number): { start: number; bytes: Uint8Array } {
    const { type, shape = [], chunks, count } = this.#dataset;
    const most = Math.floor(SLAB / type.size);
    const rows = (chunks?.[0] ?? 1) * shape.slice(1).reduce((a, b) => a * b, 1);
    const readsOn = at === this.#held.start + this.#held.bytes.length && rows <= most;
    const first = Math.floor(at / type.size);
    const last = Math.ceil(end / type.size);
    const wanted = readsOn ? Math.ceil(last / rows) * rows : last;
    const stop = Math.min(count, wanted, first + most);
    const pieces = [...readElements(this.#file, this.#dataset, first, stop)];
    return { start: first * type.size, bytes: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces) };
  }

  /** Where an element begins depends on all before it. */
  #readVariable(start: number, end: number): Uint8Array {
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (const piece of readElements(this.#file, this.#dataset, 0, this.#dataset.count)) {
      if (at >= end) break;
      pieces.push(piece.subarray(Math.max(0, start - at), Math.max(0, end - at)));
      at += piece.length;
    }
    return Buffer.concat(pieces);
  }
}
