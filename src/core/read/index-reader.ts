// The index of an archive: which leaf covers an address.

import { HexzError } from "../errors.ts";
import {
  type BlockNames,
  decodeIndexInner,
  decodeIndexLeaf,
  type IndexChild,
  type IndexLeaf,
} from "../format/index-page.ts";
import { PAGE_KIND } from "../format/page.ts";
import type { Root, TreeTop } from "../format/root.ts";
import { Cache } from "./cache.ts";
import type { Io } from "./io.ts";
import { openPage, type PageContext, readPage } from "./pages.ts";
import type { FoundLeaf, Index } from "./parts.ts";
import { lastAtMost } from "./search.ts";

/** Decoded pages that are kept, in bytes of their stored form. */
const CACHE_BYTES = 8 * 1024 * 1024;
const WHAT_LEAF = "an index page";
const WHAT_INNER = "an inner index page";

/** Children with the addresses where they begin. */
interface Node {
  readonly starts: Float64Array;
  readonly children: readonly IndexChild[];
  /** The address behind the last. */
  readonly end: number;
}

/** A page of the index before it is read: where it is and what it covers. */
export interface LeafPlace {
  readonly start: number;
  readonly child: IndexChild;
}

function nodeOf(start: number, children: readonly IndexChild[]): Node {
  const starts = new Float64Array(children.length);
  let address = start;
  for (let number = 0; number < children.length; number++) {
    starts[number] = address;
    address += children[number]!.span;
  }
  return { starts, children, end: address };
}

function placesOf({ starts, children }: Node): LeafPlace[] {
  return children.map((child, number) => ({ start: starts[number]!, child }));
}

export class IndexReader implements Index {
  readonly #context: PageContext;
  readonly #top: TreeTop<IndexChild>;
  readonly #names: BlockNames;
  readonly #rootNode: Node;
  // By the address where they begin, and by level: that is unique even in an index that names one page twice.
  readonly #inner = new Cache<string, Node>(CACHE_BYTES);
  readonly #leaves = new Cache<number, IndexLeaf>(CACHE_BYTES);

  constructor(context: PageContext, root: Root) {
    this.#context = context;
    this.#top = root.index;
    this.#names = { parents: root.parents.length, dictionaries: root.dictionaries.length };
    this.#rootNode = nodeOf(0, root.index.children);
  }

  *#node(depth: number, start: number, child: IndexChild): Io<Node> {
    const key = `${depth} ${start}`;
    const known = this.#inner.get(key);
    if (known !== undefined) return known;
    const payload = yield* readPage(this.#context, child.ref, PAGE_KIND.indexInner, WHAT_INNER);
    const node = nodeOf(start, decodeIndexInner(payload, { start, span: child.span }, this.#name(WHAT_INNER)));
    this.#inner.set(key, node, child.ref.bodyLength);
    return node;
  }

  #name(what: string): string {
    return `${what} of ${this.#context.source.name}`;
  }

  /** The leaf that covers an address of the address space. @throws HexzError `io`; what is broken is returned */
  *find(address: number): Io<FoundLeaf> {
    let node = this.#rootNode;
    let start = 0;
    let end = node.end;
    try {
      for (let depth = this.#top.depth; ; depth--) {
        const number = lastAtMost(node.starts, address);
        const child = node.children[number];
        if (child === undefined) {
          throw new HexzError("invalid", `${this.#context.source.name} has no index page for address ${address}`);
        }
        start = node.starts[number]!;
        end = start + child.span;
        if (depth === 0) return { leaf: yield* this.#leaf({ start, child }), start, end };
        node = yield* this.#node(depth, start, child);
      }
    } catch (error) {
      if (error instanceof HexzError && error.code !== "io" && error.code !== "interrupted")
        return { error, start, end };
      throw error;
    }
  }

  *#leaf({ start, child }: LeafPlace): Io<IndexLeaf> {
    const known = this.#leaves.get(start);
    if (known !== undefined) return known;
    const payload = yield* readPage(this.#context, child.ref, PAGE_KIND.indexLeaf, WHAT_LEAF);
    const leaf = this.#decode(payload, { start, child });
    this.#leaves.set(start, leaf, child.ref.bodyLength);
    return leaf;
  }

  /** Decodes the bytes of a leaf that were fetched with others. */
  decodeLeaf({ start, child }: LeafPlace, bytes: Uint8Array): IndexLeaf {
    const payload = openPage(this.#context, bytes, child.ref, PAGE_KIND.indexLeaf, WHAT_LEAF);
    return this.#decode(payload, { start, child });
  }

  #decode(payload: Uint8Array, { start, child }: LeafPlace): IndexLeaf {
    return decodeIndexLeaf(payload, { start, span: child.span }, this.#names, this.#name(WHAT_LEAF));
  }

  /** The pages below an inner page, with the addresses where they begin. */
  *below({ start, child }: LeafPlace): Io<LeafPlace[]> {
    const payload = yield* readPage(this.#context, child.ref, PAGE_KIND.indexInner, WHAT_INNER);
    return placesOf(nodeOf(start, decodeIndexInner(payload, { start, span: child.span }, this.#name(WHAT_INNER))));
  }

  /** All leaves, in address order. */
  *places(): Io<LeafPlace[]> {
    let level = this.top;
    for (let depth = this.#top.depth; depth > 0; depth--) {
      const below: LeafPlace[] = [];
      for (const place of level) for (const next of yield* this.below(place)) below.push(next);
      level = below;
    }
    return level;
  }

  /** The children of the root. */
  get top(): LeafPlace[] {
    return placesOf(this.#rootNode);
  }
}
