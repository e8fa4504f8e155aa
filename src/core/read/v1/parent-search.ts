// Telling parents of format 1 by what they store, where their names do not (docs/format-1.md, "Parents"): which of
// several archives of the recorded name is meant, and which archives of any name store blocks that references name.

import { HexzError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import type { RangeSource } from "../../source/source.ts";
import type { Io } from "../io.ts";
import { DigestTable, type EntryPlace } from "./digest-table.ts";
import { type Opened1, openFormat1Io } from "./open.ts";
import { Pages, STREAMS } from "./pages.ts";

/** The digests that an archive's references name. */
export function* neededBy(pages: Pages): Io<DigestTable> {
  const needed = new DigestTable();
  for (const stream of STREAMS) {
    for (let page = 0; page < pages.count(stream); page++) {
      for (const [entry, found] of (yield* pages.page(stream, page)).entries.entries()) {
        if (found.kind !== "reference" || found.digest === undefined) continue;
        needed.add(found.digest, { archive: 0, stream, page, entry });
      }
    }
  }
  return needed;
}

type Place = Omit<EntryPlace, "archive"> & { readonly digest: Uint8Array };

/** Entries of an archive that have a digest that is needed. @param stored only blocks that it stores itself */
function* held(pages: Pages, needed: DigestTable, stored: boolean): Io<Place[]> {
  const places: Place[] = [];
  for (const stream of STREAMS) {
    for (let page = 0; page < pages.count(stream); page++) {
      for (const [entry, found] of (yield* pages.page(stream, page)).entries.entries()) {
        if (found.kind === "zeros" || found.digest === undefined || (stored && found.kind !== "data")) continue;
        if (needed.find(found.digest) !== undefined) places.push({ stream, page, entry, digest: found.digest });
      }
    }
  }
  return places;
}

/**
 * Of archives that have the recorded name, the one whose index has most of the digests that the child's references
 * name; of equals the first.
 */
export function* bestParent<M extends { readonly pages: Pages }>(child: Pages, candidates: readonly M[]): Io<M> {
  let [best, most] = [candidates[0]!, -1];
  if (candidates.length === 1) return best;
  const needed = yield* neededBy(child);
  for (const candidate of candidates) {
    const names = new Set<string>();
    try {
      for (const { digest } of yield* held(candidate.pages, needed, false)) names.add(String(digest));
    } catch (error) {
      if (!isBroken(error)) throw error;
    }
    if (names.size > most) [best, most] = [candidate, names.size];
  }
  return best;
}

/** What a search through archives of any name has found. */
export interface Search {
  readonly table: DigestTable;
  /** Names of those that store some. */
  readonly found: readonly string[];
  /** Archives that were looked through. */
  readonly archives: number;
  /** What was not looked at, and why. */
  readonly stopped: string | undefined;
}

/** The lineage that the search is for. */
export interface Adopting {
  /** Whether it is a copy of the child itself. */
  isChild(opened: Opened1): boolean;
  /** Takes over an archive that stores something. */
  adopt(opened: Opened1): { readonly number: number; readonly opened: Opened1 };
}

/**
 * Looks through archives of any name for blocks that references need, until all are found. An archive that stores some
 * is kept open, all others are closed.
 */
export function* searchBlocks(child: Pages, candidates: Iterable<RangeSource>, lineage: Adopting): Io<Search> {
  const { files, indexBytes } = LIMITS.format1.search;
  const needed = yield* neededBy(child);
  const table = new DigestTable();
  const found: string[] = [];
  let [tried, archives, read] = [0, 0, 0];
  let stopped: string | undefined;
  for (const source of candidates) {
    let kept = false;
    try {
      if (tried++ >= files) {
        stopped = `the search ended after ${files} files`;
        break;
      }
      const opened = yield* openFormat1Io(source);
      if (lineage.isChild(opened)) continue;
      const { main, auxiliary } = opened.master;
      const length = [...main.pages, ...auxiliary.pages].reduce((sum, page) => sum + page.length, 0);
      if (read + length > indexBytes) {
        stopped = `${source.name} was passed over: the search reads ${indexBytes} bytes of index at most`;
        continue;
      }
      read += length;
      archives++;
      const places = yield* held(new Pages(opened), needed, true);
      if (places.length === 0) continue;
      const member = lineage.adopt(opened);
      kept = member.opened.source === source;
      found.push(source.name);
      for (const { digest, ...place } of places) table.add(digest, { ...place, archive: member.number });
      if (table.count === needed.count) break;
    } catch (error) {
      if (!isBroken(error)) throw error;
    } finally {
      if (!kept) source.close?.();
    }
  }
  return { table, found, archives, stopped };
}

/** Whether an error says that a file is of no use here, and not that all is over. */
function isBroken(error: unknown): boolean {
  return error instanceof HexzError && error.code !== "interrupted";
}
