// Disk images for tests: made by qemu-img and qemu-io, read by ours.

import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Warning } from "../../src/core/errors.ts";
import type { ContentInput } from "../../src/core/write/content-input.ts";
import { openQcow2 } from "../../src/node/disk/open-image.ts";
import { randomBytes, randomFrom, text } from "./random.ts";
import { run } from "./trees.ts";

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** Text, noise and repetitions with holes in between, 8 MiB and a sector: `raw.img` in the directory. */
export function makeRaw(directory: string, seed = 5): Buffer {
  const random = randomFrom(seed);
  const path = join(directory, "raw.img");
  const bytes = Buffer.alloc(8 * MIB + 512);
  bytes.set(text(300 * KIB, random), 0);
  bytes.set(randomBytes(200 * KIB, random), MIB);
  bytes.set(text(70 * KIB, random), 3 * MIB + 5000);
  bytes.fill(0xff, 5 * MIB, 5 * MIB + 100 * KIB);
  bytes.set(randomBytes(700, random), bytes.length - 700);
  writeFileSync(path, "");
  truncateSync(path, bytes.length);
  writeFileSync(path, bytes);
  return bytes;
}

/** Commands of qemu-io on an image. */
export function qemuIo(cwd: string, image: string, ...commands: string[]): void {
  run("qemu-io", ["-f", "qcow2", ...commands.flatMap((command) => ["-c", command]), image], cwd);
}

/** What `qemu-img convert -O raw` makes of an image. */
export function qemuRaw(cwd: string, image: string): Buffer {
  run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", image, "expected.raw"], cwd);
  return readFileSync(join(cwd, "expected.raw"));
}

export interface ReadImage {
  readonly bytes: Buffer;
  /** Bytes that were told as holes and not read. */
  readonly skipped: number;
  readonly warnings: readonly Warning[];
}

/** Reads an image as a pack does, into a buffer of an odd length. */
export async function readImage(path: string, options: { allowBacking?: boolean } = {}): Promise<ReadImage> {
  const warnings: Warning[] = [];
  const input = await openQcow2(path, { ...options, warn: (warning) => warnings.push(warning), onFile: () => {} });
  try {
    return { ...(await readInput(input)), warnings };
  } finally {
    input.close();
  }
}

async function readInput(input: ContentInput): Promise<{ bytes: Buffer; skipped: number }> {
  const pieces: Uint8Array[] = [];
  let skipped = 0;
  for (;;) {
    const hole = Math.floor((input.hole?.() ?? 0) / (256 * KIB)) * 256 * KIB;
    if (hole > 0) {
      input.skip!(hole);
      pieces.push(new Uint8Array(hole));
      skipped += hole;
      continue;
    }
    // Not zero before: what is read must be written, zeros too.
    const piece = new Uint8Array(100_003).fill(0xaa);
    const length = await input.read(piece);
    if (length === 0) break;
    pieces.push(piece.subarray(0, length));
  }
  input.finish();
  return { bytes: Buffer.concat(pieces), skipped };
}
