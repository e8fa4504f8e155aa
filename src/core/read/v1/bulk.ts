// Reading much of an archive of format 1. All threads decode its blocks as those of format 2, where the header says how
// long they are at most. Where it does not, or says too much: ranges in their order, a piece at a time on one thread.

import { HexzError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import type { Archive } from "../archive.ts";
import type { Part, Range, Ranges } from "../bulk.ts";
import type { Io } from "../io.ts";
import { type Piece, piecesOf } from "../locate.ts";
import type { Format1 } from "./archive.ts";
import type { Member1 } from "./lineage.ts";
import { STREAMS } from "./pages.ts";

/** Bytes that are read at once. */
const PIECE = 1024 * 1024;

/** Blocks up to this length fit into any plan of bulk reading. */
const COMMON_BLOCK = 1024 * 1024;
/** Pages that are looked at to learn how long blocks are, where the header does not say. */
const MOST_PAGES = 256;
/** Dictionaries of archive and parents that the threads' memory has room for. */
const DICTIONARY_BYTES = 64 * 1024 * 1024;

/** Whether blocks, of parents too, are as long at most as can be planned for. */
export function* suitsBulk({ lineage, dictionaries }: Format1): Io<boolean> {
  yield* lineage.ancestors();
  for (const member of lineage.members) if (!(yield* hasCommonBlocks(member))) return false;
  const count = lineage.members.filter(({ opened }) => opened.header.dictionary !== undefined).length;
  return count <= LIMITS.dictionaries && dictionaries.mostBytes() <= DICTIONARY_BYTES;
}

function* hasCommonBlocks({ opened, pages }: Member1): Io<boolean> {
  const { header, master } = opened;
  const { variableBlocks, cdc } = header;
  // Memory is planned for what the header says, and it says what it likes.
  if (Math.max(header.blockSize, cdc?.max ?? 0) > LIMITS.blockSizeMax) return false;
  if (!variableBlocks || cdc !== undefined) return true;
  if (master.main.pages.length + master.auxiliary.pages.length > MOST_PAGES) return false;
  for (const stream of STREAMS) {
    for (let number = 0; number < pages.count(stream); number++) {
      const { entries } = yield* pages.page(stream, number);
      if (entries.some(({ kind, plainLength }) => kind === "data" && plainLength > COMMON_BLOCK)) return false;
    }
  }
  return true;
}

/** Parts as `Archive.bulk` gives them: damage is a part with an error, and reading goes on. */
export async function* bulkByPieces<R extends Range>(archive: Archive, ranges: Ranges<R>): AsyncGenerator<Part<R>[]> {
  for await (const range of ranges) {
    if (range.start === range.end) yield [{ range, start: range.start, end: range.end, fill: 0 }];
    for (let at = range.start; at < range.end; ) {
      const found = await archive.run(archive.index.find(at));
      const stop = Math.min(range.end, found.end);
      if ("error" in found) yield [{ range, start: at, end: stop, error: found.error }];
      else {
        let run: Piece[] = [];
        let length = 0;
        for (const piece of piecesOf(found.leaf, at, stop)) {
          if ("value" in piece || length + piece.end - piece.start > PIECE) {
            yield* readRun(archive, range, run);
            [run, length] = [[], 0];
          }
          if ("value" in piece) yield [{ range, start: piece.start, end: piece.end, fill: piece.value }];
          else {
            run.push(piece);
            length += piece.end - piece.start;
          }
        }
        yield* readRun(archive, range, run);
      }
      at = stop;
    }
  }
}

/** Pieces that follow each other: together, and one by one where that fails. */
async function* readRun<R extends Range>(archive: Archive, range: R, run: readonly Piece[]): AsyncGenerator<Part<R>[]> {
  const [first] = run;
  if (first === undefined) return;
  const { start } = first;
  const { end } = run.at(-1)!;
  try {
    yield [{ range, start, end, bytes: await archive.run(archive.random.read(start, end)) }];
  } catch (error) {
    if (!(error instanceof HexzError) || OUTSIDE.has(error.code)) throw error;
    if (run.length === 1) yield [{ range, start, end, error }];
    else for (const piece of run) yield* readRun(archive, range, [piece]);
  }
}

/** What no other piece would be spared. */
const OUTSIDE: ReadonlySet<string> = new Set(["io", "interrupted", "password_missing", "password_wrong"]);
