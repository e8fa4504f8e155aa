// One directory of very many tiny files: memory does not grow with their number, nor the system calls of one of them.
// HEXZ_MANY_FILES=1000000 is the number for those who have the time.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { byteStringFromText, contentOf, createArchive } from "../src/core/index.ts";
import { createFileSink } from "../src/node/file-sink.ts";
import { CLI, hexz } from "./support/cli.ts";
import { run, temporaryDirectory } from "./support/trees.ts";

const MANY = Number(process.env.HEXZ_MANY_FILES ?? 50_000);
/** Megabytes of objects that reading with one thread may keep: one group of parts and one of entries, and what the program is. */
const HEAP = 96;
/** Megabytes of the process, with its libraries and what is not collected yet. */
const PROCESS = 320;
/** Create, write, stat, set time and mode, rename, close. */
const CALLS_OF_A_FILE = 10;

const nameOf = (number: number) => `file-${String(number).padStart(7, "0")}`;
/** Every second file is empty. */
const textOf = (number: number) => (number % 2 === 0 ? "" : `${number}\n`);

/** An archive of so many files in the directory "d". */
async function archiveOf(count: number, directory: string): Promise<string> {
  const path = join(directory, `${count}.hxz`);
  const writer = await createArchive(createFileSink(path));
  await writer.addEntry({ path: byteStringFromText("d"), type: "directory", mode: 0o755 });
  for (let number = 0; number < count; number++) {
    const entry = { path: byteStringFromText(`d/${nameOf(number)}`), type: "file" as const, mode: 0o644 };
    await writer.addFile(entry, contentOf(Buffer.from(textOf(number))));
  }
  await writer.finish();
  return path;
}

test(`extracting ${MANY} files takes the memory of a few thousand`, { timeout: 3_600_000 }, async () => {
  const directory = temporaryDirectory();
  const archive = await archiveOf(MANY, directory);
  const to = join(directory, "to");
  const report = "process.on('exit', () => console.error(process.resourceUsage().maxRSS))";
  const node = [`--max-old-space-size=${HEAP}`, "--import", `data:text/javascript,${encodeURIComponent(report)}`];
  const command = [...node, CLI, "extract", archive, to, "--workers", "1", "--quiet"];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, expect.stringMatching(/^\d+\n$/)]);
  process.stdout.write(`${MANY} files: ${Math.round(Number(stderr) / 1024)} MiB\n`);
  expect(Number(stderr) / 1024).toBeLessThan(PROCESS);
  const names = readdirSync(join(to, "d"));
  expect(names.length).toBe(MANY);
  for (let number = 0; number < MANY; number += Math.ceil(MANY / 500)) {
    expect(readFileSync(join(to, "d", nameOf(number)), "utf8")).toBe(textOf(number));
  }
  // A million of them take longer than a hook may.
  run("rm", ["-rf", to]);
});

/** System calls of an extraction. */
async function callsOf(count: number, directory: string): Promise<number> {
  const archive = await archiveOf(count, directory);
  const trace = join(directory, "trace");
  const command = [process.execPath, CLI, "extract", archive, join(directory, `to-${count}`), "--workers", "1"];
  expect(spawnSync("strace", ["-f", "-c", "-o", trace, ...command]).status).toBe(0);
  const total = readFileSync(trace, "utf8")
    .split("\n")
    .find((line) => line.trim().endsWith(" total"))!;
  return Number(total.trim().split(/\s+/)[3]);
}

test("a file more is a few system calls more, however many there are", async () => {
  const directory = temporaryDirectory();
  const [few, more] = [await callsOf(500, directory), await callsOf(2500, directory)];
  expect((more - few) / 2000).toBeLessThan(CALLS_OF_A_FILE);
  expect(hexz(["check", join(directory, "2500.hxz")]).code).toBe(0);
});
