// What references and unbacked ends of streams stand for, by the rule of docs/format-1.md, "Parents". The originals
// disagree about it; this rule gives the bytes that were packed, for archives of all of them.

import { equalBytes } from "../../bytes.ts";
import type { DigestOf } from "../../digest.ts";
import { HexzError } from "../../errors.ts";
import type { BlockRef } from "../../format/index-page.ts";
import type { BlockEntry } from "../../format/v1/index-page.ts";
import { checkLimit, LIMITS } from "../../limits.ts";
import type { Io } from "../io.ts";
import { DigestTable } from "./digest-table.ts";
import type { Lineage, Member1 } from "./lineage.ts";
import { type Page, STREAMS, type StreamName } from "./pages.ts";

/** A stretch of a stream: zeros, or bytes of a block of some archive, or why it cannot be had. */
export type Stretch = { readonly length: number } & (
  | { readonly zeros: true }
  | { readonly block: BlockRef; readonly offset: number }
  /** The digest, where the bytes would be a block that has it. */
  | { readonly error: HexzError; readonly digest?: Uint8Array }
);

export type Reference = Extract<BlockEntry, { kind: "reference" }>;

/**
 * What was found out on the way to one stretch, by place. While it is being found out it is an error: an archive that is
 * its own ancestor leads back to it.
 */
type Known = Map<string, readonly Stretch[]>;

/** A place in a stream of an archive. */
interface Place {
  readonly member: Member1;
  readonly stream: StreamName;
  readonly at: number;
}

/** The block of a data entry, seen from the archive that was opened. */
export function blockOf(member: Member1, page: Page, number: number): BlockRef {
  const entry = page.entries[number] as Extract<BlockEntry, { kind: "data" }>;
  const { offset, storedLength, plainLength, checksum, digest } = entry;
  const { header } = member.opened;
  return {
    archive: member.number,
    // One of no bytes is none.
    dictionary: header.compression === "zstd" && header.dictionary?.length ? member.number : undefined,
    codec: header.compression === "lz4" ? 1 : 2,
    offset,
    storedLength,
    plainLength,
    seal: { checksum, digest, number: header.encryption === undefined ? undefined : page.startBlock + number },
  };
}

/** Reads bytes of a stream of some archive of the lineage. */
export type ReadStretches = (stretches: readonly Stretch[]) => Io<Uint8Array>;

export class References {
  readonly #lineage: Lineage;
  readonly #digestOf: DigestOf;
  readonly #read: ReadStretches;
  #table: DigestTable | undefined;
  /** Bytes of parents that were hashed. */
  #hashed = 0;
  readonly #byPosition = new Map<number, boolean>();
  /** Archives all of whose references are found by digest, in whatever archive. */
  readonly #allFound = new Map<number, boolean>();

  constructor(lineage: Lineage, digestOf: DigestOf, read: ReadStretches) {
    this.#lineage = lineage;
    this.#digestOf = digestOf;
    this.#read = read;
  }

  /** What the archive's own reference stands for. What is not found is a stretch with an error. */
  resolve(member: Member1, stream: StreamName, at: number, reference: Reference): Io<readonly Stretch[]> {
    return this.#resolve({ member, stream, at }, reference, new Map());
  }

  /** What stands behind the blocks of a stream, up to its size. */
  tail(member: Member1, stream: StreamName, start: number, end: number): Io<readonly Stretch[]> {
    return this.#tail(member, stream, start, end, new Map());
  }

  /** Which part of a tail around a place is worth one leaf: what one page of a parent has for it, or all that none has. */
  *window(member: Member1, stream: StreamName, at: number): Io<{ start: number; end: number }> {
    let start = 0;
    for (const parent of yield* this.#lineage.parents(member)) {
      if (parent instanceof HexzError) break;
      const backed = yield* parent.pages.backed(stream);
      if (backed > at) {
        const page = parent.pages.span(stream, parent.pages.numberAt(stream, at));
        return { start: Math.max(start, page.start), end: Math.min(page.next ?? backed, backed) };
      }
      start = Math.max(start, backed);
    }
    return { start, end: Number.POSITIVE_INFINITY };
  }

  *#resolve(place: Place, reference: Reference, known: Known): Io<readonly Stretch[]> {
    const { member, stream, at } = place;
    const key = `${member.number} ${stream} ${at}`;
    let stretches = known.get(key);
    if (stretches === undefined) {
      known.set(key, [{ length: reference.plainLength, error: this.#circle(member) }]);
      checkLimit("the number of references that lead to one byte", known.size, LIMITS.format1.depth);
      stretches = yield* this.#search(place, reference, known);
      known.set(key, stretches);
    }
    return stretches;
  }

  *#search(place: Place, reference: Reference, known: Known): Io<readonly Stretch[]> {
    const { member, stream, at } = place;
    const { plainLength, digest } = reference;
    const parents = yield* this.#lineage.parents(member);
    const found = parents.filter((parent): parent is Member1 => !(parent instanceof HexzError));
    let failure = parents.find((parent): parent is HexzError => parent instanceof HexzError);

    for (const parent of digest === undefined ? [] : found) {
      const there = yield* parent.pages.at(stream, at);
      const entry = there?.page.entries[there.number];
      if (
        there === undefined ||
        entry === undefined ||
        !sameEntry(entry, there.page.starts[there.number]!, at, reference)
      )
        continue;
      if (entry.kind === "data")
        return [{ length: plainLength, block: blockOf(parent, there.page, there.number), offset: 0 }];
      const stretches = yield* this.#resolve({ member: parent, stream, at }, entry as Reference, known);
      const bad = stretches.find((stretch) => "error" in stretch);
      if (bad === undefined) return stretches;
      failure ??= (bad as { error: HexzError }).error;
    }
    const byPosition = found.length === 1 && (yield* this.isByPosition(member));
    if (byPosition && (yield* hasDigestThere(found[0]!, stream, at, digest))) {
      return yield* this.#range(found[0]!, stream, at, at + plainLength, known);
    }
    if (digest !== undefined && !byPosition) {
      const block = yield* this.#stored(digest, plainLength);
      if (block !== undefined) return [{ length: plainLength, block, offset: 0 }];
      for (const parent of found) {
        // No writer makes references that only this finds; many of them could keep a reader busy for long.
        if (this.#hashed + plainLength > LIMITS.format1.hashed) break;
        const stretches = yield* this.#range(parent, stream, at, at + plainLength, known);
        if (stretches.some((stretch) => "error" in stretch)) continue;
        this.#hashed += plainLength;
        if (equalBytes(this.#digestOf(yield* this.#read(stretches)), digest)) return stretches;
      }
      const elsewhere = parents.length > 0 && (yield* this.#elsewhere(member, digest, plainLength));
      if (elsewhere) return [{ length: plainLength, block: elsewhere, offset: 0 }];
    }
    const error = yield* this.#withSearch(member, failure ?? this.#unresolved(place, parents.length));
    const { variableBlocks, parentPaths } = member.opened.header;
    const isByContent = digest !== undefined && (variableBlocks || parentPaths.length > 1);
    return [{ length: plainLength, error, ...(isByContent ? { digest } : {}) }];
  }

  #circle({ opened }: Member1): HexzError {
    return new HexzError("invalid", `${opened.source.name} is its own ancestor: its references lead back to it`);
  }

  #unresolved({ member, stream, at }: Place, parents: number): HexzError {
    const { name } = member.opened.source;
    const what = `${name} refers at byte ${at} of its ${stream} stream to bytes of a parent`;
    if (parents === 0) return new HexzError("invalid", `${what}, but has none`);
    return new HexzError("parent_missing", `${what} that none of those found has: one is not what it was`, {
      hint: "pass --parent-dir DIR with the archive that was the parent then",
      data: { at, stream },
    });
  }

  /**
   * A block of an archive of any name. Where references may be by position, one that has the digest may still be the
   * wrong one, but not when all of them are found so, each with its length.
   */
  *#elsewhere(member: Member1, digest: Uint8Array, plainLength: number): Io<BlockRef | undefined> {
    const { table } = yield* this.#lineage.searchBlocks(member);
    const block = yield* this.#lookUp(table, digest, plainLength);
    const { parentPaths, variableBlocks } = member.opened.header;
    if (block === undefined || variableBlocks || parentPaths.length > 1) return block;
    let all = this.#allFound.get(member.number);
    if (all === undefined) {
      all = yield* this.#findsAll(member, table);
      this.#allFound.set(member.number, all);
    }
    return all ? block : undefined;
  }

  *#findsAll({ pages }: Member1, table: DigestTable): Io<boolean> {
    for (const stream of STREAMS) {
      for (let number = 0; number < pages.count(stream); number++) {
        for (const entry of (yield* pages.page(stream, number)).entries) {
          if (entry.kind !== "reference") continue;
          const { digest, plainLength } = entry;
          if (digest === undefined) return false;
          const block = (yield* this.#lookUp(table, digest, plainLength)) ?? (yield* this.#stored(digest, plainLength));
          if (block === undefined) return false;
        }
      }
    }
    return true;
  }

  /** The error with what the search through other archives came to, if there was one. */
  *#withSearch(member: Member1, error: HexzError): Io<HexzError> {
    if (error.code !== "parent_missing" || "searched_archives" in error.data) return error;
    const { archives, stopped } = yield* this.#lineage.searchBlocks(member);
    const others = archives === 1 ? "one other archive there does" : `${archives} other archives there do`;
    const found = archives === 0 ? "" : `; ${others} not store these bytes`;
    const { message, hint, data } = error;
    return new HexzError("parent_missing", `${message}${found}${stopped === undefined ? "" : `; ${stopped}`}`, {
      ...(hint === undefined ? {} : { hint }),
      data: { ...data, searched_archives: archives },
    });
  }

  /** Whether the references of an archive mean the same addresses of its parent, whatever their digests say. */
  *isByPosition(member: Member1): Io<boolean> {
    const known = this.#byPosition.get(member.number);
    if (known !== undefined) return known;
    const answer = yield* this.#findOut(member);
    this.#byPosition.set(member.number, answer);
    return answer;
  }

  *#findOut(member: Member1): Io<boolean> {
    const { header } = member.opened;
    if (header.parentPaths.length !== 1 || header.variableBlocks) return false;
    const [parent] = yield* this.#lineage.parents(member);
    for (const stream of STREAMS) {
      for (let number = 0; number < member.pages.count(stream); number++) {
        const { entries, starts } = yield* member.pages.page(stream, number);
        for (const [entryNumber, entry] of entries.entries()) {
          if (entry.kind !== "reference") continue;
          if (entry.digest === undefined) return true;
          if (parent === undefined || parent instanceof HexzError) continue;
          const there = yield* parent.pages.at(stream, starts[entryNumber]!);
          const other = there?.page.entries[there.number];
          if (other === undefined || other.kind === "zeros" || other.digest === undefined) continue;
          if (other.plainLength !== entry.plainLength && equalBytes(other.digest, entry.digest)) return true;
        }
      }
    }
    return false;
  }

  /** A stored block of any ancestor. */
  *#stored(digest: Uint8Array, plainLength: number): Io<BlockRef | undefined> {
    this.#table ??= yield* this.#collect();
    return yield* this.#lookUp(this.#table, digest, plainLength);
  }

  *#lookUp(table: DigestTable, digest: Uint8Array, plainLength: number): Io<BlockRef | undefined> {
    const place = table.find(digest);
    if (place === undefined) return undefined;
    const member = this.#lineage.members[place.archive]!;
    const page = yield* member.pages.page(place.stream, place.page);
    const entry = page.entries[place.entry];
    if (entry?.kind !== "data" || entry.plainLength !== plainLength || entry.digest === undefined) return undefined;
    return equalBytes(entry.digest, digest) ? blockOf(member, page, place.entry) : undefined;
  }

  *#collect(): Io<DigestTable> {
    const table = new DigestTable();
    for (const member of yield* this.#lineage.ancestors()) {
      if (member instanceof HexzError) continue;
      for (const stream of STREAMS) {
        for (let number = 0; number < member.pages.count(stream); number++) {
          const { entries } = yield* member.pages.page(stream, number);
          for (const [entryNumber, entry] of entries.entries()) {
            if (entry.kind !== "data" || entry.digest === undefined) continue;
            table.add(entry.digest, { archive: member.number, stream, page: number, entry: entryNumber });
          }
        }
      }
    }
    return table;
  }

  /** Bytes [start, end) of a stream as its archive itself has them; zeros behind its end. */
  *#range(member: Member1, stream: StreamName, start: number, end: number, known: Known): Io<readonly Stretch[]> {
    const stretches: Stretch[] = [];
    const { size } = member.opened.master[stream];
    const stop = Math.min(end, size);
    let at = start;
    while (at < stop) {
      const there = yield* member.pages.at(stream, at);
      if (there === undefined) {
        stretches.push(...(yield* this.#tail(member, stream, at, stop, known)));
        at = stop;
        break;
      }
      const { page, number } = there;
      const entry = page.entries[number]!;
      const from = page.starts[number]!;
      const to = Math.min(stop, page.starts[number + 1]!);
      if (entry.kind === "zeros") stretches.push({ length: to - at, zeros: true });
      else if (entry.kind === "data") {
        stretches.push({ length: to - at, block: blockOf(member, page, number), offset: at - from });
      } else {
        const whole = yield* this.#resolve({ member, stream, at: from }, entry, known);
        stretches.push(...part(whole, at - from, to - from));
      }
      at = to;
    }
    if (end > at) stretches.push({ length: end - at, zeros: true });
    return stretches;
  }

  *#tail(member: Member1, stream: StreamName, start: number, end: number, known: Known): Io<readonly Stretch[]> {
    const key = `${member.number} ${stream} ${start} to ${end}`;
    if (known.has(key)) return [{ length: end - start, error: this.#circle(member) }];
    known.set(key, []);
    checkLimit("the number of references that lead to one byte", known.size, LIMITS.format1.depth);
    const stretches: Stretch[] = [];
    let at = start;
    for (const parent of yield* this.#lineage.parents(member)) {
      if (at === end) break;
      // What it would have there is not known.
      if (parent instanceof HexzError) return [...stretches, { length: end - at, error: parent }];
      const backed = Math.min(end, yield* parent.pages.backed(stream));
      if (backed <= at) continue;
      stretches.push(...(yield* this.#range(parent, stream, at, backed, known)));
      at = backed;
    }
    if (end > at) stretches.push({ length: end - at, zeros: true });
    return stretches;
  }
}

/** Whether the block that covers a place has this digest, or as a reference without one says, none. */
function* hasDigestThere(parent: Member1, stream: StreamName, at: number, digest: Uint8Array | undefined): Io<boolean> {
  const there = yield* parent.pages.at(stream, at);
  const entry = there?.page.entries[there.number];
  const found = entry === undefined || entry.kind === "zeros" ? undefined : entry.digest;
  return found === undefined || digest === undefined ? found === digest : equalBytes(found, digest);
}

function sameEntry(entry: BlockEntry, start: number, at: number, { plainLength, digest }: Reference): boolean {
  if (entry.kind === "zeros" || entry.digest === undefined || digest === undefined) return false;
  return start === at && entry.plainLength === plainLength && equalBytes(entry.digest, digest);
}

/** Bytes [start, end) of stretches that follow each other. */
function part(stretches: readonly Stretch[], start: number, end: number): Stretch[] {
  const parts: Stretch[] = [];
  let at = 0;
  for (const stretch of stretches) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, stretch.length);
    at += stretch.length;
    if (from >= to) continue;
    const length = to - from;
    if ("block" in stretch) parts.push({ ...stretch, offset: stretch.offset + from, length });
    else if ("error" in stretch && length < stretch.length) parts.push({ error: stretch.error, length });
    else parts.push({ ...stretch, length });
  }
  return parts;
}
