// The tree of the archive being written: entries in key order become leaf pages as they come, inner pages at the end.

import type { DigestOf } from "../digest.ts";
import type { Engine, Hasher } from "../engine.ts";
import { HexzError } from "../errors.ts";
import type { Entry } from "../format/entry.ts";
import { encodePageBody, PAGE_KIND } from "../format/page.ts";
import { type ByteString, checkPath, comparePaths, displayName } from "../format/path.ts";
import type { TreeTop } from "../format/root.ts";
import {
  encodeRecord,
  encodeTreeInner,
  entryForContentId,
  type TreeChild,
  TreeLeafBuilder,
} from "../format/tree-page.ts";
import { checkLimit, LIMITS, TARGETS } from "../limits.ts";
import type { Appender } from "./appender.ts";
import type { IndexWriter } from "./index-writer.ts";
import { appendPage, buildTop, LeafPages } from "./leaf-pages.ts";
import type { Scratch } from "./scratch.ts";

/** Lengths, count, offset, body length and digest of a child without its path, at most. */
const CHILD_LENGTH = 64;

/** @throws HexzError when the path cannot be in an archive */
export function checkEntryPath(path: ByteString): void {
  checkPath(path);
  checkLimit("the length of a path", path.length, LIMITS.path);
  const components = path.split("/");
  checkLimit("the depth of a path", components.length, LIMITS.pathComponents);
  for (const component of components) checkLimit("the length of a name", component.length, LIMITS.component);
}

export class TreeWriter {
  readonly #engine: Engine;
  readonly #digestOf: DigestOf;
  readonly #appender: Appender;
  readonly #index: IndexWriter;
  readonly #leaves: LeafPages<{ path: ByteString; count: number }>;
  readonly #hasher: Hasher;
  #leaf = new TreeLeafBuilder();
  #last: ByteString | undefined;

  constructor(parts: {
    engine: Engine;
    digestOf: DigestOf;
    appender: Appender;
    index: IndexWriter;
    scratch: Scratch;
  }) {
    this.#engine = parts.engine;
    this.#digestOf = parts.digestOf;
    this.#appender = parts.appender;
    this.#index = parts.index;
    this.#leaves = new LeafPages(parts.scratch, parts.digestOf);
    this.#hasher = parts.engine.createHasher();
  }

  /** Adds the next entry in key order. Its content, if any, must be in the index already. */
  add(entry: Entry): void {
    if (this.#last !== undefined && comparePaths(this.#last, entry.path) >= 0) {
      const order = this.#last === entry.path ? "is there twice" : `comes after "${displayName(this.#last)}"`;
      throw new HexzError("usage", `the entry "${displayName(entry.path)}" ${order}; entries come in tree order`);
    }
    this.#last = entry.path;
    const record = encodeRecord(entry);
    this.#hasher.update(entryForContentId(entry.path, record));
    const length = record.length + entry.path.length + 16;
    if (this.#leaf.count > 0 && this.#leaf.length + length > TARGETS.treeLeaf) this.#closeLeaf();
    this.#leaf.add(entry.path, record);
  }

  #closeLeaf(): void {
    const leaf = this.#leaf;
    this.#leaf = new TreeLeafBuilder();
    const page = encodePageBody(PAGE_KIND.treeLeaf, leaf.encode(), this.#engine, this.#digestOf);
    this.#index.whenDrained(() => this.#leaves.add(this.#appender, page, { path: leaf.firstPath, count: leaf.count }));
  }

  finishLeaves(): void {
    if (this.#leaf.count > 0) this.#closeLeaf();
  }

  /** Appends the second copies and the inner pages. */
  async finish(): Promise<{ top: TreeTop<TreeChild>; entriesDigest: Uint8Array }> {
    const pages = await this.#leaves.appendCopies(this.#appender);
    const leaves = pages.map(({ about, ref }) => ({ ...about, ref }));
    const top = buildTop<TreeChild>(leaves, {
      size: (child) => CHILD_LENGTH + child.path.length,
      pageLimit: TARGETS.innerPage,
      rootLimit: TARGETS.rootTreeChildren,
      append: (children) => {
        const page = encodePageBody(PAGE_KIND.treeInner, encodeTreeInner(children), this.#engine, this.#digestOf);
        const count = children.reduce((sum, child) => sum + child.count, 0);
        return { path: children[0]!.path, count, ref: appendPage(this.#appender, page, this.#digestOf) };
      },
    });
    return { top, entriesDigest: this.#hasher.digest() };
  }

  close(): void {
    this.#leaves.close();
  }
}
