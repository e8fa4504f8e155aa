// `--to original`: the file that an archive was converted from, byte for byte. Several, the shards of a data set, go
// into a directory.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { HexzError } from "../../core/errors.ts";
import { type Container, containersOf } from "../../core/format/containers.ts";
import type { Piece } from "../../core/format/pieces.ts";
import type { Archive } from "../../core/read/archive.ts";
import type { Range } from "../../core/read/bulk.ts";
import { piecesOfContainer } from "../../core/read/container.ts";
import type { Sink } from "../../core/write/sink.ts";
import { onAbort } from "../abort.ts";
import { fromSystemError } from "../errors.ts";
import { refuseArchive } from "../extract-file.ts";
import { createFileSink, createStdoutSink, type FileSink } from "../file-sink.ts";
import { STDIO } from "../input-facts.ts";
import { BufferedOutput } from "./buffered-output.ts";
import type { ExportFormat, ExportOptions } from "./format.ts";
import { type Stretch, writeStretches } from "./stretches.ts";

/** Pieces between two ranges that wait, at most. */
const MOST_BEFORE = 1024;

async function* stretchesOf(archive: Archive, container: Container): AsyncGenerator<Stretch> {
  let before: Exclude<Piece, Range>[] = [];
  for await (const piece of piecesOfContainer(archive, container)) {
    const isRange = "start" in piece;
    if (!isRange) before.push(piece);
    if (!isRange && before.length < MOST_BEFORE) continue;
    yield isRange ? { ...piece, before } : { start: 0, end: 0, before };
    before = [];
  }
  yield { start: 0, end: 0, before };
}

async function writeContainer(
  archive: Archive,
  container: Container,
  sink: Sink | FileSink,
  onProgress?: (bytes: number) => void,
): Promise<void> {
  await writeStretches(archive, stretchesOf(archive, container), new BufferedOutput(sink), onProgress);
  await sink.finish();
}

async function writeFile(archive: Archive, container: Container, path: string, options: ExportOptions): Promise<void> {
  const sink = createFileSink(path, { force: options.force === true });
  try {
    await writeContainer(archive, container, sink, options.onProgress);
  } catch (error) {
    sink.abort();
    throw error;
  }
}

/** All of them, into a new directory. */
async function writeDirectory(
  archive: Archive,
  containers: readonly Container[],
  path: string,
  options: ExportOptions,
): Promise<void> {
  try {
    mkdirSync(path);
  } catch (error) {
    throw fromSystemError(error, "create the directory", path);
  }
  const undo = () => rmSync(path, { recursive: true, force: true });
  const forget = onAbort(undo);
  try {
    for (const container of containers) await writeFile(archive, container, join(path, container.name), options);
  } catch (error) {
    undo();
    throw error;
  } finally {
    forget();
  }
}

/** The containers that were asked for. @throws HexzError `usage`, `no_such_path` */
async function chosen(archive: Archive, path: string | undefined): Promise<readonly Container[]> {
  const { name } = archive.source;
  const containers = containersOf(await archive.metadata(), name);
  if (containers.length === 0) {
    throw new HexzError("usage", `${name} was not converted from another file: it has no original`, {
      hint: "--to tar makes a new one",
    });
  }
  if (path === undefined) return containers;
  const found = containers.filter((container) => container.name === path);
  if (found.length > 0) return found;
  const names = containers.slice(0, 10).map((container) => container.name);
  throw new HexzError("no_such_path", `${name} has no container "${path}"`, { hint: `there are: ${names.join(", ")}` });
}

export const original: ExportFormat = {
  name: "original",
  stdout: true,
  async write(archive, output, { path, onTotal, ...options }) {
    const containers = await chosen(archive, path);
    const size = containers.reduce((sum, container) => sum + container.size, 0);
    onTotal?.(size);
    const [first] = containers;
    if (output === STDIO) {
      if (containers.length > 1) {
        throw new HexzError(
          "usage",
          `${archive.source.name} has ${containers.length} originals: --path says which one`,
        );
      }
      await writeContainer(archive, first!, createStdoutSink(), options.onProgress);
      return size;
    }
    refuseArchive(output, options.protect);
    if (containers.length === 1) await writeFile(archive, first!, output, options);
    else await writeDirectory(archive, containers, output, options);
    return size;
  },
};
