// Leaf pages are written twice: as they fill, between the blocks, and together at the end, where the root points
// (docs/format.md, "The writer's order").

import { ByteReader, ByteWriter } from "../bytes.ts";
import type { DigestOf } from "../digest.ts";
import { encodePageFrame, type PageBody, type PageRef } from "../format/page.ts";
import type { Appender } from "./appender.ts";
import type { Scratch } from "./scratch.ts";

export function appendPage(appender: Appender, page: PageBody, digestOf: DigestOf): PageRef {
  const offset = appender.position;
  appender.append(encodePageFrame(page, offset, digestOf));
  appender.append(page.body);
  return { offset, bodyLength: page.body.length, digest: page.digest };
}

/** Re-cuts pieces into records of the lengths asked for. */
export class PieceReader {
  readonly #pieces: Iterator<Uint8Array>;
  #current: Uint8Array = new Uint8Array(0);

  constructor(pieces: Iterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.iterator]();
  }

  take(length: number): Uint8Array {
    const writer = new ByteWriter(length);
    while (writer.length < length) {
      if (this.#current.length === 0) this.#current = this.#pieces.next().value as Uint8Array;
      const part = this.#current.subarray(0, length - writer.length);
      writer.raw(part);
      this.#current = this.#current.subarray(part.length);
    }
    return writer.take();
  }
}

/** Keeps the bodies of leaves, and with each what its parent says of it. */
export class LeafPages<About> {
  readonly #scratch: Scratch;
  readonly #digestOf: DigestOf;
  readonly #kept: { about: About; digest: Uint8Array }[] = [];

  constructor(scratch: Scratch, digestOf: DigestOf) {
    this.#scratch = scratch;
    this.#digestOf = digestOf;
  }

  get count(): number {
    return this.#kept.length;
  }

  /** Appends the first copy and keeps the second. */
  add(appender: Appender, page: PageBody, about: About): void {
    appendPage(appender, page, this.#digestOf);
    this.#scratch.append(new ByteWriter(4 + page.body.length).u32(page.body.length).raw(page.body).view());
    this.#kept.push({ about, digest: page.digest });
  }

  /** Appends the second copies, one after the other. */
  async appendCopies(appender: Appender): Promise<{ about: About; ref: PageRef }[]> {
    const pieces = new PieceReader(this.#scratch.read());
    const pages: { about: About; ref: PageRef }[] = [];
    for (const { about, digest } of this.#kept) {
      const bodyLength = new ByteReader(pieces.take(4), "the scratch").u32();
      pages.push({ about, ref: appendPage(appender, { body: pieces.take(bodyLength), digest }, this.#digestOf) });
      await appender.flush();
    }
    this.close();
    return pages;
  }

  close(): void {
    this.#scratch.close();
  }
}

/** What buildTop must know of one kind of tree. */
export interface Levels<Child> {
  /** Bytes that the child takes in a page, at most. */
  size(child: Child): number;
  /** Appends an inner page over the children; returns the child that names it. */
  append(children: readonly Child[]): Child;
  readonly pageLimit: number;
  readonly rootLimit: number;
}

/** Puts inner pages over the children, level by level, until they fit the root. */
export function buildTop<Child>(leaves: readonly Child[], levels: Levels<Child>) {
  let children = leaves;
  let depth = 0;
  let pageCount = leaves.length;
  const total = (list: readonly Child[]) => list.reduce((sum, child) => sum + levels.size(child), 0);
  while (children.length > 1 && total(children) > levels.rootLimit) {
    const above: Child[] = [];
    let group: Child[] = [];
    let size = 0;
    for (const child of children) {
      // At least two children a page, however long they are: the levels must get shorter.
      if (group.length > 1 && size + levels.size(child) > levels.pageLimit) {
        above.push(levels.append(group));
        group = [];
        size = 0;
      }
      group.push(child);
      size += levels.size(child);
    }
    above.push(levels.append(group));
    pageCount += above.length;
    depth++;
    children = above;
  }
  return { depth, pageCount, children };
}
