// Archives without their parents, or with other ones: `flatten` and `rebase`.

import type { Archive } from "../core/read/archive.ts";
import { type CopiedArchive, type CopyOptions, type CopySource, copyArchive } from "../core/write/copier.ts";
import { openArchiveFile } from "./archive.ts";
import { type BaseOptions, checkNotOutput, openBases } from "./bases.ts";
import { createFileSink, createStdoutSink } from "./file-sink.ts";
import { openSpill } from "./spill.ts";

const STDOUT = "-";

export interface CopyFileOptions extends Omit<CopyOptions, "bases">, BaseOptions {
  readonly archive: string;
  /** "-" is standard output. */
  readonly output: string;
  /** Replace an existing output. */
  readonly force?: boolean;
  /** Told how many bytes of content there are. */
  readonly onTotal?: (bytes: number) => void;
}

function copySourceOf(archive: Archive, metadata: Record<string, unknown>): CopySource {
  return {
    root: archive.root,
    metadata,
    leaves: () => archive.leaves(),
    entries: () => archive.entries(),
    chunk: (block, offset, length, digest) => archive.run(archive.random.chunk(block, offset, offset + length, digest)),
    stored: (block) => archive.run(archive.random.stored(block)),
  };
}

/**
 * Writes an archive of the same content that refers to the bases only: without any, to nothing.
 * @throws HexzError; then nothing is left behind
 */
export async function copyArchiveFile(options: CopyFileOptions): Promise<CopiedArchive> {
  const { archive: path, output, bases = [], force = false, signers, onProgress, signal } = options;
  const child = output === STDOUT ? undefined : output;
  for (const input of [path, ...bases]) checkNotOutput(input, child);
  const archive = await openArchiveFile(path, options);
  const opened = await openBases(bases, child, options);
  try {
    options.onTotal?.(archive.root.addressSpace);
    const source = copySourceOf(archive, await archive.metadata());
    const sink = child === undefined ? createStdoutSink() : createFileSink(child, { force });
    return await copyArchive(source, sink, archive.context.engine, openSpill, {
      bases: opened.bases,
      ...(signers === undefined ? {} : { signers }),
      ...(onProgress === undefined ? {} : { onProgress }),
      ...(signal === undefined ? {} : { signal }),
    });
  } finally {
    await opened.close();
    await archive.close();
  }
}
