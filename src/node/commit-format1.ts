// `commit` over an archive of format 1: its blocks cannot be taken over, so its streams are packed anew, the disk with the
// overlay on it.

import type { Overlaid } from "../core/disk/overlay.ts";
import { HexzError } from "../core/errors.ts";
import type { Archive } from "../core/read/archive.ts";
import { createContentInput } from "../core/write/bytes-input.ts";
import type { CommitOptions } from "./commit.ts";
import { archiveInput } from "./convert/archive-input.ts";
import { type MadeArchive, makeArchive } from "./make-archive.ts";

const PIECE = 1024 * 1024;

/**
 * @param metadata of the new archive
 * @throws HexzError `not_available` for a thin archive, and of an archive whose disk is a tree
 */
export async function commitFormat1(
  archive: Archive,
  content: Overlaid,
  options: CommitOptions,
  metadata: Readonly<Record<string, unknown>>,
): Promise<MadeArchive> {
  const { format1, source, ownStreams } = archive;
  if (options.thin === true) throw refused(`nothing can refer to what ${source.name} stores: it is of format 1`);
  if (format1?.manifest !== undefined) throw refused(`what ${source.name} calls its disk is the content of its tree`);
  if (format1?.opened.header.encryption !== undefined && options.encryption === undefined) {
    throw new HexzError("not_encrypted", `${source.name} is encrypted, and what is made of it would not be`, {
      hint: "--encrypt asks for the password of the new archive, --recipient names who can read it",
    });
  }
  const memory = ownStreams.find(({ name }) => name === "memory");
  options.onTotal?.(content.size + (memory?.size ?? 0));
  return makeArchive(
    { ...options, bases: [], metadata },
    { total: content.size, rereadable: false },
    async (writer) => {
      await writer.addStream("disk", createContentInput(piecesOf(content), source.name));
      if (memory !== undefined) await writer.addStream("memory", archiveInput(archive, memory, new Float64Array(0)));
    },
  );
}

function refused(message: string): HexzError {
  return new HexzError("not_available", message, { hint: "hexz convert hexz1 makes an archive of format 2 of it" });
}

async function* piecesOf({ size, read }: Overlaid): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += PIECE) yield await read(at, Math.min(size, at + PIECE));
}
