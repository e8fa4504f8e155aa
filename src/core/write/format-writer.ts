// The seam between the conductor of the write line and a format: what becomes of chunks, blocks, entries and the end.

import type { Signer } from "../crypto/ed25519.ts";
import type { Container } from "../format/containers.ts";
import type { Entry } from "../format/entry.ts";
import type { ContentRange } from "../format/record.ts";
import type { Coding, Stream } from "../format/root.ts";
import type { Crew } from "../work/crew.ts";
import type { Appender } from "./appender.ts";
import type { DedupTable } from "./dedup.ts";
import type { Layout } from "./layout.ts";
import type { SortedRecord } from "./record-sorter.ts";
import type { Sink } from "./sink.ts";
import type { SketchBuilder } from "./sketch.ts";
import type { WrittenArchive } from "./state-end.ts";
import type { Totals } from "./totals.ts";

/** What conductor and format share. */
export interface SharedParts {
  readonly sink: Sink;
  readonly appender: Appender;
  readonly crew: Crew;
  readonly coding: Coding;
  readonly totals: Totals;
  /** For all blocks. */
  readonly dictionary?: Uint8Array | undefined;
  readonly signers: readonly Signer[];
}

/** What the conductor knows at the end. */
export interface Ending {
  readonly streams: readonly Stream[];
  readonly containers: readonly Container[];
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  readonly sketch: SketchBuilder;
}

export interface FormatWriter {
  readonly format: 1 | 2;
  /** Chunks that are stored already; absent: chunks are stored as often as they occur. */
  readonly dedup: DedupTable | undefined;
  /** Number of the first block. */
  readonly firstBlock: number;
  /** What blocks are coded with, in the memory of the crew, and the origin that it gives them. */
  readonly dictionary?: { readonly bytes: Uint8Array; readonly origin: number } | undefined;
  readonly layout: Layout;
  /** What follows belongs to this stream, or to none. Called in the order of the input. */
  stream?(name: Stream["name"] | undefined): void;
  /** Adds the next entry in tree order; the content of a file is in the layout. */
  add(entry: Entry, content: ContentRange | undefined): void;
  /** The same for an entry of a sorter that is a record already (`writeCheckedRecord`), and no hard link. */
  addSorted(entry: SortedRecord): void;
  /** Writes everything behind the last block, and finishes the sink. */
  finish(ending: Ending): Promise<WrittenArchive>;
  /** Gives scratches back; safe after `finish` failed. */
  close(): void;
}
