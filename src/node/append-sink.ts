// A sink that goes on behind the end of a file that is there. Everything is written at once when it is finished, so
// that little can tear; what fails is cut off again.

import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { HexzError } from "../core/errors.ts";
import type { Archive } from "../core/read/archive.ts";
import { createEnvelopeAppendSink } from "../core/write/envelope-sink.ts";
import type { Sink } from "../core/write/sink.ts";
import { nodeCiphers } from "./ciphers.ts";
import { fromSystemError, shownPath } from "./errors.ts";

/**
 * @param size what the file's length is and must be: another one means that somebody else appends
 * @throws HexzError `not_found`, `permission`, `changed`
 */
function createAppendSink(path: string, size: number): Sink {
  const name = shownPath(path);
  const pieces: Uint8Array[] = [];
  return {
    name,
    write(bytes) {
      pieces.push(bytes.slice());
    },
    finish() {
      const bytes = Buffer.concat(pieces);
      try {
        const fd = openSync(path, "r+");
        try {
          append(fd, bytes, size, name);
        } finally {
          closeSync(fd);
        }
      } catch (error) {
        throw fromSystemError(error, "append to", path);
      }
    },
    abort() {
      pieces.length = 0;
    },
  };
}

/** A sink that goes on behind an archive's end, sealed as the archive is. */
export function createArchiveAppendSink(path: string, { envelope, source }: Archive): Sink {
  if (envelope === undefined) return createAppendSink(path, source.size);
  return createEnvelopeAppendSink(createAppendSink(path, envelope.fileLength), envelope.segments, nodeCiphers);
}

function append(fd: number, bytes: Buffer, size: number, name: string): void {
  const changed = () => new HexzError("changed", `${name} was changed by another program meanwhile`);
  if (fstatSync(fd).size !== size) throw changed();
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, size + at);
    fsyncSync(fd);
  } catch (error) {
    ftruncateSync(fd, size);
    throw error;
  }
  // Two programs that append at once write to the same place: one of them finds the other's bytes.
  const found = Buffer.alloc(bytes.length);
  readSync(fd, found, 0, found.length, size);
  if (!found.equals(bytes) || fstatSync(fd).size !== size + bytes.length) throw changed();
}
