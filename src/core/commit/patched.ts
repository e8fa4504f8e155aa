// An archive with one of its streams changed, as something to copy: the index with the new chunks in it, streams and
// entries behind the change moved along, and the bytes of the new chunks.

import { equalBytes } from "../bytes.ts";
import type { DigestOf } from "../digest.ts";
import { HexzError } from "../errors.ts";
import type { Entry } from "../format/entry.ts";
import type { BlockRef, IndexLeaf } from "../format/index-page.ts";
import type { Root, Stream } from "../format/root.ts";
import type { CopySource } from "../write/copier.ts";
import type { ChangedContent, NewChunk, Splice } from "./splices.ts";

/** The archive number of blocks that are not stored anywhere yet: each is one chunk, its offset where that begins. */
const NOWHERE = -1;
/** Records of a leaf that is put together. */
const LEAF_RECORDS = 4096;

type LeafRecord = { length: number } & ({ fill: number } | { digest: Uint8Array; block: BlockRef; offset: number });

export interface Patch {
  readonly stream: Stream;
  readonly content: ChangedContent;
  readonly splices: readonly Splice[];
  /** For the new chunks, and for blocks that cannot stay as they are. */
  readonly coding: Root["coding"];
  readonly metadata: Readonly<Record<string, unknown>>;
}

export function patchedSource(base: CopySource, patch: Patch, digestOf: DigestOf): CopySource {
  const { stream, content, coding, metadata } = patch;
  const growth = content.size - stream.size;
  const end = stream.start + stream.size;
  const moved = <R extends { start?: number; size?: number }>(range: R): R =>
    growth > 0 && (range.size ?? 0) > 0 && range.start! >= end ? { ...range, start: range.start! + growth } : range;
  const { root } = base;
  return {
    root: {
      ...root,
      coding,
      addressSpace: root.addressSpace + growth,
      counts: { ...root.counts, originalSize: root.counts.originalSize + growth },
      streams: root.streams.map((one) => (one.name === stream.name ? { ...one, size: content.size } : moved(one))),
    },
    contentId: undefined,
    metadata,
    leaves: () => patchedLeaves(base, patch),
    async *entries() {
      for await (const entry of base.entries()) yield moved(entry) as Entry;
    },
    isStored: ({ archive }) => archive !== NOWHERE,
    verify: (...chunk) => base.verify(...chunk),
    stored: (block) => base.stored(block),
    dictionary: (block) => base.dictionary(block),
    async chunk(block, offset, length, digest) {
      if (block.archive !== NOWHERE) return base.chunk(block, offset, length, digest);
      const bytes = await content.read(block.offset, block.offset + length);
      if (equalBytes(digestOf(bytes), digest)) return bytes;
      throw new HexzError("changed", "the overlay changed while it was read", {
        data: { start: block.offset, length },
      });
    },
  };
}

async function* patchedLeaves(base: CopySource, patch: Patch): AsyncGenerator<IndexLeaf> {
  const builder = new LeafBuilder();
  let address = 0;
  for await (const record of spliced(base, patch)) {
    if (record === "border") {
      builder.border();
      continue;
    }
    builder.add(record);
    if (builder.count < LEAF_RECORDS) continue;
    const leaf = builder.take(address);
    address = leaf.starts.at(-1)!;
    yield leaf;
  }
  builder.border();
  if (builder.count > 0) yield builder.take(address);
}

/** The records of the index, with the new ones; a border where a fill may not go on. */
async function* spliced(base: CopySource, { stream, splices }: Patch): AsyncGenerator<LeafRecord | "border"> {
  const end = stream.start + stream.size;
  let next = 0;
  /** Up to where in the stream the old records are replaced. */
  let replaced = 0;
  const due = function* (position: number): Generator<LeafRecord> {
    for (; next < splices.length && splices[next]!.start <= position; next++) {
      let at = splices[next]!.start;
      for (const chunk of splices[next]!.chunks) {
        yield newRecord(chunk, at);
        at += chunk.length;
      }
      replaced = splices[next]!.end;
    }
  };
  for await (const leaf of base.leaves()) {
    for (let number = 0; number < leaf.fills.length; number++) {
      const from = leaf.starts[number]!;
      const to = leaf.starts[number + 1]!;
      if (from >= end || from < stream.start) {
        if (from >= end) yield* due(stream.size);
        yield "border";
        yield oldRecord(leaf, number, to - from);
        yield "border";
        continue;
      }
      // What a fill covers may be replaced in part, more than once.
      for (let at = from - stream.start; at < to - stream.start; ) {
        yield* due(at);
        at = Math.max(at, replaced);
        const until = Math.min(to - stream.start, splices[next]?.start ?? Number.POSITIVE_INFINITY);
        if (until <= at) continue;
        yield oldRecord(leaf, number, until - at);
        at = until;
      }
    }
  }
  yield* due(stream.size);
}

function oldRecord(
  { fills, digests, blocks, blockNumbers, blockOffsets }: IndexLeaf,
  number: number,
  length: number,
): LeafRecord {
  const fill = fills[number]!;
  if (fill >= 0) return { length, fill };
  const digest = digests.subarray(number * 32, number * 32 + 32);
  return { length, digest, block: blocks[blockNumbers[number]!]!, offset: blockOffsets[number]! };
}

function newRecord(chunk: NewChunk, position: number): LeafRecord {
  if ("fill" in chunk) return chunk;
  const { length, digest } = chunk;
  const block = {
    archive: NOWHERE,
    dictionary: undefined,
    codec: 0,
    offset: position,
    storedLength: 0,
    plainLength: length,
  };
  return { length, digest, block, offset: 0 };
}

/** Puts records together; neighbouring fills of one value become one. */
class LeafBuilder {
  #records: LeafRecord[] = [];
  #fill: { length: number; fill: number } | undefined;

  get count(): number {
    return this.#records.length;
  }

  add(record: LeafRecord): void {
    if ("fill" in record && this.#fill?.fill === record.fill) {
      this.#fill.length += record.length;
      return;
    }
    this.border();
    if ("fill" in record) this.#fill = { ...record };
    else this.#records.push(record);
  }

  border(): void {
    if (this.#fill !== undefined) this.#records.push(this.#fill);
    this.#fill = undefined;
  }

  take(address: number): IndexLeaf {
    const records = this.#records;
    this.#records = [];
    const leaf = {
      starts: new Float64Array(records.length + 1),
      fills: new Int16Array(records.length).fill(-1),
      blockNumbers: new Uint32Array(records.length),
      blockOffsets: new Uint32Array(records.length),
      digests: new Uint8Array(records.length * 32),
      blocks: [] as BlockRef[],
    };
    const numbers = new Map<BlockRef, number>();
    let at = address;
    for (const [number, record] of records.entries()) {
      leaf.starts[number] = at;
      at += record.length;
      if ("fill" in record) {
        leaf.fills[number] = record.fill;
        continue;
      }
      let block = numbers.get(record.block);
      if (block === undefined) {
        block = leaf.blocks.push(record.block) - 1;
        numbers.set(record.block, block);
      }
      leaf.blockNumbers[number] = block;
      leaf.blockOffsets[number] = record.offset;
      leaf.digests.set(record.digest, number * 32);
    }
    leaf.starts[records.length] = at;
    return leaf;
  }
}
