// A stretch of an open archive's address space as the input of a writer: read ahead by all threads, its zeros told as
// holes, cut where its contents begin and end, with a digest of what was read.

import { hexOf } from "../../core/bytes.ts";
import type { Stretch } from "../../core/format/containers.ts";
import type { Archive } from "../../core/read/archive.ts";
import { ArchiveFile } from "../../core/read/archive-file.ts";
import type { Part, Range } from "../../core/read/bulk.ts";
import type { ContentInput } from "../../core/write/content-input.ts";

const ZEROS = new Uint8Array(64 * 1024);

export interface ArchiveInput extends ContentInput {
  /** BLAKE3 of what was read, hexadecimal; to be asked once. */
  digest(): string;
}

/**
 * @param content a stretch of addresses, or a file that need not lie at any
 * @param borders addresses where contents begin or end, ascending
 */
export function archiveInput(archive: Archive, content: Stretch | ArchiveFile, borders: Float64Array): ArchiveInput {
  // The parts of a file without an address are told by their places in it.
  const { start = 0, size } = content;
  const end = start + size;
  const parts: AsyncGenerator<Part<Range>[]> =
    content instanceof ArchiveFile ? archive.parts(content) : archive.bulk([{ start, end }]);
  const hasher = archive.context.engine.createHasher();
  let group: Part<Range>[] = [];
  let position = start;
  let border = 0;

  const known = (): Part<Range> | undefined => {
    while (group.length > 0 && group[0]!.end === position) group.shift();
    return group[0];
  };
  const next = async (): Promise<Part<Range> | undefined> => {
    while (known() === undefined) {
      const { value, done } = await parts.next();
      if (done) return undefined;
      group = [...value];
    }
    return known();
  };
  return {
    name: archive.source.name,
    size: end - start,
    sparse: true,
    async read(into) {
      const part = await next();
      if (part === undefined) return 0;
      if ("error" in part) throw part.error;
      const length = Math.min(into.length, part.end - position);
      const bytes = into.subarray(0, length);
      if ("bytes" in part) bytes.set(part.bytes.subarray(position - part.start, position - part.start + length));
      else bytes.fill(part.fill);
      hasher.update(bytes);
      position += length;
      return length;
    },
    hole() {
      const part = known();
      return part !== undefined && "fill" in part && part.fill === 0 ? part.end - position : 0;
    },
    skip(length) {
      for (let left = length; left > 0; left -= ZEROS.length) hasher.update(ZEROS.subarray(0, left));
      position += length;
    },
    border() {
      while (border < borders.length && borders[border]! <= position) border++;
      return (borders[border] ?? Number.POSITIVE_INFINITY) - position;
    },
    digest: () => hexOf(hasher.digest()),
    finish() {},
    close() {},
  };
}
