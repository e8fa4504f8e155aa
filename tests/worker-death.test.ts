// Threads that die in the middle of their work, of hunger for memory too: the work is finished without them, right and
// soon, and nothing is left behind.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { CLI, hexz } from "./support/cli.ts";
import { randomFrom, SEED, text } from "./support/random.ts";
import { run, temporaryDirectory } from "./support/trees.ts";

process.stdout.write(`worker-death.test.ts: HEXZ_SEED=${SEED}\n`);
const HOOK = fileURLToPath(new URL("support/dying-workers.mjs", import.meta.url));
const FILES = ["a", "b", "c", "d"];
/** All files of a test are of this time, so that archives of the same are the same. */
const WHEN = { SOURCE_DATE_EPOCH: "1700000000" };

/** What the threads die of, how it appears, and what the last line of each is. */
const DEATHS = [
  { dying: "memory", told: "ERR_WORKER_OUT_OF_MEMORY", after: 0 },
  { dying: "memory", told: "ERR_WORKER_OUT_OF_MEMORY", after: 1 },
  { dying: "exit", told: "exit 7", after: 0 },
  { dying: "throw", told: "the thread's program fails", after: -1 },
];

function inputIn(directory: string): string {
  const input = join(directory, "input");
  mkdirSync(input);
  const random = randomFrom(SEED);
  for (const name of FILES) writeFileSync(join(input, name), text(4_000_000, random));
  return input;
}

/** Runs `hexz` with threads that die. @returns its exit code, and what the threads' ends were */
function dying(directory: string, { dying, after }: (typeof DEATHS)[number], ...args: string[]) {
  const log = join(directory, "log");
  const env = { ...process.env, ...WHEN, DYING: dying, AFTER: String(after), LOG: log };
  const command = ["--import", HOOK, CLI, ...args, "--workers", "3"];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: "utf8", env });
  const ends = existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : [];
  run("rm", ["-f", log]);
  return { status, stderr, ends };
}

describe.each(DEATHS)("threads that die of $dying after $after tasks", (death) => {
  test("pack writes the same archive over the old one", () => {
    const directory = temporaryDirectory();
    const input = inputIn(directory);
    const [expected, output] = [join(directory, "expected.hxz"), join(directory, "out.hxz")];
    const env = { ...process.env, ...WHEN };
    expect(hexz(["pack", input, expected], { env }).code).toBe(0);
    expect(hexz(["pack", join(input, "a"), output], { env }).code).toBe(0);
    const { status, stderr, ends } = dying(directory, death, "pack", "--force", input, output);
    expect([status, stderr]).toEqual([0, ""]);
    expect(ends).toContain(death.told);
    expect(readdirSync(directory).sort()).toEqual(["expected.hxz", "input", "out.hxz"]);
    expect(Buffer.compare(readFileSync(output), readFileSync(expected))).toBe(0);
  });

  test("extract and check read every byte", () => {
    const directory = temporaryDirectory();
    const input = inputIn(directory);
    const archive = join(directory, "out.hxz");
    expect(hexz(["pack", input, archive]).code).toBe(0);
    for (const args of [
      ["extract", archive, join(directory, "to")],
      ["check", archive],
    ]) {
      const { status, stderr, ends } = dying(directory, death, ...args);
      expect([status, stderr]).toEqual([0, ""]);
      expect(ends).toContain(death.told);
    }
    expect(readdirSync(directory).sort()).toEqual(["input", "out.hxz", "to"]);
    expect(readdirSync(join(directory, "to")).sort()).toEqual(FILES);
    for (const name of FILES) {
      expect(Buffer.compare(readFileSync(join(directory, "to", name)), readFileSync(join(input, name))), name).toBe(0);
    }
  });
});
