// When packing does not end well: kill -9 at any moment, a full disk, a file-size limit, a signal. The old output stays as
// it was, nothing incomplete has the final name, and what can be tidied up is.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import {
  byteStringFromText,
  checkArchive,
  contentOf,
  createArchive,
  extractTree,
  HexzError,
  openArchiveFile,
  pack,
  type Sink,
} from "../src/node/index.ts";
import { expectBytes } from "./support/archives.ts";
import { randomBytes, randomFrom, SEED } from "./support/random.ts";
import { isRoot, possible, run, temporaryDirectory } from "./support/trees.ts";

process.stdout.write(`crash.test.ts: HEXZ_SEED=${SEED}\n`);
const MIB = 1024 * 1024;
const NODE = new URL("../dist/node.js", import.meta.url);
const CLI = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
const PACK = `import { pack } from ${JSON.stringify(NODE.href)};
const [input, output] = process.argv.slice(1);
try {
  await pack({ inputs: [input], output, force: true, workers: 2 });
  console.log("done");
} catch (error) {
  console.log(JSON.stringify({ name: error.name, code: error.code, message: error.message }));
}`;
const packing = (input: string, output: string) => ["--input-type=module", "-e", PACK, input, output];

/** A tree of incompressible files, so many MiB. */
function inputOf(directory: string, size: number): string {
  const input = join(directory, "input");
  mkdirSync(input);
  const random = randomFrom(SEED);
  const bytes = randomBytes(MIB, random);
  for (let number = 0; number < size; number++) {
    for (let at = number % 251; at < bytes.length; at += 4096) bytes[at]! ^= 1 + number;
    writeFileSync(join(input, `f${String(number).padStart(3, "0")}`), bytes);
  }
  return input;
}

/** A small archive at the output's place. */
async function oldArchive(output: string, input: string): Promise<Uint8Array> {
  await pack({ inputs: [join(input, "f000")], output, engine: "wasm" });
  return readFileSync(output);
}

async function expectWhole(path: string): Promise<void> {
  const archive = await openArchiveFile(path);
  expect(await checkArchive(archive)).toMatchObject({ ok: true });
  await archive.close();
}

test("kill -9 at many points: the old output, or all of the new one", async () => {
  const directory = temporaryDirectory();
  const input = inputOf(directory, 120);
  const output = join(directory, "out.hxz");
  const began = performance.now();
  const whole = spawnSync(process.execPath, packing(input, join(directory, "whole.hxz")), { encoding: "utf8" });
  expect(whole.stdout).toBe("done\n");
  const duration = performance.now() - began;
  const old = await oldArchive(output, input);
  let unfinished = 0;
  const points = 24;
  for (let point = 0; point < points; point++) {
    const fresh = join(directory, `fresh${point}.hxz`);
    const target = point % 3 === 0 ? fresh : output;
    if (target === output) writeFileSync(output, old);
    const child = spawn(process.execPath, packing(input, target), { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise((resolve) => child.on("close", resolve));
    setTimeout(() => child.kill("SIGKILL"), (duration * (point + 1)) / points);
    await ended;
    if (existsSync(fresh)) await expectWhole(fresh);
    const found = readFileSync(output);
    if (Buffer.compare(found, old) !== 0) await expectWhole(output);
    else if (target === output || !existsSync(fresh)) unfinished++;
  }
  expect(unfinished).toBeGreaterThan(points / 4);
  // Whatever it left behind has another name.
  const allowed = /^(input|whole\.hxz|out\.hxz|fresh\d+\.hxz)$/;
  for (const name of readdirSync(directory)) if (!allowed.test(name)) expect(name).not.toMatch(/\.hxz$/);
});

/** A file system of so many MiB, or undefined where this cannot be had. */
function smallDisk(size: number): string | undefined {
  const disk = temporaryDirectory();
  const mounted =
    isRoot() && possible("a small disk", () => run("mount", ["-t", "tmpfs", "-o", `size=${size}M`, "tmpfs", disk]));
  if (!mounted) return undefined;
  onTestFinished(() => void spawnSync("umount", ["-l", disk]));
  return disk;
}

async function failureOf(run: () => Promise<unknown>): Promise<HexzError> {
  const error = await run().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HexzError);
  return error as HexzError;
}

test("a full disk: no_space, nothing left behind, the old output intact", async () => {
  const disk = smallDisk(6);
  if (disk === undefined) return;
  const directory = temporaryDirectory();
  const input = inputOf(directory, 30);
  const output = join(disk, "out.hxz");
  const old = await oldArchive(output, input);
  for (const workers of [1, 2]) {
    const error = await failureOf(() => pack({ inputs: [input], output, force: true, workers }));
    expect([error.code, error.message]).toEqual(["no_space", expect.stringContaining("out.hxz")]);
    expect(readdirSync(disk)).toEqual(["out.hxz"]);
    expectBytes(readFileSync(output), old, "the old output");
    const fresh = await failureOf(() => pack({ inputs: [input], output: join(disk, "fresh.hxz"), workers }));
    expect(fresh.code).toBe("no_space");
    expect(readdirSync(disk)).toEqual(["out.hxz"]);
  }
});

test("extraction onto a full disk: no_space, and no file that is not whole", async () => {
  const disk = smallDisk(6);
  if (disk === undefined) return;
  const directory = temporaryDirectory();
  const input = inputOf(directory, 12);
  const output = join(directory, "out.hxz");
  await pack({ inputs: [input], output });
  const archive = await openArchiveFile(output);
  const error = await failureOf(() => extractTree(archive, join(disk, "to"), {}));
  await archive.close();
  expect(error.code).toBe("no_space");
  const names = existsSync(join(disk, "to")) ? readdirSync(join(disk, "to")) : [];
  for (const name of names) expectBytes(readFileSync(join(disk, "to", name)), readFileSync(join(input, name)), name);
});

test("a limit on the size of files: no_space, nothing left behind, the old output intact", async () => {
  const directory = temporaryDirectory();
  const input = inputOf(directory, 12);
  const output = join(directory, "out.hxz");
  const old = await oldArchive(output, input);
  for (const target of [output, join(directory, "fresh.hxz")]) {
    const { stdout, stderr } = spawnSync(
      "bash",
      ["-c", 'ulimit -f 4096; exec "$@"', "bash", process.execPath, ...packing(input, target)],
      { encoding: "utf8" },
    );
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({ name: "HexzError", code: "no_space" });
    expect(readdirSync(directory).sort()).toEqual(["input", "out.hxz"]);
    expectBytes(readFileSync(output), old, "the old output");
  }
});

test("an abort signal at many points leaves nothing", async () => {
  const directory = temporaryDirectory();
  const input = inputOf(directory, 40);
  const output = join(directory, "out.hxz");
  const old = await oldArchive(output, input);
  const total = 40 * MIB;
  let aborted = 0;
  for (let point = 0; point < 12; point++) {
    const controller = new AbortController();
    const reason = new HexzError("interrupted", "stopped by the test");
    let bytes = 0;
    const onProgress = (length: number) => {
      bytes += length;
      if (bytes >= (total * point) / 12) controller.abort(reason);
    };
    const target = point % 2 === 0 ? output : join(directory, "fresh.hxz");
    const options = { inputs: [input], output: target, force: true, signal: controller.signal, onProgress };
    const error = await pack({ ...options, workers: 1 + (point % 3) }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    // It may have been too late to stop.
    if (error === undefined) {
      await expectWhole(target);
      run("rm", ["-f", join(directory, "fresh.hxz")]);
      writeFileSync(output, old);
      continue;
    }
    aborted++;
    expect(error).toBe(reason);
    expect(readdirSync(directory).sort()).toEqual(["input", "out.hxz"]);
    expectBytes(readFileSync(output), old, "the old output");
  }
  expect(aborted).toBeGreaterThan(0);
});

test("a sink that fails once spoils the archive: nothing after it succeeds", async () => {
  const random = randomFrom(SEED);
  let writes = 0;
  const sink: Sink = {
    name: "a sink that fails once",
    write() {
      if (++writes === 2) throw new HexzError("io", "it failed");
    },
    finish() {},
    abort() {},
  };
  const writer = await createArchive(sink, { compression: "none" });
  const failures: unknown[] = [];
  for (const name of ["a", "b", "c"]) {
    const content = contentOf(randomBytes(4 * MIB, random));
    await writer
      .addFile({ path: byteStringFromText(name), type: "file" }, content)
      .catch((error) => failures.push(error));
  }
  expect(failures.length).toBeGreaterThan(0);
  for (const error of failures) expect(error).toMatchObject({ code: "io", message: "it failed" });
  expect((await failureOf(() => writer.finish())).message).toBe("it failed");
});

test.each(["SIGINT", "SIGTERM"] as const)("%s to the command line leaves nothing", async (signal) => {
  const directory = temporaryDirectory();
  const input = inputOf(directory, 120);
  const output = join(directory, "out.hxz");
  const old = await oldArchive(output, input);
  let stopped = 0;
  for (const delay of [150, 250, 350, 450]) {
    const child = spawn(process.execPath, [CLI, "pack", input, output, "--force"], { stdio: "ignore" });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    setTimeout(() => child.kill(signal), delay);
    const code = await ended;
    expect(readdirSync(directory).sort()).toEqual(["input", "out.hxz"]);
    if (Buffer.compare(readFileSync(output), old) === 0) {
      stopped++;
      // 130 and 143; null when the signal came before there was a handler.
      expect([null, signal === "SIGINT" ? 130 : 143]).toContain(code);
    } else {
      await expectWhole(output);
      writeFileSync(output, old);
    }
  }
  expect(stopped).toBeGreaterThan(0);
});
