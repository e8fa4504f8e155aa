// The index of an archive of format 1 that is being written (docs/format-1.md, "Index"): one block a chunk, listed in
// pages that are appended as soon as they are full or a content ends. A page lies behind the last block that it lists,
// so its place does not depend on when blocks are coded.

import {
  type BlockEntry,
  ENTRIES_PER_PAGE,
  encodeIndexPage,
  type MasterIndex,
  type PagePlace,
} from "../../format/v1/index-page.ts";
import type { Appender } from "../appender.ts";
import type { CodedBlock, Layout } from "../layout.ts";
import type { Totals } from "../totals.ts";
import { AppendedBlocks } from "./appended-blocks.ts";
import type { ParentChunks, StreamName } from "./parent-chunks.ts";

export interface Format1IndexParts {
  readonly appender: Appender;
  readonly totals: Totals;
  /** No block of zeros is longer. */
  readonly longestChunk: number;
  readonly crc32: (bytes: Uint8Array) => number;
  /** Encrypts a coded block; absent: the archive is plain. */
  readonly seal: ((blockNumber: number, coded: Uint8Array) => Uint8Array) | undefined;
  readonly parent: ParentChunks | undefined;
}

/** What waits for blocks to be appended, in order: entries, and what ends pages. */
type Pending =
  | Exclude<BlockEntry, { kind: "data" }>
  | { readonly kind: "chunk"; readonly block: number; readonly plainLength: number; readonly digest: Uint8Array }
  | { readonly kind: "border" }
  | { readonly kind: "stream"; readonly name: StreamName };

/** Of a stream: what was asked for so far, and the pages that are written. */
interface StreamState {
  size: number;
  readonly pages: PagePlace[];
  /** Where the next entry of a page begins. */
  drained: number;
}

const newStream = (): StreamState => ({ size: 0, pages: [], drained: 0 });

export class Format1IndexWriter implements Layout {
  readonly #parts: Format1IndexParts;
  readonly #blocks = new AppendedBlocks();
  readonly #streams = { main: newStream(), auxiliary: newStream() };
  /** Which stream is being read, and which one the open page is of. */
  #reading: StreamName = "main";
  #paging: StreamName = "main";
  #queue: Pending[] = [];
  #head = 0;
  /** Of the open page. */
  #entries: BlockEntry[] = [];
  #pageStart = 0;
  /** Entries that left the queue: the number of the next block. */
  #numbered = 0;
  /** References to the parent. */
  referenceCount = 0;

  constructor(parts: Format1IndexParts) {
    this.#parts = parts;
  }

  /** What follows is of this stream. */
  begin(name: StreamName): void {
    this.#reading = name;
    this.#push({ kind: "stream", name });
  }

  /** Bytes of the auxiliary stream so far. */
  get auxiliarySize(): number {
    return this.#streams.auxiliary.size;
  }

  fill(length: number, value: number): void {
    if (value !== 0) throw new TypeError("format 1 has no fills but zeros");
    const { longestChunk, totals } = this.#parts;
    for (let left = length; left > 0; left -= longestChunk) {
      const plainLength = Math.min(left, longestChunk);
      totals.fill(plainLength);
      this.#push({ kind: "zeros", plainLength });
    }
    this.#streams[this.#reading].size += length;
  }

  chunk(length: number, digest: Uint8Array, block: number): void {
    this.#streams[this.#reading].size += length;
    this.#push({ kind: "chunk", block, plainLength: length, digest });
  }

  parentChunk(length: number, digest: Uint8Array): boolean {
    const stream = this.#streams[this.#reading];
    if (!this.#parts.parent?.has(this.#reading, stream.size, length, digest)) return false;
    stream.size += length;
    this.referenceCount++;
    this.#push({ kind: "reference", plainLength: length, digest });
    return true;
  }

  border(): void {
    this.#push({ kind: "border" });
  }

  block({ codec, stored, plainLength, checksum }: CodedBlock): void {
    const { appender, crc32, seal, totals } = this.#parts;
    // No chunk is stored twice in an encrypted archive: this block is that of the entry that waits for it.
    const sealed = seal?.(this.#numbered, stored);
    const bytes = sealed ?? stored;
    const offset = appender.position;
    appender.append(bytes);
    this.#blocks.append({ offset, storedLength: bytes.length, checksum: sealed ? crc32(sealed) : checksum! });
    totals.block(codec, bytes.length, plainLength);
    this.#drain();
  }

  #push(pending: Pending): void {
    this.#queue.push(pending);
    this.#drain();
  }

  /** Moves what waits into pages, as far as its blocks are appended. */
  #drain(): void {
    for (; this.#head < this.#queue.length; this.#head++) {
      const pending = this.#queue[this.#head]!;
      if (pending.kind === "border") this.#closePage();
      else if (pending.kind === "stream") {
        this.#closePage();
        this.#paging = pending.name;
      } else if (pending.kind !== "chunk") this.#add(pending);
      else if (pending.block < this.#blocks.count) {
        const { plainLength, digest } = pending;
        const digestIfPlain = this.#parts.seal === undefined ? digest : undefined;
        this.#add({ kind: "data", ...this.#blocks.get(pending.block), plainLength, digest: digestIfPlain });
      } else break;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  #add(entry: BlockEntry): void {
    const stream = this.#streams[this.#paging];
    if (this.#entries.length === 0) this.#pageStart = stream.drained;
    this.#entries.push(entry);
    this.#numbered++;
    stream.drained += entry.plainLength;
    if (this.#entries.length === ENTRIES_PER_PAGE) this.#closePage();
  }

  #closePage(): void {
    if (this.#entries.length === 0) return;
    const { appender } = this.#parts;
    const page = encodeIndexPage(this.#entries);
    const startBlock = this.#numbered - this.#entries.length;
    const place = { offset: appender.position, length: page.length, startBlock, startLogical: this.#pageStart };
    this.#streams[this.#paging].pages.push(place);
    appender.append(page);
    this.#entries = [];
  }

  /** Writes the last page; all blocks must be appended. */
  finish(): MasterIndex {
    this.border();
    const { main, auxiliary } = this.#streams;
    return {
      main: { pages: main.pages, size: main.size },
      auxiliary: { pages: auxiliary.pages, size: auxiliary.size },
    };
  }
}
