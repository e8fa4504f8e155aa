// One content of an open archive, wherever its bytes come from.

import { HexzError } from "../errors.ts";
import type { Archive } from "./archive.ts";
import { type Io, runSync } from "./io.ts";
import type { ContentView } from "./parts.ts";

/** The content of a file or stream: bytes that can be read anywhere. */
export class ArchiveFile {
  readonly #archive: Archive;
  /** Length in bytes. */
  readonly size: number;
  /** Where its first byte is in the archive's address space; undefined of bytes that are computed when they are read. */
  readonly start: number | undefined;
  /** For messages. */
  readonly name: string;
  readonly #view: ContentView;

  constructor(archive: Archive, name: string, place: number | ContentView, size: number) {
    this.#archive = archive;
    this.name = name;
    this.size = size;
    this.start = typeof place === "number" ? place : undefined;
    this.#view =
      typeof place === "number" ? { size, read: (from, to) => archive.random.read(place + from, place + to) } : place;
  }

  #read(start: number, end: number): Io<Uint8Array> {
    if (!(start >= 0 && start <= end && end <= this.size)) {
      throw new HexzError("usage", `bytes ${start} to ${end} of ${this.name} are asked for; it has ${this.size}`);
    }
    return this.#view.read(start, end);
  }

  /**
   * Bytes [start, end), by default all of them, verified.
   * @throws HexzError `damaged`, `io`, and `usage` when the range is not within the file
   */
  async read(start = 0, end = this.size): Promise<Uint8Array> {
    return this.#archive.run(this.#read(start, end));
  }

  /** The same without waiting, where the source can: local files and memory. */
  readSync(start = 0, end = this.size): Uint8Array {
    return runSync(this.#read(start, end));
  }
}
