// The contents of an archive as inputs: streams and files, each once, read with all threads.

import { closeSync, openSync, readSync } from "node:fs";
import { HexzError } from "../core/errors.ts";
import type { Entry } from "../core/format/entry.ts";
import { displayName } from "../core/format/path.ts";
import type { Archive } from "../core/read/archive.ts";
import type { Part, Range } from "../core/read/bulk.ts";
import type { ContentInput } from "../core/write/content-input.ts";
import { fromSystemError } from "./errors.ts";

const MAGIC = "HEXZ";

/** Whether a file begins as an archive does. @throws HexzError `not_found`, `permission` */
export function looksLikeArchive(path: string): boolean {
  try {
    const fd = openSync(path, "r");
    try {
      const head = Buffer.alloc(MAGIC.length);
      return readSync(fd, head, 0, head.length, 0) === head.length && head.toString("latin1") === MAGIC;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw fromSystemError(error, "open", path);
  }
}

/** Streams and files by address; those that lie in another one are left out. */
export async function contentRanges(archive: Archive, onEntry: (entry: Entry) => void): Promise<Range[]> {
  const ranges: Range[] = archive.streams.map(({ start, size }) => ({ start, end: start + size }));
  for await (const entry of archive.entries()) {
    onEntry(entry);
    if (entry.type !== "file" || entry.hardLink !== undefined || entry.size === 0) continue;
    archive.checkRange(displayName(entry.path), entry.start!, entry.size!);
    ranges.push({ start: entry.start!, end: entry.start! + entry.size! });
  }
  ranges.sort((a, b) => a.start - b.start || b.end - a.end);
  let end = 0;
  return ranges.filter((range) => {
    if (range.end <= end) return false;
    end = range.end;
    return true;
  });
}

/** Parts of the archive's contents, put together again as contents. */
class PartReader {
  readonly #groups: AsyncIterator<Part<Range>[]>;
  #parts: Part<Range>[] = [];
  #next = 0;
  #position = 0;

  constructor(groups: AsyncIterable<Part<Range>[]>) {
    this.#groups = groups[Symbol.asyncIterator]();
  }

  /** Copies the next bytes of the range. @returns how many, 0 at its end @throws what a part says */
  async read(range: Range, into: Uint8Array): Promise<number> {
    for (;;) {
      const part = this.#parts[this.#next];
      if (part === undefined) {
        const { done, value } = await this.#groups.next();
        if (done) return 0;
        this.#parts = value;
        this.#next = 0;
        this.#position = this.#parts[0]?.start ?? 0;
        continue;
      }
      if (part.range !== range) return 0;
      if ("error" in part) throw part.error;
      const length = Math.min(into.length, part.end - this.#position);
      if ("fill" in part) into.fill(part.fill, 0, length);
      else {
        const from = this.#position - part.start;
        into.set(part.bytes.subarray(from, from + length));
      }
      this.#position += length;
      if (this.#position === part.end) {
        this.#next++;
        this.#position = this.#parts[this.#next]?.start ?? 0;
      }
      if (length > 0) return length;
    }
  }

  async close(): Promise<void> {
    await this.#groups.return?.();
  }
}

/** Hands ranges of the archive over as inputs, in order. @throws HexzError `damaged` and what reading throws */
export async function eachRange<R extends Range>(
  archive: Archive,
  ranges: readonly R[],
  take: (input: ContentInput, range: R) => Promise<unknown>,
): Promise<void> {
  const reader = new PartReader(archive.bulk(ranges));
  try {
    for (const range of ranges) {
      const size = range.end - range.start;
      let position = 0;
      const input: ContentInput = {
        name: archive.source.name,
        size,
        async read(into) {
          const length = await reader.read(range, into);
          position += length;
          return length;
        },
        finish() {
          if (position < size) throw new HexzError("io", `${archive.source.name} gave ${position} of ${size} bytes`);
        },
        close() {},
      };
      await take(input, range);
      input.finish();
    }
  } finally {
    await reader.close();
  }
}
