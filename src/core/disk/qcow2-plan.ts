// A new qcow2 image, version 3, laid out before its first byte is written, so that it can go anywhere in order: header,
// reference counts, L1 table, L2 tables, then the clusters that hold data.

import { HexzError } from "../errors.ts";
import { IMAGE_LIMITS } from "../limits.ts";

const CLUSTER_BITS = 16;
const CLUSTER = 2 ** CLUSTER_BITS;
const HEADER_LENGTH = 104;
const MAGIC = 0x514649fb;
const SECTOR = 512;
/** Reference counts of 16 bits. */
const REFCOUNT_ORDER = 4;
const COUNTS_PER_BLOCK = CLUSTER / 2;
const ENTRIES = CLUSTER / 8;
/** Of an entry in the high word: nothing else refers to the cluster. */
const COPIED = 0x8000_0000;

/** Clusters [start, end) of the disk. */
export interface ClusterRun {
  readonly start: number;
  readonly end: number;
}

export interface Qcow2Plan {
  /** Length of the file in bytes. */
  readonly length: number;
  /** What of the disk has to follow the tables: ascending ranges of bytes, of whole clusters but for the disk's end. */
  readonly data: readonly ClusterRun[];
  /** Zeros behind the last byte of data. */
  readonly padding: number;
  /** Everything before the data. */
  tables(): Generator<Uint8Array>;
}

/**
 * @param size of the disk in bytes
 * @param data ascending ranges of bytes outside of which the disk is zero
 */
export function planQcow2(size: number, data: Iterable<{ readonly start: number; readonly end: number }>): Qcow2Plan {
  const runs = clusterRuns(data);
  const sum = (of: (run: ClusterRun) => number) => runs.reduce((total, run) => total + of(run), 0);
  const tables = new Set<number>();
  for (const { start, end } of runs) {
    for (let table = Math.floor(start / ENTRIES); table * ENTRIES < end; table++) tables.add(table);
  }
  const l1Entries = Math.ceil(size / (CLUSTER * ENTRIES));
  if (l1Entries * 8 > IMAGE_LIMITS.l1Table)
    throw new HexzError("limit_exceeded", `a disk of ${size} bytes is too large for qcow2`);
  const l1Clusters = Math.ceil(l1Entries / ENTRIES);
  const counted = countsFor(1 + l1Clusters + tables.size + sum(({ start, end }) => end - start));
  const countsAt = 1 + counted.tableClusters;
  const l1At = countsAt + counted.blocks;
  const l2At = l1At + l1Clusters;
  const dataAt = l2At + tables.size;
  const ranges = runs.map(({ start, end }) => ({ start: start * CLUSTER, end: Math.min(end * CLUSTER, size) }));
  const last = ranges.at(-1);
  return {
    length: counted.clusters * CLUSTER,
    data: ranges,
    padding: last === undefined ? 0 : Math.ceil(last.end / CLUSTER) * CLUSTER - last.end,
    *tables() {
      yield header({ size, l1Entries, l1At, tableClusters: counted.tableClusters });
      yield* pointers(counted.blocks, counted.tableClusters, (block) => (countsAt + block) * CLUSTER, 0);
      yield* counts(counted.clusters, counted.blocks);
      const ranks = new Map([...tables].map((table, rank) => [table, rank]));
      yield* pointers(l1Entries, l1Clusters, (table) => {
        const rank = ranks.get(table);
        return rank === undefined ? undefined : (l2At + rank) * CLUSTER;
      });
      yield* l2Tables(runs, tables, dataAt);
    },
  };
}

function clusterRuns(data: Iterable<{ readonly start: number; readonly end: number }>): ClusterRun[] {
  const runs: { start: number; end: number }[] = [];
  for (const range of data) {
    const start = Math.floor(range.start / CLUSTER);
    const end = Math.ceil(range.end / CLUSTER);
    const last = runs.at(-1);
    if (last !== undefined && last.end >= start) last.end = Math.max(last.end, end);
    else runs.push({ start, end });
  }
  return runs;
}

/** How many clusters there are with their reference counts, which count themselves, too. */
function countsFor(others: number): { clusters: number; blocks: number; tableClusters: number } {
  let blocks = 1;
  for (;;) {
    const tableClusters = Math.ceil(blocks / ENTRIES);
    const clusters = others + blocks + tableClusters;
    const needed = Math.ceil(clusters / COUNTS_PER_BLOCK);
    if (needed <= blocks) return { clusters, blocks, tableClusters };
    blocks = needed;
  }
}

function header(of: { size: number; l1Entries: number; l1At: number; tableClusters: number }): Uint8Array {
  const bytes = new Uint8Array(CLUSTER);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, 3);
  view.setUint32(20, CLUSTER_BITS);
  view.setBigUint64(24, BigInt(Math.ceil(of.size / SECTOR) * SECTOR));
  view.setUint32(36, of.l1Entries);
  view.setBigUint64(40, BigInt(of.l1At * CLUSTER));
  view.setBigUint64(48, BigInt(CLUSTER));
  view.setUint32(56, of.tableClusters);
  view.setUint32(96, REFCOUNT_ORDER);
  view.setUint32(100, HEADER_LENGTH);
  return bytes;
}

/** Entries that point to clusters, in so many clusters. */
function* pointers(
  count: number,
  clusters: number,
  placeOf: (number: number) => number | undefined,
  flags = COPIED,
): Generator<Uint8Array> {
  for (let cluster = 0; cluster < clusters; cluster++) {
    const view = new DataView(new ArrayBuffer(CLUSTER));
    for (let entry = 0; entry < ENTRIES && cluster * ENTRIES + entry < count; entry++) {
      const at = placeOf(cluster * ENTRIES + entry);
      if (at !== undefined) setPointer(view, entry, at, flags);
    }
    yield new Uint8Array(view.buffer);
  }
}

function setPointer(view: DataView, entry: number, at: number, flags: number): void {
  view.setUint32(entry * 8, (Math.floor(at / 2 ** 32) | flags) >>> 0);
  view.setUint32(entry * 8 + 4, at % 2 ** 32);
}

/** Every cluster of the file is used once. */
function* counts(clusters: number, blocks: number): Generator<Uint8Array> {
  for (let block = 0; block < blocks; block++) {
    const view = new DataView(new ArrayBuffer(CLUSTER));
    const here = Math.min(COUNTS_PER_BLOCK, clusters - block * COUNTS_PER_BLOCK);
    for (let number = 0; number < here; number++) view.setUint16(number * 2, 1);
    yield new Uint8Array(view.buffer);
  }
}

/** @param dataAt number of the first cluster of data in the file */
function* l2Tables(runs: readonly ClusterRun[], tables: Iterable<number>, dataAt: number): Generator<Uint8Array> {
  let run = 0;
  let cluster = dataAt;
  for (const table of tables) {
    const view = new DataView(new ArrayBuffer(CLUSTER));
    const end = (table + 1) * ENTRIES;
    for (; run < runs.length && runs[run]!.start < end; run++) {
      const from = Math.max(runs[run]!.start, table * ENTRIES);
      const to = Math.min(runs[run]!.end, end);
      for (let number = from; number < to; number++) setPointer(view, number % ENTRIES, cluster++ * CLUSTER, COPIED);
      if (runs[run]!.end > end) break;
    }
    yield new Uint8Array(view.buffer);
  }
}
