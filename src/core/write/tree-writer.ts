// The tree of the archive being written: entries in key order become leaf pages as they come, inner pages at the end.

import { ByteWriter, varintLength } from "../bytes.ts";
import type { DigestOf } from "../digest.ts";
import type { Engine } from "../engine.ts";
import { HexzError } from "../errors.ts";
import type { Entry } from "../format/entry.ts";
import { encodePageBody, PAGE_KIND, type PageRef } from "../format/page.ts";
import { type ByteString, checkPath, comparePaths, displayName, nameProblem, splitPath } from "../format/path.ts";
import type { ContentRange } from "../format/record.ts";
import type { TreeTop } from "../format/root.ts";
import { encodeTreeInner, type TreeChild, TreeLeafBuilder, writeCheckedRecord } from "../format/tree-page.ts";
import { checkLimit, isLongSpan, LIMITS, TARGETS } from "../limits.ts";
import type { Appender } from "./appender.ts";
import { BatchedHasher } from "./batched-hasher.ts";
import type { IndexWriter } from "./index-writer.ts";
import { appendPage, buildTop, LeafPages } from "./leaf-pages.ts";
import type { SortedRecord } from "./record-sorter.ts";
import type { Scratch } from "./scratch.ts";

/** Lengths, count, offset, body length and digest of a child without its path, at most. */
const CHILD_LENGTH = 64;

/** Checks paths; one that is the one before is not looked at again, nor is a directory. */
export class PathChecker {
  #path: ByteString | undefined;
  #directory: ByteString | undefined;

  /** @throws HexzError when the path cannot be in an archive */
  check(path: ByteString): void {
    if (path === this.#path) return;
    const { directory, name } = splitPath(path);
    if (directory !== this.#directory) {
      checkPath(directory);
      const components = directory.split("/");
      checkLimit("the depth of a path", components.length + 1, LIMITS.pathComponents);
      for (const component of components) checkLimit("the length of a name", component.length, LIMITS.component);
      this.#directory = directory;
    }
    if (path !== "" && nameProblem(name) !== undefined) checkPath(path);
    checkLimit("the length of a name", name.length, LIMITS.component);
    checkLimit("the length of a path", path.length, LIMITS.path);
    this.#path = path;
  }
}

/** Puts inner pages over the leaves of a tree. @param page appends one, of this payload */
export function buildTreeTop(leaves: readonly TreeChild[], page: (payload: Uint8Array) => PageRef): TreeTop<TreeChild> {
  return buildTop<TreeChild>(leaves, {
    size: ({ path }) => CHILD_LENGTH + path.length,
    pageLimit: TARGETS.innerPage,
    rootLimit: TARGETS.rootTreeChildren,
    append: (children) => {
      const count = children.reduce((sum, child) => sum + child.count, 0);
      return { path: children[0]!.path, count, ref: page(encodeTreeInner(children)) };
    },
  });
}

export class TreeWriter {
  readonly #engine: Engine;
  readonly #digestOf: DigestOf;
  readonly #appender: Appender;
  readonly #index: IndexWriter;
  readonly #leaves: LeafPages<{ path: ByteString; count: number }>;
  /** Of all entries, for the content id. */
  readonly #hasher: BatchedHasher;
  readonly #record = new ByteWriter(1024);
  #leaf = new TreeLeafBuilder();
  /** Where the contents of the leaf's entries begin, when they come in order. */
  #leafStart = 0;
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
    this.#hasher = new BatchedHasher(parts.engine.createHasher());
  }

  /**
   * Adds the next entry in key order. Its content, if any, must be in the index already.
   * @param content of a file, instead of what the entry says
   */
  add(entry: Entry, content: ContentRange | undefined): void {
    this.#record.clear();
    writeCheckedRecord(this.#record, entry, content);
    const { path } = entry;
    if (this.#last !== undefined && comparePaths(this.#last, path) >= 0) {
      const order = this.#last === path ? "is there twice" : `comes after "${displayName(this.#last)}"`;
      throw new HexzError("usage", `the entry "${displayName(path)}" ${order}; entries come in tree order`);
    }
    this.#last = path;
    const record = this.#record.view();
    this.#hasher.pending.name(path).raw(record);
    this.#makeRoom(path.length + record.length);
    this.#leaf.add(path, record);
    this.#closeLongLeaf();
  }

  /** Adds the next entry of a sorter, whose bytes are its record (`writeCheckedRecord`). */
  addSorted({ directory, pathLength, named }: SortedRecord): void {
    const pathAt = varintLength(pathLength);
    const nameAt = directory === "" ? 0 : directory.length + 1;
    this.#hasher.pending.raw(named);
    this.#makeRoom(named.length - pathAt);
    this.#leaf.addNamed(directory, pathLength - nameAt, named.subarray(pathAt + nameAt));
    this.#closeLongLeaf();
  }

  /** Ends the leaf when the next entry is too long for it. @param length of path and record */
  #makeRoom(length: number): void {
    this.#hasher.flushIfLong();
    if (this.#leaf.count > 0 && this.#leaf.length + length + 16 > TARGETS.treeLeaf) this.#closeLeaf();
  }

  #closeLongLeaf(): void {
    if (isLongSpan(this.#leafStart, this.#index.address, TARGETS.treeLeafSpan)) this.#closeLeaf();
  }

  #closeLeaf(): void {
    const leaf = this.#leaf;
    this.#leafStart = this.#index.address;
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
    const top = buildTreeTop(leaves, (payload) => {
      const page = encodePageBody(PAGE_KIND.treeInner, payload, this.#engine, this.#digestOf);
      return appendPage(this.#appender, page, this.#digestOf);
    });
    return { top, entriesDigest: this.#hasher.digest() };
  }

  close(): void {
    this.#leaves.close();
  }
}
