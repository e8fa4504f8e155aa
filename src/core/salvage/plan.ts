// Salvage, fourth step: what is kept and what is left out. A file, stream or container is kept when none of its bytes is
// lost; content whose name is lost gets a new one.

import { type ErrorCode, HexzError } from "../errors.ts";
import { type Container, containersJson, containersOf } from "../format/containers.ts";
import type { Entry } from "../format/entry.ts";
import { type ByteString, byteStringFromText, comparePaths, displayName } from "../format/path.ts";
import type { Counts, Stream } from "../format/root.ts";
import type { Archive } from "../read/archive.ts";
import type { Problem } from "../read/findings.ts";
import { Totals } from "../write/totals.ts";
import { RangeSet } from "./ranges.ts";
import type { LostEntries, Rebuilt } from "./rebuild.ts";

/** A loss, and whether what it is a part of is there all the same. */
export interface Loss extends Problem {
  /** Kept, with zeros in this place. */
  readonly kept: boolean;
}

/** Losses that are told one by one. */
const MOST_LOSSES = 10_000;
const FOUND = "lost+found";

const REASONS: Partial<Record<ErrorCode, string>> = {
  damaged: "they are damaged",
  parent_missing: "they are in a parent that was not found",
};

interface Stretch {
  readonly start: number;
  readonly size: number;
}

/** Where the content of a file is, or what it is computed from. */
function stretchOf({ start, size, derived }: Entry): Stretch {
  return derived === undefined ? { start: start!, size: size! } : derived.from;
}

function describeEntries({ first, count }: LostEntries): string {
  const where = first === undefined ? "" : ` from "${displayName(first)}" on`;
  return `the names of ${count ?? "some"} entries${where} are lost`;
}

export class SalvagePlan {
  readonly #archive: Archive;
  readonly #lost: RangeSet<ErrorCode>;
  readonly #keepPartial: boolean;
  /** Addresses of all contents that have a name, and of those that are kept. */
  readonly #named = new RangeSet();
  readonly #kept = new RangeSet();
  /** Of those kept, what counts for the original size. */
  readonly #counted = new RangeSet();
  readonly #borders: number[] = [];
  #sortedBorders: Float64Array | undefined;
  /** Files that hard links name. */
  readonly #linked = new Set<ByteString>();
  /** Names at the top that begin as ours do. */
  readonly #taken = new Set<string>();
  /** Contents without a name, in tree order. */
  #nameless: readonly Entry[] = [];
  readonly losses: Loss[] = [];
  #moreLosses = 0;
  streams: readonly Stream[] = [];
  metadata: Readonly<Record<string, unknown>> = {};
  counts: Counts | undefined;

  constructor(archive: Archive, lost: RangeSet<ErrorCode>, keepPartial: boolean) {
    this.#archive = archive;
    this.#lost = lost;
    this.#keepPartial = keepPartial;
  }

  /** @param rooted the archive's root was found */
  async make(rebuilt: Rebuilt, rooted: boolean): Promise<void> {
    const { addressSpace } = this.#archive.root;
    if (!rooted) {
      const message = `the root is lost, with metadata, the names of streams and parents, and what stood behind address ${addressSpace}`;
      this.lose({ code: "truncated", where: "root", message });
    } else if (rebuilt.lostMetadata) {
      this.lose({ code: "damaged", where: "metadata", message: "the metadata are lost" });
    }
    for (const part of rebuilt.lostEntries) {
      if (rooted) this.lose({ code: "damaged", where: "tree", message: describeEntries(part) });
    }
    const metadata = await this.#readMetadata();
    this.streams = this.#archive.streams.filter((stream) => this.#keep(stream.name, stream));
    const containers = this.#containersOf(metadata);
    const whole = containers.filter((one) => "start" in one && this.#keep(one.name, one));
    for await (const entry of this.#archive.entries()) this.#look(entry);
    if (rebuilt.lostEntries.length > 0) await this.#keepNameless(rooted);
    const listed = containers.filter((one) => "pieces" in one && this.#keepPieces(one.name, one.pieces));
    const { containers: _, ...others } = metadata;
    const kept = containers.filter((one) => whole.includes(one) || listed.includes(one));
    this.metadata = kept.length === 0 ? others : { ...others, containers: containersJson(kept) };
    const totals = new Totals();
    for await (const entry of this.entries()) totals.entry(entry, 0);
    this.counts = { ...totals.counts(), originalSize: this.#counted.total };
    const { losses } = this;
    if (this.#moreLosses > 0) {
      const message = `${this.#moreLosses} more losses`;
      losses.push({ code: "damaged", where: "content", message, kept: false });
    }
  }

  lose(problem: Problem, kept = false): void {
    if (this.losses.length < MOST_LOSSES) this.losses.push({ ...problem, kept });
    else this.#moreLosses++;
  }

  /** Contents that were given names. */
  get namelessCount(): number {
    return this.#nameless.length;
  }

  /** Decides on a content; tells what of it is lost. @param computed other content is computed from it */
  #keep(path: string, { start, size }: Stretch, computed = false): boolean {
    if (size === 0) return true;
    const end = start + size;
    const inside = end <= this.#archive.root.addressSpace;
    this.#named.add(start, end, undefined);
    const isWhole = inside && !this.#lost.touches(start, end);
    // What would be computed from zeros is nothing that anybody asked for.
    const kept = isWhole || (inside && this.#keepPartial && !computed);
    if (!isWhole) this.#tell(path, start, end, kept);
    if (!kept) return false;
    this.#kept.add(start, end, undefined);
    if (computed) return true;
    this.#counted.add(start, end, undefined);
    this.#borders.push(start, end);
    return true;
  }

  /** The list of a container that is put together of other contents: it is worth nothing when any of them is lost. */
  #keepPieces(name: string, { start, size }: Stretch): boolean {
    if (this.losses.length > 0 || this.#lost.touches(start, start + size)) {
      const message = `the container "${name}" cannot be put together any more`;
      this.lose({ code: "damaged", where: "metadata", path: name, message });
      return false;
    }
    this.#kept.add(start, start + size, undefined);
    this.#borders.push(start, start + size);
    return true;
  }

  async #readMetadata(): Promise<Readonly<Record<string, unknown>>> {
    try {
      return await this.#archive.metadata();
    } catch (error) {
      if (!(error instanceof HexzError) || error.code === "interrupted") throw error;
      this.lose({ code: error.code, where: "metadata", message: error.message });
      return {};
    }
  }

  #tell(path: string, start: number, end: number, kept: boolean): void {
    const part = (code: ErrorCode, from: number, to: number) => {
      const message = `bytes ${from} to ${to} of "${path}" are lost: ${REASONS[code] ?? code}`;
      this.lose({ code, where: "content", path, start: from, end: to, message }, kept);
    };
    for (const range of this.#lost.touching(start, end)) {
      part(range.tag, Math.max(range.start, start) - start, Math.min(range.end, end) - start);
    }
    const { addressSpace } = this.#archive.root;
    if (end > addressSpace) part("invalid", Math.max(addressSpace, start) - start, end - start);
  }

  #containersOf(metadata: Readonly<Record<string, unknown>>): Container[] {
    try {
      return containersOf(metadata, this.#archive.source.name);
    } catch (error) {
      if (!(error instanceof HexzError)) throw error;
      this.lose({ code: error.code, where: "metadata", message: error.message });
      return [];
    }
  }

  #look(entry: Entry): void {
    const [top = ""] = entry.path.split("/");
    if (top.startsWith(FOUND)) this.#taken.add(top);
    if (entry.type !== "file") return;
    if (entry.hardLink !== undefined) this.#linked.add(entry.hardLink);
    this.#keep(displayName(entry.path), stretchOf(entry), entry.derived !== undefined);
  }

  /** Gives names to what is left of contents that have none. */
  async #keepNameless(rooted: boolean): Promise<void> {
    const { addressSpace } = this.#archive.root;
    const stored = new RangeSet();
    for await (const { starts, fills } of this.#archive.leaves()) {
      for (const [chunk, fill] of fills.entries())
        if (fill < 0) stored.add(starts[chunk]!, starts[chunk + 1]!, undefined);
    }
    let directory = FOUND;
    for (let number = 2; this.#taken.has(directory); number++) directory = `${FOUND}-${number}`;
    const found: Entry[] = [];
    for (const gap of [...this.#named.gaps(0, addressSpace)]) {
      // Streams come first. Where the root is lost, what comes before the first file is one, or two.
      const isStream = !rooted && gap.start === 0 && (this.#keepPartial || !this.#lost.touches(0, gap.end));
      if (isStream && stored.touches(0, gap.end)) {
        this.streams = [{ name: "disk", start: 0, size: gap.end, sparse: false }];
        this.#keep("disk", { start: 0, size: gap.end });
        continue;
      }
      for (const { start, end } of this.#lost.gaps(gap.start, gap.end)) {
        if (!stored.touches(start, end)) continue;
        const path = byteStringFromText(`${directory}/${start}-${end}`);
        const content = { start, size: end - start };
        found.push({ path, type: "file", ...content });
        this.#keep(path, content);
      }
    }
    this.#nameless = found.sort((a, b) => comparePaths(a.path, b.path));
  }

  /** Whether a file is kept. Asked after `make`. */
  #isKept(entry: Entry): boolean {
    if (entry.type !== "file") return true;
    const { start, size } = stretchOf(entry);
    const inside = start + size <= this.#archive.root.addressSpace;
    const mayBePartial = this.#keepPartial && entry.derived === undefined;
    return size === 0 || (inside && (mayBePartial || !this.#lost.touches(start, start + size)));
  }

  async *#merged(): AsyncGenerator<Entry> {
    let next = 0;
    for await (const entry of this.#archive.entries()) {
      while (next < this.#nameless.length && comparePaths(this.#nameless[next]!.path, entry.path) < 0) {
        yield this.#nameless[next++]!;
      }
      if (this.#isKept(entry)) yield entry;
    }
    yield* this.#nameless.slice(next);
  }

  /** What the new tree holds. A hard link whose file is lost, or another one, becomes a file. */
  async *entries(): AsyncGenerator<Entry> {
    /** By what links name: the file, or what it has become. */
    const linked = new Map<ByteString, Entry>();
    let isFirst = true;
    for await (const entry of this.#merged()) {
      if (isFirst && entry.path !== "") yield { path: "" as ByteString, type: "directory" };
      isFirst = false;
      const { hardLink, ...file } = entry;
      const target = hardLink === undefined ? undefined : linked.get(hardLink);
      if (target !== undefined && target.start === entry.start && target.size === entry.size) {
        yield { ...file, hardLink: target.path };
        continue;
      }
      const name = hardLink ?? entry.path;
      if (entry.type === "file" && this.#linked.has(name)) linked.set(name, file);
      yield file;
    }
  }

  /** Whether a chunk is part of something that is kept; of what is kept in part, whether it is there. */
  wants(start: number, end: number): boolean {
    return this.#kept.touches(start, end) && !this.#lost.touches(start, end);
  }

  isBorder(address: number): boolean {
    this.#sortedBorders ??= Float64Array.from(this.#borders).sort();
    const borders = this.#sortedBorders;
    let low = 0;
    let high = borders.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (borders[middle]! < address) low = middle + 1;
      else high = middle;
    }
    return borders[low] === address;
  }
}
