// `--to tar`: a new tar of an archive's streams and entries, depth first, read with all threads.

import { ByteReader, ByteWriter } from "../../core/bytes.ts";
import { HexzError } from "../../core/errors.ts";
import type { Entry } from "../../core/format/entry.ts";
import { type ByteString, byteStringFromText, displayName } from "../../core/format/path.ts";
import { readRecord, writeRecord } from "../../core/format/record.ts";
import { TAR_BLOCK } from "../../core/format/tar-block.ts";
import type { Archive } from "../../core/read/archive.ts";
import { encodeMember, tarEndLength } from "../../core/tar/encode.ts";
import { type KeyOf, RecordSorter } from "../../core/write/record-sorter.ts";
import { refuseArchive } from "../extract-file.ts";
import { createFileSink, createStdoutSink } from "../file-sink.ts";
import { STDIO } from "../input-facts.ts";
import { openSpill } from "../spill.ts";
import { BufferedOutput } from "./buffered-output.ts";
import type { ExportFormat } from "./format.ts";
import { type Stretch, writeStretches } from "./stretches.ts";

/**
 * A tree in which a directory is followed by its files and then by its directories, each with all that is in it: so GNU
 * tar, which sets a directory's time when it comes to something outside of it, sets it once nothing more comes into it.
 */
const depthFirst: KeyOf = ({ path, bytes }) => {
  const key = `\0\x02${path.replaceAll("/", "\0\x02")}`;
  if (path === "") return "";
  if (bytes[0] === DIRECTORY) return key;
  const last = key.lastIndexOf("\x02");
  return `${key.slice(0, last)}\x01${key.slice(last + 1)}`;
};
/** What the first byte of a sorted record says. */
const DIRECTORY = 1;
const COMPUTED = 2;

/** What goes into the tar: streams as files, then the tree, depth first. */
async function* membersOf(archive: Archive): AsyncGenerator<Entry> {
  const names = new Set<string>();
  for (const { name, start, size } of archive.streams) {
    names.add(name);
    yield { path: byteStringFromText(name), type: "file", start, size };
  }
  const sorter = new RecordSorter(openSpill, undefined, depthFirst);
  try {
    for await (const entry of archive.entries()) {
      if (names.has(entry.path)) {
        throw new HexzError("usage", `${archive.source.name} has a stream and an entry "${entry.path}": a tar has one`);
      }
      const isComputed = entry.computed === true;
      const record = new ByteWriter(128).u8(entry.type === "directory" ? DIRECTORY : isComputed ? COMPUTED : 0);
      // What is computed is asked for again.
      if (!isComputed) writeRecord(record, entry, undefined);
      sorter.add(entry.path, 0, record.take());
    }
    const links = new LinkOrder();
    for (const record of sorter.sorted()) {
      const reader = new ByteReader(record.bytes, "the scratch");
      if (reader.u8() === COMPUTED) yield (await archive.entry(displayName(record.path)))!;
      else yield links.ordered(readRecord(reader, record.path));
    }
  } finally {
    sorter.close();
  }
}

/** Of the names of a file the one that comes first is the file; that may be another one than in the archive. */
class LinkOrder {
  /** By the name that is the file in the archive, where another one came before. */
  readonly #firsts = new Map<ByteString, ByteString>();

  ordered(entry: Entry): Entry {
    const { hardLink, ...file } = entry;
    const name = hardLink ?? entry.path;
    const first = this.#firsts.get(name);
    if (first !== undefined) return { ...file, hardLink: first };
    if (hardLink === undefined) return entry;
    const none = new Uint8Array(1);
    const isLater = depthFirst({ path: name, bytes: none }) > depthFirst({ path: entry.path, bytes: none });
    if (!isLater) return entry;
    this.#firsts.set(name, entry.path);
    return file;
  }
}

async function* stretchesOf(archive: Archive): AsyncGenerator<Stretch> {
  let length = 0;
  /** Zeros that end the content before. */
  const padding = () => -length & (TAR_BLOCK - 1);
  const pad = () => {
    const zeros = padding();
    length += zeros;
    return zeros === 0 ? [] : [{ zeros }];
  };
  for await (const entry of membersOf(archive)) {
    const isOwn = entry.type === "file" && entry.hardLink === undefined;
    const file = isOwn && entry.computed === true ? archive.fileOf(entry) : undefined;
    const header = encodeMember(file === undefined ? entry : { ...entry, size: file.size });
    const before = [...pad(), { bytes: header }];
    length += header.length;
    const name = displayName(entry.path);
    if (file !== undefined) {
      yield { start: 0, end: 0, before };
      for await (const parts of archive.parts(file)) {
        for (const part of parts) {
          if ("error" in part) throw part.error;
          const bytes = "bytes" in part ? part.bytes : new Uint8Array(part.end - part.start).fill(part.fill);
          length += bytes.length;
          yield { start: 0, end: 0, before: [{ bytes }] };
        }
      }
      continue;
    }
    if (isOwn) archive.checkRange(name, entry.start!, entry.size!);
    const [start, size] = isOwn ? [entry.start!, entry.size!] : [0, 0];
    length += size;
    yield { start, end: start + size, before, name };
  }
  const rest = pad();
  yield { start: 0, end: 0, before: [...rest, { zeros: tarEndLength(length) }] };
}

export const toTar: ExportFormat = {
  name: "tar",
  stdout: true,
  async write(archive, output, { path, onTotal, onProgress, force, protect }) {
    if (path !== undefined) throw new HexzError("usage", "--path is not for --to tar: all entries go into the tar");
    onTotal?.(archive.root.counts.originalSize);
    if (output !== STDIO) refuseArchive(output, protect);
    const sink = output === STDIO ? createStdoutSink() : createFileSink(output, { force: force === true });
    const buffered = new BufferedOutput(sink);
    try {
      await writeStretches(archive, stretchesOf(archive), buffered, onProgress);
      await sink.finish();
    } catch (error) {
      await sink.abort();
      throw error;
    }
    return buffered.position;
  },
};
