// The built program as a user runs it: a process of its own.

import { type SpawnSyncOptions, spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as it is. */
  readonly bytes: Buffer;
}

/** Runs `hexz` to its end. */
export function hexz(args: readonly string[], options: SpawnSyncOptions = {}): Ran {
  const { SOURCE_DATE_EPOCH: _, ...env } = process.env;
  const ran = spawnSync(process.execPath, [CLI, ...args], { maxBuffer: 1 << 28, env, ...options });
  if (ran.error !== undefined) throw ran.error;
  const bytes = ran.stdout as Buffer;
  return { code: ran.status, stdout: bytes.toString(), stderr: String(ran.stderr), bytes };
}

export interface RanJson {
  readonly code: number | null;
  // biome-ignore lint/suspicious/noExplicitAny: documents of many shapes, looked into by tests
  readonly document: any;
}

/** Runs `hexz … --json`, which must print one document and nothing else on standard output. */
export function hexzJson(args: readonly string[], options: SpawnSyncOptions = {}): RanJson {
  const { code, stdout } = hexz([...args, "--json"], options);
  return { code, document: JSON.parse(stdout) };
}

/** Starts `hexz` with pipes on all sides. */
export function start(args: readonly string[], cwd: string) {
  const child = spawn(process.execPath, [CLI, ...args], { cwd, stdio: "pipe" });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (bytes) => {
    stdout += bytes;
  });
  child.stderr.on("data", (bytes) => {
    stderr += bytes;
  });
  child.stdin.on("error", () => {});
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

/** Runs a line of shell with `hexz` as a command. */
export function shell(line: string, cwd: string): Ran {
  const script = `hexz() { "$NODE" "$CLI" "$@"; }; set -o pipefail; ${line}`;
  const env = { ...process.env, NODE: process.execPath, CLI };
  const ran = spawnSync("bash", ["-c", script], { cwd, env, maxBuffer: 1 << 28 });
  return { code: ran.status, stdout: String(ran.stdout), stderr: String(ran.stderr), bytes: ran.stdout };
}
