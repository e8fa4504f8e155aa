// The index of format 1 as the conductor knows an index: addresses, chunks, blocks. The main stream comes first in the
// address space, the auxiliary one behind it; a page is a leaf, and so is what no block of a stream backs.

import { DIGEST_LENGTH } from "../../digest.ts";
import { HexzError } from "../../errors.ts";
import { type BlockRef, blockKey, type IndexLeaf } from "../../format/index-page.ts";
import { Cache } from "../cache.ts";
import type { Io } from "../io.ts";
import type { FoundLeaf, Index } from "../parts.ts";
import { sameBlock } from "../random.ts";
import type { Member1 } from "./lineage.ts";
import type { Page, StreamName } from "./pages.ts";
import { blockOf, type References, type Stretch } from "./references.ts";

/** Leaves that are kept, in chunks; a leaf weighs as much as some chunks besides its own. */
const CACHE_CHUNKS = 64 * 4096;
const LEAF_CHUNKS = 16;

/** Where a stream lies in the address space. */
interface Extent {
  readonly stream: StreamName;
  readonly start: number;
  readonly end: number;
}

export class Index1 implements Index {
  readonly #member: Member1;
  readonly #references: References;
  readonly #extents: readonly Extent[];
  readonly #leaves = new Cache<number, readonly FoundLeaf[]>(CACHE_CHUNKS);

  constructor(member: Member1, references: References) {
    this.#member = member;
    this.#references = references;
    const { main, auxiliary } = member.opened.master;
    this.#extents = [
      { stream: "main", start: 0, end: main.size },
      { stream: "auxiliary", start: main.size, end: main.size + auxiliary.size },
    ];
  }

  *find(address: number): Io<FoundLeaf> {
    const extent = this.#extents.find(({ start, end }) => start <= address && address < end);
    const { source } = this.#member.opened;
    if (extent === undefined) {
      const error = new HexzError("invalid", `${source.name} has nothing at address ${address}`);
      return { error, start: address, end: address + 1 };
    }
    const { stream, start: base } = extent;
    const { pages } = this.#member;
    const number = pages.numberAt(stream, address - base);
    const { start, next } = number < 0 ? { start: 0, next: undefined } : pages.span(stream, number);
    const known = covering(this.#leaves.get(base + start) ?? [], address);
    if (known !== undefined) return known;
    const end = Math.min(extent.end - base, next ?? Number.POSITIVE_INFINITY);
    try {
      if (number < 0) return covering(yield* this.#tail(extent, 0, address), address)!;
      const run = yield* pages.inOrder(stream, number);
      const backed = run[0]!.starts.at(-1)!;
      if (address - base >= backed) return covering(yield* this.#tail(extent, backed, address), address)!;
      // What references lead to may be broken, and is the trouble of one page only.
      const alone = run.findIndex(({ entries }) => entries.some(({ kind }) => kind === "reference"));
      const together = alone < 0 ? run : run.slice(0, Math.max(1, alone));
      const leaves = yield* this.#leavesOf(extent, together);
      const chunks = together.reduce((sum, { entries }) => sum + entries.length, LEAF_CHUNKS);
      this.#leaves.set(base + start, leaves, chunks);
      return covering(leaves, address)!;
    } catch (error) {
      if (error instanceof HexzError && error.code !== "io" && error.code !== "interrupted")
        return { error, start: base + start, end: base + end };
      throw error;
    }
  }

  /** What pages describe that follow each other: one leaf, or several where parts between them cannot be had. */
  *#leavesOf({ stream, start: base, end }: Extent, pages: readonly Page[]): Io<FoundLeaf[]> {
    const builder = new LeafBuilder(base + pages[0]!.starts[0]!, end);
    for (const page of pages) {
      for (const [number, entry] of page.entries.entries()) {
        const { plainLength } = entry;
        if (entry.kind === "zeros") builder.add({ length: plainLength, zeros: true });
        else if (entry.kind === "data") {
          builder.add({ length: plainLength, block: blockOf(this.#member, page, number), offset: 0 });
        } else {
          const at = page.starts[number]!;
          for (const stretch of yield* this.#references.resolve(this.#member, stream, at, entry)) builder.add(stretch);
        }
      }
    }
    return builder.finish();
  }

  /** What lies behind the blocks. @param backed place in the stream where they end */
  *#tail({ stream, start: base, end }: Extent, backed: number, address: number): Io<FoundLeaf[]> {
    const window = yield* this.#references.window(this.#member, stream, address - base);
    const start = Math.max(backed, window.start);
    const stop = Math.min(end - base, window.end);
    const builder = new LeafBuilder(base + start, end);
    for (const stretch of yield* this.#references.tail(this.#member, stream, start, stop)) builder.add(stretch);
    return builder.finish();
  }
}

function covering(leaves: readonly FoundLeaf[], address: number): FoundLeaf | undefined {
  return leaves.find(({ start, end }) => start <= address && address < end);
}

interface Chunk {
  readonly start: number;
  readonly fill: number;
  readonly block: number;
  readonly offset: number;
  readonly digest: Uint8Array | undefined;
}

/** Puts leaves together. What cannot be had ends one, and stands between it and the next. */
class LeafBuilder {
  readonly #limit: number;
  readonly #done: FoundLeaf[] = [];
  #address: number;
  #chunks: Chunk[] = [];
  #blocks: BlockRef[] = [];
  readonly #numbers = new Map<number | string, number>();

  /** @param limit where the stream ends: blocks may hold more */
  constructor(first: number, limit: number) {
    this.#address = first;
    this.#limit = limit;
  }

  add(stretch: Stretch): void {
    const start = this.#address;
    const length = Math.min(stretch.length, this.#limit - start);
    if (length <= 0) return;
    if ("error" in stretch) {
      this.#close();
      const { error, digest } = stretch;
      const known = digest !== undefined && length === stretch.length ? { digest } : {};
      this.#done.push({ error, ...known, start, end: start + length });
    } else if ("zeros" in stretch) {
      this.#chunks.push({ start, fill: 0, block: 0, offset: 0, digest: undefined });
    } else {
      const { block, offset } = stretch;
      const digest = offset === 0 && length === block.plainLength ? block.seal?.digest : undefined;
      this.#chunks.push({ start, fill: -1, block: this.#number(block), offset, digest });
    }
    this.#address = start + length;
  }

  #number(block: BlockRef): number {
    const key = blockKey(block);
    const known = this.#numbers.get(key);
    if (known !== undefined && sameBlock(this.#blocks[known]!, block)) return known;
    this.#numbers.set(key, this.#blocks.length);
    return this.#blocks.push(block) - 1;
  }

  #close(): void {
    const chunks = this.#chunks;
    if (chunks.length === 0) return;
    const digests = new Uint8Array(chunks.length * DIGEST_LENGTH);
    for (const [number, { digest }] of chunks.entries()) if (digest) digests.set(digest, number * DIGEST_LENGTH);
    const undigested = chunks.map(({ fill, digest }) => (fill < 0 && digest === undefined ? 1 : 0));
    const leaf: IndexLeaf = {
      starts: Float64Array.from([...chunks.map(({ start }) => start), this.#address]),
      fills: Int16Array.from(chunks, ({ fill }) => fill),
      blockNumbers: Uint32Array.from(chunks, ({ block }) => block),
      blockOffsets: Uint32Array.from(chunks, ({ offset }) => offset),
      digests,
      ...(undigested.includes(1) ? { undigested: Uint8Array.from(undigested) } : {}),
      blocks: this.#blocks,
    };
    this.#done.push({ leaf, start: chunks[0]!.start, end: this.#address });
    this.#chunks = [];
    this.#blocks = [];
    this.#numbers.clear();
  }

  finish(): FoundLeaf[] {
    this.#close();
    return this.#done;
  }
}
