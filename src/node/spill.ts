// Scratch that stays in memory up to a limit and goes on in a temporary file, which has no name once it is open.

import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scratch } from "../core/write/scratch.ts";
import { fromSystemError } from "./errors.ts";

/** docs/format.md, "The writer's order". */
const MEMORY_LIMIT = 32 * 1024 * 1024;
const PIECE = 1024 * 1024;

function openUnnamed(): number {
  const folder = mkdtempSync(join(tmpdir(), "hexz-"));
  try {
    return openSync(join(folder, "scratch"), "wx+", 0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param limit bytes to keep in memory */
export function openSpill(limit = MEMORY_LIMIT): Scratch {
  let pieces: Uint8Array[] = [];
  let held = 0;
  let fd: number | undefined;
  let spilled = 0;
  const spill = (bytes: Uint8Array) => {
    fd ??= openUnnamed();
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, spilled + at);
    spilled += bytes.length;
  };
  return {
    append(bytes) {
      if (held + bytes.length <= limit && fd === undefined) {
        pieces.push(bytes.slice());
        held += bytes.length;
        return;
      }
      try {
        spill(bytes);
      } catch (error) {
        throw fromSystemError(error, "write a temporary file in", tmpdir());
      }
    },
    *read() {
      yield* pieces;
      const buffer = Buffer.allocUnsafe(PIECE);
      for (let at = 0; at < spilled; ) {
        const length = readSync(fd!, buffer, 0, PIECE, at);
        yield buffer.subarray(0, length);
        at += length;
      }
    },
    close() {
      pieces = [];
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}
