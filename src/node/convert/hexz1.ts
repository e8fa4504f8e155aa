// Archives into archives: `convert hexz1` makes one of format 2 of one of format 1, `convert --to hexz1` one of format 1
// of either. What was written is read back and compared before it gets its name.

import { HexzError, type Warning } from "../../core/errors.ts";
import { byteStringFromText, displayName } from "../../core/format/path.ts";
import { looksLikeFormat1 } from "../../core/format/v1/header.ts";
import type { Archive } from "../../core/read/archive.ts";
import { type OpenOptions, openArchiveFile } from "../archive.ts";
import { archiveInput } from "./archive-input.ts";
import { type Copied, copyContents, type Moved } from "./copy-contents.ts";
import type { ImportContext, ImportFormat, ImportOptions } from "./format.ts";

/** The upgrade. */
export const hexz1: ImportFormat = {
  name: "hexz1",
  inputs: { several: false, stdin: false },
  detect: looksLikeFormat1,
  convert: ([path], context) => convertArchive(path!, context, 1),
};

/** The way back, of either format: `--to hexz1` writes the archive in format 1. */
export const anyArchive: ImportFormat = {
  name: "archive",
  inputs: { several: false, stdin: false },
  convert: ([path], context) => convertArchive(path!, context, undefined),
};

async function convertArchive(path: string, context: ImportContext, version: 1 | undefined): Promise<void> {
  const { writer, warn, options } = context;
  const archive = await openArchiveFile(path, options);
  try {
    if (version !== undefined && archive.version !== version) {
      throw new HexzError("usage", `${path} is of format ${archive.version}, not of format ${version}`);
    }
    if (isEncrypted(archive) && options.encryption === undefined) warn(plainWarning(path));
    context.expect(archive.root.addressSpace);
    const copied = await copyContents(archive, writer, warn);
    const secrets = secretsFor(options);
    if (secrets !== undefined) context.checkFinished((output) => readBack(output, copied, { ...options, ...secrets }));
    else warn({ path: "", code: "unsupported", message: "it is not read back: only its recipients can read it" });
  } finally {
    await archive.close();
  }
}

function isEncrypted({ envelope, format1 }: Archive): boolean {
  return envelope !== undefined || format1?.opened.header.encryption !== undefined;
}

/** Keys cannot be taken over from one format to the other, and a conversion gives contents out, as extraction does. */
function plainWarning(path: string): Warning {
  const message = `${path} is encrypted, and what is made of it is not: everybody can read that; --encrypt asks for a password`;
  return { path: byteStringFromText(path), code: "not_encrypted", message };
}

/** What opens the archive that is made; undefined: nothing here. */
function secretsFor({ encryption }: ImportOptions): Pick<OpenOptions, "secrets"> | undefined {
  if (encryption === undefined) return {};
  const { passwords = [] } = "keys" in encryption ? {} : encryption;
  return passwords.length === 0 ? undefined : { secrets: { passwords } };
}

/** Reads the archive that was written and compares every content with what was copied. */
async function readBack(path: string, { moved, computed }: Copied, options: OpenOptions): Promise<void> {
  const archive = await openArchiveFile(path, options);
  try {
    for (const stretch of moved) {
      const { digest, size } = stretch;
      const start = startIn(archive, stretch, moved);
      if ((await digestOf(archive, { start, size })) === digest) continue;
      throw new HexzError("damaged", `bytes ${start} to ${start + size} of what was written are not what was read`);
    }
    for await (const entry of archive.entries()) {
      const digest = computed.get(entry.path);
      if (digest === undefined || (await digestOf(archive, archive.fileOf(entry))) === digest) continue;
      throw new HexzError("damaged", `"${displayName(entry.path)}" that was written is not what was read`);
    }
  } finally {
    await archive.close();
  }
}

/** Where a stretch is: format 1 has the auxiliary stream behind the main one, wherever it was written. */
function startIn(archive: Archive, { to, stream }: Moved, moved: readonly Moved[]): number {
  if (archive.version === 2) return to;
  const memory = moved.find((other) => other.stream === "memory");
  if (stream === "memory") return archive.streams.find(({ name }) => name === "memory")!.start;
  return memory === undefined || memory.to > to ? to : to - memory.size;
}

async function digestOf(archive: Archive, content: Parameters<typeof archiveInput>[1]): Promise<string> {
  const input = archiveInput(archive, content, new Float64Array(0));
  const buffer = new Uint8Array(1 << 20);
  while ((await input.read(buffer)) > 0);
  return input.digest();
}
