// `hexz cat` and standard streams as a process: ranges, pipes that close, signals.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseRange, resolveRange } from "../src/cli/range.ts";
import { CLI, hexz, hexzJson, shell, start } from "./support/cli.ts";
import { randomBytes, randomFrom } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

/** More than is read in one piece, with a run of zeros and one of ones. */
const LARGE = Buffer.concat([
  randomBytes(3_000_000, randomFrom(5)),
  Buffer.alloc(2_000_000),
  Buffer.alloc(1_000_000, 1),
  randomBytes(100, randomFrom(6)),
]);

function place(): string {
  const cwd = temporaryDirectory();
  mkdirSync(join(cwd, "tree"));
  writeFileSync(join(cwd, "tree/digits"), "0123456789");
  writeFileSync(join(cwd, "tree/large"), LARGE);
  writeFileSync(join(cwd, "tree/back\\slash"), "b");
  hexz(["pack", "tree", "t.hxz", "-s"], { cwd });
  return cwd;
}

test("cat writes files whole, small and large", () => {
  const cwd = place();
  expect(hexz(["cat", "t.hxz", "digits"], { cwd })).toMatchObject({ code: 0, stdout: "0123456789", stderr: "" });
  for (const more of [[], ["--engine", "wasm"], ["--workers", "1"]]) {
    const { code, bytes } = hexz(["cat", "t.hxz", "large", ...more], { cwd });
    expect([code, bytes.equals(LARGE)]).toEqual([0, true]);
  }
  expect(hexz(["cat", "t.hxz", "back\\\\slash"], { cwd }).stdout).toBe("b");
  expect(hexz(["cat", "t.hxz", "/./di\\x67its"], { cwd }).stdout).toBe("0123456789");
});

test("cat --range clips ends, counts from the end, and refuses what starts behind its end", () => {
  const cwd = place();
  const cases: [string, string | undefined][] = [
    ["2-5", "234"],
    ["2-1000", "23456789"],
    ["2-", "23456789"],
    ["2+3", "234"],
    ["2+1K", "23456789"],
    ["-3", "789"],
    ["-3-", "789"],
    ["-3+2", "78"],
    ["-3-9", "78"],
    ["-1000", "0123456789"],
    ["-0", ""],
    ["10-", ""],
    ["4-4", ""],
    ["5-2", undefined],
    ["11-20", undefined],
    ["-3-2", undefined],
  ];
  for (const [range, expected] of cases) {
    const { code, stdout } = hexz(["cat", "t.hxz", "digits", `--range=${range}`], { cwd });
    expect([range, code, stdout]).toEqual([range, expected === undefined ? 2 : 0, expected ?? ""]);
  }
  const { bytes } = hexz(["cat", "t.hxz", "large", "--range", "100-5000100"], { cwd });
  expect(bytes.equals(LARGE.subarray(100, 5_000_100))).toBe(true);
});

test("parseRange() refuses what is no range", () => {
  for (const text of ["", "5", "-", "+5", "a-b", "1-2-3", "1+2+3", "--5", "1+", "5--2"]) {
    expect(() => parseRange(text)).toThrow(/It must be START-END/);
  }
  expect(resolveRange(parseRange("1M+64K"), 2 ** 21, "f")).toEqual({ start: 2 ** 20, end: 2 ** 20 + 65536 });
  expect(resolveRange(undefined, 7, "f")).toEqual({ start: 0, end: 7 });
});

test("cat needs no PATH where there is one content, and names what is missing or no file", () => {
  const cwd = place();
  expect(hexz(["cat", "t.hxz"], { cwd }).code).toBe(2);
  hexz(["pack", "tree/digits", "one.hxz", "-s"], { cwd });
  hexz(["pack", "disk.hxz", "--disk", "tree/digits", "-s"], { cwd });
  expect(hexz(["cat", "one.hxz"], { cwd }).stdout).toBe("0123456789");
  expect(hexz(["cat", "disk.hxz", "--range", "3-5"], { cwd }).stdout).toBe("34");
  expect(hexz(["cat", "t.hxz", "missing"], { cwd })).toMatchObject({ code: 1, stdout: "" });
  expect(hexz(["cat", "t.hxz", "."], { cwd })).toMatchObject({ code: 1, stdout: "" });
});

test("cat refuses --json, with the document on standard error", () => {
  const cwd = place();
  const { code, stdout, stderr } = hexz(["cat", "t.hxz", "digits", "--json"], { cwd });
  expect([code, stdout, JSON.parse(stderr).error.code]).toEqual([2, "", "usage"]);
});

test("an archive comes from standard input, a file or a pipe", () => {
  const cwd = place();
  expect(shell("hexz cat - digits < t.hxz", cwd).stdout).toBe("0123456789");
  expect(shell("cat t.hxz | hexz cat - digits", cwd).stdout).toBe("0123456789");
  expect(shell("hexz pack tree - | hexz extract - out -s && diff -r tree out", cwd).code).toBe(0);
  expect(JSON.parse(shell("hexz inspect - --json < t.hxz", cwd).stdout).path).toBe("-");
});

test("a reader that goes away ends cat, pack and inspect quietly, as SIGPIPE would", () => {
  const cwd = place();
  for (const line of [
    "hexz cat t.hxz large | head -c 1",
    "hexz pack tree - | head -c 1",
    "hexz cat t.hxz large --engine wasm --workers 1 | head -c 1",
  ]) {
    const { code, bytes, stderr } = shell(line, cwd);
    expect([line, code, bytes.length, stderr]).toEqual([line, 141, 1, ""]);
  }
  for (let number = 0; number < 3000; number++) writeFileSync(join(cwd, `tree/file-${number}`), "");
  hexz(["pack", "tree", "many.hxz", "-s"], { cwd });
  for (const more of ["", "--json"]) {
    const { code, stderr } = shell(`hexz inspect many.hxz --entries ${more} | head -c 1`, cwd);
    expect([code, stderr]).toEqual([141, ""]);
  }
});

test("SIGINT and SIGTERM end a pack with 130 and 143, and leave nothing", async () => {
  const cwd = temporaryDirectory();
  for (const [signal, expected] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    const { child, ended } = start(["pack", "-", "out.hxz", "--json"], cwd);
    child.stdin.write(Buffer.alloc(1_000_000, 7));
    while (readdirSync(cwd).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill(signal);
    const { code, stdout } = await ended;
    expect(code).toBe(expected);
    expect(JSON.parse(stdout).error.code).toBe("interrupted");
    expect(readdirSync(cwd)).toEqual([]);
  }
});

test("a reader that takes its time does not keep SIGTERM from being handled", async () => {
  const cwd = place();
  // more than the buffers between two processes hold
  for (let number = 0; number < 3000; number++) writeFileSync(join(cwd, `tree/${"long".repeat(50)}${number}`), "");
  hexz(["pack", "tree", "many.hxz", "-s"], { cwd });
  for (const args of [
    ["cat", "many.hxz", "large"],
    ["cat", "many.hxz", "large", "--workers", "1"],
    ["inspect", "many.hxz", "--entries"],
    ["inspect", "many.hxz", "--entries", "--json"],
  ]) {
    const child = spawn(process.execPath, [CLI, ...args], { cwd, stdio: ["ignore", "pipe", "ignore"] });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    // once some of it is there, the pipe is full soon
    await new Promise((resolve) => child.stdout.once("readable", resolve));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill("SIGTERM");
    expect([args, await ended]).toEqual([args, 143]);
    child.stdout.destroy();
  }
});

test("SIGINT leaves only complete files of an extraction", async () => {
  const cwd = temporaryDirectory();
  const content = Buffer.from(randomBytes(1_000_000, randomFrom(9)));
  mkdirSync(join(cwd, "tree"));
  for (let number = 0; number < 150; number++) {
    content.writeUInt32LE(number, 0);
    for (let at = 4096; at < content.length; at += 16_384) content.writeUInt32LE(number, at);
    writeFileSync(join(cwd, "tree", String(number)), content);
  }
  hexz(["pack", "tree", "t.hxz", "-s", "--compression", "none"], { cwd });
  const { child, ended } = start(["extract", "t.hxz", "out", "--workers", "1"], cwd);
  while (!existsSync(join(cwd, "out")) || readdirSync(join(cwd, "out")).length < 3) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  child.kill("SIGINT");
  const { code, stderr } = await ended;
  if (code !== 0) {
    expect(code).toBe(130);
    expect(stderr).toBe("hexz: error: interrupted by SIGINT\n");
  }
  for (const name of readdirSync(join(cwd, "out"))) {
    expect(readFileSync(join(cwd, "out", name)).equals(readFileSync(join(cwd, "tree", name)))).toBe(true);
  }
});

test("an output that appeared meanwhile is refused", async () => {
  const cwd = temporaryDirectory();
  const { child, ended } = start(["pack", "-", "out.hxz", "--json"], cwd);
  child.stdin.write("x");
  while (readdirSync(cwd).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  writeFileSync(join(cwd, "out.hxz"), "precious");
  child.stdin.end();
  const { code, stdout } = await ended;
  expect([code, JSON.parse(stdout).error.code]).toEqual([2, "output_exists"]);
  expect(readdirSync(cwd)).toEqual(["out.hxz"]);
  expect(readFileSync(join(cwd, "out.hxz"), "utf8")).toBe("precious");
});

test("a full disk is exit code 3", () => {
  const cwd = place();
  if (!existsSync("/dev/full")) return;
  expect(shell("hexz cat t.hxz digits > /dev/full", cwd).code).toBe(3);
  expect(shell("hexz inspect t.hxz > /dev/full", cwd).code).toBe(3);
  expect(hexzJson(["inspect", "t.hxz"], { cwd }).code).toBe(0);
});
