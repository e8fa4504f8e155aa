// The same without the optional libc functions, and on systems without /proc/self/fd: fewer things are restored, each
// loss is named once, and nothing becomes unsafe.

import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import type { HexzError, Warning } from "../src/core/errors.ts";
import type { ByteString } from "../src/core/format/path.ts";
import { createFileSink } from "../src/node/file-sink.ts";
import { TreeWriter } from "../src/node/tree-writer.ts";
import { copyTree, entryOf, restore, run, temporaryDirectory, walkAll } from "./support/trees.ts";

vi.mock("../src/node/libc.ts", () => ({ libc: () => undefined }));

function codeOf(attempt: () => void): string {
  try {
    attempt();
    return "done";
  } catch (error) {
    return (error as HexzError).code ?? String(error);
  }
}

function elsewhere(platform: string): void {
  const real = Object.getOwnPropertyDescriptor(process, "platform")!;
  Object.defineProperty(process, "platform", { ...real, value: platform });
  onTestFinished(() => void Object.defineProperty(process, "platform", real));
}

test.each(["linux", "darwin"])(
  "a tree comes through without libc (%s), and each loss is named once",
  async (platform) => {
    const root = temporaryDirectory();
    const [from, to] = [join(root, "from"), join(root, "to")];
    mkdirSync(join(from, "a/b"), { recursive: true });
    for (const name of ["one", "a/two", "a/b/three"]) {
      writeFileSync(join(from, name), name.repeat(1000));
      run("touch", ["-d", "2001-01-01 01:01:01.123456 UTC", join(from, name)]);
    }
    run("touch", ["-d", "2001-01-01 01:01:01.123456789 UTC", join(from, "a/b"), join(from, "a/b/three"), from]);
    linkSync(join(from, "one"), join(from, "a/link"));
    utimesSync(join(from, "a"), new Date(-5000), new Date(-5000));
    symlinkSync("one", join(from, "symlink"));
    run("touch", ["-h", "-d", "2001-01-01 01:01:01 UTC", join(from, "symlink")]);
    run("mkfifo", [join(from, "fifo")]);
    truncateSync(join(from, "one"), 100_000);
    run("touch", ["-d", "2001-01-01 01:01:01 UTC", join(from, "one")]);
    elsewhere(platform);
    const warnings = await copyTree(from, to);
    expect(warnings.map(({ path, code }) => [path, code])).toEqual([
      ["", "unsupported"],
      ["fifo", "unsupported"],
      ["a/b/three", "unsupported"],
    ]);
    expect(warnings[2]?.message).toContain("nanoseconds");
    expect(warnings[2]?.message).toContain("2 more");
    run("rm", [join(from, "fifo")]);
    expect(run("diff", ["-r", "--no-dereference", from, to])).toBe("");
    const entries = (tree: string) =>
      walkAll(tree)
        .items.slice(1)
        .map(({ entry: { mtime, sparse: _, ...entry } }) => ({
          ...entry,
          seconds: mtime?.seconds,
          microseconds: Math.floor((mtime?.nanoseconds ?? 0) / 1000),
        }));
    expect(entries(to)).toEqual(entries(from));
  },
);

test("without descriptors, symlinks below the destination are refused too", () => {
  elsewhere("darwin");
  const root = temporaryDirectory();
  const [sentinel, to] = [join(root, "sentinel"), join(root, "to")];
  mkdirSync(join(sentinel, "sub"), { recursive: true });
  const writer = new TreeWriter(to);
  restore(writer, entryOf("file", "d/f"), "x");
  run("mv", [join(to, "d"), join(root, "moved")]);
  symlinkSync(sentinel, join(to, "d"));
  for (const path of ["d/new", "d/sub/new"]) {
    expect(codeOf(() => restore(writer, entryOf("file", path)))).toBe("unsafe_path");
    expect(codeOf(() => restore(writer, entryOf("directory", path)))).toBe("unsafe_path");
  }
  writer.finish();
  expect(readdirSync(sentinel)).toEqual(["sub"]);
  expect(readdirSync(join(sentinel, "sub"))).toEqual([]);
});

test("on Windows, names that mean more than a name are refused", () => {
  elsewhere("win32");
  const writer = new TreeWriter(join(temporaryDirectory(), "to"));
  for (const name of ["..\\x", "c:x", "a:stream", "con", "NUL.txt", "lpt1", "dot.", "space ", "a*"]) {
    expect([name, codeOf(() => restore(writer, entryOf("file", name)))]).toEqual([name, "unsafe_path"]);
  }
  writer.finish();
});

test("without libc a file is still complete or not there, and never replaces one", async () => {
  const root = temporaryDirectory();
  const writer = new TreeWriter(root);
  const warnings: Warning[] = [];
  const output = writer.file(entryOf("file", "f" as ByteString));
  writeFileSync(join(root, "f"), "first");
  expect(codeOf(() => output.finish())).toBe("collision");
  const sink = createFileSink(join(root, "s"));
  sink.write(Buffer.from("new"));
  writeFileSync(join(root, "s"), "first");
  await expect(sink.finish()).rejects.toMatchObject({ code: "output_exists" });
  sink.abort();
  writer.finish();
  expect(warnings).toEqual([]);
  expect(readdirSync(root).sort()).toEqual(["f", "s"]);
  expect(readFileSync(join(root, "f"), "latin1") + readFileSync(join(root, "s"), "latin1")).toBe("firstfirst");
  expect(statSync(join(root, "s")).nlink).toBe(1);
});
