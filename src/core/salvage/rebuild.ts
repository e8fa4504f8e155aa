// Salvage, third step: a new state end over the pages that were found, in memory behind the damaged file. The two
// together are an archive that every reader reads: where pages are lost, its index has fills and its tree has gaps.

import { hexOf } from "../bytes.ts";
import { CODEC } from "../engine.ts";
import { HexzError } from "../errors.ts";
import { encodeEndMark } from "../format/end-mark.ts";
import { type IndexChild, IndexLeafBuilder } from "../format/index-page.ts";
import { encodePageBody, PAGE_KIND, type PageRef } from "../format/page.ts";
import { comparePaths } from "../format/path.ts";
import { type Coding, encodeRoot, type Root } from "../format/root.ts";
import type { TreeChild } from "../format/tree-page.ts";
import { IndexReader, type LeafPlace } from "../read/index-reader.ts";
import { runAsync } from "../read/io.ts";
import { type PageContext, readPage } from "../read/pages.ts";
import { TreeReader } from "../read/tree-reader.ts";
import type { RangeSource } from "../source/source.ts";
import { Appender } from "../write/appender.ts";
import { resolveCoding } from "../write/coding.ts";
import { buildIndexTop } from "../write/index-writer.ts";
import { appendPage } from "../write/leaf-pages.ts";
import { createMemorySink } from "../write/memory-sink.ts";
import { Totals } from "../write/totals.ts";
import { buildTreeTop } from "../write/tree-writer.ts";
import type { FoundIndexLeaf, FoundTreeLeaf, Inventory } from "./inventory.ts";
import { joinSources } from "./salvage-source.ts";

/** A part of the tree that is lost. */
export interface LostEntries {
  /** The first one's path, and how many, where that is known. */
  readonly first: TreeChild["path"] | undefined;
  readonly count: number | undefined;
}

export interface Rebuilt {
  /** The damaged file with a state end that describes what is left. */
  readonly source: RangeSource;
  /** Addresses whose pages are lost. */
  readonly lostSpans: readonly { readonly start: number; readonly end: number }[];
  readonly lostEntries: readonly LostEntries[];
  readonly lostMetadata: boolean;
  /** Every page that is used has its digest in the root that was found. */
  readonly proven: boolean;
}

/** A stretch of an index or tree: a page of which something above knows, or one whose pages have to be guessed. */
type Stretch<Known, Unknown> = { readonly known: Known } | { readonly unknown: Unknown };

interface UnknownAddresses {
  readonly start: number;
  readonly end: number;
}

interface UnknownPaths extends LostEntries {
  /** The path of what follows. */
  readonly until: TreeChild["path"] | undefined;
}

/** What a step gives, or undefined when the page that it needs is lost. */
async function unlessLost<T>(step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof HexzError && error.code !== "interrupted") return undefined;
    throw error;
  }
}

async function indexStretches(context: PageContext, root: Root): Promise<Stretch<LeafPlace, UnknownAddresses>[]> {
  const reader = new IndexReader(context, root);
  let level: Stretch<LeafPlace, UnknownAddresses>[] = reader.top.map((known) => ({ known }));
  for (let depth = root.index.depth; depth > 0; depth--) {
    const below: typeof level = [];
    for (const stretch of level) {
      if ("unknown" in stretch) below.push(stretch);
      else {
        const { start, child } = stretch.known;
        const found = await unlessLost(() => runAsync(reader.below(stretch.known)));
        if (found === undefined) below.push({ unknown: { start, end: start + child.span } });
        else for (const known of found) below.push({ known });
      }
    }
    level = below;
  }
  return level;
}

async function treeStretches(context: PageContext, root: Root): Promise<Stretch<TreeChild, UnknownPaths>[]> {
  const reader = new TreeReader(context, root);
  let level: Stretch<TreeChild, UnknownPaths>[] = reader.top.map((known) => ({ known }));
  for (let depth = root.tree.depth; depth > 0; depth--) {
    const below: typeof level = [];
    for (const [number, stretch] of level.entries()) {
      if ("unknown" in stretch) below.push(stretch);
      else {
        const { path: first, count } = stretch.known;
        const found = await unlessLost(() => runAsync(reader.below(stretch.known)));
        const next = level[number + 1];
        const until = next && ("known" in next ? next.known.path : next.unknown.first);
        if (found === undefined) below.push({ unknown: { first, count, until } });
        else for (const known of found) below.push({ known });
      }
    }
    level = below;
  }
  return level;
}

/** Leaves within a stretch, one behind the other; of several for one place the last of the file. */
function leavesWithin(leaves: Iterable<FoundIndexLeaf>, { start, end }: UnknownAddresses): FoundIndexLeaf[] {
  const candidates = [...leaves].filter((leaf) => leaf.start >= start && leaf.end <= end);
  candidates.sort((a, b) => a.start - b.start || b.ref.offset - a.ref.offset);
  const chosen: FoundIndexLeaf[] = [];
  for (const leaf of candidates) if (leaf.start >= (chosen.at(-1)?.end ?? start)) chosen.push(leaf);
  return chosen;
}

function treeLeavesWithin(leaves: Iterable<FoundTreeLeaf>, { first, until }: UnknownPaths): FoundTreeLeaf[] {
  const candidates = [...leaves].filter(
    (leaf) =>
      (first === undefined || comparePaths(first, leaf.first) <= 0) &&
      (until === undefined || comparePaths(leaf.last, until) < 0),
  );
  candidates.sort((a, b) => comparePaths(a.first, b.first));
  const chosen: FoundTreeLeaf[] = [];
  for (const leaf of candidates) {
    // Of two that overlap, the later one of the file is of a later state.
    const last = chosen.at(-1);
    const overlaps = last !== undefined && comparePaths(leaf.first, last.last) <= 0;
    if (overlaps && last.ref.offset > leaf.ref.offset) continue;
    if (overlaps) chosen.pop();
    chosen.push(leaf);
  }
  return chosen;
}

/** How blocks are coded, as far as they tell themselves. */
function codingOf({ blocks }: Inventory): Coding {
  const [codec = CODEC.stored] = [...blocks.codecs].sort((a, b) => b[1] - a[1])[0] ?? [];
  const blockSize = Math.max(64 * 1024, blocks.longest);
  const coding = resolveCoding({ blockSize }, "not known");
  return { ...coding, codec: Math.min(codec, CODEC.zstd), level: codec >= CODEC.zstd ? 3 : 0 };
}

/** A root in place of one that is lost: it names what the leaves need, and parents that nobody can find. */
function guessedRoot(inventory: Inventory): Root {
  const { blocks, dictionaries } = inventory;
  const parents = Array.from({ length: blocks.parents }, () => ({ id: new Uint8Array(32), hint: "unknown" }));
  const codecs = [CODEC.lz4, CODEC.zstd].map((codec) => ({ codec, blocks: 0, storedBytes: 0, plainBytes: 0 }));
  return {
    addressSpace: 0,
    state: 1,
    index: { depth: 0, pageCount: 0, children: [] },
    tree: { depth: 0, pageCount: 0, children: [] },
    streams: [],
    coding: codingOf(inventory),
    counts: { ...new Totals().counts(), codecs },
    parents,
    dictionaries: [...dictionaries.values()].slice(0, blocks.dictionaries).map((ref) => ({ archive: 0, ref })),
    metadata: undefined,
    sketch: undefined,
    contentId: new Uint8Array(32),
    previous: undefined,
    salt: undefined,
  };
}

/** Puts the new state end together. */
class Rebuilder {
  readonly #context: PageContext;
  readonly #inventory: Inventory;
  readonly #sink = createMemorySink();
  readonly #appender = new Appender(this.#sink);
  readonly lostSpans: { start: number; end: number }[] = [];
  readonly lostEntries: LostEntries[] = [];
  proven: boolean;

  constructor(context: PageContext, inventory: Inventory) {
    this.#context = context;
    this.#inventory = inventory;
    this.#appender.position = context.source.size;
    this.proven = inventory.root !== undefined;
  }

  #page(kind: 1 | 2 | 4 | 7, payload: Uint8Array): PageRef {
    const { engine, digestOf } = this.#context;
    return appendPage(this.#appender, encodePageBody(kind, payload, engine, digestOf), digestOf);
  }

  /** A leaf of one fill, where pages are lost. */
  #lostLeaf(start: number, end: number): IndexChild {
    this.lostSpans.push({ start, end });
    const builder = new IndexLeafBuilder(start);
    builder.fill(end - start, 0);
    return { span: end - start, ref: this.#page(PAGE_KIND.indexLeaf, builder.encode()) };
  }

  /** Whether the root, found or guessed, has the parents and dictionaries that a leaf names. */
  #isReadable({ needs }: FoundIndexLeaf): boolean {
    const { root, dictionaries } = this.#inventory;
    if (root === undefined) return needs.dictionaries <= dictionaries.size;
    return needs.parents <= root.root.parents.length && needs.dictionaries <= root.root.dictionaries.length;
  }

  index(stretches: readonly Stretch<LeafPlace, UnknownAddresses>[]): IndexChild[] {
    const children: IndexChild[] = [];
    const { indexLeaves } = this.#inventory;
    for (const stretch of stretches) {
      if ("known" in stretch) {
        const { start, child } = stretch.known;
        const found = indexLeaves.get(hexOf(child.ref.digest));
        const end = start + child.span;
        const fits = found?.start === start && found.end === end && this.#isReadable(found);
        children.push(fits ? { span: child.span, ref: found.ref } : this.#lostLeaf(start, end));
        continue;
      }
      const { start, end } = stretch.unknown;
      let at = start;
      for (const leaf of leavesWithin(indexLeaves.values(), stretch.unknown)) {
        if (!this.#isReadable(leaf)) continue;
        this.proven = false;
        if (leaf.start > at) children.push(this.#lostLeaf(at, leaf.start));
        children.push({ span: leaf.end - leaf.start, ref: leaf.ref });
        at = leaf.end;
      }
      if (at < end) children.push(this.#lostLeaf(at, end));
    }
    return children;
  }

  tree(stretches: readonly Stretch<TreeChild, UnknownPaths>[]): TreeChild[] {
    const children: TreeChild[] = [];
    const { treeLeaves } = this.#inventory;
    for (const stretch of stretches) {
      if ("known" in stretch) {
        const { path, count, ref } = stretch.known;
        const found = treeLeaves.get(hexOf(ref.digest));
        if (found?.first !== path || found.count !== count) this.lostEntries.push({ first: path, count });
        else children.push({ path, count, ref: found.ref });
        continue;
      }
      const { first, count } = stretch.unknown;
      let left = count;
      for (const leaf of treeLeavesWithin(treeLeaves.values(), stretch.unknown)) {
        this.proven = false;
        children.push({ path: leaf.first, count: leaf.count, ref: leaf.ref });
        if (left !== undefined) left -= leaf.count;
      }
      if (left !== 0) this.lostEntries.push({ first, count: left });
    }
    return children;
  }

  /** Inner pages, root and end mark. */
  async finish(root: Root, index: IndexChild[], tree: TreeChild[]): Promise<Uint8Array> {
    const addressSpace = index.reduce((sum, { span }) => sum + span, 0);
    const indexTop = buildIndexTop(index, (payload) => this.#page(PAGE_KIND.indexInner, payload));
    const treeTop = buildTreeTop(tree, (payload) => this.#page(PAGE_KIND.treeInner, payload));
    const payload = encodeRoot({ ...root, addressSpace, index: indexTop, tree: treeTop });
    const ref = this.#page(PAGE_KIND.root, payload);
    const mark = { root: ref, signatures: undefined, parity: undefined };
    this.#appender.append(encodeEndMark(mark, this.#appender.position, this.#context.digestOf));
    await this.#appender.flush();
    return this.#sink.bytes();
  }
}

/** Whether a page of the archive itself can be read where its reference says. */
async function isThere(context: PageContext, ref: PageRef): Promise<boolean> {
  return (await unlessLost(() => runAsync(readPage(context, ref, PAGE_KIND.metadata, "the metadata")))) !== undefined;
}

/** Dictionaries of this archive have two copies. */
function withFoundDictionaries(root: Root, { dictionaries }: Inventory): Root["dictionaries"] {
  return root.dictionaries.map(({ archive, ref }) => ({
    archive,
    ref: (archive === 0 ? dictionaries.get(hexOf(ref.digest)) : undefined) ?? ref,
  }));
}

/** @param context of the damaged file */
export async function rebuild(context: PageContext, inventory: Inventory): Promise<Rebuilt> {
  const rebuilder = new Rebuilder(context, inventory);
  const found = inventory.root?.root;
  const leafEnd = (leaves: Iterable<{ end: number }>) => [...leaves].reduce((most, { end }) => Math.max(most, end), 0);
  const end = Math.max(leafEnd(inventory.indexLeaves.values()), leafEnd(inventory.treeLeaves.values()));
  const everything = { first: undefined, count: undefined, until: undefined };
  const index = rebuilder.index(
    found === undefined ? [{ unknown: { start: 0, end } }] : await indexStretches(context, found),
  );
  const tree = rebuilder.tree(found === undefined ? [{ unknown: everything }] : await treeStretches(context, found));
  const metadata =
    found?.metadata !== undefined && (await isThere(context, found.metadata)) ? found.metadata : undefined;
  const root: Root = {
    ...(found ?? guessedRoot(inventory)),
    ...(found && { dictionaries: withFoundDictionaries(found, inventory) }),
    metadata,
    previous: undefined,
  };
  const bytes = await rebuilder.finish(root, index, tree);
  const { lostSpans, lostEntries, proven } = rebuilder;
  const lostMetadata = metadata === undefined && (found === undefined || found.metadata !== undefined);
  return { source: joinSources(context.source, bytes), lostSpans, lostEntries, lostMetadata, proven };
}
