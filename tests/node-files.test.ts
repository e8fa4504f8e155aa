// File sources, sinks and inputs on real files, pipes and disks that fill up.

import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { HexzError } from "../src/core/errors.ts";
import type { ContentInput } from "../src/core/write/content-input.ts";
import { abortAll } from "../src/node/abort.ts";
import { createFileSink, createStdoutSink } from "../src/node/file-sink.ts";
import { openFileSource } from "../src/node/file-source.ts";
import { openInput } from "../src/node/input-file.ts";
import { isRoot, possible, run, temporaryDirectory, walkAll } from "./support/trees.ts";

async function codeOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
    return "done";
  } catch (error) {
    return (error as HexzError).code ?? String(error);
  }
}

const text = (path: string) => readFileSync(path, "latin1");

test("openFileSource() gives exactly the bytes asked for, or says what is missing", async () => {
  const path = join(temporaryDirectory(), "file \\ é");
  const content = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));
  writeFileSync(path, content);
  const source = openFileSource(path);
  expect([source.size, source.name.endsWith("file \\\\ é")]).toEqual([100_000, true]);
  for (const [start, end] of [
    [0, 0],
    [0, 1],
    [99_999, 100_000],
    [100_000, 100_000],
    [0, 100_000],
    [4095, 70_001],
  ] as const) {
    expect(Buffer.from(source.readSync(start, end)).equals(content.subarray(start, end))).toBe(true);
    expect(Buffer.from(await source.read(start, end)).equals(content.subarray(start, end))).toBe(true);
  }
  for (const read of [() => source.readSync(99_999, 100_001), () => source.read(99_999, 100_001)]) {
    expect(await codeOf(read)).toBe("io");
  }
  const stopped = AbortSignal.abort();
  expect(await codeOf(() => source.read(0, 10, stopped))).toBe("interrupted");
  truncateSync(path, 50);
  const short = await source.read(40, 60).catch((error: HexzError) => error);
  expect((short as HexzError).message).toContain("short read");
  expect((short as HexzError).data).toMatchObject({ start: 40, expected: 20, found: 10 });
  expect(await codeOf(() => source.readSync(40, 60))).toBe("io");
  source.close();
  source.close();
  expect(await codeOf(() => source.read(0, 1))).toBe("io");
});

test("openFileSource() names what it cannot read", async () => {
  const root = temporaryDirectory();
  run("mkfifo", [join(root, "fifo")]);
  writeFileSync(join(root, "file"), "");
  expect(await codeOf(() => openFileSource(root))).toBe("wrong_type");
  expect(await codeOf(() => openFileSource(join(root, "fifo")))).toBe("wrong_type");
  expect(await codeOf(() => openFileSource(join(root, "none")))).toBe("not_found");
  expect(await codeOf(() => openFileSource(join(root, "file/below")))).toBe("not_found");
  expect(() => openFileSource(join(root, "none"))).toThrow(/^cannot open .*none: no such file or directory$/);
});

test("sources and inputs know the size of a block device", async (context) => {
  if (!isRoot()) context.skip("not root");
  const root = temporaryDirectory();
  const image = join(root, "image");
  writeFileSync(image, "first");
  truncateSync(image, 1 << 20);
  let device = "";
  if (!possible("a loop device", () => (device = run("losetup", ["-f", "--show", image]).trim()))) return;
  onTestFinished(() => void execFileSync("losetup", ["-d", device]));
  const source = openFileSource(device);
  expect([source.size, Buffer.from(source.readSync(0, 5)).toString()]).toEqual([1 << 20, "first"]);
  source.close();
  const input = openInput(device);
  expect([input.size, await total(input)]).toEqual([1 << 20, 1 << 20]);
  input.finish();
  input.close();
});

test("createFileSink() shows the file when it is finished, not before, and refuses what is there", async () => {
  const root = temporaryDirectory();
  const path = join(root, "out");
  const sink = createFileSink(path);
  sink.write(Buffer.from("hello "));
  expect(readdirSync(root)).toEqual([expect.stringMatching(/^\.out\.hexz-\d+-[0-9a-f]+$/)]);
  expect(statSync(join(root, readdirSync(root)[0]!), { bigint: true })).toMatchObject(sink.identity);
  sink.write(Buffer.from("world"));
  await sink.finish();
  sink.abort();
  expect([readdirSync(root), text(path), statSync(path).nlink]).toEqual([["out"], "hello world", 1]);
  expect(statSync(path).mode & 0o777).toBe(0o666 & ~process.umask());
  expect(await codeOf(() => createFileSink(path))).toBe("output_exists");
  symlinkSync("nowhere", join(root, "dangling"));
  expect(await codeOf(() => createFileSink(join(root, "dangling")))).toBe("output_exists");
  expect(await codeOf(() => createFileSink(root, { force: true }))).toBe("wrong_type");
  expect(await codeOf(() => createFileSink("/dev/null", { force: true }))).toBe("wrong_type");
  expect(await codeOf(() => createFileSink(join(root, "none/out")))).toBe("not_found");
  expect(readdirSync(root).sort()).toEqual(["dangling", "out"]);
});

test("createFileSink() refuses a file that appeared meanwhile; force replaces it", async () => {
  const root = temporaryDirectory();
  const path = join(root, "out");
  for (const force of [false, true]) {
    const sink = createFileSink(path, { force });
    sink.write(Buffer.from("ours"));
    writeFileSync(path, "theirs");
    expect(await codeOf(() => sink.finish())).toBe(force ? "done" : "output_exists");
    sink.abort();
    expect([readdirSync(root), text(path)]).toEqual([["out"], force ? "ours" : "theirs"]);
    if (!force) run("rm", [path]);
  }
});

test("createFileSink() with force replaces the file that a symlink points to, and takes names of any length", async () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "d"));
  writeFileSync(join(root, "d/real"), "old");
  symlinkSync("d/real", join(root, "link"));
  const sink = createFileSink(join(root, "link"), { force: true });
  sink.write(Buffer.from("new"));
  await sink.finish();
  expect([text(join(root, "d/real")), readdirSync(join(root, "d"))]).toEqual(["new", ["real"]]);
  const long = createFileSink(Buffer.concat([Buffer.from(`${root}/`), Buffer.alloc(255, 0xe9)]));
  await long.finish();
  expect(readdirSync(root, { encoding: "latin1" }).sort()).toEqual(["d", "link", "é".repeat(255)]);
});

test("abort() and abortAll() leave nothing and never touch the final name", async () => {
  const root = temporaryDirectory();
  writeFileSync(join(root, "b"), "kept");
  const sinks = [createFileSink(join(root, "a")), createFileSink(join(root, "b"), { force: true })];
  for (const sink of sinks) sink.write(Buffer.from("x"));
  sinks[0]!.abort();
  expect(readdirSync(root)).toHaveLength(2);
  abortAll();
  sinks[1]!.abort();
  expect([readdirSync(root), text(join(root, "b"))]).toEqual([["b"], "kept"]);
  expect(await codeOf(() => sinks[1]!.write(Buffer.from("x")))).toBe("io");
});

test("a full disk is no_space, and abort gives the room back", async (context) => {
  if (!isRoot()) context.skip("not root: no small file system");
  const mount = temporaryDirectory();
  if (!possible("mounting tmpfs", () => run("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", mount]))) return;
  onTestFinished(() => void execFileSync("umount", [mount]));
  const sink = createFileSink(join(mount, "out"));
  expect(await codeOf(() => sink.write(new Uint8Array(1 << 20)))).toBe("no_space");
  sink.abort();
  expect(readdirSync(mount)).toEqual([]);
});

/** A FIFO with both ends open here; the writing end does not block. */
function fifo(): { reader: number; writer: number } {
  const path = join(temporaryDirectory(), "fifo");
  run("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK) };
}

test("createStdoutSink() waits for a reader that is slow, and loses nothing", async () => {
  const { reader, writer } = fifo();
  const content = Buffer.from(Array.from({ length: 1_000_000 }, (_, at) => at % 253));
  const sink = createStdoutSink(writer);
  const writing = Promise.resolve(sink.write(content)).then(() => closeSync(writer));
  const parts: Buffer[] = [];
  for (let length = 0; length < content.length; ) {
    await new Promise((resolve) => setTimeout(resolve, 3));
    const part = Buffer.alloc(100_000);
    let count = 0;
    try {
      count = readSync(reader, part);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
    parts.push(part.subarray(0, count));
    length += count;
  }
  await writing;
  closeSync(reader);
  expect(Buffer.concat(parts).equals(content)).toBe(true);
});

test("createStdoutSink() tells by epipe that the reader is gone", async () => {
  const { reader, writer } = fifo();
  const sink = createStdoutSink(writer);
  await sink.write(Buffer.from("x"));
  closeSync(reader);
  const error = await (async () => sink.write(Buffer.from("y")))().catch((caught: HexzError) => caught);
  closeSync(writer);
  expect(error).toMatchObject({ code: "io", data: { epipe: true } });
});

async function total(input: ContentInput): Promise<number> {
  const buffer = new Uint8Array(65536);
  let sum = 0;
  for (let count = 1; count > 0; sum += count) count = await input.read(buffer);
  return sum;
}

test("openInput() notices a file that shrinks, grows, is written to or replaced", async () => {
  const root = temporaryDirectory();
  const path = join(root, "file");
  const changes: [string, () => void][] = [
    ["shrank", () => truncateSync(path, 10)],
    ["grew", () => appendFileSync(path, "more")],
    ["written", () => utimesSync(path, 1, 1)],
  ];
  for (const [how, change] of changes) {
    writeFileSync(path, Buffer.alloc(200_000, 1));
    const input = openInput(path);
    await input.read(new Uint8Array(100));
    change();
    const rest = await total(input);
    if (how !== "shrank") expect(rest).toBe(199_900);
    expect(() => input.finish()).toThrow(new RegExp(`changed while it was read.*${how}`));
    input.close();
  }
  // between walk and read
  writeFileSync(path, "walked");
  const item = walkAll(root).items[1]!;
  const open = () => openInput(item.source, { expected: item.facts }).close();
  expect(await codeOf(open)).toBe("done");
  writeFileSync(join(root, "other"), "walked");
  renameSync(join(root, "other"), path);
  expect(await codeOf(open)).toBe("changed");
  run("rm", [path]);
  symlinkSync("/etc/passwd", path);
  expect(await codeOf(open)).toBe("changed");
  run("rm", [path]);
  run("mkfifo", [path]);
  expect(await codeOf(open)).toBe("changed");
  run("rm", [path]);
  expect(await codeOf(open)).toBe("not_found");
  expect(await codeOf(() => openInput(root))).toBe("wrong_type");
});

test("hole() tells every hole, and skipping them gives the same bytes", async () => {
  const path = join(temporaryDirectory(), "sparse");
  const fd = openSync(path, "w");
  const size = 5_000_001;
  const expected = Buffer.alloc(size);
  for (const [at, length] of [
    [65536, 70_000],
    [1 << 20, 5],
    [4_000_000, 300_000],
  ] as const) {
    expected.fill(9, at, at + length);
    writeSync(fd, expected, at, length, at);
  }
  truncateSync(path, size);
  closeSync(fd);
  const input = openInput(path);
  const result = Buffer.alloc(size, 0xff);
  let skipped = 0;
  let position = 0;
  while (position < size) {
    const hole = input.hole!();
    expect(input.hole!()).toBe(hole);
    if (hole > 0) {
      result.fill(0, position, position + hole);
      input.skip!(hole);
      skipped += hole;
      position += hole;
      continue;
    }
    const count = await input.read(result.subarray(position, position + 1_000_000));
    if (count === 0) break;
    position += count;
  }
  input.finish();
  expect(await input.read(result.subarray(0, 1))).toBe(0);
  input.close();
  expect(result.equals(expected)).toBe(true);
  if (statSync(path).blocks * 512 < size) expect(skipped).toBeGreaterThan(4_000_000);
  else process.stderr.write("skipped: this file system has no holes\n");
});

test.each(["pipe", "slow non-blocking pipe", "file", "closed pipe"])("standard input: %s", async (kind) => {
  const module = fileURLToPath(new URL("../src/node/input-file.ts", import.meta.url));
  const root = temporaryDirectory();
  const bundle = join(root, "input.mjs");
  run("npx", ["rolldown", module, "--platform=node", "--format=esm", `--file=${bundle}`, "--logLevel=silent"]);
  const script = `import { openInput } from ${JSON.stringify(bundle)};
    const input = openInput(0); const into = new Uint8Array(50000); let sum = 0, bytes = 0;
    for (let n; (n = await input.read(into)) > 0; bytes += n) for (let at = 0; at < n; at++) sum = (sum + into[at]) % 65521;
    input.finish(); input.close(); process.stdout.write(bytes + " " + sum);`;
  const content =
    kind === "closed pipe" ? Buffer.alloc(0) : Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 255));
  writeFileSync(join(root, "content"), content);
  // Python makes the pipe non-blocking, which the reader inherits
  const slow = `import os,sys,time,subprocess
r,w=os.pipe(); os.set_blocking(r,False)
p=subprocess.Popen(sys.argv[2:],stdin=r); data=open(sys.argv[1],"rb").read()
for at in range(0,len(data),60000):
    time.sleep(0.05); os.write(w,data[at:at+60000])
os.close(w); sys.exit(p.wait())`;
  const node = [process.execPath, "--input-type=module", "-e", script];
  const [command, ...rest] = kind.startsWith("slow") ? ["python3", "-c", slow, join(root, "content"), ...node] : node;
  const stdin = kind === "file" ? openSync(join(root, "content"), "r") : "pipe";
  const child = spawn(command!, rest, { stdio: [stdin, "pipe", "inherit"] });
  child.stdin?.end(kind.startsWith("slow") ? undefined : content);
  let answer = "";
  child.stdout!.on("data", (part) => (answer += part));
  const status = await new Promise((resolve) => child.on("close", resolve));
  const sum = content.reduce((before, byte) => (before + byte) % 65521, 0);
  expect([status, answer]).toEqual([0, `${content.length} ${sum}`]);
});
