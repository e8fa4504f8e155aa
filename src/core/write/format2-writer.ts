// Format 2 behind the write line: index and tree while it runs, the state's end when it is done.

import { type DigestOf, digestWith } from "../digest.ts";
import { containersJson } from "../format/containers.ts";
import type { Entry } from "../format/entry.ts";
import { encodeHead } from "../format/head.ts";
import type { ContentRange } from "../format/record.ts";
import type { KnownChunks } from "./bases.ts";
import type { DedupTable } from "./dedup.ts";
import type { Ending, FormatWriter, SharedParts } from "./format-writer.ts";
import { IndexWriter } from "./index-writer.ts";
import { OwnDictionaries } from "./own-dictionaries.ts";
import type { SortedRecord } from "./record-sorter.ts";
import type { OpenScratch } from "./scratch.ts";
import { finishState, type WrittenArchive } from "./state-end.ts";
import { TreeWriter } from "./tree-writer.ts";

export class Format2Writer implements FormatWriter {
  readonly format = 2;
  readonly dedup: DedupTable;
  readonly firstBlock: number;
  readonly dictionary: { readonly bytes: Uint8Array; readonly origin: number } | undefined;
  readonly layout: IndexWriter;
  readonly #dictionaries: OwnDictionaries;
  readonly #parts: SharedParts;
  readonly #known: KnownChunks;
  readonly #digestOf: DigestOf;
  readonly #tree: TreeWriter;

  constructor(parts: SharedParts, known: KnownChunks, openScratch: OpenScratch) {
    const { appender, crew, totals } = parts;
    const { engine } = crew;
    this.#parts = parts;
    this.#known = known;
    this.dedup = known.dedup;
    this.firstBlock = known.blocks.count;
    this.#digestOf = digestWith(engine);
    const writing = { engine, digestOf: this.#digestOf, appender };
    this.#dictionaries = new OwnDictionaries({ ...writing, origins: known.origins });
    if (parts.dictionary !== undefined) {
      // Where the threads see it.
      const bytes = engine.allocate(parts.dictionary.length);
      bytes.set(parts.dictionary);
      this.dictionary = { bytes, origin: this.#dictionaries.add(bytes) };
    }
    const dictionaries = this.#dictionaries;
    this.layout = new IndexWriter({ ...writing, blocks: known.blocks, dictionaries, totals, scratch: openScratch() });
    this.#tree = new TreeWriter({ ...writing, index: this.layout, scratch: openScratch() });
    appender.append(encodeHead("plain", this.#digestOf));
  }

  add(entry: Entry, content: ContentRange | undefined): void {
    this.#tree.add(entry, content);
  }

  addSorted(entry: SortedRecord): void {
    this.#tree.addSorted(entry);
  }

  async finish({ containers, metadata, ...ending }: Ending): Promise<WrittenArchive> {
    const { appender, coding, crew, signers, sink, totals } = this.#parts;
    const parts = {
      ...ending,
      engine: crew.engine,
      digestOf: this.#digestOf,
      appender,
      index: this.layout,
      tree: this.#tree,
      totals,
      origins: this.#known.origins,
      dictionaries: this.#dictionaries,
      coding,
      signers,
      metadata: containers.length === 0 ? metadata : { ...metadata, containers: containersJson(containers) },
    };
    return finishState(parts, sink);
  }

  close(): void {
    this.layout.close();
    this.#tree.close();
  }
}
