// Reads a qcow2 image: which part of the disk is where. Tables are read by windows, so that memory does not depend on
// what an image claims; what is allocated may not be more than the file can hold, so that one that repeats itself ends.

import { HexzError } from "../errors.ts";
import { checkLimit, IMAGE_LIMITS } from "../limits.ts";
import type { RangeSource } from "../source/source.ts";
import { clipped, type DiskLayer, type Extent } from "./layer.ts";
import {
  decodeL1Entry,
  decodeL2Entry,
  decodeQcow2Header,
  decodeSnapshotLengths,
  decodeSnapshotNames,
  l1Span,
  l2EntryLength,
  partSize,
  QCOW2_HEADER_LENGTH,
  type Qcow2Header,
  SNAPSHOT_LENGTH,
  type Snapshot,
} from "./qcow2.ts";

const WINDOW = 64 * 1024;
/** Neighbours with data are put together up to about this much. */
const FAR_ENOUGH = 64 * 1024 * 1024;
/** No coded cluster is shorter, in any codec. */
const SHORTEST_CODED = 8;

/** Decodes a cluster into all of `out`; `coded` may have bytes behind its end. @throws HexzError `damaged` */
export type DecodeCluster = (coded: Uint8Array, out: Uint8Array) => void;

/** The header of an image. @throws HexzError */
export async function readQcow2Header(source: RangeSource): Promise<Qcow2Header> {
  return decodeQcow2Header(await source.read(0, Math.min(source.size, QCOW2_HEADER_LENGTH)), source.name);
}

/** Names of the internal snapshots, in their order. */
export async function readSnapshots(source: RangeSource, { snapshots }: Qcow2Header): Promise<Snapshot[]> {
  const found: Snapshot[] = [];
  let at = snapshots.offset;
  const read = async (start: number, length: number) => {
    if (start + length <= source.size) return source.read(start, start + length);
    throw new HexzError("truncated", `${source.name} ends inside its table of snapshots`, { data: { at: start } });
  };
  for (let number = 0; number < snapshots.count; number++) {
    const lengths = decodeSnapshotLengths(await read(at, SNAPSHOT_LENGTH));
    checkLimit(
      `the table of snapshots of ${source.name}`,
      at + lengths.all - snapshots.offset,
      IMAGE_LIMITS.snapshotTable,
    );
    const names = await read(at + SNAPSHOT_LENGTH + lengths.extra, lengths.id + lengths.name);
    found.push(decodeSnapshotNames(names, lengths.id));
    at += lengths.all;
  }
  return found;
}

/** Big endian 32-bit words of a file, of which a window is kept. */
class Words {
  readonly #source: RangeSource;
  #start = 0;
  #view: DataView = new DataView(new ArrayBuffer(0));

  constructor(source: RangeSource) {
    this.#source = source;
  }

  /** @param what for messages @param end of the table, which must lie in the file */
  async at(position: number, end: number, what: string): Promise<number> {
    if (position < this.#start || position + 4 > this.#start + this.#view.byteLength) {
      const { name, size } = this.#source;
      if (end > size) {
        throw new HexzError("truncated", `${name}: ${what} would end at ${end}, the file ends at ${size}`, {
          data: { end, size },
        });
      }
      const bytes = await this.#source.read(position, Math.min(position + WINDOW, end));
      this.#start = position;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return this.#view.getUint32(position - this.#start);
  }
}

export class Qcow2Layer implements DiskLayer {
  readonly name: string;
  readonly size: number;
  readonly #source: RangeSource;
  readonly #header: Qcow2Header;
  readonly #backing: DiskLayer | undefined;
  readonly #decode: DecodeCluster;
  readonly #l1: Words;
  readonly #l2: Words;
  readonly #clusterSize: number;
  /** A stretch that was found while the one before was put together. */
  #ahead: { start: number; extent: Extent } | undefined;
  #cluster: { at: number; bytes: Uint8Array } | undefined;
  /** Bytes of the file that the disk up to `#seen` needs, as it says. */
  #needed = 0;
  #seen = 0;
  #tables = -1;

  constructor(source: RangeSource, header: Qcow2Header, decode: DecodeCluster, backing?: DiskLayer) {
    this.name = source.name;
    this.size = header.size;
    this.#source = source;
    this.#header = header;
    this.#backing = backing;
    this.#decode = decode;
    this.#l1 = new Words(source);
    this.#l2 = new Words(source);
    this.#clusterSize = 2 ** header.clusterBits;
  }

  /** Neighbours of one kind come as one stretch. */
  async extent(position: number): Promise<Extent> {
    let found = await this.#next(position);
    while (found.end < this.size && found.kind !== "coded") {
      if (found.kind === "data" && found.end - position >= FAR_ENOUGH) break;
      const next = await this.#next(found.end);
      const follows =
        found.kind === "zero"
          ? next.kind === "zero"
          : next.kind === "data" && next.source === found.source && next.at === found.at + found.end - position;
      if (!follows) {
        this.#ahead = { start: found.end, extent: next };
        break;
      }
      found = { ...found, end: next.end };
    }
    return found;
  }

  async #next(position: number): Promise<Extent> {
    if (this.#ahead?.start === position) return this.#ahead.extent;
    const { clusterBits, l1 } = this.#header;
    const span = l1Span(this.#header);
    const number = Math.floor(position / span);
    const at = l1.offset + number * 8;
    const end = l1.offset + l1.entries * 8;
    const high = await this.#l1.at(at, end, "the L1 table");
    const table = decodeL1Entry(high, await this.#l1.at(at + 4, end, "the L1 table"));
    if (table === undefined) return this.#below(position, Math.min((number + 1) * span, this.size));
    if (table % 2 ** clusterBits !== 0) throw this.#invalid(`an L2 table lies at ${table}, not at a cluster`, position);
    if (number > this.#tables) {
      this.#tables = number;
      this.#need(this.#clusterSize, position);
    }
    return this.#part(table, position, position - number * span);
  }

  /** @param offset within what the table describes */
  async #part(table: number, position: number, offset: number): Promise<Extent> {
    const entryLength = l2EntryLength(this.#header);
    const size = partSize(this.#header);
    const at = table + Math.floor(offset / this.#clusterSize) * entryLength;
    const words: number[] = [];
    for (let word = 0; word < entryLength; word += 4) {
      words.push(await this.#l2.at(at + word, table + this.#clusterSize, "an L2 table"));
    }
    const inCluster = offset % this.#clusterSize;
    const part = decodeL2Entry(this.#header, words, Math.floor(inCluster / size));
    if (typeof part === "string") throw this.#invalid(part, position);
    const clusterEnd = Math.min(position - inCluster + this.#clusterSize, this.size);
    const end = part.kind === "coded" ? clusterEnd : Math.min(position - (offset % size) + size, this.size);
    if (part.kind === "unallocated") return this.#below(position, end);
    if (part.kind === "zero") return { kind: "zero", end };
    if (part.kind === "coded") {
      if (end > this.#seen) this.#need(SHORTEST_CODED, position);
      this.#seen = Math.max(this.#seen, end);
      return { kind: "coded", end, offset: inCluster, decode: () => this.#decoded(part, position) };
    }
    return this.#data(part.at, position, inCluster, end);
  }

  #data(cluster: number, position: number, inCluster: number, end: number): Extent {
    const { name, size } = this.#source;
    if (cluster >= size) {
      throw new HexzError(
        "truncated",
        `${name}: the cluster of its byte ${position} would lie at ${cluster}, the file ends at ${size}`,
        {
          data: { position, at: cluster, size },
        },
      );
    }
    if (end > this.#seen) this.#need(end - Math.max(this.#seen, position), position);
    this.#seen = Math.max(this.#seen, end);
    const at = cluster + inCluster;
    // The last cluster of a file need not be written to its end: what is missing is zero.
    if (at >= size) return { kind: "zero", end };
    return { kind: "data", source: this.#source, at, end: Math.min(end, position + size - at) };
  }

  /** What the backing file has; behind its end there are zeros. */
  async #below(position: number, end: number): Promise<Extent> {
    const backing = this.#backing;
    if (backing === undefined || position >= backing.size) return { kind: "zero", end };
    return clipped(await backing.extent(position), Math.min(end, backing.size));
  }

  async #decoded({ at, length }: { at: number; length: number }, position: number): Promise<Uint8Array> {
    if (this.#cluster?.at === at) return this.#cluster.bytes;
    const { name, size } = this.#source;
    if (at >= size) {
      throw new HexzError("truncated", `${name}: a compressed cluster would lie at ${at}, the file ends at ${size}`, {
        data: { position, at, size },
      });
    }
    const bytes = new Uint8Array(this.#clusterSize);
    try {
      // Lengths are whole sectors, and the last one of the file need not be there.
      this.#decode(await this.#source.read(at, Math.min(at + length, size)), bytes);
    } catch (error) {
      if (!(error instanceof HexzError) || error.code === "io") throw error;
      throw new HexzError("damaged", `${name}: the compressed cluster at ${at} does not decode: ${error.message}`, {
        data: { position, at },
        cause: error,
      });
    }
    this.#cluster = { at, bytes };
    return bytes;
  }

  #need(bytes: number, position: number): void {
    this.#needed += bytes;
    // A cluster that the file ends in counts whole.
    if (this.#needed <= this.#source.size + this.#clusterSize) return;
    throw this.#invalid(
      `its disk up to ${position} has more allocated than the file has: tables or clusters are used twice`,
      position,
    );
  }

  #invalid(what: string, position: number): HexzError {
    return new HexzError("invalid", `${this.name} is not a valid qcow2 image: ${what}`, { data: { position } });
  }
}
