// The other tools: which are on this machine, in which version, and the real hexz, installed from PyPI into the data
// directory. A missing tool gives a printed reason and its rows are left out; nothing fails.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { findPython, installOriginal } from "../scripts/original.mjs";
import { runCommand } from "./run.mjs";

const DEBIAN_TOOLS = {
  lz4: { package: "lz4", version: ["--version"] },
  zstd: { package: "zstd", version: ["--version"] },
  borg: { package: "borgbackup", version: ["--version"] },
  restic: { package: "restic", version: ["version"] },
  mksquashfs: { package: "squashfs-tools", version: ["-version"] },
  xdelta3: { package: "xdelta3", version: ["-V"] },
  b3sum: { package: "b3sum", version: ["--version"] },
  tar: { package: "tar", version: ["--version"] },
  mke2fs: { package: "e2fsprogs", version: ["-V"], places: ["/usr/sbin", "/sbin"] },
  debugfs: { package: "e2fsprogs", version: ["-V"], places: ["/usr/sbin", "/sbin"] },
  time: { package: "time", version: ["--version"], mustBeFile: true },
};

/**
 * @returns {Promise<{ paths: Record<string, string>, versions: Record<string, string>, missing: string[],
 *   python: string | null, hexz: Record<string, string> }>} `paths` by tool, `hexz` the import directory by version.
 */
export async function findPeers(dataDirectory) {
  const paths = {};
  const versions = {};
  const missing = [];
  for (const [name, tool] of Object.entries(DEBIAN_TOOLS)) {
    const path = findProgram(name, tool.places);
    if (path) {
      paths[name] = path;
      versions[name] = await versionOf(path, tool.version);
    } else missing.push(`${name}: not found (Debian package ${tool.package})`);
  }

  const python = await findPython();
  if (python) versions.python = (await runCommand([python, "--version"])).trim().replace(/^Python /, "");
  const { hexz, missing: missingHexz } = await installOriginal(python, dataDirectory);
  missing.push(...missingHexz);
  return { paths, versions, missing, python, hexz };
}

function findProgram(name, places = []) {
  for (const directory of [...(process.env.PATH ?? "").split(":"), ...places]) {
    if (directory && existsSync(join(directory, name))) return join(directory, name);
  }
  return null;
}

async function versionOf(path, argument) {
  try {
    // Some print it on stderr, mksquashfs ends with 1.
    const text = await runCommand(["/bin/sh", "-c", '"$0" "$@" 2>&1 || true', path, ...argument]);
    return /\d+\.\d+(\.\d+)*/.exec(text)?.[0] ?? "unknown";
  } catch {
    return "unknown";
  }
}

/** What the table says about the machine. */
export function describeMachine(os, dataDirectory) {
  const cpu = os.cpus()[0]?.model ?? "unknown processor";
  const memory = `${(os.totalmem() / 2 ** 30).toFixed(0)} GiB`;
  let fileSystem = "unknown file system";
  try {
    fileSystem = execFileSync("stat", ["-f", "-c", "%T", dataDirectory], { encoding: "utf8" }).trim();
  } catch {
    // Only Linux's stat says it this way; the table can do without.
  }
  return `${cpu}, ${os.availableParallelism()} cores, ${memory}, Linux ${os.release()}, ${fileSystem}`;
}
