// Before anything is written: are the parents there that some ranges need?

import type { Archive } from "./archive.ts";
import type { Range } from "./bulk.ts";
import { piecesOf } from "./locate.ts";
import type { FoundLeaf } from "./parts.ts";

/**
 * Opens the parents that hold blocks of these ranges, and reads index pages only. What is broken is for whoever reads
 * it to tell.
 * @throws HexzError `parent_missing`
 */
export async function requireParents(archive: Archive, ranges: AsyncIterable<Range>): Promise<void> {
  if (archive.root.parents.length === 0) return;
  const { index, stores } = archive;
  const opened = new Set([0]);
  let found: FoundLeaf | undefined;
  for await (const { start, end } of ranges) {
    for (let at = start; at < end; at = found.end) {
      if (found === undefined || at < found.start || at >= found.end) found = await archive.run(index.find(at));
      if ("error" in found) {
        if (found.error.code === "parent_missing") throw found.error;
        continue;
      }
      const { leaf } = found;
      for (const piece of piecesOf(leaf, at, end)) {
        if ("value" in piece) continue;
        const { archive: number } = leaf.blocks[piece.block]!;
        if (opened.has(number)) continue;
        await archive.run(stores.store(number));
        opened.add(number);
      }
    }
  }
}
