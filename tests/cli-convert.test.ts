// `hexz convert` as a process: what every format has in common, and `--to raw`.

import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hexz, hexzJson, shell } from "./support/cli.ts";
import { randomBytes, randomFrom } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

const MIB = 1024 * 1024;

/** A directory with an image `disk.img` that has a hole, and an archive of it. */
function place(): string {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "disk.img"), randomBytes(300_000, randomFrom(1)));
  truncateSync(join(cwd, "disk.img"), 8 * MIB);
  expect(hexz(["pack", "disk.hxz", "--disk", "disk.img"], { cwd }).code).toBe(0);
  return cwd;
}

test("--to raw writes the only stream as it was, with its hole", () => {
  const cwd = place();
  const { code, document } = hexzJson(["convert", "--to", "raw", "disk.hxz", "again.img"], { cwd });
  expect([code, document]).toEqual([0, { path: "again.img", format: "raw", bytes: 8 * MIB, warnings: [] }]);
  expect(readFileSync(join(cwd, "again.img")).equals(readFileSync(join(cwd, "disk.img")))).toBe(true);
  expect(statSync(join(cwd, "again.img")).blocks * 512).toBeLessThan(MIB);
});

test("--to raw writes to standard output, too", () => {
  const cwd = place();
  expect(shell("hexz convert --to raw disk.hxz - | cmp - disk.img", cwd)).toMatchObject({ code: 0 });
  expect(hexz(["convert", "--to", "raw", "disk.hxz", "-", "--json"], { cwd })).toMatchObject({ code: 2, stdout: "" });
});

test("--to raw takes the file of --path where there are several", () => {
  const cwd = place();
  writeFileSync(join(cwd, "a.txt"), "hello\n");
  hexz(["pack", "a.txt", "disk.img", "two.hxz"], { cwd });
  const { code, document } = hexzJson(["convert", "--to", "raw", "two.hxz", "out"], { cwd });
  expect([code, document.error.code]).toEqual([2, "usage"]);
  expect(hexz(["convert", "--to", "raw", "two.hxz", "out", "--path", "a.txt"], { cwd }).code).toBe(0);
  expect(readFileSync(join(cwd, "out"), "utf8")).toBe("hello\n");
});

test("an existing output is kept without --force, the archive always", () => {
  const cwd = place();
  writeFileSync(join(cwd, "out"), "old");
  expect(hexzJson(["convert", "--to", "raw", "disk.hxz", "out"], { cwd })).toMatchObject({
    code: 2,
    document: { error: { code: "output_exists" } },
  });
  expect(readFileSync(join(cwd, "out"), "utf8")).toBe("old");
  expect(hexz(["convert", "--to", "raw", "disk.hxz", "out", "--force"], { cwd }).code).toBe(0);
  expect(hexzJson(["convert", "--to", "raw", "disk.hxz", "disk.hxz", "--force"], { cwd })).toMatchObject({
    code: 2,
    document: { error: { code: "output_is_input" } },
  });
});

test("unknown formats and files that look like none are wrong use, and leave nothing", () => {
  const cwd = place();
  const before = readdirSync(cwd).sort();
  for (const args of [
    ["convert", "zip", "disk.img", "out.hxz"],
    ["convert", "auto", "disk.img", "out.hxz"],
    ["convert", "auto", "-", "out.hxz"],
    ["convert", "--to", "zip", "disk.hxz", "out"],
  ]) {
    expect([args, hexzJson(args, { cwd })]).toMatchObject([args, { code: 2, document: { error: { code: "usage" } } }]);
  }
  expect(readdirSync(cwd).sort()).toEqual(before);
});
