// The index pages of one archive of format 1: which entry covers a place of a stream.

import { HexzError } from "../../errors.ts";
import { type BlockEntry, decodeIndexPage, type StreamIndex } from "../../format/v1/index-page.ts";
import { checkLimit, LIMITS } from "../../limits.ts";
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

/** Decoded pages that are kept, in bytes of their stored form: some dozens. */
const CACHE_BYTES = 8 * 1024 * 1024;
/** What a page takes at most: a count and its entries. */
const PAGE_BYTES = 8 + 52 * LIMITS.format1.blocksPerPage;

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
  readonly #pages = new Cache<string, Page>(CACHE_BYTES);

  constructor(opened: Opened1) {
    this.#opened = opened;
    const { name } = opened.source;
    this.#starts = { main: startsOf(opened.master.main, name), auxiliary: startsOf(opened.master.auxiliary, name) };
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
    const key = `${stream} ${number}`;
    const known = this.#pages.get(key);
    if (known !== undefined) return known;
    const { source, master } = this.#opened;
    const { offset, length, startBlock, startLogical } = master[stream].pages[number]!;
    const what = `the index page at ${offset} of ${source.name}`;
    checkLimit(`the length of ${what}`, length, PAGE_BYTES);
    if (offset + length > source.size) {
      throw new HexzError(
        "invalid",
        `${what} would end at ${offset + length}, behind the file's end at ${source.size}`,
      );
    }
    const [bytes] = yield [{ source, start: offset, end: offset + length }];
    const entries = decodeIndexPage(bytes!, what);
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
    this.#pages.set(key, page, length);
    return page;
  }

  /** The entry that covers a place, or undefined behind the blocks. */
  *at(stream: StreamName, place: number): Io<{ page: Page; number: number } | undefined> {
    const pageNumber = this.numberAt(stream, place);
    if (pageNumber < 0) return undefined;
    const page = yield* this.page(stream, pageNumber);
    if (place >= page.starts.at(-1)!) return undefined;
    return { page, number: lastAtMost(page.starts.subarray(0, page.entries.length), place) };
  }

  /** Where the blocks of a stream end. */
  *backed(stream: StreamName): Io<number> {
    const count = this.count(stream);
    return count === 0 ? 0 : (yield* this.page(stream, count - 1)).starts.at(-1)!;
  }
}
