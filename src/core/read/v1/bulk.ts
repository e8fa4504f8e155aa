// Reading much of an archive of format 1: ranges in their order, a piece at a time on one thread. Every stored block is
// looked at as a whole first, which takes its checksum, its key and its dictionary along.

import { HexzError } from "../../errors.ts";
import type { Archive } from "../archive.ts";
import type { Part, Range } from "../bulk.ts";
import { type Piece, piecesOf } from "../locate.ts";

/** Bytes that are read at once. */
const PIECE = 1024 * 1024;

/** Parts as `Archive.bulk` gives them: damage is a part with an error, and reading goes on. */
export async function* bulkByPieces<R extends Range>(
  archive: Archive,
  ranges: Iterable<R> | AsyncIterable<R>,
): AsyncGenerator<Part<R>[]> {
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
