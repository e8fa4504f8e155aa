// Archives without their parents, or with other ones: `flatten` and `rebase`.

import type { Engine } from "../core/engine.ts";
import { HexzError, type Warning } from "../core/errors.ts";
import type { Archive } from "../core/read/archive.ts";
import { storedBlocks } from "../core/read/stored-blocks.ts";
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

export interface CopiedFile extends CopiedArchive {
  /** What the copy of an archive of format 1 does not keep. */
  readonly warnings: readonly Warning[];
}

/** What of an open archive is copied. @throws HexzError `not_available` of format 1, whose blocks cannot be taken over */
export function copySourceOf(archive: Archive, metadata: Record<string, unknown>): CopySource {
  void archive.format2;
  return {
    root: archive.root,
    contentId: archive.root.contentId,
    metadata,
    leaves: () => archive.leaves(),
    entries: () => archive.entries(),
    isStored: () => true,
    ...storedBlocks(archive),
  };
}

/**
 * Writes an archive of the same content that refers to the bases only: without any, to nothing.
 * @throws HexzError; then nothing is left behind
 */
export async function copyArchiveFile(options: CopyFileOptions): Promise<CopiedFile> {
  const { archive: path, output, bases = [] } = options;
  for (const input of [path, ...bases]) checkNotOutput(input, pathOf(output));
  const archive = await openArchiveFile(path, options);
  try {
    if (archive.format1 !== undefined) return await upgradeCopy(archive, options);
    const source = copySourceOf(archive, await archive.metadata());
    const copied = await copyToOutput(source, archive.context.engine, { ...keptEncryption(archive), ...options });
    return { ...copied, warnings: [] };
  } finally {
    await archive.close();
  }
}

/** Blocks of format 1 cannot be taken over: the contents are packed anew, coded as they were. */
async function upgradeCopy({ format1, source }: Archive, options: CopyFileOptions): Promise<CopiedFile> {
  const { header } = format1!.opened;
  if (header.encryption !== undefined && options.encryption === undefined) {
    throw new HexzError("not_encrypted", `${source.name} is encrypted, and its copy would not be`, {
      hint: "--encrypt asks for the password of the copy, --recipient names who can read it",
    });
  }
  const { convert } = await import("./convert/convert.ts");
  const { archive, ...rest } = options;
  const made = await convert({ ...rest, format: "hexz1", inputs: [archive], compression: header.compression });
  return { ...made, copied: { count: 0, storedBytes: 0 } };
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
