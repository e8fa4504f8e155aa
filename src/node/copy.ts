// Archives without their parents, or with other ones: `flatten` and `rebase`.

import type { Engine } from "../core/engine.ts";
import type { Archive } from "../core/read/archive.ts";
import { type CopiedArchive, type CopyOptions, type CopySource, copyArchive } from "../core/write/copier.ts";
import type { Encryption } from "../core/write/envelope-sink.ts";
import type { Sink } from "../core/write/sink.ts";
import { encryptedSink, openArchiveFile } from "./archive.ts";
import { type BaseOptions, checkNotOutput, openBases } from "./bases.ts";
import { createFileSink, createStdoutSink } from "./file-sink.ts";
import { STDIO } from "./input-facts.ts";
import { openSpill } from "./spill.ts";

/** Where a copy goes, and how. */
export interface CopyOutput extends Omit<CopyOptions, "bases"> {
  /** Who can read the copy; default: whoever can read the archive. */
  readonly encryption?: Encryption;
  /** "-" is standard output. */
  readonly output: string;
  /** Replace an existing output. */
  readonly force?: boolean;
  /** Told how many bytes of content there are. */
  readonly onTotal?: (bytes: number) => void;
}

export interface CopyFileOptions extends CopyOutput, BaseOptions {
  readonly archive: string;
}

/** What of an open archive is copied. @throws HexzError `not_available` of an archive of format 1 */
export function copySourceOf(archive: Archive, metadata: Record<string, unknown>): CopySource {
  // Its blocks are coded otherwise, and some have no digests.
  void archive.format2;
  return {
    root: archive.root,
    contentId: archive.root.contentId,
    metadata,
    leaves: () => archive.leaves(),
    entries: () => archive.entries(),
    chunk: (block, offset, length, digest) => archive.run(archive.random.chunk(block, offset, offset + length, digest)),
    isStored: () => true,
    stored: (block) => archive.run(archive.random.stored(block)),
    dictionary: async (block) => (await archive.run(archive.dictionaries.of(block)))!,
  };
}

/**
 * Writes an archive of the same content that refers to the bases only: without any, to nothing.
 * @throws HexzError; then nothing is left behind
 */
export async function copyArchiveFile(options: CopyFileOptions): Promise<CopiedArchive> {
  const { archive: path, output, bases = [] } = options;
  for (const input of [path, ...bases]) checkNotOutput(input, pathOf(output));
  const archive = await openArchiveFile(path, options);
  try {
    const source = copySourceOf(archive, await archive.metadata());
    return await copyToOutput(source, archive.context.engine, { ...keptEncryption(archive), ...options });
  } finally {
    await archive.close();
  }
}

/** Whoever could read the archive can read its copy, and nobody else. */
export function keptEncryption({ envelope }: Archive): { encryption?: Encryption } {
  return envelope === undefined ? {} : { encryption: envelope };
}

function pathOf(output: string): string | undefined {
  return output === STDIO ? undefined : output;
}

/** Writes what the source has, without what the bases and their parents store. */
export async function copyToOutput(
  source: CopySource,
  engine: Engine,
  options: CopyOutput & BaseOptions,
): Promise<CopiedArchive> {
  const { output, bases = [], encryption, force = false, signers, onProgress, signal } = options;
  const child = pathOf(output);
  const opened = await openBases(bases, child, options);
  try {
    options.onTotal?.(source.root.addressSpace);
    const sink = child === undefined ? createStdoutSink() : createFileSink(child, { force });
    let target: Sink;
    try {
      target = await encryptedSink(sink, encryption, engine);
    } catch (error) {
      await sink.abort();
      throw error;
    }
    return await copyArchive(source, target, engine, openSpill, {
      bases: opened.bases,
      ...(signers === undefined ? {} : { signers }),
      ...(onProgress === undefined ? {} : { onProgress }),
      ...(signal === undefined ? {} : { signal }),
    });
  } finally {
    await opened.close();
  }
}
