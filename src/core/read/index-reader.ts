// The index of an archive: which leaf covers an address.

import { HexzError } from "../errors.ts";
import { decodeIndexInner, decodeIndexLeaf, type IndexChild, type IndexLeaf } from "../format/index-page.ts";
import { PAGE_KIND } from "../format/page.ts";
import type { Root, TreeTop } from "../format/root.ts";
import { Cache } from "./cache.ts";
import type { Io } from "./io.ts";
import { openPage, type PageContext, readPage } from "./pages.ts";

/** Decoded pages that are kept, in bytes of their stored form. */
const CACHE_BYTES = 8 * 1024 * 1024;
const WHAT_LEAF = "an index page";
const WHAT_INNER = "an inner index page";

/** Children with the addresses where they begin. */
interface Node {
  readonly starts: Float64Array;
  readonly children: readonly IndexChild[];
}

/** A leaf before it is read: where it is and what it covers. */
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
  return { starts, children };
}

/** The last position whose value is at most `value`. */
export function lastAtMost(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (sorted[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

export class IndexReader {
  readonly #context: PageContext;
  readonly #top: TreeTop<IndexChild>;
  readonly #rootNode: Node;
  readonly #inner = new Cache<number, Node>(CACHE_BYTES);
  readonly #leaves = new Cache<number, IndexLeaf>(CACHE_BYTES);

  constructor(context: PageContext, root: Root) {
    this.#context = context;
    this.#top = root.index;
    this.#rootNode = nodeOf(0, root.index.children);
  }

  *#node(start: number, child: IndexChild): Io<Node> {
    const known = this.#inner.get(child.ref.offset);
    if (known !== undefined) return known;
    const payload = yield* readPage(this.#context, child.ref, PAGE_KIND.indexInner, WHAT_INNER);
    const node = nodeOf(start, decodeIndexInner(payload, { start, span: child.span }, this.#name(WHAT_INNER)));
    this.#inner.set(child.ref.offset, node, child.ref.bodyLength);
    return node;
  }

  #name(what: string): string {
    return `${what} of ${this.#context.source.name}`;
  }

  /** The leaf that covers an address of the address space. */
  *place(address: number): Io<LeafPlace> {
    let node = this.#rootNode;
    for (let depth = this.#top.depth; ; depth--) {
      const number = lastAtMost(node.starts, address);
      const child = node.children[number];
      if (child === undefined)
        throw new HexzError("invalid", `${this.#context.source.name} has no index page for address ${address}`);
      const start = node.starts[number]!;
      if (depth === 0) return { start, child };
      node = yield* this.#node(start, child);
    }
  }

  *leaf({ start, child }: LeafPlace): Io<IndexLeaf> {
    const known = this.#leaves.get(child.ref.offset);
    if (known !== undefined) return known;
    const payload = yield* readPage(this.#context, child.ref, PAGE_KIND.indexLeaf, WHAT_LEAF);
    const leaf = decodeIndexLeaf(payload, { start, span: child.span }, this.#name(WHAT_LEAF));
    this.#leaves.set(child.ref.offset, leaf, child.ref.bodyLength);
    return leaf;
  }

  /** Decodes the bytes of a leaf that were fetched with others. */
  decodeLeaf({ start, child }: LeafPlace, bytes: Uint8Array): IndexLeaf {
    const payload = openPage(this.#context, bytes, child.ref, PAGE_KIND.indexLeaf, WHAT_LEAF);
    return decodeIndexLeaf(payload, { start, span: child.span }, this.#name(WHAT_LEAF));
  }

  /** All leaves in address order; reads the inner pages. */
  *places(): Io<LeafPlace[]> {
    let nodes = [this.#rootNode];
    for (let depth = this.#top.depth; depth > 0; depth--) {
      const below: Node[] = [];
      for (const node of nodes) {
        for (const [number, child] of node.children.entries())
          below.push(yield* this.#node(node.starts[number]!, child));
      }
      nodes = below;
    }
    return nodes.flatMap((node) => node.children.map((child, number) => ({ start: node.starts[number]!, child })));
  }
}
