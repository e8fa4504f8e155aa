// Which entries of a tree the changed ranges of its content belong to.

import type { Entry } from "../format/entry.ts";
import type { ByteRange } from "./overlay.ts";
import { type ChangedArea, type ChangedFile, Claims } from "./owners.ts";

/**
 * @param changed ranges of the content that the tree's entries are ranges of
 * @param start of that content in the address space
 * @param size of that content
 */
export async function mapEntries(
  entries: AsyncIterable<Entry>,
  changed: readonly ByteRange[],
  { start, size }: { readonly start: number; readonly size: number },
): Promise<{ files: ChangedFile[]; areas: ChangedArea[] }> {
  const claims = new Claims(changed, undefined);
  for await (const { type, path, start: address, size: length, hardLink } of entries) {
    if (type !== "file" || address === undefined || !length || hardLink !== undefined) continue;
    claims.file({ type, path: () => path }, "content", address - start, address - start + length);
  }
  for (const range of claims.unclaimed(0, size)) claims.area("of no entry", range.start, range.end);
  return { files: claims.files, areas: claims.areas };
}
