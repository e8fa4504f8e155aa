// `hexz extract` as a process: trees, streams and single files, what is refused, and what is left out.

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hexz, hexzJson } from "./support/cli.ts";
import { randomBytes, randomFrom } from "./support/random.ts";
import { isRoot, run, temporaryDirectory } from "./support/trees.ts";

/** A directory with `tree` and `tree.hxz`. */
function place(): string {
  const root = temporaryDirectory();
  mkdirSync(join(root, "tree/sub/deep"), { recursive: true });
  mkdirSync(join(root, "tree/empty"));
  writeFileSync(join(root, "tree/a.txt"), "hello\n");
  writeFileSync(join(root, "tree/sub/b.bin"), randomBytes(200_000, randomFrom(2)));
  writeFileSync(join(root, "tree/sub/deep/c.txt"), "deep\n");
  symlinkSync("../a.txt", join(root, "tree/sub/link"));
  chmodSync(join(root, "tree/a.txt"), 0o640);
  utimesSync(join(root, "tree/a.txt"), 1, 1);
  hexz(["pack", "tree", "tree.hxz", "-s"], { cwd: root });
  return root;
}

const found = (root: string) => run("find", [".", "-printf", "%P %y %m %T@ %s %l\\n"], root).split("\n").sort();

test("extract restores a tree under the archive's name, and prints its document", () => {
  const cwd = place();
  const there = join(cwd, "elsewhere");
  mkdirSync(there);
  const { code, document } = hexzJson(["extract", "../tree.hxz"], { cwd: there });
  expect([code, document]).toEqual([0, { path: "tree", entries: 8, bytes: 200_011, warnings: [] }]);
  expect(found(join(there, "tree"))).toEqual(found(join(cwd, "tree")));
  run("diff", ["-r", "tree", "elsewhere/tree"], cwd);
  // without the suffix there is no default
  run("cp", ["tree.hxz", "plain"], cwd);
  expect(hexzJson(["extract", "plain"], { cwd })).toMatchObject({ code: 2, document: { error: { code: "usage" } } });
});

test("a directory with one file is still a tree", () => {
  const cwd = temporaryDirectory();
  mkdirSync(join(cwd, "tree"));
  writeFileSync(join(cwd, "tree/only"), "x");
  hexz(["pack", "tree", "a.hxz", "-s"], { cwd });
  expect(hexz(["extract", "a.hxz", "out"], { cwd }).code).toBe(0);
  expect(readFileSync(join(cwd, "out/only"), "utf8")).toBe("x");
});

test("extract goes into an existing directory, and refuses a collision with nothing written", () => {
  const cwd = place();
  mkdirSync(join(cwd, "out/sub/deep"), { recursive: true });
  writeFileSync(join(cwd, "out/other"), "kept");
  writeFileSync(join(cwd, "out/sub/deep/c.txt"), "precious");
  const before = found(join(cwd, "out"));
  const { code, document } = hexzJson(["extract", "tree.hxz", "out"], { cwd });
  expect([code, document.error.code]).toEqual([2, "collision"]);
  expect(found(join(cwd, "out"))).toEqual(before);
  expect(hexz(["extract", "tree.hxz", "out", "--force", "-s"], { cwd }).code).toBe(0);
  expect(readFileSync(join(cwd, "out/sub/deep/c.txt"), "utf8")).toBe("deep\n");
  expect(readFileSync(join(cwd, "out/other"), "utf8")).toBe("kept");
  // once more: now links and all files are there
  expect(hexz(["extract", "tree.hxz", "out", "--force", "-s"], { cwd }).code).toBe(0);
  expect(run("find", ["out", "-name", ".hexz*"], cwd)).toBe("");
});

test("extract --force never replaces a directory by a file, nor the archive", () => {
  const cwd = place();
  mkdirSync(join(cwd, "out/a.txt"), { recursive: true });
  expect(hexzJson(["extract", "tree.hxz", "out", "--force"], { cwd }).document.error.code).toBe("collision");
  run("cp", ["tree.hxz", "tree/a.hxz"], cwd);
  hexz(["pack", "tree", "a.hxz", "-s"], { cwd });
  const { code, document } = hexzJson(["extract", "a.hxz", ".", "--force"], { cwd });
  expect([code, document.error.code]).toEqual([2, "output_is_input"]);
});

test("extract takes PATHs whole: files and directories, with \\xNN", () => {
  const cwd = place();
  expect(hexz(["extract", "tree.hxz", "out", "sub/deep", "a\\x2etxt", "-s"], { cwd }).code).toBe(0);
  expect(run("find", ["out", "-type", "f"], cwd).split("\n").sort()).toEqual(["", "out/a.txt", "out/sub/deep/c.txt"]);
  const { code, document } = hexzJson(["extract", "tree.hxz", "none", "a.txt", "missing"], { cwd });
  expect([code, document.error.code, existsSync(join(cwd, "none"))]).toEqual([1, "no_such_path", false]);
});

test("extract --include, --exclude and --strip-components", () => {
  const cwd = place();
  const files = (...args: string[]) => {
    run("rm", ["-rf", "out"], cwd);
    expect(hexz(["extract", "tree.hxz", "out", "-s", ...args], { cwd }).code).toBe(0);
    return run("find", ["out", "!", "-type", "d", "-printf", "%P\\n"], cwd).split("\n").filter(Boolean).sort();
  };
  expect(files("--include", "*.txt")).toEqual(["a.txt", "sub/deep/c.txt"]);
  expect(files("--exclude", "sub/")).toEqual(["a.txt"]);
  expect(files("--include", "*.txt", "--exclude", "/a.txt")).toEqual(["sub/deep/c.txt"]);
  expect(files("--strip-components", "1")).toEqual(["b.bin", "deep/c.txt", "link"]);
});

test("hard links keep their content when components are stripped", () => {
  const cwd = temporaryDirectory();
  mkdirSync(join(cwd, "tree/a/a"), { recursive: true });
  writeFileSync(join(cwd, "tree/a/a/x"), "inner");
  writeFileSync(join(cwd, "tree/a/x"), "outer");
  execFileSync("ln", ["tree/a/x", "tree/a/y"], { cwd });
  hexz(["pack", "tree", "t.hxz", "-s"], { cwd });
  expect(hexz(["extract", "t.hxz", "out", "--strip-components", "1", "-s"], { cwd }).code).toBe(0);
  for (const [name, content] of [
    ["x", "outer"],
    ["y", "outer"],
    ["a/x", "inner"],
  ]) {
    expect(readFileSync(join(cwd, "out", name!), "utf8")).toBe(content);
  }
  expect(statSync(join(cwd, "out/x")).ino).toBe(statSync(join(cwd, "out/y")).ino);
  // a link whose first name stays behind is a file of its own
  expect(hexz(["extract", "t.hxz", "part", "a/y", "-s"], { cwd }).code).toBe(0);
  expect(readFileSync(join(cwd, "part/a/y"), "utf8")).toBe("outer");
});

test("a single file goes into the file DEST with its mode and time; an existing one is refused", () => {
  const cwd = place();
  hexz(["pack", "tree/a.txt", "a.hxz", "-s"], { cwd });
  const { code, document } = hexzJson(["extract", "a.hxz", "copy"], { cwd });
  expect([code, document]).toEqual([0, { path: "copy", entries: 1, bytes: 6, warnings: [] }]);
  const { mode, mtimeMs } = statSync(join(cwd, "copy"));
  expect([mode & 0o777, mtimeMs]).toEqual([0o640, 1000]);
  writeFileSync(join(cwd, "copy"), "precious");
  expect(hexzJson(["extract", "a.hxz", "copy"], { cwd })).toMatchObject({
    code: 2,
    document: { error: { code: "output_exists" } },
  });
  expect(readFileSync(join(cwd, "copy"), "utf8")).toBe("precious");
  expect(hexz(["extract", "a.hxz", "copy", "--force", "-s"], { cwd }).code).toBe(0);
  expect(readFileSync(join(cwd, "copy"), "utf8")).toBe("hello\n");
  expect(hexz(["extract", "a.hxz", "tree"], { cwd }).code).toBe(2);
  expect(hexz(["extract", "a.hxz", "a.hxz", "--force"], { cwd }).code).toBe(2);
  expect(hexz(["extract", "a.hxz", "nowhere/copy"], { cwd }).code).toBe(3);
});

/** An image of so many bytes with data at its beginning only, and holes. */
function sparseImage(path: string, size: number): Buffer {
  const data = Buffer.from(randomBytes(100_000, randomFrom(3)));
  const fd = openSync(path, "w");
  writeSync(fd, data);
  writeSync(fd, "end", size - 1_000_003);
  ftruncateSync(fd, size);
  closeSync(fd);
  return data;
}

test("a stream goes into a file with holes; --sparse never writes them out", () => {
  const cwd = temporaryDirectory();
  const size = 64 * 1024 * 1024;
  sparseImage(join(cwd, "disk.img"), size);
  hexz(["pack", "disk.hxz", "--disk", "disk.img", "-s"], { cwd });
  expect(hexz(["extract", "disk.hxz", "-s"], { cwd }).code).toBe(0);
  run("cmp", ["disk.img", "disk"], cwd);
  expect(statSync(join(cwd, "disk")).blocks * 512).toBeLessThan(2_000_000);
  expect(hexz(["extract", "disk.hxz", "full", "--sparse", "never", "-s"], { cwd }).code).toBe(0);
  run("cmp", ["disk.img", "full"], cwd);
  expect(statSync(join(cwd, "full")).blocks * 512).toBeGreaterThanOrEqual(size);
});

test("two streams go into a directory; with a tree they stand beside it, and clash with a file of their name", () => {
  const cwd = place();
  writeFileSync(join(cwd, "d"), "the disk");
  writeFileSync(join(cwd, "m"), "the memory");
  hexz(["pack", "vm.hxz", "--disk", "d", "--memory", "m", "-s"], { cwd });
  expect(hexz(["extract", "vm.hxz", "-s"], { cwd }).code).toBe(0);
  expect(readdirSync(join(cwd, "vm")).sort()).toEqual(["disk", "memory"]);
  expect(readFileSync(join(cwd, "vm/memory"), "utf8")).toBe("the memory");
  expect(hexz(["extract", "vm.hxz", "only", "disk", "-s"], { cwd }).code).toBe(0);
  expect(readFileSync(join(cwd, "only/disk"), "utf8")).toBe("the disk");

  writeFileSync(join(cwd, "tree/disk"), "a file");
  hexz(["pack", "tree", "both.hxz", "--disk", "d", "-s"], { cwd });
  expect(hexzJson(["extract", "both.hxz"], { cwd })).toMatchObject({
    code: 2,
    document: { error: { code: "collision" } },
  });
  expect(existsSync(join(cwd, "both"))).toBe(false);
  expect(hexz(["extract", "both.hxz", "file", "./disk", "-s"], { cwd }).code).toBe(0);
  expect(readFileSync(join(cwd, "file/disk"), "utf8")).toBe("a file");
  expect(hexz(["extract", "both.hxz", "stream", "disk", "-s"], { cwd }).code).toBe(0);
  expect(readFileSync(join(cwd, "stream/disk"), "utf8")).toBe("the disk");
});

/** Changes one byte in the middle of the block that holds the content of `sub/b.bin`. */
function damage(cwd: string, archive: string): void {
  const { block_list } = hexzJson(["inspect", archive, "--blocks"], { cwd }).document;
  const block = block_list.find(({ plain }: { plain: number }) => plain > 60_000);
  const bytes = readFileSync(join(cwd, archive));
  bytes[block.offset + block.stored - 100]! ^= 1;
  writeFileSync(join(cwd, archive), bytes);
}

test("a damaged file is left out with a warning, the rest is restored, exit code 1", () => {
  const cwd = place();
  damage(cwd, "tree.hxz");
  const { code, document } = hexzJson(["extract", "tree.hxz", "out"], { cwd });
  expect(code).toBe(1);
  expect(document.warnings).toMatchObject([{ path: "sub/b.bin", code: "damaged" }]);
  expect(run("find", ["out", "!", "-type", "d", "-printf", "%P\\n"], cwd).split("\n").sort()).toEqual([
    "",
    "a.txt",
    "sub/deep/c.txt",
    "sub/link",
  ]);
});

test("damage in a single file or stream leaves nothing", () => {
  const cwd = place();
  hexz(["pack", "b.hxz", "--disk", "tree/sub/b.bin", "-s"], { cwd });
  damage(cwd, "b.hxz");
  const { code, document } = hexzJson(["extract", "b.hxz"], { cwd });
  expect([code, document.error.code]).toEqual([1, "damaged"]);
  expect(readdirSync(cwd).sort()).toEqual(["b.hxz", "tree", "tree.hxz"]);
});

test("what is no archive is exit code 1, a missing one 3, a destination in the way 2", () => {
  const cwd = place();
  expect(hexzJson(["extract", "tree/sub/b.bin", "x"], { cwd }).document.error.code).toBe("not_an_archive");
  expect(hexz(["extract", "tree/sub/b.bin", "x"], { cwd }).code).toBe(1);
  expect(hexz(["extract", "missing.hxz"], { cwd }).code).toBe(3);
  expect(hexz(["extract", "tree.hxz", "tree/a.txt"], { cwd }).code).toBe(2);
  expect(hexz(["extract", "tree.hxz", "nowhere/deep"], { cwd }).code).toBe(3);
  expect(hexz(["extract", "tree.hxz", "-"], { cwd }).code).toBe(2);
});

test.skipIf(!isRoot())("owners that cannot be restored are named once, and are no failure", () => {
  const cwd = place();
  run("chmod", ["-R", "a+rX", cwd]);
  mkdirSync(join(cwd, "mine"));
  run("chown", ["65534:65534", "mine"], cwd);
  const nobody = { cwd: join(cwd, "mine"), uid: 65534, gid: 65534 };
  const { code, document } = hexzJson(["extract", "../tree.hxz"], nobody);
  expect(code).toBe(0);
  expect(document.warnings).toHaveLength(1);
  expect(document.warnings[0].message).toContain("the owner");
  expect(hexzJson(["extract", "../tree.hxz", "again", "--no-owner"], nobody).document.warnings).toEqual([]);
  // a destination that may not be written is the outside
  expect(hexz(["extract", "../tree.hxz", "../denied"], nobody).code).toBe(3);
});

test.skipIf(!isRoot())("device nodes need --devices: otherwise they are left out, exit code 1", () => {
  const cwd = place();
  run("mknod", ["tree/null", "c", "1", "3"], cwd);
  hexz(["pack", "tree", "dev.hxz", "-s"], { cwd });
  const { code, document } = hexzJson(["extract", "dev.hxz", "out"], { cwd });
  expect([
    code,
    document.warnings.map((warning: { path: string; code: string }) => [warning.path, warning.code]),
  ]).toEqual([1, [["null", "device_refused"]]]);
  expect(existsSync(join(cwd, "out/sub/b.bin"))).toBe(true);
  expect(hexz(["extract", "dev.hxz", "with", "--devices", "-s"], { cwd }).code).toBe(0);
  expect(statSync(join(cwd, "with/null")).isCharacterDevice()).toBe(true);
});
