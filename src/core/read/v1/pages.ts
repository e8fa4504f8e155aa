// The index pages of one archive of format 1: which entry covers a place of a stream.

import { HexzError } from "../../errors.ts";
import { type BlockEntry, decodeIndexPage, type StreamIndex } from "../../format/v1/index-page.ts";
import { checkLimit, LIMITS } from "../../limits.ts";
import { mergeRanges } from "../../source/merge.ts";
import { Cache } from "../cache.ts";
import type { Io } from "../io.ts";
import { lastAtMost } from "../search.ts";
import type { Opened1 } from "./open.ts";

export type StreamName = "main" | "auxiliary";
export const STREAMS: readonly StreamName[] = ["main", "auxiliary"];

/** A page with the places of its entries. */
export interface Page {
  readonly entries: readonly BlockEntry[];
  /** Where entries begin in the stream, and at the end the place behind the last. */
  readonly starts: Float64Array;
  /** Number of the first block, through the whole archive. */
  readonly startBlock: number;
}

/** Decoded pages that are kept, in bytes of memory: some dozens of full ones. */
const CACHE_BYTES = 32 * 1024 * 1024;
/** What a page takes of it, and what each of its entries does. */
const MEMORY = { page: 512, entry: 256 } as const;
/** What a page takes at most: a count and its entries. */
const PAGE_BYTES = 8 + 52 * LIMITS.format1.blocksPerPage;
/**
 * Archives of directories have a page for every file, between the blocks. Who reads page after page gets more of them
 * with each reading, up to so many, and from no longer a part of the file.
 */
const MOST_AHEAD = 256;
const AHEAD_BYTES = 2 * 1024 * 1024;
/** Reading so many bytes more takes no longer than one reading more. */
const GAP = 16 * 1024;

/** @throws HexzError `invalid` when the pages are not in order from the stream's beginning */
function startsOf({ pages }: StreamIndex, name: string): Float64Array {
  const starts = Float64Array.from(pages, ({ startLogical }) => startLogical);
  for (let number = 0; number < starts.length; number++) {
    if (number === 0 ? starts[0] === 0 : starts[number]! >= starts[number - 1]!) continue;
    throw new HexzError(
      "invalid",
      `page ${number} of ${name} begins at byte ${starts[number]} of its stream, out of order`,
    );
  }
  return starts;
}

export class Pages {
  readonly #opened: Opened1;
  readonly #starts: Readonly<Record<StreamName, Float64Array>>;
  readonly #pages: Readonly<Record<StreamName, Cache<number, Page>>>;
  /** Which page comes next if pages are read in their order, and how many were read at once before it. */
  #next: { stream: StreamName; number: number; count: number } = { stream: "main", number: 0, count: 0 };

  constructor(opened: Opened1) {
    this.#opened = opened;
    const { name } = opened.source;
    this.#starts = { main: startsOf(opened.master.main, name), auxiliary: startsOf(opened.master.auxiliary, name) };
    this.#pages = { main: new Cache(CACHE_BYTES), auxiliary: new Cache(CACHE_BYTES) };
  }

  /** Number of the page that covers a place, as far as the master index tells; -1 where there is none. */
  numberAt(stream: StreamName, at: number): number {
    const starts = this.#starts[stream];
    return starts.length === 0 ? -1 : lastAtMost(starts, at);
  }

  count(stream: StreamName): number {
    return this.#starts[stream].length;
  }

  /** Where a page begins and where the next one does, if there is one. */
  span(stream: StreamName, number: number): { start: number; next: number | undefined } {
    const starts = this.#starts[stream];
    return { start: starts[number]!, next: starts[number + 1] };
  }

  /** @throws HexzError `invalid`, `limit_exceeded`, `io` */
  *page(stream: StreamName, number: number): Io<Page> {
    return (yield* this.pages(stream, number, 1))[0]!;
  }

  /** A page, with those behind it that are worth reading along when pages are read in their order. */
  *inOrder(stream: StreamName, number: number): Io<Page[]> {
    const { stream: before, number: expected, count } = this.#next;
    const wanted = before === stream && expected === number ? Math.min(Math.max(1, 2 * count), MOST_AHEAD) : 1;
    const pages = yield* this.pages(stream, number, wanted);
    this.#next = { stream, number: number + pages.length, count: pages.length };
    return pages;
  }

  /** Up to `count` pages from a number on, as many as lie close together; what is wrong ends them unless it is the first. */
  *pages(stream: StreamName, first: number, count: number): Io<Page[]> {
    const known = this.#pages[stream];
    const found: (Page | undefined)[] = [];
    const missing: number[] = [];
    for (let number = first; number < Math.min(first + count, this.count(stream)); number++) {
      if (number > first && !this.#isNear(stream, first, number)) break;
      const page = known.get(number);
      if (page === undefined) missing.push(number);
      found.push(page);
    }
    if (missing.length > 0) {
      const { source, master } = this.#opened;
      if (missing[0] === first) this.#check(stream, first);
      const places = missing.map((number) => master[stream].pages[number]!);
      const wanted = places.map(({ offset, length }) => ({ start: offset, end: offset + length }));
      const ranges = mergeRanges(wanted, Math.max(GAP, source.gap ?? 0), AHEAD_BYTES);
      const read = yield ranges.map(({ start, end }) => ({ source, start, end }));
      const begins = Float64Array.from(ranges, ({ start }) => start);
      for (const [index, number] of missing.entries()) {
        const { start, end } = wanted[index]!;
        const at = lastAtMost(begins, start);
        const from = start - begins[at]!;
        const bytes = read[at]!.subarray(from, from + end - start);
        try {
          found[number - first] = this.#decode(stream, number, bytes);
        } catch (error) {
          if (number === first) throw error;
          return found.slice(0, number - first) as Page[];
        }
      }
    }
    return found as Page[];
  }

  /** Whether a page is where it can be read together with one before it, and no longer than pages are. */
  #isNear(stream: StreamName, first: number, number: number): boolean {
    const { pages } = this.#opened.master[stream];
    const { offset, length } = pages[number]!;
    const from = pages[first]!.offset;
    return offset >= from && offset + length <= Math.min(from + AHEAD_BYTES, this.#opened.source.size);
  }

  #what(offset: number): string {
    return `the index page at ${offset} of ${this.#opened.source.name}`;
  }

  #check(stream: StreamName, number: number): void {
    const { source, master } = this.#opened;
    const { offset, length } = master[stream].pages[number]!;
    checkLimit(`the length of ${this.#what(offset)}`, length, PAGE_BYTES);
    if (offset + length <= source.size) return;
    const end = `${offset + length}, behind the file's end at ${source.size}`;
    throw new HexzError("invalid", `${this.#what(offset)} would end at ${end}`);
  }

  #decode(stream: StreamName, number: number, bytes: Uint8Array): Page {
    const { offset, startBlock, startLogical } = this.#opened.master[stream].pages[number]!;
    const what = this.#what(offset);
    const entries = decodeIndexPage(bytes, what);
    const starts = new Float64Array(entries.length + 1);
    starts[0] = startLogical;
    for (let entry = 0; entry < entries.length; entry++)
      starts[entry + 1] = starts[entry]! + entries[entry]!.plainLength;
    const end = starts.at(-1)!;
    checkLimit(`the end of ${what}`, end, LIMITS.bytes);
    const next = this.#starts[stream][number + 1];
    if (next !== undefined && next !== end) {
      throw new HexzError("invalid", `${what} ends at byte ${end} of its stream, and the next one begins at ${next}`);
    }
    const page = { entries, starts, startBlock };
    this.#pages[stream].set(number, page, MEMORY.page + MEMORY.entry * entries.length);
    return page;
  }

  /** The entry that covers a place, or undefined behind the blocks. */
  *at(stream: StreamName, place: number): Io<{ page: Page; number: number } | undefined> {
    const pageNumber = this.numberAt(stream, place);
    if (pageNumber < 0) return undefined;
    const page = yield* this.page(stream, pageNumber);
    if (place >= page.starts.at(-1)!) return undefined;
    return { page, number: lastAtMost(page.starts, place) };
  }

  /** Where the blocks of a stream end. */
  *backed(stream: StreamName): Io<number> {
    const count = this.count(stream);
    return count === 0 ? 0 : (yield* this.page(stream, count - 1)).starts.at(-1)!;
  }
}
