// The tree of an archive: from a path to its entry, and all entries in order.

import { equalBytes } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import type { Entry } from "../format/entry.ts";
import { PAGE_KIND } from "../format/page.ts";
import { type ByteString, comparePaths, displayName } from "../format/path.ts";
import type { Root, TreeTop } from "../format/root.ts";
import { decodeTreeInner, decodeTreeLeaf, type TreeChild } from "../format/tree-page.ts";
import { Cache } from "./cache.ts";
import type { Io } from "./io.ts";
import { fetchPages, openPage, type PageContext, readPage } from "./pages.ts";
import type { Tree } from "./parts.ts";

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

function sameChild(a: TreeChild, b: TreeChild): boolean {
  return a.path === b.path && a.count === b.count && equalBytes(a.ref.digest, b.ref.digest);
}

export class TreeReader implements Tree {
  readonly #context: PageContext;
  readonly #top: TreeTop<TreeChild>;
  readonly #inner = new Cache<number, { child: TreeChild; children: TreeChild[] }>(CACHE_BYTES);
  readonly #leaves = new Cache<number, { child: TreeChild; entries: Entry[] }>(CACHE_BYTES);

  constructor(context: PageContext, root: Root) {
    this.#context = context;
    this.#top = root.tree;
  }

  *#children(child: TreeChild): Io<TreeChild[]> {
    const known = this.#inner.get(child.ref.offset);
    if (known !== undefined && sameChild(known.child, child)) return known.children;
    const children = yield* this.below(child);
    this.#inner.set(child.ref.offset, { child, children }, child.ref.bodyLength);
    return children;
  }

  /** The entry of that path, or undefined. */
  *find(path: ByteString): Io<Entry | undefined> {
    let child = childFor(this.#top.children, path);
    for (let depth = this.#top.depth; depth > 0 && child !== undefined; depth--) {
      child = childFor(yield* this.#children(child), path);
    }
    if (child === undefined) return undefined;
    const known = this.#leaves.get(child.ref.offset);
    if (known !== undefined && sameChild(known.child, child)) return known.entries.find((entry) => entry.path === path);
    const payload = yield* readPage(this.#context, child.ref, PAGE_KIND.treeLeaf, "a tree page");
    const entries = this.#decode(payload, child);
    this.#leaves.set(child.ref.offset, { child, entries }, payload.length);
    return entries.find((entry) => entry.path === path);
  }

  /** The pages below an inner page. */
  *below(child: TreeChild): Io<TreeChild[]> {
    const payload = yield* readPage(this.#context, child.ref, PAGE_KIND.treeInner, "an inner tree page");
    return decodeTreeInner(payload, child, `an inner tree page of ${this.#context.source.name}`);
  }

  /** The children of the root. */
  get top(): readonly TreeChild[] {
    return this.#top.children;
  }

  #decode(payload: Uint8Array, child: TreeChild): Entry[] {
    return decodeTreeLeaf(payload, child, `a tree page of ${this.#context.source.name}`);
  }

  /** All leaves in key order, in groups that are worth one request; reads the inner pages. */
  *groups(): Io<TreeChild[][]> {
    let level = this.#top.children;
    for (let depth = this.#top.depth; depth > 0; depth--) {
      const below: TreeChild[] = [];
      for (const child of level) {
        for (const next of yield* this.#children(child)) {
          this.checkOrder(below.at(-1)?.path, next.path);
          below.push(next);
        }
      }
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
      this.checkOrder(entries.at(-1)?.path, child.path);
      for (const entry of this.decodeLeaf(child, pages[number]!).entries) entries.push(entry);
    }
    return entries;
  }

  /** Decodes the bytes of a leaf that were fetched with others. */
  decodeLeaf(child: TreeChild, bytes: Uint8Array): { entries: Entry[]; payload: Uint8Array } {
    const payload = openPage(this.#context, bytes, child.ref, PAGE_KIND.treeLeaf, "a tree page");
    return { entries: this.#decode(payload, child), payload };
  }

  /**
   * Pages that overlap could make a listing without end out of a short file: one page, named often.
   * @throws HexzError `invalid`
   */
  checkOrder(before: ByteString | undefined, path: ByteString): void {
    if (before === undefined || comparePaths(before, path) < 0) return;
    throw new HexzError("invalid", `the tree pages of ${this.#context.source.name} are not in order`, {
      data: { before: displayName(before), path: displayName(path) },
    });
  }
}
