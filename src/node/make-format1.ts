// What an archive of format 1 is made with: its base, which is one of format 1 itself, and its password.

import { HexzError } from "../core/errors.ts";
import type { Coding } from "../core/format/root.ts";
import type { Encryption } from "../core/write/envelope-sink.ts";
import type { Format1Options } from "../core/write/v1/format1-writer.ts";
import { FORMAT1_STREAMS, ParentChunks } from "../core/write/v1/parent-chunks.ts";
import { openArchiveFile } from "./archive.ts";
import { autoDirectory } from "./auto-bases.ts";
import { type BaseOptions, checkNotOutput } from "./bases.ts";
import { nodeCiphers } from "./ciphers.ts";
import { hintFor } from "./parents.ts";

/** Chunks by content of 0.5, which does not say how it made them. */
const OLD_CDC = { min: 16 * 1024, avg: 64 * 1024, max: 128 * 1024 };

export interface Format1Base {
  readonly parent: { readonly path: string; readonly chunks: ParentChunks };
  /** How it was made: equal places need equal chunks. */
  readonly coding: Coding;
}

/**
 * @param output path of the archive that will refer to it
 * @returns undefined when no base was named
 * @throws HexzError `usage` for several bases, and for one that format 1 cannot have
 */
export async function openFormat1Base(output: string, options: BaseOptions): Promise<Format1Base | undefined> {
  const [path, ...others] = options.bases ?? [];
  if (path === undefined) return undefined;
  if (others.length > 0) throw new HexzError("usage", "an archive of format 1 has one parent: name one base");
  if (autoDirectory(path) !== undefined) throw new HexzError("usage", "bases are not chosen for format 1: name one");
  checkNotOutput(path, output);
  const archive = await openArchiveFile(path, options);
  try {
    const { format1, root } = archive;
    if (format1 === undefined) {
      throw new HexzError("usage", `${path} is of format 2; the base of an archive of format 1 is one of format 1`);
    }
    const { header } = format1.opened;
    if (header.encryption !== undefined) {
      throw new HexzError("usage", `${path} is encrypted: no archive of format 1 can refer to it`);
    }
    const chunks = new ParentChunks();
    const { pages } = format1.lineage.members[0]!;
    for (const stream of FORMAT1_STREAMS) {
      for (let number = 0; number < pages.count(stream); number++) {
        const { entries } = await archive.run(pages.page(stream, number));
        for (const entry of entries) chunks.add(stream, entry);
      }
    }
    const isOldCdc = header.variableBlocks && header.cdc === undefined;
    const coding = isOldCdc ? { ...root.coding, sizes: OLD_CDC } : root.coding;
    return { parent: { path: hintFor(path, output), chunks }, coding };
  } finally {
    await archive.close();
  }
}

/** Format 1 knows passwords only, and one. @throws HexzError `usage` */
export function format1Encryption(encryption: Encryption | undefined): Format1Options["encryption"] {
  if (encryption === undefined) return undefined;
  const { passwords = [], recipients = [] } = "keys" in encryption ? {} : encryption;
  const [password, ...others] = passwords;
  if (password === undefined || others.length + recipients.length > 0 || encryption.pad === true) {
    throw new HexzError(
      "usage",
      "an archive of format 1 is encrypted with one password, without recipients or padding",
    );
  }
  return { password, ciphers: nodeCiphers };
}
