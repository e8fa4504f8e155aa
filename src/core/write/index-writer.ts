// The index of the archive being written: chunk records in address order become leaf pages as soon as their blocks are
// appended, and inner pages at the end.

import type { DigestOf } from "../digest.ts";
import type { Engine } from "../engine.ts";
import { encodeIndexInner, type IndexChild, IndexLeafBuilder } from "../format/index-page.ts";
import { encodePageBody, PAGE_KIND, type PageRef } from "../format/page.ts";
import type { TreeTop } from "../format/root.ts";
import { isLongSpan, TARGETS } from "../limits.ts";
import type { Appender } from "./appender.ts";
import { BatchedHasher } from "./batched-hasher.ts";
import type { BlockTable } from "./block-table.ts";
import type { CodedBlock, Layout } from "./layout.ts";
import { appendPage, buildTop, LeafPages } from "./leaf-pages.ts";
import type { OwnDictionaries } from "./own-dictionaries.ts";
import type { Scratch } from "./scratch.ts";
import type { Totals } from "./totals.ts";

/** No record with its block is longer: digest, chunk and block fields at their widest. */
const LONGEST_RECORD = 80;
/** Span, offset, length and digest of a child, at most. */
const CHILD_LENGTH = 52;

interface Pending {
  readonly length: number;
  /** Undefined: a run of one byte value. */
  readonly digest: Uint8Array | undefined;
  /** -1 for a run. */
  readonly block: number;
  readonly offset: number;
  readonly fill: number;
}

/** Puts inner pages over the leaves of an index. @param page appends one, of this payload */
export function buildIndexTop(
  leaves: readonly IndexChild[],
  page: (payload: Uint8Array) => PageRef,
): TreeTop<IndexChild> {
  const sum = (children: readonly IndexChild[]) => children.reduce((total, { span }) => total + span, 0);
  const end = sum(leaves);
  let firstAddress = 0;
  return buildTop<IndexChild>(leaves, {
    size: () => CHILD_LENGTH,
    pageLimit: TARGETS.innerPage,
    rootLimit: TARGETS.rootIndexChildren,
    append: (children) => {
      if (firstAddress === end) firstAddress = 0;
      const payload = encodeIndexInner(firstAddress, children);
      const span = sum(children);
      firstAddress += span;
      return { span, ref: page(payload) };
    },
  });
}

export class IndexWriter implements Layout {
  readonly #engine: Engine;
  readonly #digestOf: DigestOf;
  readonly #appender: Appender;
  readonly #blocks: BlockTable;
  readonly #dictionaries: OwnDictionaries;
  readonly #leaves: LeafPages<number>;
  readonly #totals: Totals;
  /** Of all records, for the content id. */
  readonly #hasher: BatchedHasher;
  #leaf = new IndexLeafBuilder(0);
  /** Records whose blocks are not all appended, in address order from #head on. */
  #queue: Pending[] = [];
  #head = 0;
  #openFill: { length: number; fill: number } | undefined;
  /** Address behind the records that went into leaves. */
  #drained = 0;
  #marks: { address: number; action: () => void }[] = [];
  /** Address behind all records. */
  address = 0;

  constructor(parts: {
    engine: Engine;
    digestOf: DigestOf;
    appender: Appender;
    blocks: BlockTable;
    dictionaries: OwnDictionaries;
    totals: Totals;
    scratch: Scratch;
  }) {
    this.#engine = parts.engine;
    this.#digestOf = parts.digestOf;
    this.#appender = parts.appender;
    this.#blocks = parts.blocks;
    this.#dictionaries = parts.dictionaries;
    this.#leaves = new LeafPages(parts.scratch, parts.digestOf);
    this.#totals = parts.totals;
    this.#hasher = new BatchedHasher(parts.engine.createHasher());
  }

  /** A run of one byte value; neighbours of one value become one record, up to the next border. */
  fill(length: number, value: number): void {
    this.address += length;
    if (this.#openFill?.fill === value) {
      this.#openFill.length += length;
      return;
    }
    this.border();
    this.#openFill = { length, fill: value };
  }

  chunk(length: number, digest: Uint8Array, block: number, offset: number): void {
    this.border();
    this.address += length;
    this.#hasher.pending.u64(length).u8(1).raw(digest);
    this.#hasher.flushIfLong();
    this.#queue.push({ length, digest, block, offset, fill: -1 });
    this.#drain();
  }

  /** Ends what may not go on: a content ends here. */
  border(): void {
    const run = this.#openFill;
    if (run === undefined) return;
    this.#openFill = undefined;
    this.#totals.fill(run.length);
    this.#hasher.pending.u64(run.length).u8(0).u8(run.fill);
    this.#hasher.flushIfLong();
    this.#queue.push({ ...run, digest: undefined, block: -1, offset: 0 });
    this.#drain();
  }

  /**
   * Runs an action when everything before the current address, which is a border, is in leaves. That moment lies
   * between the same two blocks however the work was scheduled.
   */
  whenDrained(action: () => void): void {
    this.border();
    this.#marks.push({ address: this.address, action });
    this.#runMarks();
  }

  #runMarks(): void {
    while (this.#marks.length > 0 && this.#marks[0]!.address <= this.#drained) this.#marks.shift()!.action();
  }

  block({ codec, stored, plainLength, origin = 0 }: CodedBlock): void {
    this.#dictionaries.beforeBlock(origin);
    const offset = this.#appender.position;
    this.#appender.append(stored);
    this.#blocks.append({ origin, codec, offset, storedLength: stored.length, plainLength });
    this.#totals.block(codec, stored.length, plainLength);
    this.#drain();
  }

  /** Moves records into leaves, as far as their blocks are appended. */
  #drain(): void {
    while (this.#head < this.#queue.length) {
      const { length: span, digest, block, offset, fill } = this.#queue[this.#head]!;
      if (block >= this.#blocks.count) break;
      this.#head++;
      if (this.#leaf.length + LONGEST_RECORD > TARGETS.indexLeaf) this.#closeLeaf();
      let endsBlock = false;
      if (digest === undefined) this.#leaf.fill(span, fill);
      else endsBlock = this.#leaf.chunk(span, digest, block, offset, this.#blocks);
      this.#drained += span;
      const { length, firstAddress } = this.#leaf;
      const isFull =
        length > TARGETS.indexLeafAtBlockEnd || isLongSpan(firstAddress, this.#drained, TARGETS.indexLeafSpan);
      if (endsBlock && isFull) this.#closeLeaf();
      this.#runMarks();
    }
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  #closeLeaf(): void {
    const { span, firstAddress } = this.#leaf;
    const page = encodePageBody(PAGE_KIND.indexLeaf, this.#leaf.encode(), this.#engine, this.#digestOf);
    this.#leaves.add(this.#appender, page, span);
    this.#leaf = new IndexLeafBuilder(firstAddress + span);
  }

  /** Ends the last leaf; all blocks must be appended. */
  finishLeaves(): void {
    this.border();
    this.#drain();
    if (this.#leaf.span > 0) this.#closeLeaf();
  }

  /** Appends the second copies and the inner pages. */
  async finish(): Promise<{ top: TreeTop<IndexChild>; chunksDigest: Uint8Array }> {
    const pages = await this.#leaves.appendCopies(this.#appender);
    const leaves = pages.map(({ about: span, ref }) => ({ span, ref }));
    const top = buildIndexTop(leaves, (payload) => {
      const page = encodePageBody(PAGE_KIND.indexInner, payload, this.#engine, this.#digestOf);
      return appendPage(this.#appender, page, this.#digestOf);
    });
    return { top, chunksDigest: this.#hasher.digest() };
  }

  close(): void {
    this.#leaves.close();
  }
}
