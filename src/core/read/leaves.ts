// The pages of an archive's index in address order, of either format, without any block.

import { HexzError } from "../errors.ts";
import type { IndexLeaf } from "../format/index-page.ts";
import type { Archive } from "./archive.ts";
import { pagesOf } from "./page-groups.ts";
import type { FoundLeaf } from "./parts.ts";

/** With what an index of format 1 cannot tell in its place; a broken index of format 2 is thrown. */
export async function* foundLeavesOf(archive: Archive): AsyncGenerator<FoundLeaf> {
  if (archive.format1 !== undefined) {
    for (let address = 0; address < archive.root.addressSpace; ) {
      const found = await archive.run(archive.index.find(address));
      yield found;
      address = found.end;
    }
    return;
  }
  const { index } = archive.format2;
  const places = await archive.run(index.places());
  for await (const { child: place, bytes } of pagesOf(archive, places, ({ child }) => child.ref)) {
    if (bytes instanceof HexzError) throw bytes;
    const leaf = index.decodeLeaf(place, bytes);
    yield { leaf, start: leaf.starts[0]!, end: leaf.starts.at(-1)! };
  }
}

export async function* leavesOf(archive: Archive): AsyncGenerator<IndexLeaf> {
  for await (const found of foundLeavesOf(archive)) {
    if ("error" in found) throw found.error;
    yield found.leaf;
  }
}
