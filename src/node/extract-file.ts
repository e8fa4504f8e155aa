// Extraction of one content into one file: a stream, or the only file of an archive.

import { statSync } from "node:fs";
import { HexzError, type Warning } from "../core/errors.ts";
import type { Entry } from "../core/format/entry.ts";
import type { Archive } from "../core/read/archive.ts";
import type { ArchiveFile } from "../core/read/archive-file.ts";
import type { Extracted } from "./extract.ts";
import { createFileSink, type FileSink } from "./file-sink.ts";
import { dataRuns } from "./output-file.ts";
import { type MetadataOptions, MetadataRestorer } from "./restore-metadata.ts";

export interface ExtractFileOptions extends MetadataOptions {
  /** auto: zeros become holes; never: they are written. Default: auto. */
  readonly sparse?: "auto" | "never";
  /** Replace an existing file. */
  readonly force?: boolean;
  /** A file that must not be replaced: the archive. */
  readonly protect?: { readonly dev: number; readonly ino: number };
  readonly onProgress?: (bytes: number) => void;
}

/** What goes into the file, and the metadata of an entry, where it has any. */
export interface FileContent {
  readonly file: ArchiveFile;
  readonly sparse: boolean;
  readonly entry?: Entry;
}

const FILL_PIECE = 65_536;

/**
 * Writes one content to the file `path`, which appears when it is complete.
 * @throws HexzError `output_exists`, `output_is_input`, `damaged`, `no_space`, `io`; nothing is left then
 */
export async function extractFile(
  archive: Archive,
  content: FileContent,
  path: string,
  options: ExtractFileOptions = {},
): Promise<Extracted> {
  refuseArchive(path, options.protect);
  const { file, entry } = content;
  const warnings: Warning[] = [];
  const restorer = new MetadataRestorer(options);
  const sink = createFileSink(path, {
    force: options.force === true,
    // nobody else reads it before it has its own mode
    ...(entry?.mode === undefined ? {} : { mode: 0o600 }),
    ...(entry === undefined ? {} : { restore: (fd: number) => restorer.toFile(fd, entry) }),
  });
  const sparse = options.sparse !== "never";
  try {
    for await (const parts of archive.parts(file)) {
      for (const part of parts) {
        if ("error" in part) throw part.error;
        const length = part.end - part.start;
        if ("fill" in part) writeFill(sink, part.fill, length, sparse);
        else if (sparse && content.sparse) writeAroundZeros(sink, part.bytes, part.start - part.range.start);
        else sink.write(part.bytes);
        options.onProgress?.(length);
      }
    }
    await sink.finish();
  } catch (error) {
    sink.abort();
    throw error;
  }
  restorer.report((warning) => warnings.push(warning));
  return { entries: 1, bytes: file.size, failed: 0, warnings };
}

/** @throws HexzError `output_is_input` when `path` is the file that must not be replaced */
export function refuseArchive(path: string, protect: ExtractFileOptions["protect"]): void {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there === undefined || there.dev !== protect?.dev || there.ino !== protect.ino) return;
  throw new HexzError("output_is_input", `the output "${path}" is the archive itself`);
}

function writeFill(sink: FileSink, value: number, length: number, sparse: boolean): void {
  if (value === 0 && sparse) {
    sink.skip(length);
    return;
  }
  const piece = new Uint8Array(Math.min(length, FILL_PIECE)).fill(value);
  for (let left = length; left > 0; left -= piece.length) sink.write(piece.subarray(0, left));
}

/** What had holes gets them back, also small ones inside of chunks. */
export function writeAroundZeros(sink: FileSink, bytes: Uint8Array, position: number): void {
  let at = 0;
  for (const { start, end } of dataRuns(bytes, position)) {
    if (start > at) sink.skip(start - at);
    sink.write(bytes.subarray(start, end));
    at = end;
  }
  if (at < bytes.length) sink.skip(bytes.length - at);
}
