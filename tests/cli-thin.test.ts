// Thin archives as processes: --base, where parents are looked for, auto:DIR, flatten and rebase.

import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectAgreement, expectBytes } from "./support/archives.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

const random = randomFrom(SEED);
const first = new Uint8Array(Buffer.concat([text(1_500_000, random), randomBytes(500_000, random)]));
const second = new Uint8Array(
  Buffer.concat([first.subarray(0, 900_000), randomBytes(1000, random), first.subarray(900_000)]),
);
const third = new Uint8Array(Buffer.concat([second.subarray(300_000), text(100_000, random)]));

/** Inputs of three days; archives of them, each on the one before. */
function lineage(): string {
  const cwd = temporaryDirectory();
  for (const [name, content] of Object.entries({ first, second, third })) writeFileSync(join(cwd, name), content);
  for (const command of [
    "first first.hxz",
    "second second.hxz --base first.hxz",
    "third third.hxz --base second.hxz",
  ]) {
    expect(hexz(["pack", ...command.split(" ")], { cwd })).toMatchObject({ code: 0, stderr: "" });
  }
  return cwd;
}

const read = (cwd: string, name: string) => new Uint8Array(readFileSync(join(cwd, name)));
const inspect = (cwd: string, name: string) => hexzJson(["inspect", name], { cwd }).document;

function expectContent(cwd: string, archive: string, content: Uint8Array, more: string[] = []): void {
  const path = inspect(cwd, archive) && hexzJson(["inspect", archive, "--entries"], { cwd }).document.entry_list.at(-1);
  const { code, bytes, stderr } = hexz(["cat", archive, path.path, ...more], { cwd });
  expect([code, stderr]).toEqual([0, ""]);
  expectBytes(bytes, content, archive);
}

test("a grandchild names who stores its chunks, and needs nothing else", async () => {
  const cwd = lineage();
  const archives = ["first.hxz", "second.hxz", "third.hxz"];
  const [a, b, c] = archives.map((name) => read(cwd, name)) as [Uint8Array, Uint8Array, Uint8Array];
  await expectAgreement(b, [a]);
  await expectAgreement(c, [a, b]);
  expectContent(cwd, "third.hxz", third);
  const document = inspect(cwd, "third.hxz");
  expect(document.parents.map((parent: { hint: string }) => parent.hint).sort()).toEqual(archives.slice(0, 2));
  expect(document.chunks.parent_bytes, `seed ${SEED}`).toBeGreaterThan(third.length * 0.7);
  expect(b.length).toBeLessThan(500_000);
  expect(hexzJson(["check", "third.hxz", "--parents"], { cwd }).document.ok).toBe(true);
});

test("parents are found at the hint, beside the archive, in --parent-dir and HEXZ_PARENT_PATH, under any name", () => {
  const cwd = lineage();
  mkdirSync(join(cwd, "old"));
  mkdirSync(join(cwd, "sub"));
  const missing = hexzJson(["check", "second.hxz"], { cwd: join(cwd, "sub") });
  expect(missing.code).toBe(3);
  // The hint is relative to the child.
  expect(hexz(["pack", "third", "sub/child.hxz", "--base", "second.hxz"], { cwd }).code).toBe(0);
  expect(inspect(cwd, "sub/child.hxz").parents.map(({ hint }: { hint: string }) => hint)).toContain("../second.hxz");
  expectContent(cwd, "sub/child.hxz", third);
  for (const name of ["first.hxz", "second.hxz"]) renameSync(join(cwd, name), join(cwd, "old", `renamed-${name}`));
  const lost = hexz(["cat", "third.hxz", "third"], { cwd });
  expect(lost.code).toBe(3);
  expectContent(cwd, "third.hxz", third, ["--parent-dir", "old"]);
  const env = { ...process.env, HEXZ_PARENT_PATH: `/nowhere:${join(cwd, "old")}` };
  expectBytes(hexz(["cat", "third.hxz", "third"], { cwd, env }).bytes, third, "by HEXZ_PARENT_PATH");
  for (const name of readdirSync(join(cwd, "old"))) renameSync(join(cwd, "old", name), join(cwd, name));
  expectContent(cwd, "third.hxz", third);
});

test("a parent that was replaced by another file of its name is refused by its id, with exit code 3", () => {
  const cwd = lineage();
  const { archive_id: id } = inspect(cwd, "first.hxz");
  expect(hexz(["pack", "third", "other.hxz"], { cwd }).code).toBe(0);
  renameSync(join(cwd, "other.hxz"), join(cwd, "first.hxz"));
  for (const command of [
    ["extract", "second.hxz", "out"],
    ["flatten", "second.hxz", "out"],
  ]) {
    const { code, document } = hexzJson(command, { cwd });
    expect([command[0], code, document.error.code]).toEqual([command[0], 3, "parent_missing"]);
    expect(document.error).toMatchObject({ id, parent_hint: "first.hxz" });
    expect(document.error.looked.join()).toContain("first.hxz (another archive");
    expect(existsSync(join(cwd, "out"))).toBe(false);
  }
  expect(inspect(cwd, "second.hxz").parents).toEqual([{ id, hint: "first.hxz", found: false }]);
  const { code, document } = hexzJson(["check", "second.hxz"], { cwd });
  expect([code, document.ok]).toEqual([3, false]);
  expect(document.problems.every((problem: { code: string }) => problem.code === "parent_missing")).toBe(true);
  // A child of it would name what cannot be found.
  expect(hexzJson(["pack", "third", "new.hxz", "--base", "second.hxz"], { cwd }).document.error.code).toBe(
    "parent_missing",
  );
  expect(existsSync(join(cwd, "new.hxz"))).toBe(false);
});

test("a tree whose parent is missing: nothing is written; what does not need the parent can be extracted", () => {
  const cwd = temporaryDirectory();
  mkdirSync(join(cwd, "tree"));
  writeFileSync(join(cwd, "tree", "old"), first);
  expect(hexz(["pack", "tree", "base.hxz"], { cwd }).code).toBe(0);
  writeFileSync(join(cwd, "tree", "new"), "added since");
  expect(hexz(["pack", "tree", "child.hxz", "--base", "base.hxz"], { cwd }).code).toBe(0);
  mkdirSync(join(cwd, "elsewhere"));
  renameSync(join(cwd, "base.hxz"), join(cwd, "elsewhere", "base.hxz"));
  const { code, document } = hexzJson(["extract", "child.hxz", "out"], { cwd });
  expect([code, document.error.code, existsSync(join(cwd, "out"))]).toEqual([3, "parent_missing", false]);
  expect(hexz(["extract", "child.hxz", "out", "new"], { cwd }).code).toBe(0);
  expect(readdirSync(join(cwd, "out"))).toEqual(["new"]);
  expect(hexz(["extract", "child.hxz", "all", "--parent-dir", "elsewhere"], { cwd }).code).toBe(0);
  expectBytes(readFileSync(join(cwd, "all", "old")), first, "old");
});

test("a block that was altered in a parent is damage, named by path and range", () => {
  const cwd = lineage();
  const bytes = read(cwd, "first.hxz");
  bytes[5000]! ^= 1;
  writeFileSync(join(cwd, "first.hxz"), bytes);
  const { code, document } = hexzJson(["check", "second.hxz"], { cwd });
  expect(code).toBe(1);
  expect(document.problems[0]).toMatchObject({ code: "damaged", path: "second", start: 0 });
  expect(document.problems[0].message).toContain("first.hxz");
});

test("auto:DIR picks what has most of the input, says what and why, and picks nothing for nothing", () => {
  const cwd = lineage();
  writeFileSync(join(cwd, "noise"), randomBytes(300_000, random));
  expect(hexz(["pack", "noise", "noise.hxz"], { cwd }).code).toBe(0);
  writeFileSync(join(cwd, "broken.hxz"), "HEXZ and no more");
  const { code, stdout } = hexz(["pack", "third", "auto.hxz", "--base", "auto:."], { cwd });
  expect([code, stdout.split("\n")[0]]).toEqual([0, "base: third.hxz, which has 100 % of the chunks by its sketch"]);
  expect(inspect(cwd, "auto.hxz").chunks.unique).toBe(0);
  const { document } = hexzJson(["pack", "first", "again.hxz", "--base", "auto:."], { cwd });
  expect(document.chosen_bases.length).toBeGreaterThan(0);
  writeFileSync(join(cwd, "new"), randomBytes(400_000, random));
  const none = hexzJson(["pack", "new", "new.hxz", "--base", "auto:."], { cwd });
  expect([none.code, none.document.chosen_bases]).toEqual([0, []]);
  expect(hexzJson(["pack", "new", "no.hxz", "--base", "auto:/nowhere"], { cwd }).code).toBe(3);
});

test("flatten makes an archive of the same content that stands alone", async () => {
  const cwd = lineage();
  const { document, code } = hexzJson(["flatten", "third.hxz", "flat.hxz"], { cwd });
  expect(code).toBe(0);
  expect(document.copied_blocks.count).toBeGreaterThan(0);
  const flat = read(cwd, "flat.hxz");
  expect(await expectAgreement(flat)).toMatchObject({ parents: [] });
  expect(inspect(cwd, "flat.hxz").content_id).toBe(inspect(cwd, "third.hxz").content_id);
  expectContent(cwd, "flat.hxz", third);
  // Most blocks are needed as a whole and are the same bytes.
  expect(document.copied_blocks.stored_bytes, `seed ${SEED}`).toBeGreaterThan(flat.length * 0.6);
});

test("rebase refers to the new bases only, and needs no old parent for what they have", async () => {
  const cwd = lineage();
  expect(hexz(["pack", "third", "whole.hxz"], { cwd }).code).toBe(0);
  expect(hexz(["rebase", "third.hxz", "whole.hxz", "rebased.hxz"], { cwd })).toMatchObject({ code: 0, stderr: "" });
  const { parents } = await expectAgreement(read(cwd, "rebased.hxz"), [read(cwd, "whole.hxz")]);
  expect(parents.map(({ hint }) => hint)).toEqual(["whole.hxz"]);
  expect(statSync(join(cwd, "rebased.hxz")).size).toBeLessThan(20_000);
  for (const name of ["first.hxz", "second.hxz"]) renameSync(join(cwd, name), join(cwd, `${name}.gone`));
  expect(hexz(["rebase", "third.hxz", "whole.hxz", "alone.hxz"], { cwd })).toMatchObject({ code: 0, stderr: "" });
  expect(read(cwd, "alone.hxz")).toEqual(read(cwd, "rebased.hxz"));
  expectContent(cwd, "alone.hxz", third);
  expect(hexzJson(["flatten", "third.hxz", "no.hxz"], { cwd })).toMatchObject({ code: 3 });
  expect(existsSync(join(cwd, "no.hxz"))).toBe(false);
});

test("a base is no output, under no name", () => {
  const cwd = lineage();
  linkSync(join(cwd, "first.hxz"), join(cwd, "same.hxz"));
  const before = read(cwd, "first.hxz");
  for (const output of ["first.hxz", "./first.hxz", "same.hxz"]) {
    for (const command of [
      ["pack", "third", output, "--base", "first.hxz"],
      ["rebase", "second.hxz", "first.hxz", output],
      ["flatten", "first.hxz", output],
    ]) {
      const { code, document } = hexzJson([...command, "--force"], { cwd });
      expect([command[0], code, document.error.code]).toEqual([command[0], 2, "output_is_input"]);
    }
  }
  expect(read(cwd, "first.hxz")).toEqual(before);
});

test("two bases with the same chunks: the first one named is the parent; a copy of a base is no other base", () => {
  const cwd = lineage();
  copyFileSync(join(cwd, "first.hxz"), join(cwd, "copy.hxz"));
  expect(hexz(["pack", "first", "new.hxz", "--base", "copy.hxz", "--base", "first.hxz"], { cwd }).code).toBe(0);
  expect(inspect(cwd, "new.hxz").parents).toMatchObject([{ hint: "copy.hxz", found: true }]);
});
