// `--to tar`: a new tar of an archive's streams and entries, in their order, read with all threads.

import { HexzError } from "../../core/errors.ts";
import type { Entry } from "../../core/format/entry.ts";
import { byteStringFromText, displayName } from "../../core/format/path.ts";
import { TAR_BLOCK } from "../../core/format/tar-block.ts";
import type { Archive } from "../../core/read/archive.ts";
import { encodeMember, tarEndLength } from "../../core/tar/encode.ts";
import { refuseArchive } from "../extract-file.ts";
import { createFileSink, createStdoutSink } from "../file-sink.ts";
import { STDIO } from "../input-facts.ts";
import { BufferedOutput } from "./buffered-output.ts";
import type { ExportFormat } from "./format.ts";
import { type Stretch, writeStretches } from "./stretches.ts";

/** What goes into the tar: streams as files, then the tree. */
async function* membersOf(archive: Archive): AsyncGenerator<Entry> {
  const names = new Set<string>();
  for (const { name, start, size } of archive.ownStreams) {
    names.add(name);
    yield { path: byteStringFromText(name), type: "file", start, size };
  }
  for await (const entry of archive.entries()) {
    if (names.has(entry.path)) {
      throw new HexzError("usage", `${archive.source.name} has a stream and an entry "${entry.path}": a tar has one`);
    }
    yield entry;
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
