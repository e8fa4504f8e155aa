// `hexz ls` as a process: the tree, the document, and that nothing in the directory stops it.

import { copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hexz, hexzJson } from "./support/cli.ts";
import { randomBytes, randomFrom, SEED } from "./support/random.ts";
import { run, temporaryDirectory } from "./support/trees.ts";

const random = randomFrom(SEED);
/** So long that cutting finds the same places in them again, wherever they stand. */
const LENGTH = 1_000_000;
const contents = Array.from({ length: 3 }, () => randomBytes(LENGTH, random));

/** base, child (on base), grandchild (on child), other, and both (on grandchild and other). */
function directory(): string {
  const cwd = temporaryDirectory();
  mkdirSync(join(cwd, "d"));
  const [one, two, three] = contents as [Uint8Array, Uint8Array, Uint8Array];
  const inputs = {
    base: [one],
    child: [one, two],
    grandchild: [one, two, [1]],
    other: [three],
    both: [one, two, three],
  };
  for (const [name, parts] of Object.entries(inputs)) {
    writeFileSync(join(cwd, name), Buffer.concat(parts.map((part) => Buffer.from(part))));
  }
  for (const command of [
    "base d/base.hxz --note first",
    "child d/child.hxz --base d/base.hxz",
    "grandchild d/grandchild.hxz --base d/child.hxz",
    "other d/other.hxz",
    "both d/both.hxz --base d/grandchild.hxz --base d/other.hxz",
  ]) {
    expect(hexz(["pack", ...command.split(" ")], { cwd })).toMatchObject({ code: 0, stderr: "" });
  }
  return cwd;
}

// biome-ignore lint/suspicious/noExplicitAny: a document
const byPath = (document: any, path: string) => document.archives.find((one: { path: string }) => one.path === path);

test("the document has direct parents and children by id, what each archive adds, and the total", () => {
  const cwd = directory();
  const { code, document } = hexzJson(["ls", "d"], { cwd });
  expect(code).toBe(0);
  expect(document.archives.map(({ path }: { path: string }) => path)).toEqual(
    ["base", "both", "child", "grandchild", "other"].map((name) => `d/${name}.hxz`),
  );
  const id = (name: string) => byPath(document, `d/${name}.hxz`).archive_id;
  const inspected = hexzJson(["inspect", "d/child.hxz"], { cwd }).document;
  expect(byPath(document, "d/child.hxz")).toEqual({
    path: "d/child.hxz",
    archive_id: inspected.archive_id,
    size: inspected.compressed_size,
    original_size: 2 * LENGTH,
    parents: [id("base")],
    children: [id("both"), id("grandchild")].filter((one) => byPath(document, "d/child.hxz").children.includes(one)),
    new_chunks: inspected.chunks.unique,
    new_bytes: inspected.chunks.unique_bytes,
    note: null,
    created: null,
    error: null,
  });
  expect(byPath(document, "d/both.hxz").parents).toContain(id("other"));
  expect(byPath(document, "d/both.hxz").parents).not.toContain(id("base"));
  expect(byPath(document, "d/base.hxz")).toMatchObject({ parents: [], note: "first" });
  expect([document.roots, document.missing_parents]).toEqual([[id("base"), id("other")], []]);
  const sizes = document.archives.map(({ size }: { size: number }) => size);
  expect(document.total_size).toBe(sizes.reduce((a: number, b: number) => a + b));
});

test("the tree names missing parents in place, and every file that is no archive with the reason", () => {
  const cwd = directory();
  const at = (name: string) => join(cwd, "d", name);
  renameSync(at("base.hxz"), join(cwd, "base.hxz"));
  writeFileSync(at("text.hxz"), "no archive");
  writeFileSync(at("esc\u001b[1m\n.hxz"), "");
  writeFileSync(Buffer.concat([Buffer.from(`${at("")}/`), Buffer.from([0xff]), Buffer.from(".hxz")]), "");
  symlinkSync("nowhere", at("dangling.hxz"));
  symlinkSync("../base.hxz", at("link.hxz"));
  mkdirSync(at("folder.hxz"));
  run("mkfifo", [at("fifo.hxz")]);
  const linked = hexzJson(["ls", "d"], { cwd });
  expect([linked.code, linked.document.missing_parents]).toEqual([0, []]);
  expect(byPath(linked.document, "d/\\xff.hxz").path_bytes).toBe("642fff2e68787a");
  const errors = linked.document.archives.map(({ path, error }: { path: string; error: { code: string } | null }) => [
    path,
    error?.code,
  ]);
  expect(Object.fromEntries(errors)).toMatchObject({
    "d/text.hxz": "not_an_archive",
    "d/dangling.hxz": "not_found",
    "d/fifo.hxz": "wrong_type",
    "d/link.hxz": undefined,
  });
  rmSync(at("link.hxz"));
  const { code, stdout, stderr } = hexz(["ls", "d"], { cwd });
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("├── esc\\x1b[1m\\x0a.hxz");
  expect(stdout).toMatch(/├── text\.hxz +10 B {2}! .*not a Hexz archive/);
  expect(stdout).toMatch(/└── \? base\.hxz +not here \(id [0-9a-f]{64}\)\n {4}└── child\.hxz/);
  expect(stdout).toMatch(/\n9 archives, .*, 5 cannot be read, 1 parent not here\n$/);
  expect(stdout).not.toContain("folder.hxz");
  const { document } = hexzJson(["log", "d"], { cwd });
  const missing = hexzJson(["inspect", "base.hxz"], { cwd }).document.archive_id;
  expect(document.missing_parents).toEqual([{ id: missing, hint: "base.hxz" }]);
  expect(byPath(document, "d/child.hxz").parents).toEqual([missing]);
});

test("--recursive goes into directories, not through links; without a directory it is this one", () => {
  const cwd = directory();
  mkdirSync(join(cwd, "d/sub"));
  copyFileSync(join(cwd, "d/other.hxz"), join(cwd, "d/sub/copy.hxz"));
  symlinkSync("..", join(cwd, "d/sub/loop"));
  const paths = (args: string[], from: string) =>
    hexzJson(["ls", ...args], { cwd: from }).document.archives.map(({ path }: { path: string }) => path);
  expect(paths([], join(cwd, "d")).length).toBe(5);
  expect(paths(["."], join(cwd, "d"))).toEqual(paths([], join(cwd, "d")));
  expect(paths([], cwd)).toEqual([]);
  expect(paths(["--recursive"], cwd)).toContain("d/sub/copy.hxz");
  expect(paths(["d/", "--recursive"], cwd).length).toBe(6);
  expect(hexz(["ls", "d", "--recursive"], { cwd }).stdout).toMatch(/── sub\/copy\.hxz/);
});

test("no directory is exit code 3, a URL 2", () => {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "file"), "");
  for (const name of ["nowhere", "file"]) {
    const { code, document } = hexzJson(["ls", name], { cwd });
    expect([name, code, document.error.code]).toEqual([name, 3, "not_found"]);
  }
  expect(hexz(["ls", "s3://bucket/x"], { cwd }).code).toBe(2);
  expect(hexz(["ls"], { cwd })).toMatchObject({ code: 0, stdout: ".\n0 archives, 0 B\n" });
});
