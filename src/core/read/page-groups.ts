// The pages of a tree, fetched in groups.

import { HexzError } from "../errors.ts";
import { type PageRef, pageEnd } from "../format/page.ts";
import type { Archive } from "./archive.ts";
import { fetchPages } from "./pages.ts";

/** Bytes of pages that are fetched at once. */
const GROUP_BYTES = 1024 * 1024;

/** The pages of one tree, for the layout: leaves, then inner pages from the lowest level up. */
export interface WalkedPages {
  readonly refs: readonly PageRef[];
  /** All pages were found. */
  readonly complete: boolean;
}

/** Fetches pages in groups, those left out that would lie outside of the file. Yields the bytes of each, unchecked. */
export async function* pagesOf<Child>(
  archive: Archive,
  children: readonly Child[],
  refOf: (child: Child) => PageRef,
): AsyncGenerator<{ child: Child; bytes: Uint8Array | HexzError }> {
  const { context, source } = archive;
  for (let at = 0; at < children.length; ) {
    const group: Child[] = [];
    let length = 0;
    while (at < children.length && (group.length === 0 || length + refOf(children[at]!).bodyLength <= GROUP_BYTES)) {
      length += refOf(children[at]!).bodyLength;
      group.push(children[at++]!);
    }
    const inside = group.filter((child) => pageEnd(refOf(child)) <= source.size);
    const pages = await archive.run(fetchPages(context, inside.map(refOf), "a page"));
    for (const child of group) {
      const number = inside.indexOf(child);
      const { offset } = refOf(child);
      const outside = () => new HexzError("invalid", `a page of ${source.name} would lie at ${offset}, behind its end`);
      yield { child, bytes: number < 0 ? outside() : pages[number]! };
    }
  }
}
