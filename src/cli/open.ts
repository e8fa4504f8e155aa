// ARCHIVE as it is given on the command line: a path, or "-" for standard input; and the two ways to open it.

import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HexzError } from "../core/errors.ts";
import { KERNELS_BASE64 } from "../core/kernels.generated.ts";
import { TAIL_LENGTH } from "../core/limits.ts";
import { createPortableEngine } from "../core/portable-engine.ts";
import { Archive, type Machinery } from "../core/read/archive.ts";
import type { RangeSource } from "../core/source/source.ts";
import { withTail } from "../core/source/tail.ts";
import { nodeCiphers } from "../node/ciphers.ts";
import { verifyEd25519 } from "../node/ed25519.ts";
import { fromSystemError } from "../node/errors.ts";
import { openFileSource } from "../node/file-source.ts";
import { parentFinder } from "../node/parents.ts";
import { type ReadingOptions, readingOptions } from "./reading-options.ts";

const STDIN = "-";
const URL_START = /^(https?|s3):\/\//i;
const PIECE = 1024 * 1024;
const LOOKING_MEMORY = 1024 * 1024;
/** How much before the root may be needed as well: the metadata, as a rule. */
const BEFORE_ROOT = 64 * 1024;

/** @throws HexzError `not_available` for a URL */
export function refuseUrl(path: string): void {
  if (URL_START.test(path)) {
    throw new HexzError("not_available", `"${path}" is a URL: remote archives are not available yet`);
  }
}

/** The bytes of an ARCHIVE argument. */
export function openArgument(archive: string): RangeSource {
  refuseUrl(archive);
  if (archive !== STDIN) return openFileSource(archive);
  return fstatSync(0).isFile() ? openFileSource("/dev/stdin") : spoolStdin();
}

/** An archive is read from its end, so a pipe goes through a temporary file first. */
function spoolStdin(): RangeSource {
  const folder = mkdtempSync(join(tmpdir(), "hexz-"));
  try {
    const path = join(folder, "stdin");
    const fd = openSync(path, "wx", 0o600);
    try {
      const buffer = Buffer.allocUnsafe(PIECE);
      for (let count = readSome(buffer); count > 0; count = readSome(buffer)) {
        for (let at = 0; at < count; ) at += writeSync(fd, buffer, at, count - at);
      }
    } finally {
      closeSync(fd);
    }
    // open, it needs no name any more
    return openFileSource(path);
  } catch (error) {
    throw fromSystemError(error, "keep standard input in", tmpdir());
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readSome(buffer: Buffer): number {
  for (;;) {
    try {
      return readSync(0, buffer);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw fromSystemError(error, "read", "standard input");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** Archives that are looked at one after the other share it. */
let looking: Promise<Machinery> | undefined;

async function lookingMachinery(): Promise<Machinery> {
  // Compiled at once: a thread of its own for so little takes longer.
  const kernels = new WebAssembly.Module(Buffer.from(KERNELS_BASE64, "base64"));
  const engine = await createPortableEngine({ kernels, memoryBytes: LOOKING_MEMORY });
  const openCrew = () => Promise.reject(new HexzError("usage", "this archive was opened to look at"));
  // Blocks are not decoded, and pages need nothing that has to be loaded.
  return {
    engine: { ...engine, load: async () => {} },
    threads: 1,
    openCrew,
    ciphers: nodeCiphers,
    verifySignature: verifyEd25519,
  };
}

/**
 * An archive to look at: its root and pages, but no blocks. Loads no codec, no native code and no threads, and needs
 * one read, two when the root is long.
 */
export async function openToLook(source: RangeSource, options: ReadingOptions = {}): Promise<Archive> {
  looking ??= lookingMachinery();
  const reading = readingOptions(options);
  return Archive.open(withLongTail(source), await looking, {
    findParent: parentFinder(source.path, reading),
    ...reading,
  });
}

/**
 * A read near the end, which a long root makes necessary, takes along what stands before the root. Files are read
 * without waiting: a thread for one read takes longer than the read.
 */
function withLongTail(source: RangeSource): RangeSource {
  const readSome = async (start: number, end: number) => source.readSync?.(start, end) ?? source.read(start, end);
  let current: RangeSource = { name: source.name, size: source.size, read: readSome };
  const plain = current;
  return {
    name: source.name,
    size: source.size,
    async read(start, end) {
      if (current === plain && source.size - start > TAIL_LENGTH && end > source.size - TAIL_LENGTH) {
        const from = Math.max(0, start - BEFORE_ROOT);
        current = withTail(plain, await readSome(from, source.size));
      }
      return current.read(start, end);
    },
    close: () => source.close?.(),
  };
}
