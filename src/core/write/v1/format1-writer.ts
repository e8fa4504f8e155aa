// Format 1 behind the write line (docs/format-1.md, "Writing"): index pages while it runs, then master index, manifest and
// signature, and the header, which stands first and is known last: the sink must take bytes for a place it has passed.

import { ByteReader, ByteWriter } from "../../bytes.ts";
import type { Ciphers } from "../../crypto/ciphers.ts";
import { HexzError, type Warning } from "../../errors.ts";
import { type Container, containersJson, type Stretch } from "../../format/containers.ts";
import type { Entry } from "../../format/entry.ts";
import { readRecord } from "../../format/record.ts";
import type { Stream } from "../../format/root.ts";
import { encodeHeader, HEADER_LENGTH, type Header } from "../../format/v1/header.ts";
import { encodeMasterIndex } from "../../format/v1/index-page.ts";
import { encodeManifest, encodeMetadata, LONE_FILE } from "../../format/v1/manifest.ts";
import { checkLimit, LIMITS } from "../../limits.ts";
import { DedupTable } from "../dedup.ts";
import type { Ending, FormatWriter, SharedParts } from "../format-writer.ts";
import type { SortedRecord } from "../record-sorter.ts";
import type { WrittenArchive } from "../state-end.ts";
import { checkFormat1Coding, headerCoding } from "./coding.ts";
import { createSeal, type Seal } from "./encryption.ts";
import { Format1IndexWriter } from "./index-writer.ts";
import { Members } from "./members.ts";
import type { ParentChunks } from "./parent-chunks.ts";

export interface Format1Options {
  /** Leave out what format 1 cannot keep. */
  readonly lossy?: boolean;
  /** Told of what is left out. */
  readonly warn?: (warning: Warning) => void;
  /** An archive of format 1 whose chunks need not be stored again where they are at the same place. */
  readonly parent?:
    | {
        /** Where readers will look for it. */
        readonly path: string;
        readonly chunks: ParentChunks;
      }
    | undefined;
  readonly encryption?: { readonly password: string; readonly ciphers: Ciphers } | undefined;
}

/** A file of this name at the root and a stream of the same name are one to the original. */
const MEMORY = "memory";
/** There are no ids in format 1. */
const NO_ID = new Uint8Array(0);

/** @throws HexzError `usage` when an option cannot be in format 1, `unsupported` */
export async function createFormat1Writer(parts: SharedParts, options: Format1Options): Promise<FormatWriter> {
  const { coding, signers, sink } = parts;
  checkFormat1Coding(coding);
  if (sink.patch === undefined) {
    throw new HexzError("usage", `format 1 is not written in order, so it needs a file and cannot go to ${sink.name}`);
  }
  if (signers.length > 1) throw new HexzError("usage", "an archive of format 1 has one signature");
  const { encryption, parent } = options;
  if (encryption !== undefined && parts.dictionary !== undefined) {
    throw new HexzError("usage", "format 1 does not encrypt dictionaries, which have pieces of what is packed");
  }
  if (encryption !== undefined && parent !== undefined) {
    throw new HexzError(
      "usage",
      "an encrypted archive of format 1 cannot have a base: it would tell what it has of it",
    );
  }
  return new Format1Writer(parts, options, encryption && (await createSeal(encryption)));
}

class Format1Writer implements FormatWriter {
  readonly format = 1;
  readonly dedup: DedupTable | undefined;
  readonly firstBlock = 0;
  readonly dictionary: FormatWriter["dictionary"];
  readonly layout: Format1IndexWriter;
  readonly #parts: SharedParts;
  readonly #options: Format1Options;
  readonly #seal: Seal | undefined;
  readonly #members: Members;
  #streams: readonly Stream["name"][] = [];
  #hasEntries = false;

  constructor(parts: SharedParts, options: Format1Options, seal: Seal | undefined) {
    const { appender, coding, crew, dictionary, totals } = parts;
    const { lossy = false, warn, parent } = options;
    this.#parts = parts;
    this.#options = options;
    this.#seal = seal;
    // The number of a block is part of its encryption, so none can stand for two.
    this.dedup = seal === undefined ? new DedupTable() : undefined;
    this.#members = new Members(lossy, (warning) => warn?.(warning));
    this.layout = new Format1IndexWriter({
      appender,
      totals,
      longestChunk: coding.sizes.max,
      crc32: (bytes) => crew.engine.crc32(bytes),
      seal: seal?.block,
      parent: parent?.chunks,
    });
    appender.append(new Uint8Array(HEADER_LENGTH));
    if (dictionary !== undefined) {
      // Where the threads see it.
      const bytes = crew.engine.allocate(dictionary.length);
      bytes.set(dictionary);
      this.dictionary = { bytes, origin: 0 };
      appender.append(bytes);
    }
    // A path that the header has no room for is known before anything is packed.
    if (parent !== undefined) encodeHeader({ ...this.#header(), parentPaths: [parent.path] });
  }

  stream(name: Stream["name"] | undefined): void {
    this.layout.begin(name === "memory" ? "auxiliary" : "main");
    if (name !== undefined) this.#streams = [...this.#streams, name];
  }

  add(entry: Entry, content: Stretch | undefined): void {
    this.#hasEntries = true;
    if (this.#streams.includes("disk")) {
      throw new HexzError("usage", "format 1 keeps a disk or files, not both", {
        hint: "pack them into two archives, or into one of format 2",
      });
    }
    if (entry.path === MEMORY && entry.type === "file" && this.#streams.includes("memory")) {
      throw new HexzError("usage", "format 1 cannot tell a file called memory from the stream memory beside it");
    }
    // Entries that waited for their order carry their range themselves.
    const range = content ?? (entry.type === "file" ? { start: entry.start!, size: entry.size! } : undefined);
    this.#members.add(entry, range && { start: this.#mainOffset(range), size: range.size });
    // No need to pack what could not be read to its end.
    this.#checkTail(this.#members.jsonLength);
  }

  addSorted({ path, bytes }: SortedRecord): void {
    this.add(readRecord(new ByteReader(bytes, "the scratch"), path), undefined);
  }

  /** Contents are numbered through all streams, and the main one comes after the other. */
  #mainOffset({ start, size }: Stretch): number {
    return size === 0 ? 0 : start - this.layout.auxiliarySize;
  }

  /** Tails over the limit are refused by the original. */
  #checkTail(length: number): void {
    checkLimit("the length of index and names", length, LIMITS.format1.writtenTail);
  }

  async finish({ containers, metadata }: Ending): Promise<WrittenArchive> {
    const { appender, coding, signers, sink, totals } = this.#parts;
    const index = this.layout.finish();
    const indexOffset = appender.position;
    const master = encodeMasterIndex(index);
    const json = this.#metadata(metadata, containers) ?? new Uint8Array(0);
    const tail = new ByteWriter(master.length + json.length).raw(master).raw(json);
    const signature = (await signers[0]?.sign(await sha256(tail.view()))) ?? new Uint8Array(0);
    const sections = [master, json, signature].map((bytes) => {
      const place = { offset: appender.position, length: bytes.length };
      appender.append(bytes);
      return bytes.length === 0 ? undefined : place;
    });
    this.#checkTail(appender.position - indexOffset);
    const ends = { metadata: sections[1], signature: sections[2] };
    const [hasMain, hasAuxiliary] = [index.main, index.auxiliary].map(({ pages }) => pages.length > 0);
    const has = { hasMain: hasMain!, hasAuxiliary: hasAuxiliary! };
    const header = encodeHeader({ ...this.#header(), ...has, ...ends, indexOffset });
    await appender.flush();
    await sink.patch!(header, 0);
    await sink.finish();
    const counts = { ...totals.counts(), ...this.#members.counts };
    const parents = this.#parentPaths().map((hint) => ({ id: NO_ID, hint }));
    const sketch = { chunking: coding.chunking, avg: coding.sizes.avg, values: new BigUint64Array(0) };
    return { id: NO_ID, contentId: NO_ID, size: appender.position, counts, coding, parents, sketch };
  }

  /** As far as it is known at any time. */
  #header(): Header {
    const base = { layout: "list", indexOffset: 0, hasMain: false, hasAuxiliary: false } as const;
    const coding = headerCoding(this.#parts.coding);
    const { bytes } = this.dictionary ?? {};
    const dictionary = bytes && { offset: HEADER_LENGTH, length: bytes.length };
    return { ...base, ...coding, dictionary, parentPaths: this.#parentPaths(), encryption: this.#seal?.parameters };
  }

  /** A parent that nothing is taken from would only have to be there. */
  #parentPaths(): string[] {
    const { parent } = this.#options;
    return parent === undefined || this.layout.referenceCount === 0 ? [] : [parent.path];
  }

  /** The manifest where there are entries; what else is kept stands beside it, where the original does not look. */
  #metadata(metadata: Ending["metadata"], containers: readonly Container[]): Uint8Array | undefined {
    const placed = containersJson(containers.map((container) => this.#placed(container)));
    const facts = { ...metadata, ...(containers.length === 0 ? {} : { containers: placed }) };
    if ("files" in facts)
      throw new HexzError("usage", 'format 1 has its manifest under the key "files" of the metadata');
    if (this.#hasEntries) {
      const members = this.#members.finish();
      const lone = this.#members.isLone ? { [LONE_FILE]: true } : {};
      return encodeMetadata(encodeManifest({ kind: "directory", members, facts: { ...facts, ...lone } }));
    }
    return Object.keys(facts).length === 0 ? undefined : encodeMetadata(facts);
  }

  /** A container by its place in the main stream. */
  #placed(container: Container): Container {
    if ("start" in container) return { ...container, start: this.#mainOffset(container) };
    const { pieces } = container;
    return { ...container, pieces: { ...pieces, start: this.#mainOffset(pieces) } };
  }

  close(): void {}
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes)));
}
