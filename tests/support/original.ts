// The original hexz as a peer: its Python packages, installed from PyPI where that can be reached.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { test } from "vitest";
import { randomBytes, text, zeroRidden } from "./random.ts";
import { concat } from "./reference-bytes.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const DRIVER = path("original.py");

export type Version = "0.5.5" | "0.8.2";

export type Job =
  | { do: "pack_055"; output: string; options: Record<string, unknown> }
  | { do: "write_055"; output: string; inputs: string[]; options: Record<string, unknown>; metadata?: object }
  | { do: "read_055"; archive: string; ranges: [number, number][] }
  | { do: "inspect_055"; archive: string }
  | { do: "sign_055" | "verify_055"; archive: string; key: string }
  | { do: "pack_082"; input: string; output: string; options: Record<string, unknown> }
  | { do: "read_082"; archive: string };

export interface Done {
  readonly error?: string;
  readonly size?: number;
  readonly sha256?: string;
  readonly ranges?: readonly string[];
  // biome-ignore lint/suspicious/noExplicitAny: what the original says, looked into by tests
  readonly facts?: any;
  readonly files?: Readonly<Record<string, string>>;
}

export interface Original {
  /** Why a version cannot be had; what is not here is there. */
  readonly missing: readonly string[];
  readonly has: (version: Version) => boolean;
  /** Does jobs in one process, in the directory `cwd`, from which paths are seen. */
  readonly run: (version: Version, jobs: readonly Job[], cwd: string) => Done[];
}

/** Installs it where bench has it, or finds it there. */
export function findOriginal(): Original {
  const ran = spawnSync(process.execPath, [path("../../scripts/original.mjs"), path("../../.cache/bench")]);
  if (ran.status !== 0) throw new Error(`scripts/original.mjs failed: ${ran.stderr}`);
  const { python, hexz, missing } = JSON.parse(String(ran.stdout)) as {
    python: string;
    hexz: Partial<Record<Version, string>>;
    missing: string[];
  };
  return {
    missing,
    has: (version) => hexz[version] !== undefined,
    run(version, jobs, cwd) {
      const driver = ["-E", "-s", DRIVER, hexz[version]!];
      const { status, stdout, stderr } = spawnSync(python, driver, {
        cwd,
        input: JSON.stringify(jobs),
        maxBuffer: 1 << 26,
      });
      if (status !== 0) throw new Error(`hexz ${version} ended with ${status}: ${stderr}`);
      // The original's log goes to standard output as well.
      return JSON.parse(String(stdout).trim().split("\n").at(-1)!) as Done[];
    },
  };
}

/** `test` where that version is there; why it is not is printed once. */
export function testsWith(original: Original): (version: Version) => ReturnType<typeof test.skipIf> {
  for (const reason of original.missing) process.stderr.write(`skipped: ${reason}\n`);
  return (version) => test.skipIf(!original.has(version));
}

export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Text, noise and zeros of lengths around those of blocks and chunks; sometimes twice, or nothing at all. */
export function randomContent(random: (below: number) => number): Uint8Array {
  const lengths = [1, 100, 4095, 4096, 4097, 70_000, 300_000];
  const makers = [text, randomBytes, zeroRidden, (length: number) => new Uint8Array(length)];
  const part = () => makers[random(makers.length)]!(lengths[random(lengths.length)]! + random(3), random);
  const parts = Array.from({ length: random(6) }, part);
  return concat(...parts, ...(random(2) ? parts : []));
}
