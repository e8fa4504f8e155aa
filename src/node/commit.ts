// `commit`: an archive and an overlay on its disk become a new archive. What the overlay did not touch is copied as it is
// coded, or referred to.

import { unlinkSync } from "node:fs";
import { patchedSource } from "../core/commit/patched.ts";
import { planSplices } from "../core/commit/splices.ts";
import { overlaid } from "../core/disk/overlay.ts";
import { HexzError } from "../core/errors.ts";
import { containersOf } from "../core/format/containers.ts";
import type { Archive } from "../core/read/archive.ts";
import { type CodingOptions, resolveCoding } from "../core/write/coding.ts";
import type { CopiedArchive } from "../core/write/copier.ts";
import { type OpenOptions, openArchiveFile } from "./archive.ts";
import { commitFormat1 } from "./commit-format1.ts";
import { type CopyOutput, copySourceOf, copyToOutput, keptEncryption } from "./copy.ts";
import { type OpenOverlay, openOverlay } from "./disk/open-overlay.ts";
import { fromSystemError } from "./errors.ts";
import { checkOutput, STDIO, statInput } from "./input-facts.ts";

const STREAM = "disk";

export interface CommitOptions
  extends OpenOptions,
    CopyOutput,
    Pick<CodingOptions, "compression" | "level" | "blockSize"> {
  readonly base: string;
  /** The data file of the overlay; its log lies beside it. */
  readonly overlay: string;
  /** Refer to what the base and its parents store. */
  readonly thin?: boolean;
  /** Replaces those of the base that have the same keys. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Remove the overlay once the new archive is on the disk. */
  readonly deleteOverlay?: boolean;
}

export interface Committed extends CopiedArchive {
  /** Of the overlay, within the disk. */
  readonly modified: { readonly blocks: number; readonly bytes: number };
  /** Bytes of content that were cut and digested anew. */
  readonly recut: number;
}

/**
 * Writes the archive of a base with an overlay on its stream `disk`.
 * @throws HexzError `no_such_path` when the base has no disk, `truncated` when the overlay lacks bytes, `changed` when it
 * is written to meanwhile; then nothing is left behind, and the overlay is as it was
 */
export async function commit(options: CommitOptions): Promise<Committed> {
  const { base: path, overlay: overlayPath, output, deleteOverlay = false } = options;
  if (deleteOverlay && output === STDIO) {
    throw new HexzError("usage", "the overlay is not deleted when the archive goes to standard output", {
      hint: "nobody knows here that it arrived",
    });
  }
  const facts = [statInput(path)];
  const overlay = openOverlay(overlayPath);
  try {
    checkOutput(output, [...facts, ...[overlayPath, overlay.logPath].map(statInput)]);
    const archive = await openArchiveFile(path, options);
    try {
      const committed = await commitOpen(archive, overlay, options);
      if (deleteOverlay) for (const file of [overlayPath, overlay.logPath]) remove(file);
      return committed;
    } finally {
      await archive.close();
    }
  } finally {
    overlay.close();
  }
}

async function commitOpen(archive: Archive, overlay: OpenOverlay, options: CommitOptions): Promise<Committed> {
  const stream = archive.streams.find(({ name }) => name === STREAM);
  if (stream === undefined) {
    throw new HexzError(
      "no_such_path",
      `${archive.source.name} has no stream ${STREAM}: the overlay is of no part of it`,
    );
  }
  const { thin = false, signal, metadata = {} } = options;
  const disk = await archive.file(STREAM);
  const content = overlaid(
    { name: archive.source.name, size: disk.size, read: (start, end) => disk.read(start, end) },
    overlay,
  );
  const modified = {
    blocks: overlay.blocks.length - content.outside,
    bytes: content.changed.reduce((sum, { start, end }) => sum + end - start, 0),
  };
  const { created: _, ...kept } = await archive.metadata();
  const allMetadata = { ...kept, ...metadata };
  if (archive.version === 1) {
    const made = await commitFormat1(archive, content, options, allMetadata);
    return { ...made, copied: { count: 0, storedBytes: 0 }, modified, recut: content.size };
  }
  if (content.size > stream.size && containersOf(kept, archive.source.name).length > 0) {
    throw new HexzError("not_available", `the disk of ${archive.source.name} cannot grow: containers lie behind it`);
  }
  const { engine, digestOf } = archive.context;
  const { coding } = archive.root;
  const splices = await planSplices({
    content,
    before: stream,
    coding,
    leafAt: (address) => leafAt(archive, address),
    engine,
    digestOf,
    signal,
  });
  const patch = {
    stream,
    content,
    splices,
    coding: codingOf(archive, options),
    metadata: allMetadata,
  };
  const source = patchedSource(copySourceOf(archive, kept), patch, digestOf);
  const written = await copyToOutput(source, engine, {
    ...keptEncryption(archive),
    ...options,
    bases: thin ? [options.base] : [],
  });
  const chunks = splices.flatMap((splice) => splice.chunks);
  return {
    ...written,
    modified,
    recut: chunks.reduce((sum, { length }) => sum + length, 0),
  };
}

/** As the base is coded and chunked, but for what is asked for. */
function codingOf({ root, context }: Archive, { compression, level, blockSize }: CommitOptions) {
  const { coding } = root;
  if (blockSize !== undefined && coding.chunking === "fixed" && blockSize !== coding.blockSize) {
    throw new HexzError(
      "usage",
      `the base has fixed chunks of ${coding.blockSize} bytes, so blocks have that size, too`,
    );
  }
  if (compression === undefined && level === undefined && blockSize === undefined) return coding;
  const { min, avg, max } = coding.sizes;
  const sizes = coding.chunking === "fixed" ? {} : { minChunk: min, avgChunk: avg, maxChunk: max };
  const names = ["none", "lz4", "zstd"] as const;
  const wishes = {
    chunking: coding.chunking,
    ...sizes,
    blockSize: blockSize ?? coding.blockSize,
    compression: compression ?? names[coding.codec] ?? "zstd",
    ...(level === undefined ? {} : { level }),
  };
  return resolveCoding(wishes, context.engine.description);
}

async function leafAt(archive: Archive, address: number) {
  const found = await archive.run(archive.index.find(address));
  if ("error" in found) throw found.error;
  return found.leaf;
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    throw fromSystemError(error, "delete", path);
  }
}
