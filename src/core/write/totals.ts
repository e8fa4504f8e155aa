// What the root says of an archive in numbers, counted while it is written.

import type { Entry } from "../format/entry.ts";
import type { CodecTally, Counts } from "../format/root.ts";

export class Totals {
  readonly #counts: Counts = {
    files: 0,
    directories: 0,
    symlinks: 0,
    other: 0,
    originalSize: 0,
    unique: { count: 0, bytes: 0 },
    duplicate: { count: 0, bytes: 0 },
    parent: { count: 0, bytes: 0 },
    fill: { count: 0, bytes: 0 },
    codecs: [],
  };
  readonly #codecs = new Map<number, CodecTally>();

  unique(length: number): void {
    this.#counts.unique.count++;
    this.#counts.unique.bytes += length;
  }

  duplicate(length: number): void {
    this.#counts.duplicate.count++;
    this.#counts.duplicate.bytes += length;
  }

  /** The first occurrence of a chunk that a parent stores. */
  parent(length: number): void {
    this.#counts.parent.count++;
    this.#counts.parent.bytes += length;
  }

  fill(length: number): void {
    this.#counts.fill.count++;
    this.#counts.fill.bytes += length;
  }

  block(codec: number, storedBytes: number, plainBytes: number): void {
    let tally = this.#codecs.get(codec);
    if (tally === undefined) {
      tally = { codec, blocks: 0, storedBytes: 0, plainBytes: 0 };
      this.#codecs.set(codec, tally);
    }
    tally.blocks++;
    tally.storedBytes += storedBytes;
    tally.plainBytes += plainBytes;
  }

  stream(size: number): void {
    this.#counts.originalSize += size;
  }

  /** @param size of a file's content */
  entry(entry: Pick<Entry, "type" | "hardLink">, size: number): void {
    if (entry.type === "file") {
      this.#counts.files++;
      if (entry.hardLink === undefined) this.#counts.originalSize += size;
    } else if (entry.type === "directory") this.#counts.directories++;
    else if (entry.type === "symlink") this.#counts.symlinks++;
    else this.#counts.other++;
  }

  /** Entries and original size are those of another archive. */
  takeEntries({ files, directories, symlinks, other, originalSize }: Counts): void {
    Object.assign(this.#counts, { files, directories, symlinks, other, originalSize });
  }

  /** The counts, codecs in order of their number. */
  counts(): Counts {
    return { ...this.#counts, codecs: [...this.#codecs.values()].sort((a, b) => a.codec - b.codec) };
  }
}
