// What all index pages of an archive of format 1 amount to: format 2 keeps these figures in its root.

import type { Counts, Tally } from "../../format/root.ts";
import type { Io } from "../io.ts";
import type { Format1 } from "./archive.ts";
import type { StreamName } from "./pages.ts";

/** Blocks of the main stream by kind, as the original counts them. */
export interface BlockStats {
  readonly data: Tally;
  readonly references: Tally;
  readonly zeros: Tally;
}

export interface Survey {
  readonly counts: Counts;
  readonly main: BlockStats;
}

const tally = (): Tally => ({ count: 0, bytes: 0 });

function count(one: Tally, bytes: number): void {
  one.count++;
  one.bytes += bytes;
}

/** Reads all pages. @throws HexzError `invalid`, `limit_exceeded`, `io` */
export function* surveyIo({ opened, lineage, root }: Format1): Io<Survey> {
  const { pages } = lineage.members[0]!;
  const { master } = opened;
  const placesOf = (stream: StreamName) =>
    master[stream].pages.map(({ startBlock }, page) => ({ stream, page, startBlock }));
  // In the order of writing a block that was stored before stands before what was stored last.
  const places = [...placesOf("main"), ...placesOf("auxiliary")].sort((a, b) => a.startBlock - b.startBlock);
  const counts = { unique: tally(), duplicate: tally(), parent: tally(), fill: tally() };
  const main = { data: tally(), references: tally(), zeros: tally() };
  const [codec] = root.counts.codecs;
  const stored = { codec: codec!.codec, blocks: 0, storedBytes: 0, plainBytes: 0 };
  let end = 0;
  for (const { stream, page } of places) {
    for (const entry of (yield* pages.page(stream, page)).entries) {
      const { kind, plainLength } = entry;
      if (stream === "main") {
        const ofKind = kind === "data" ? main.data : kind === "reference" ? main.references : main.zeros;
        count(ofKind, plainLength);
      }
      if (kind === "zeros") count(counts.fill, plainLength);
      else if (kind === "reference") count(counts.parent, plainLength);
      else if (entry.offset < end) count(counts.duplicate, plainLength);
      else {
        count(counts.unique, plainLength);
        stored.blocks++;
        stored.storedBytes += entry.storedLength;
        stored.plainBytes += plainLength;
        end = entry.offset + entry.storedLength;
      }
    }
  }
  return { counts: { ...root.counts, ...counts, codecs: stored.blocks === 0 ? [] : [stored] }, main };
}
