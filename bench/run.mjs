// One timed child: settle the disk, clear the output, start, wait, fsync what it wrote, and read its peak memory.
// Everything here counts alike for ours and for the peers.
import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
} from "node:fs";
import { dirname, join } from "node:path";

const STDERR_KEPT = 2000;
const STDOUT_KEPT = 1 << 20;
const WARM_READ_SIZE = 4 << 20;

let activeGroup = 0;
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
]) {
  process.on(signal, () => {
    killGroup(activeGroup);
    process.exit(code);
  });
}

function killGroup(pid) {
  if (pid <= 0) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended by itself.
  }
}

/**
 * Runs a command in its own process group, so that a timeout ends its children too.
 * @param {string[]} argv
 * @param {{ env?: object, cwd?: string, timeoutSeconds?: number, onExit?: () => void }} options
 * `onExit` runs the moment the command ends, before its pipes are drained.
 * @returns {Promise<string>} its standard output
 */
export function runCommand(argv, { env, cwd, timeoutSeconds = 300, onExit } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), {
      cwd,
      env: { ...process.env, LC_ALL: "C", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    activeGroup = child.pid ?? 0;
    let stdout = "";
    let stderr = "";
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid ?? 0);
    }, timeoutSeconds * 1000);
    child.stdout.on("data", (data) => {
      if (stdout.length < STDOUT_KEPT) stdout += data;
    });
    child.stderr.on("data", (data) => {
      stderr = (stderr + data).slice(-STDERR_KEPT);
    });
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("exit", () => onExit?.());
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      activeGroup = 0;
      if (code === 0) resolve(stdout);
      else {
        const why = timedOut ? `took more than ${timeoutSeconds} s` : `ended with ${signal ?? code}`;
        reject(new Error(`${argv.join(" ")} ${why}\n${stderr.trim()}`));
      }
    });
  });
}

/** Reads files whole, so that every contender finds them in the page cache. */
export function warm(paths) {
  const buffer = Buffer.allocUnsafe(WARM_READ_SIZE);
  for (const path of paths) {
    for (const file of filesUnder(path)) {
      const fd = openSync(file, "r");
      while (readSync(fd, buffer, 0, buffer.length, null) > 0);
      closeSync(fd);
    }
  }
}

export function* filesUnder(path) {
  const stat = lstatSync(path);
  if (stat.isFile()) yield path;
  else if (stat.isDirectory()) {
    for (const name of readdirSync(path).sort()) yield* filesUnder(join(path, name));
  }
}

export function sizeOf(path) {
  let size = 0;
  for (const file of filesUnder(path)) size += lstatSync(file).size;
  return size;
}

function fsyncAll(path) {
  for (const file of filesUnder(path)) {
    const fd = openSync(file, "r");
    fsyncSync(fd);
    closeSync(fd);
  }
}

export function removeOutput(path) {
  if (path) rmSync(path, { recursive: true, force: true });
}

/**
 * One run of a contender.
 *
 * contender: { argv, env?, output?, sync?, prepare?, reports?, timeoutSeconds? }
 * - `output`: the file or directory it makes: removed before, fsynced after (unless `sync` is false: tmpfs), measured, removed.
 * - `prepare`: untimed work before the run. Where it makes part of the output, it gives the size of that part.
 * - `reports`: its standard output is one JSON document, kept as `report`.
 *
 * @param {{ timeTool: string | null, scratch: string, verify?: () => Promise<void> }} context
 * `verify` is called once the clock has stopped and before the output is removed.
 */
export async function timedRun(contender, { timeTool, scratch, verify }) {
  const { argv, env, output, sync = true, prepare, reports, timeoutSeconds } = contender;
  const statFile = join(scratch, "time.txt");
  removeOutput(output);
  if (output) mkdirSync(dirname(output), { recursive: true });
  const preparedBytes = (await prepare?.()) ?? 0;
  await runCommand(["sync"]);

  // GNU time starts the command from its own small process: a child forked from here would inherit this one's peak.
  const wrapped = timeTool ? [timeTool, "-q", "-o", statFile, "-f", "%M %U %S", ...argv] : argv;
  let seconds = 0;
  const begin = process.hrtime.bigint();
  const stdout = await runCommand(wrapped, {
    env,
    timeoutSeconds,
    onExit() {
      if (output && sync && existsSync(output)) fsyncAll(output);
      seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    },
  });

  const sample = { seconds };
  if (timeTool) {
    const [peakKibibytes, user, system] = readFileSync(statFile, "utf8")
      .trim()
      .split("\n")
      .at(-1)
      .split(" ")
      .map(Number);
    sample.peakBytes = peakKibibytes * 1024;
    sample.cpuSeconds = user + system;
  }
  if (output) {
    if (!existsSync(output)) throw new Error(`${argv.join(" ")} succeeded and made no ${output}`);
    sample.outputBytes = sizeOf(output) - preparedBytes;
  }
  if (reports) sample.report = JSON.parse(stdout);
  await verify?.();
  removeOutput(output);
  return sample;
}
