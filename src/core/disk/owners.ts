// Who owns which bytes of a disk. A file system names the owners of all that it holds; of these claims, what the changed
// ranges have is kept.

import type { ByteString } from "../format/path.ts";
import { type ByteRange, within } from "./overlay.ts";

export type OwnerType = "file" | "directory" | "symlink" | "other";

export interface ChangedFile {
  readonly partition: number | undefined;
  readonly path: ByteString;
  /** Further names of the same file. */
  readonly otherPaths: ByteString[];
  readonly type: OwnerType;
  /** Changed bytes of its content, and of blocks that say where that is. */
  bytes: number;
  metadataBytes: number;
  /** Of the disk. */
  readonly ranges: ByteRange[];
}

export interface ChangedArea {
  readonly partition: number | undefined;
  /** "journal", "inode table", "free space", … */
  readonly area: string;
  bytes: number;
}

/** What of a file is claimed. */
export type FilePart = "content" | "metadata";

/** A file that claims; its name is asked for when it is needed. */
export interface FileOwner {
  readonly type: OwnerType;
  path(): ByteString;
}

/** Collects what was changed, for one partition or for what is outside of all. */
export class Claims {
  readonly #changed: readonly ByteRange[];
  readonly #partition: number | undefined;
  readonly #areas = new Map<string, ChangedArea>();
  readonly #files = new Map<FileOwner, ChangedFile>();
  /** Changed ranges that were claimed. */
  readonly #claimed: ByteRange[] = [];

  constructor(changed: readonly ByteRange[], partition: number | undefined) {
    this.#changed = changed;
    this.#partition = partition;
  }

  get files(): ChangedFile[] {
    return [...this.#files.values()];
  }

  get areas(): ChangedArea[] {
    return [...this.#areas.values()];
  }

  /** @param start, end on the disk */
  area(area: string, start: number, end: number): void {
    for (const { start: from, end: to } of this.#claim(start, end)) this.#addArea(area, to - from);
  }

  #addArea(area: string, bytes: number): void {
    const known = this.#areas.get(area);
    if (known !== undefined) known.bytes += bytes;
    else this.#areas.set(area, { partition: this.#partition, area, bytes });
  }

  /** @returns the record of the file, when anything of that was changed */
  file(owner: FileOwner, part: FilePart, start: number, end: number): ChangedFile | undefined {
    for (const range of this.#claim(start, end)) {
      let file = this.#files.get(owner);
      if (file === undefined) {
        const { type } = owner;
        file = {
          partition: this.#partition,
          path: owner.path(),
          otherPaths: [],
          type,
          bytes: 0,
          metadataBytes: 0,
          ranges: [],
        };
        this.#files.set(owner, file);
      }
      if (part === "content") file.bytes += range.end - range.start;
      else file.metadataBytes += range.end - range.start;
      file.ranges.push(range);
    }
    return this.#files.get(owner);
  }

  #claim(start: number, end: number): ByteRange[] {
    const found = within(this.#changed, start, end).map((range) => ({
      start: Math.max(range.start, start),
      end: Math.min(range.end, end),
    }));
    for (const range of found) this.#claimed.push(range);
    return found;
  }

  /** The changed ranges of [start, end) that nobody has claimed. */
  unclaimed(start: number, end: number): ByteRange[] {
    const claimed = this.#claimed.sort((a, b) => a.start - b.start);
    const left: ByteRange[] = [];
    let next = 0;
    for (const range of within(this.#changed, start, end)) {
      let at = Math.max(range.start, start);
      const stop = Math.min(range.end, end);
      while (at < stop) {
        while (next < claimed.length && claimed[next]!.end <= at) next++;
        const claim = claimed[next];
        const free = Math.min(stop, claim === undefined ? stop : Math.max(at, claim.start));
        if (free > at) left.push({ start: at, end: free });
        at = free < stop ? claim!.end : stop;
      }
    }
    return left;
  }
}
