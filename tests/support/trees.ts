// Real trees on a real file system: temporary places, commands of the system, and a copy by walk and TreeWriter.

import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Warning } from "../../src/core/errors.ts";
import type { Entry } from "../../src/core/format/entry.ts";
import type { ByteString } from "../../src/core/format/path.ts";
import { openInput } from "../../src/node/input-file.ts";
import { type FileOutput, TreeWriter, type TreeWriterOptions } from "../../src/node/tree-writer.ts";
import { type WalkedItem, type WalkOptions, walk } from "../../src/node/walk.ts";

/** A directory that is removed after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "hexz-test-"));
  // `rm` also removes what is deeper than a path can be long
  onTestFinished(() => void execFileSync("rm", ["-rf", directory]));
  return directory;
}

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** Runs a command; standard output as one character a byte. */
export function run(command: string, parameters: string[], cwd?: string): string {
  return execFileSync(command, parameters, {
    cwd,
    encoding: "latin1",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 28,
  });
}

/** Whether a command works here; prints why a part of a test is left out when not. */
export function possible(what: string, attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch (error) {
    process.stderr.write(`skipped: ${what}: ${String(error).split("\n")[0]}\n`);
    return false;
  }
}

/** Everything that a walk finds, and what it warned of. */
export function walkAll(root: string, options: WalkOptions = {}): { items: WalkedItem[]; warnings: Warning[] } {
  const warnings: Warning[] = [];
  const items = [...walk(root, { ...options, onWarning: (warning) => warnings.push(warning) })];
  return { items, warnings };
}

/** Copies the content of a walked file as a pack and an extraction would, holes told apart. */
export async function copyContent(item: WalkedItem, output: FileOutput): Promise<void> {
  const input = openInput(item.source, { expected: item.facts });
  const buffer = new Uint8Array(100_000);
  try {
    for (let position = 0; ; ) {
      const hole = input.hole?.() ?? 0;
      if (hole > 0) {
        output.writeZeros(hole, position);
        input.skip?.(hole);
        position += hole;
        continue;
      }
      const count = await input.read(buffer);
      if (count === 0) break;
      output.write(buffer.subarray(0, count), position);
      position += count;
    }
    input.finish();
  } finally {
    input.close();
  }
  output.finish();
}

/** Restores one entry; files get `content`. */
export function restore(writer: TreeWriter, entry: Entry, content = ""): void {
  if (entry.hardLink !== undefined) writer.hardLink(entry);
  else if (entry.type === "directory") writer.directory(entry);
  else if (entry.type === "symlink") writer.symlink(entry);
  else if (entry.type !== "file") writer.special(entry);
  else {
    const output = writer.file(entry);
    output.write(Buffer.from(content), 0);
    output.finish();
  }
}

/** The tree `from` by walk and TreeWriter at `to`. */
export async function copyTree(from: string, to: string, options: TreeWriterOptions = {}): Promise<Warning[]> {
  const { items, warnings } = walkAll(from);
  const writer = new TreeWriter(to, { ...options, onWarning: (warning) => warnings.push(warning) });
  for (const item of items) {
    if (item.entry.type === "file" && item.entry.hardLink === undefined) {
      await copyContent(item, writer.file(item.entry));
    } else restore(writer, item.entry);
  }
  writer.finish();
  return warnings;
}

/** An entry for tests that do not read a disk. */
export function entryOf(type: Entry["type"], path: string, more: Partial<Entry> = {}): Entry {
  return { type, path: path as ByteString, ...more };
}
