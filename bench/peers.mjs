// The other tools: which are on this machine, in which version, and the real hexz, installed from PyPI into the data
// directory. A missing tool gives a printed reason and its rows are left out; nothing fails.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./run.mjs";

const DEBIAN_TOOLS = {
  lz4: { package: "lz4", version: ["--version"] },
  zstd: { package: "zstd", version: ["--version"] },
  borg: { package: "borgbackup", version: ["--version"] },
  mksquashfs: { package: "squashfs-tools", version: ["-version"] },
  xdelta3: { package: "xdelta3", version: ["-V"] },
  b3sum: { package: "b3sum", version: ["--version"] },
  tar: { package: "tar", version: ["--version"] },
  mke2fs: { package: "e2fsprogs", version: ["-V"], places: ["/usr/sbin", "/sbin"] },
  time: { package: "time", version: ["--version"], mustBeFile: true },
};

export const HEXZ_VERSIONS = ["0.5.5", "0.8.2"];

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

  const python = await realPython();
  const hexz = {};
  if (python) {
    versions.python = (await runCommand([python, "--version"])).trim().replace(/^Python /, "");
    for (const version of HEXZ_VERSIONS) {
      try {
        hexz[version] = await installHexz(python, version, dataDirectory);
      } catch (error) {
        missing.push(`hexz ${version}: pip could not install it: ${lastLine(error.message)}`);
      }
    }
  } else missing.push("hexz 0.5.5 and 0.8.2: no python3");
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

/** The interpreter itself: what is called python3 may be a shell script of a version manager that costs 60 ms. */
async function realPython() {
  try {
    return (await runCommand(["python3", "-c", "import sys; print(sys.executable)"])).trim() || null;
  } catch {
    return null;
  }
}

async function installHexz(python, version, dataDirectory) {
  const target = join(dataDirectory, "peers", `hexz-${version}`);
  if (!existsSync(join(target, `hexz-${version}.dist-info`))) {
    mkdirSync(target, { recursive: true });
    const pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"];
    await runCommand([...pip, "--no-deps", "--target", target, `hexz==${version}`]);
  }
  return target;
}

function lastLine(text) {
  return text.trim().split("\n").at(-1);
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
