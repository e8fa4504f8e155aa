// The original hexz, 0.5.5 and 0.8.2, as its Python packages from PyPI, which has no command of it. Installed once into a
// directory; what cannot be had is said. Run alone it prints where they are as JSON: node scripts/original.mjs DIRECTORY

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const VERSIONS = ["0.5.5", "0.8.2"];
/** Seconds that pip waits for an answer, and milliseconds that it may take. */
const PIP_TIMEOUT = 10;
const INSTALL_TIMEOUT = 60_000;

/** The interpreter itself: what is called python3 may be a shell script of a version manager that costs 60 ms. */
export async function findPython() {
  try {
    const { stdout } = await run("python3", ["-c", "import sys; print(sys.executable)"]);
    return stdout.trim() || null;
  } catch {
    return null;
  }
}

/** @returns {Promise<{ hexz: Record<string, string>, missing: string[] }>} the import directory by version */
export async function installOriginal(python, directory) {
  if (!python) return { hexz: {}, missing: ["hexz 0.5.5 and 0.8.2: no python3"] };
  const hexz = {};
  const missing = [];
  for (const version of VERSIONS) {
    try {
      hexz[version] = await install(python, version, directory);
    } catch (error) {
      const why = (error.stderr || error.message).trim().split("\n").at(-1);
      missing.push(`hexz ${version}: pip could not install it: ${why}`);
    }
  }
  return { hexz, missing };
}

async function install(python, version, directory) {
  const target = join(directory, "peers", `hexz-${version}`);
  if (existsSync(target)) return target;
  // Under another name until it is complete: several may install at once.
  const partial = `${target}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  try {
    const how = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-deps"];
    const waits = ["--timeout", String(PIP_TIMEOUT), "--retries", "1"];
    const pip = ["-m", "pip", "install", ...how, ...waits, "--target", partial, `hexz==${version}`];
    await run(python, pip, { timeout: INSTALL_TIMEOUT });
    if (!existsSync(target)) renameSync(partial, target);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return target;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const python = await findPython();
  console.log(JSON.stringify({ python, ...(await installOriginal(python, resolve(process.argv[2]))) }));
}
