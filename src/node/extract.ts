// Extraction: entries in tree order, their contents through bulk reading, into a TreeWriter or one file.

import { HexzError, type Warning } from "../core/errors.ts";
import type { Entry } from "../core/format/entry.ts";
import { type ByteString, byteStringFromText, comparePaths, displayName } from "../core/format/path.ts";
import type { Stream } from "../core/format/root.ts";
import type { Archive } from "../core/read/archive.ts";
import type { ArchiveFile } from "../core/read/archive-file.ts";
import type { Part, Range } from "../core/read/bulk.ts";
import { requireParents } from "../core/read/require-parents.ts";
import type { FileOutput } from "./output-file.ts";
import { TreeWriter, type TreeWriterOptions } from "./tree-writer.ts";

export interface ExtractOptions extends TreeWriterOptions {
  /** Which entries: by their path in the archive. Default: all. */
  readonly select?: (entry: Entry) => boolean;
  /** Streams to write as files of their names beside the entries. Default: none. */
  readonly streams?: readonly Stream[];
  /** Leading components to remove; entries with no more than that are left out. */
  readonly stripComponents?: number;
  readonly onProgress?: (bytes: number) => void;
}

export interface Extracted {
  readonly entries: number;
  readonly bytes: number;
  /** How many entries are not there, or not complete. */
  readonly failed: number;
  /** What was left out or not restored; empty when everything is as it was. */
  readonly warnings: readonly Warning[];
}

/** An entry on its way out, as a range of the address space: of nothing, where it has no content. */
interface EntryRange extends Range {
  readonly entry: Entry;
  /** Of a hard link whose first name is not extracted along: its content comes here. */
  readonly isFile: boolean;
}

/** What spoils one entry and not the others. */
const ENTRY_ERRORS: ReadonlySet<string> = new Set([
  "damaged",
  "invalid",
  "limit_exceeded",
  "feature_unknown",
  "unsafe_path",
  "device_refused",
  "permission",
  "wrong_type",
  "unsupported",
  "not_found",
]);

/** What is to be restored, under the names that it gets; `path` is that in the archive, which streams have none. */
async function* selectedOf(
  archive: Archive,
  options: ExtractOptions,
): AsyncGenerator<{ entry: Entry; path: ByteString | undefined }> {
  for (const { name, start, size, sparse } of options.streams ?? []) {
    yield { entry: { path: byteStringFromText(name), type: "file", start, size, sparse }, path: undefined };
  }
  for await (const entry of archive.entries()) {
    const name = nameFor(entry, options);
    if (name === undefined) continue;
    yield { entry: name === entry.path ? entry : { ...entry, path: name }, path: entry.path };
  }
}

/** The name that an entry gets; undefined when it is not wanted. */
function nameFor(entry: Entry, { select, stripComponents = 0 }: ExtractOptions): ByteString | undefined {
  if (select !== undefined && !select(entry)) return undefined;
  if (stripComponents === 0) return entry.path;
  const components = entry.path.split("/");
  return components.length > stripComponents ? (components.slice(stripComponents).join("/") as ByteString) : undefined;
}

function rangeProblem(archive: Archive, entry: Entry): HexzError | undefined {
  try {
    archive.checkRange(displayName(entry.path), entry.start!, entry.size!);
    return undefined;
  } catch (error) {
    return error as HexzError;
  }
}

/** Where the contents lie that are to be restored. */
async function* contentsOf(archive: Archive, options: ExtractOptions): AsyncGenerator<Range> {
  for await (const { entry } of selectedOf(archive, options)) {
    const { start, size, derived } = entry;
    if (derived !== undefined) yield { start: derived.from.start, end: derived.from.start + derived.from.size };
    else if (start !== undefined && rangeProblem(archive, entry) === undefined) yield { start, end: start + size! };
  }
}

/**
 * Restores entries below a directory and nothing outside it. Damaged files, refused names and what the machine cannot
 * do are left out with a warning; everything else is restored.
 * @throws HexzError `collision` before anything is written when something is in the way, `parent_missing` when a parent
 * is needed that is not there; `no_space`, `io`
 */
export async function extractTree(
  archive: Archive,
  destination: string,
  options: ExtractOptions = {},
): Promise<Extracted> {
  await requireParents(archive, contentsOf(archive, options));
  const extraction = new Extraction(archive, destination, options);
  try {
    return await extraction.run();
  } catch (error) {
    extraction.abort();
    throw error;
  }
}

class Extraction {
  readonly #archive: Archive;
  readonly #options: ExtractOptions;
  readonly #writer: TreeWriter;
  readonly #warnings: Warning[] = [];
  /** Of files that are not extracted, but other names of them: where the first of those went. */
  readonly #instead = new Map<ByteString, ByteString>();
  /** Contents that lie at no address: after the others. */
  readonly #computed: { readonly range: EntryRange; readonly file: ArchiveFile }[] = [];
  #output: FileOutput | undefined;
  #entries = 0;
  #bytes = 0;
  #failed = 0;

  constructor(archive: Archive, destination: string, options: ExtractOptions) {
    this.#archive = archive;
    this.#options = options;
    this.#writer = new TreeWriter(destination, { ...options, onWarning: (warning) => this.#warnings.push(warning) });
  }

  async run(): Promise<Extracted> {
    if (this.#writer.shared || this.#options.stripComponents) await this.#checkPlaces();
    for await (const parts of this.#archive.bulk(this.#ranges())) {
      for (const part of parts) this.#part(part);
    }
    for (const { range, file } of this.#computed) await this.#compute(range, file);
    this.#writer.finish();
    return { entries: this.#entries, bytes: this.#bytes, failed: this.#failed, warnings: this.#warnings };
  }

  /** @throws HexzError `collision` when something is in the way, or two entries would get one name */
  async #checkPlaces(): Promise<void> {
    const taken = new Map<ByteString, Entry>();
    for await (const { entry } of selectedOf(this.#archive, this.#options)) {
      this.#tolerate(entry, () => this.#writer.check(entry));
      if (!this.#options.stripComponents) continue;
      const before = taken.get(entry.path);
      taken.set(entry.path, entry);
      if (before === undefined || (before.type === "directory" && entry.type === "directory")) continue;
      throw new HexzError("collision", `two entries would get the name ${displayName(entry.path)}`, {
        data: { path: displayName(entry.path) },
      });
    }
    this.#warnings.length = 0;
    this.#failed = 0;
  }

  abort(): void {
    this.#output?.abort();
    this.#writer.abort();
  }

  async *#ranges(): AsyncGenerator<EntryRange> {
    for await (const { entry, path } of selectedOf(this.#archive, this.#options)) {
      const target = entry.hardLink === undefined ? undefined : await this.#linkTarget(entry, path);
      if (entry.type !== "file" || target !== undefined) {
        const restored = target === undefined ? entry : { ...entry, hardLink: target };
        yield { entry: restored, isFile: false, start: 0, end: 0 };
        continue;
      }
      if (entry.computed === true) {
        const file = this.#archive.fileOf(path === undefined ? entry : { ...entry, path });
        this.#computed.push({ range: { entry, isFile: true, start: 0, end: file.size }, file });
        continue;
      }
      const problem = rangeProblem(this.#archive, entry);
      if (problem !== undefined) {
        this.#warn(entry, problem);
        continue;
      }
      const { hardLink: link, ...file } = entry;
      if (link !== undefined) this.#instead.set(link, entry.path);
      yield { entry: file, isFile: true, start: entry.start!, end: entry.start! + entry.size! };
    }
  }

  /**
   * Where the content of a hard link is already: at the file's first name, or at the one that came instead. Looked up in
   * the archive: to remember where every file went would take memory by their number.
   * @param path of the entry in the archive
   */
  async #linkTarget({ hardLink }: Entry, path: ByteString | undefined): Promise<ByteString | undefined> {
    if (hardLink === undefined || path === undefined) return undefined;
    const instead = this.#instead.get(hardLink);
    if (instead !== undefined || comparePaths(hardLink, path) >= 0) return instead;
    let first: Entry | undefined;
    try {
      first = await this.#archive.run(this.#archive.tree.find(hardLink));
    } catch (error) {
      // What is damaged there is told where the entries are listed.
      if (!(error instanceof HexzError) || !ENTRY_ERRORS.has(error.code)) throw error;
    }
    if (first?.type !== "file" || first.hardLink !== undefined || first.computed === true) return undefined;
    return rangeProblem(this.#archive, first) === undefined ? nameFor(first, this.#options) : undefined;
  }

  /** A content that lies at no address. */
  async #compute(range: EntryRange, file: ArchiveFile): Promise<void> {
    try {
      for await (const parts of this.#archive.parts(file)) {
        for (const part of parts) this.#part({ ...part, range });
      }
    } catch (error) {
      if (!(error instanceof HexzError) || !ENTRY_ERRORS.has(error.code)) throw error;
      this.#output?.abort();
      this.#output = undefined;
      this.#warn(range.entry, error);
    }
  }

  #warn({ path }: Entry, error: HexzError): void {
    this.#failed++;
    this.#warnings.push({ path, code: error.code, message: error.message });
  }

  /** Does something for one entry; false when that entry could not be. */
  #tolerate(entry: Entry, step: () => void): boolean {
    try {
      step();
      return true;
    } catch (error) {
      if (!(error instanceof HexzError) || !ENTRY_ERRORS.has(error.code)) throw error;
      this.#warn(entry, error);
      return false;
    }
  }

  #part(part: Part<EntryRange>): void {
    const { range, start, end } = part;
    const { entry } = range;
    if (!range.isFile) {
      if (this.#tolerate(entry, () => this.#restore(entry))) this.#entries++;
      return;
    }
    if (start === range.start) {
      this.#output = undefined;
      this.#tolerate(entry, () => {
        this.#output = this.#writer.file(entry);
      });
    }
    const output = this.#output;
    if (output === undefined) return;
    const kept = this.#tolerate(entry, () => {
      if ("error" in part) throw part.error;
      const position = start - range.start;
      if ("bytes" in part) output.write(part.bytes, position);
      else if (part.fill === 0) output.writeZeros(end - start, position);
      else writeFill(output, part.fill, end - start, position);
      this.#bytes += end - start;
      this.#options.onProgress?.(end - start);
      if (end === range.end) output.finish();
    });
    if (kept && end !== range.end) return;
    if (kept) this.#entries++;
    else output.abort();
    this.#output = undefined;
  }

  #restore(entry: Entry): void {
    if (entry.type === "directory") this.#writer.directory(entry);
    else if (entry.type === "symlink") this.#writer.symlink(entry);
    else if (entry.type === "file") this.#writer.hardLink(entry);
    else this.#writer.special(entry);
  }
}

const FILL_PIECE = 65_536;

function writeFill(output: FileOutput, value: number, length: number, position: number): void {
  const piece = new Uint8Array(Math.min(length, FILL_PIECE)).fill(value);
  for (let at = 0; at < length; at += FILL_PIECE) {
    output.write(piece.subarray(0, Math.min(FILL_PIECE, length - at)), position + at);
  }
}
