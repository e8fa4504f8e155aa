// The tree of an archive: from a path to its entry, and all entries in order.

import type { Entry } from "../format/entry.ts";
import { PAGE_KIND } from "../format/page.ts";
import { type ByteString, comparePaths } from "../format/path.ts";
import type { Root, TreeTop } from "../format/root.ts";
import { decodeTreeInner, decodeTreeLeaf, type TreeChild } from "../format/tree-page.ts";
import { Cache } from "./cache.ts";
import type { Io } from "./io.ts";
import { fetchPages, openPage, type PageContext, readPage } from "./pages.ts";

const CACHE_BYTES = 4 * 1024 * 1024;
/** Bytes of pages that a listing fetches at once. */
const LISTING_BYTES = 1024 * 1024;

/** The last child whose first path is not behind `path`, or undefined. */
function childFor(children: readonly TreeChild[], path: ByteString): TreeChild | undefined {
  let low = -1;
  let high = children.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (comparePaths(children[middle]!.path, path) <= 0) low = middle;
    else high = middle - 1;
  }
  return children[low];
}

export class TreeReader {
  readonly #context: PageContext;
  readonly #top: TreeTop<TreeChild>;
  readonly #inner = new Cache<number, TreeChild[]>(CACHE_BYTES);
  readonly #leaves = new Cache<number, Entry[]>(CACHE_BYTES);

  constructor(context: PageContext, root: Root) {
    this.#context = context;
    this.#top = root.tree;
  }

  *#children(child: TreeChild): Io<TreeChild[]> {
    const known = this.#inner.get(child.ref.offset);
    if (known !== undefined) return known;
    const payload = yield* readPage(this.#context, child.ref, PAGE_KIND.treeInner, "an inner tree page");
    const children = decodeTreeInner(payload, child, `an inner tree page of ${this.#context.source.name}`);
    this.#inner.set(child.ref.offset, children, child.ref.bodyLength);
    return children;
  }

  /** The entry of that path, or undefined. */
  *find(path: ByteString): Io<Entry | undefined> {
    let child = childFor(this.#top.children, path);
    for (let depth = this.#top.depth; depth > 0 && child !== undefined; depth--) {
      child = childFor(yield* this.#children(child), path);
    }
    if (child === undefined) return undefined;
    let entries = this.#leaves.get(child.ref.offset);
    if (entries === undefined) {
      const payload = yield* readPage(this.#context, child.ref, PAGE_KIND.treeLeaf, "a tree page");
      entries = this.#decode(payload, child);
      this.#leaves.set(child.ref.offset, entries, payload.length);
    }
    return entries.find((entry) => entry.path === path);
  }

  #decode(payload: Uint8Array, child: TreeChild): Entry[] {
    return decodeTreeLeaf(payload, child, `a tree page of ${this.#context.source.name}`);
  }

  /** All leaves in key order, in groups that are worth one request; reads the inner pages. */
  *groups(): Io<TreeChild[][]> {
    let level = this.#top.children;
    for (let depth = this.#top.depth; depth > 0; depth--) {
      const below: TreeChild[] = [];
      for (const child of level) below.push(...(yield* this.#children(child)));
      level = below;
    }
    const groups: TreeChild[][] = [];
    let bytes = Number.POSITIVE_INFINITY;
    for (const child of level) {
      if (bytes + child.ref.bodyLength > LISTING_BYTES) {
        groups.push([]);
        bytes = 0;
      }
      groups.at(-1)!.push(child);
      bytes += child.ref.bodyLength;
    }
    return groups;
  }

  /** The entries of a group of leaves. */
  *entries(group: readonly TreeChild[]): Io<Entry[]> {
    const pages = yield* fetchPages(
      this.#context,
      group.map((child) => child.ref),
      "a tree page",
    );
    const entries: Entry[] = [];
    for (const [number, child] of group.entries()) {
      const payload = openPage(this.#context, pages[number]!, child.ref, PAGE_KIND.treeLeaf, "a tree page");
      for (const entry of this.#decode(payload, child)) entries.push(entry);
    }
    return entries;
  }
}
