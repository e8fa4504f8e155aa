// Programs under strace, which lets one system call fail or be the last.

import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ReadOptions } from "../../src/core/index.ts";
import { checkArchive, openArchiveFile } from "../../src/node/index.ts";
import { CLI } from "./cli.ts";

/** What a call fails with, and the code of the error that tells of it. */
export const ERRORS: Readonly<Record<string, { readonly fault: string; readonly code: string }>> = {
  pwrite64: { fault: "error=ENOSPC", code: "no_space" },
  mkdir: { fault: "error=ENOSPC", code: "no_space" },
  fsync: { fault: "error=EIO", code: "io" },
  rename: { fault: "error=EIO", code: "io" },
  renameat2: { fault: "error=EIO", code: "io" },
};

export interface Faulty {
  readonly code: number | null;
  readonly stdout: string;
}

function traced(directory: string, args: readonly string[], options: readonly string[]) {
  const trace = join(directory, "trace");
  const strace = ["-f", "-o", trace, ...options];
  const ran = spawnSync("strace", [...strace, process.execPath, CLI, ...args], { encoding: "utf8" });
  // strace ends as its child does, and may then have written nothing
  const calls = ran.signal === "SIGKILL" ? "" : readFileSync(trace, "latin1");
  rmSync(trace, { force: true });
  return { ...ran, calls };
}

/**
 * Runs `hexz` with one system call changed.
 * @param directory where the trace goes meanwhile
 * @returns undefined when there was no such call
 */
export function withFault(
  directory: string,
  args: readonly string[],
  call: string,
  number: number,
  fault: string,
): Faulty | undefined {
  const options = ["-e", `trace=${call}`, "-e", `inject=${call}:${fault}:when=${number}`];
  const { status, signal, stdout, calls } = traced(directory, args, options);
  return signal === "SIGKILL" || calls.includes("(INJECTED)") ? { code: status, stdout } : undefined;
}

/** How many calls of each kind `hexz` makes when nothing fails, besides the syncs of standard streams at Node's end. */
export function callsOf(directory: string, args: readonly string[], calls: readonly string[]): Map<string, number> {
  const ran = traced(directory, args, ["-e", `trace=${calls.join(",")}`]);
  if (ran.status !== 0) throw new Error(`${args.join(" ")} ended with ${ran.status}: ${ran.stdout}${ran.stderr}`);
  const lines = ran.calls.split("\n").filter((line) => !/ fsync\([12]\)/.test(line));
  return new Map(calls.map((call) => [call, lines.filter((line) => line.includes(` ${call}(`)).length]));
}

/** Whether an archive is as it should be, but for the copies of its key slots where `interrupted` changes are allowed. */
export async function isWhole(path: string, options: ReadOptions = {}, interrupted = false): Promise<boolean> {
  const archive = await openArchiveFile(path, options);
  try {
    const { problems } = await checkArchive(archive);
    return problems.every(({ where }) => interrupted && where === "key slots");
  } finally {
    await archive.close();
  }
}
