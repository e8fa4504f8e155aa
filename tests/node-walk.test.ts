// walk() on real directories: order, completeness, exclusion, links, and what it does with things in its way.

import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { HexzError, type Warning } from "../src/core/errors.ts";
import { type ByteString, comparePaths } from "../src/core/format/path.ts";
import { walk, walkInputs } from "../src/node/walk.ts";
import { isRoot, possible, run, temporaryDirectory, walkAll } from "./support/trees.ts";

const paths = (root: string, options = {}) => walkAll(root, options).items.map(({ entry }) => entry.path as string);

/** Small numbers from a seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("walk() gives comparePaths order and misses nothing in random trees with names of any bytes", () => {
  const seed = (Date.now() ^ process.pid) >>> 0;
  process.stderr.write(`seed ${seed}\n`);
  const random = randomOf(seed);
  // bytes around "/" and NUL, the sign bit, and what is not UTF-8
  const bytes = [1, 0x20, 0x2d, 0x2e, 0x30, 0x41, 0x61, 0x7f, 0x80, 0xc3, 0xe9, 0xff];
  for (let tree = 0; tree < 10; tree++) {
    const root = temporaryDirectory();
    const directories = [Buffer.from(root)];
    for (let made = 0; made < 150; made++) {
      const name = Buffer.from(Array.from({ length: 1 + random(3) }, () => bytes[random(bytes.length)]!));
      if ([".", ".."].includes(name.toString("latin1"))) continue;
      const path = Buffer.concat([directories[random(directories.length)]!, Buffer.from("/"), name]);
      if (statSync(path, { throwIfNoEntry: false })) continue;
      if (random(3) === 0) {
        mkdirSync(path);
        directories.push(path);
      } else writeFileSync(path, "");
    }
    const found = paths(root);
    expect(found).toEqual([...found].sort((a, b) => comparePaths(a as ByteString, b as ByteString)));
    const expected = run("find", [".", "-printf", "%P\\0"], root).split("\0").slice(0, -1);
    expect([...found].sort()).toEqual(expected.sort());
  }
});

test("walk() reports sockets, unreadable directories and vanished files, and goes on", async () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "a"));
  mkdirSync(join(root, "gone"));
  for (const name of ["b", "c", "d"]) writeFileSync(join(root, name), name);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(root, "a", "socket"), resolve));
  onTestFinished(() => void server.close());
  const warnings: Warning[] = [];
  const found: string[] = [];
  for (const { entry } of walk(root, { onWarning: (warning) => warnings.push(warning) })) {
    found.push(entry.path);
    if (entry.path === "b") {
      rmSync(join(root, "c"));
      rmSync(join(root, "gone"), { recursive: true });
    }
  }
  expect(found).toEqual(["", "a", "b", "d"]);
  expect(warnings.map(({ path, code }) => [path, code])).toEqual([
    ["c", "not_found"],
    ["gone", "not_found"],
    ["a/socket", "unsupported"],
  ]);
});

test.skipIf(!isRoot())("walk() reports a directory that it may not read, and keeps its own entry", () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "closed"), { mode: 0 });
  writeFileSync(join(root, "open"), "");
  run("chmod", ["755", root]);
  process.seteuid!(65534);
  onTestFinished(() => process.seteuid!(0));
  const { items, warnings } = walkAll(root);
  process.seteuid!(0);
  expect(items.map(({ entry }) => entry.path)).toEqual(["", "closed", "open"]);
  expect(warnings.map(({ path, code }) => [path, code])).toEqual([["closed", "permission"]]);
});

test("walk() throws where the input itself is missing or not a directory", () => {
  const root = temporaryDirectory();
  writeFileSync(join(root, "file"), "");
  const codeOf = (path: string) => {
    try {
      return [...walk(path)].length;
    } catch (error) {
      return (error as HexzError).code;
    }
  };
  expect(codeOf(join(root, "none"))).toBe("not_found");
  expect(codeOf(join(root, "file"))).toBe("wrong_type");
});

test("walk() gives hard links the first path in tree order, also when that one is excluded", () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "a"));
  writeFileSync(join(root, "a/one"), "x");
  linkSync(join(root, "a/one"), join(root, "z"));
  linkSync(join(root, "a/one"), join(root, "a/two"));
  const links = (options = {}) => walkAll(root, options).items.map(({ entry }) => [entry.path, entry.hardLink]);
  expect(links()).toEqual([
    ["", undefined],
    ["a", undefined],
    ["z", undefined],
    ["a/one", "z"],
    ["a/two", "z"],
  ]);
  expect(links({ exclude: ["z"] })).toEqual([
    ["", undefined],
    ["a", undefined],
    ["a/one", undefined],
    ["a/two", "a/one"],
  ]);
});

test.skipIf(!isRoot())(
  "walk() does not take equal inode numbers of two devices for a link; oneFileSystem stays",
  () => {
    const root = temporaryDirectory();
    const mounts = ["m1", "m2"].map((name) => join(root, name));
    const mounted = possible("mounting tmpfs", () => {
      for (const mount of mounts) {
        mkdirSync(mount);
        run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", mount]);
        onTestFinished(() => void execFileSync("umount", [mount]));
      }
    });
    if (!mounted) return;
    for (const mount of mounts) {
      writeFileSync(join(mount, "f"), mount);
      // one name is not walked over, so that the link stays open
      for (const name of ["g", "left out"]) linkSync(join(mount, "f"), join(mount, name));
    }
    expect(statSync(join(root, "m1/f")).ino).toBe(statSync(join(root, "m2/f")).ino);
    expect(
      walkAll(root, { exclude: ["left out"] })
        .items.map(({ entry }) => [entry.path, entry.hardLink])
        .slice(3),
    ).toEqual([
      ["m1/f", undefined],
      ["m1/g", "m1/f"],
      ["m2/f", undefined],
      ["m2/g", "m2/f"],
    ]);
    expect(paths(root, { oneFileSystem: true })).toEqual(["", "m1", "m2"]);
  },
);

test("walk() excludes by gitignore patterns, and never enters what is excluded", () => {
  const root = temporaryDirectory();
  for (const path of ["build/x", "src/build/y", "src/a.log", "src/A.LOG", "keep.log"]) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), "");
  }
  symlinkSync("src", join(root, "link"));
  expect(paths(root, { exclude: ["*.log\n!keep.log", "/build/", "link/"] })).toEqual([
    "",
    "keep.log",
    "link",
    "src",
    "src/A.LOG",
    "src/build",
    "src/build/y",
  ]);
  const output = statSync(join(root, "keep.log"), { bigint: true });
  expect(paths(root, { skip: (dev: bigint, ino: bigint) => dev === output.dev && ino === output.ino })).not.toContain(
    "keep.log",
  );
});

test("walk() with dereference keeps what symlinks point to, and symlinks that lead nowhere or in a circle", () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "d/e"), { recursive: true });
  writeFileSync(join(root, "d/file"), "12345");
  symlinkSync("d/file", join(root, "file"));
  symlinkSync("d", join(root, "copy"));
  symlinkSync("..", join(root, "d/e/up"));
  symlinkSync("none", join(root, "lost"));
  symlinkSync("self", join(root, "self"));
  const { items, warnings } = walkAll(root, { dereference: true });
  const shown = items.map(({ entry }) => `${entry.path}:${entry.type}`);
  expect(shown).toEqual([
    ":directory",
    "copy:directory",
    "d:directory",
    "file:file",
    "lost:symlink",
    "self:symlink",
    "copy/e:directory",
    "copy/file:file",
    "copy/e/up:symlink",
    "d/e:directory",
    "d/file:file",
    "d/e/up:symlink",
  ]);
  expect(items.find(({ entry }) => entry.path === "file")?.entry.size).toBe(5);
  expect(warnings.map(({ path, code }) => [path, code])).toEqual([
    ["lost", "not_found"],
    ["self", "not_found"],
    ["copy/e/up", "unsupported"],
    ["d/e/up", "unsupported"],
  ]);
});

test("walkInputs() gives several inputs as one tree in order, and refuses two of one name", () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "a/sub"), { recursive: true });
  mkdirSync(join(root, "b"));
  writeFileSync(join(root, "a/sub/f"), "1");
  writeFileSync(join(root, "a.x"), "2");
  linkSync(join(root, "a.x"), join(root, "b/l"));
  const inputs = ["b", "a.x", "a"].map((name) => ({ path: join(root, name), name: name as ByteString }));
  const found = [...walkInputs(inputs)].map(({ entry }) => [entry.path, entry.hardLink]);
  expect(found).toEqual([
    ["a", undefined],
    ["a.x", undefined],
    ["b", undefined],
    ["a/sub", undefined],
    ["a/sub/f", undefined],
    ["b/l", "a.x"],
  ]);
  expect(() => [...walkInputs([inputs[0]!, inputs[0]!])]).toThrow(HexzError);
});

test("walk() goes deeper than the longest path of the system", () => {
  const root = temporaryDirectory();
  const name = "n".repeat(250);
  // made from inside: no path is as long as this
  const script = `import os,sys
os.chdir(sys.argv[1])
for i in range(40):
    os.mkdir("${name}"); os.chdir("${name}")
open("deepest", "w").write("x"); os.symlink("here", "link")`;
  if (!possible("making a deep tree", () => run("python3", ["-c", script, root]))) return;
  const { items, warnings } = walkAll(root);
  expect(warnings).toEqual([]);
  expect(items).toHaveLength(43);
  expect(items.at(-1)?.entry.target).toBe("here");
  expect(readdirSync(root)).toHaveLength(1);
});
