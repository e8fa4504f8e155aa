// `hexz diff` as a process: both forms of output, exit codes, and what is refused.

import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hexz, hexzJson } from "./support/cli.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { run, temporaryDirectory } from "./support/trees.ts";

const random = randomFrom(SEED);

/** A tree of which a.hxz and b.hxz are two versions. */
function versions(): string {
  const cwd = temporaryDirectory();
  const at = (name: string) => join(cwd, "tree", name);
  mkdirSync(at("sub"), { recursive: true });
  const big = randomBytes(400_000, random);
  for (const [name, content] of Object.entries({ big, same: "same", gone: "gone", moved: text(9000, random) })) {
    writeFileSync(at(name), content);
  }
  writeFileSync(at("mode\n"), "x");
  expect(hexz(["pack", "tree", "a.hxz"], { cwd }).code).toBe(0);
  big[200_000]! ^= 1;
  writeFileSync(at("big"), big);
  rmSync(at("gone"));
  renameSync(at("moved"), at("sub/moved"));
  chmodSync(at("mode\n"), 0o600);
  symlinkSync("big", at("new"));
  writeFileSync(Buffer.concat([Buffer.from(at("sub/")), Buffer.from([0xff])]), "bytes");
  expect(hexz(["pack", "tree", "b.hxz", "--base", "a.hxz"], { cwd }).code).toBe(0);
  return cwd;
}

test("the document has the chunks, and what happened to each path", () => {
  const cwd = versions();
  const { code, document } = hexzJson(["diff", "a.hxz", "b.hxz"], { cwd });
  expect(code).toBe(0);
  expect(document).toMatchObject({ a: { path: "a.hxz" }, b: { path: "b.hxz" }, equal: false, warnings: [] });
  const { a, b, shared, only_a, only_b, storage_saved } = document;
  expect([shared.chunks + only_a.chunks, shared.chunks + only_b.chunks]).toEqual([a.chunks, b.chunks]);
  expect([shared.via_parent, storage_saved]).toEqual([shared.chunks, shared.bytes]);
  expect(shared.percent).toBeCloseTo((100 * shared.bytes) / (shared.bytes + only_b.bytes), 1);
  const { files } = document;
  expect(files.added).toEqual([
    { path: "new", type: "symlink", size: null },
    { path: "sub/\\xff", path_bytes: "7375622fff", type: "file", size: 5 },
  ]);
  expect(files.removed).toEqual([{ path: "gone", type: "file", size: 4 }]);
  expect(files.renamed).toEqual([{ from: "moved", to: "sub/moved", size: 9000 }]);
  expect(files.changed).toMatchObject([{ path: "big", type: "file", a_size: 400_000, b_size: 400_000 }]);
  const [{ ranges, changed_bytes, removed_bytes }] = files.changed;
  expect(ranges.some(([start, end]: [number, number]) => start <= 200_000 && 200_000 < end)).toBe(true);
  expect([changed_bytes, removed_bytes]).toEqual([only_b.bytes - 5, changed_bytes]);
  const fields = Object.fromEntries(
    files.metadata_only.map((one: { path: string; fields: string[] }) => [one.path, one.fields]),
  );
  expect(fields["mode\n"]).toEqual(["mode"]);
  expect([files.undecided, files.unchanged]).toEqual([[], 1]);
});

test("tars are compared by their members, with each other and with the directory that they were made of", () => {
  const cwd = versions();
  const tar = (archive: string, base: string[]) => {
    run("tar", ["--format=pax", "--pax-option=delete=atime,delete=ctime", "-C", "tree", "-cf", "t.tar", "."], cwd);
    expect(hexz(["convert", "tar", "t.tar", archive, ...base], { cwd }).code).toBe(0);
  };
  tar("t.hxz", []);
  expect(hexzJson(["diff", "b.hxz", "t.hxz"], { cwd }).document).toMatchObject({
    shared: { percent: expect.closeTo(100, 0) },
    only_a: { chunks: 0 },
    files: { added: [], removed: [], changed: [], renamed: [], metadata_only: [], undecided: [] },
  });
  renameSync(join(cwd, "tree", "big"), join(cwd, "tree", "sub", "large"));
  writeFileSync(join(cwd, "tree", "same"), "other");
  tar("u.hxz", ["--base", "t.hxz"]);
  expect(hexzJson(["diff", "t.hxz", "u.hxz"], { cwd }).document.files).toMatchObject({
    added: [],
    removed: [],
    renamed: [{ from: "big", to: "sub/large" }],
    changed: [{ path: "same" }],
    undecided: [],
  });
});

test("lines have names escaped; what has another time only is listed with --files", () => {
  const cwd = versions();
  const { stdout, stderr, code } = hexz(["diff", "a.hxz", "b.hxz"], { cwd });
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("renamed   moved to sub/moved\n");
  expect(stdout).toContain("metadata  mode\\x0a (mode)\n");
  expect(stdout).toMatch(/changed {3}big \(390\.63 KiB: \d+\.\d\d KiB new in 1 place, \d+\.\d\d KiB gone\)\n/);
  expect(stdout).not.toContain("(mtime)");
  expect(stdout).toMatch(/\n2 added, 1 removed, 1 changed, 1 renamed, 3 other metadata, 1 unchanged\n$/);
  const files = hexz(["diff", "a.hxz", "b.hxz", "--files"], { cwd }).stdout;
  expect(files).toContain("metadata  . (mtime)\n");
  expect(files).not.toContain("shared");
  const chunks = hexz(["diff", "a.hxz", "b.hxz", "--chunks"], { cwd }).stdout;
  expect(chunks).toContain("% of B");
  expect(chunks).not.toContain("big");
  expect(hexz(["diff", "a.hxz", "b.hxz", "-s"], { cwd })).toMatchObject({ code: 0, stdout: "" });
});

test("--exit-code: 1 when they differ, 0 when not; standard input is an archive", () => {
  const cwd = versions();
  expect(hexz(["diff", "a.hxz", "b.hxz", "--exit-code", "-s"], { cwd }).code).toBe(1);
  const same = hexzJson(["diff", "a.hxz", "a.hxz", "--exit-code"], { cwd });
  expect([same.code, same.document.equal]).toEqual([0, true]);
  expect(hexz(["diff", "a.hxz", "b.hxz", "--exit-code", "--chunks", "-s"], { cwd }).code).toBe(1);
  const { bytes: input } = hexz(["pack", "tree", "-"], { cwd });
  expect(hexz(["diff", "-", "b.hxz", "--exit-code"], { cwd, input })).toMatchObject({ code: 0, stderr: "" });
});

test("archives that were cut differently: a warning, what is unknown, and no promise of equality", () => {
  const cwd = versions();
  expect(hexz(["pack", "tree", "c.hxz", "--avg-chunk", "128K"], { cwd }).code).toBe(0);
  const { code, document } = hexzJson(["diff", "b.hxz", "c.hxz", "--exit-code"], { cwd });
  expect([code, document.equal, document.files.undecided]).toEqual([
    1,
    false,
    [{ path: "big", type: "file", size: 400_000 }],
  ]);
  expect(document.warnings).toMatchObject([{ path: "c.hxz", code: "not_available" }]);
  expect(hexz(["diff", "b.hxz", "c.hxz"], { cwd }).stderr).toMatch(/^hexz: warning: .*cdc 16\.00 KiB \/ 128\.00 KiB/);
});

test("wrong use is 2, what is no archive 1, what is missing 3", () => {
  const cwd = versions();
  writeFileSync(join(cwd, "text"), "no archive");
  for (const [args, expected] of [
    [["a.hxz"], [2, "usage"]],
    [
      ["-", "-"],
      [2, "usage"],
    ],
    [
      ["a.hxz", "b.hxz", "--chunks", "--files"],
      [2, "usage"],
    ],
    [
      ["a.hxz", "text"],
      [1, "not_an_archive"],
    ],
    [
      ["missing.hxz", "b.hxz"],
      [3, "not_found"],
    ],
  ] as const) {
    const { code, document } = hexzJson(["diff", ...args], { cwd });
    expect([args, code, document.error.code]).toEqual([args, ...expected]);
  }
});
