// `hexz build`: profiles as they are listed are what an archive has, each setting overridable.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hexz, hexzJson } from "./support/cli.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { decodeReferenceFormat1 } from "./support/reference-format1.ts";
import { temporaryDirectory } from "./support/trees.ts";

const random = randomFrom(SEED);

/** Two megabytes of text in files, and a dump. */
function source(): string {
  const cwd = temporaryDirectory();
  mkdirSync(join(cwd, "tree"));
  for (let number = 0; number < 20; number++) writeFileSync(join(cwd, "tree", `f${number}`), text(100_000, random));
  writeFileSync(join(cwd, "dump"), randomBytes(50_000, random));
  return cwd;
}

const inspect = (cwd: string, name: string) => hexzJson(["inspect", name], { cwd }).document;

test("--list-profiles lists the five, and each makes archives with these settings", () => {
  const cwd = source();
  const { code, document } = hexzJson(["build", "--list-profiles"], { cwd });
  expect(code).toBe(0);
  const names = document.profiles.map(({ name }: { name: string }) => name);
  expect(names).toEqual(["generic", "eda", "embedded", "ml", "archival"]);
  const { stdout } = hexz(["build", "--list-profiles"], { cwd });
  for (const { name, summary, compression, level, block_size, chunking, dictionary } of document.profiles) {
    expect(stdout).toContain(`${name.padEnd(10)}${summary}\n`);
    const built = hexzJson(["build", "tree", `${name}.hxz`, "--profile", name], { cwd });
    expect([built.code, built.document.profile, built.document.original_size]).toEqual([0, name, 2_000_000]);
    expect(inspect(cwd, `${name}.hxz`)).toMatchObject({
      compression,
      level,
      block_size,
      chunking,
      has_dictionary: dictionary,
    });
    expect(hexz(["check", `${name}.hxz`], { cwd }).code).toBe(0);
  }
  expect(hexz(["build", "tree", "default.hxz"], { cwd }).code).toBe(0);
  expect(readFileSync(join(cwd, "default.hxz")).equals(readFileSync(join(cwd, "generic.hxz")))).toBe(true);
});

test("options override the profile; a codec of one's own leaves out level and dictionary", () => {
  const cwd = source();
  const built = (name: string, ...args: string[]) => {
    expect(hexz(["build", "tree", name, ...args], { cwd })).toMatchObject({ code: 0, stderr: "" });
    return inspect(cwd, name);
  };
  const lz4 = built("lz4.hxz", "--profile", "eda", "--compression", "lz4");
  expect(lz4).toMatchObject({ compression: "lz4", level: null, has_dictionary: false });
  expect(built("level.hxz", "--profile", "archival", "--level", "1", "--block-size", "1M")).toMatchObject({
    level: 1,
    block_size: 1 << 20,
    chunking: { avg: inspect(cwd, "level.hxz").chunking.avg },
  });
  expect(built("none.hxz", "--profile", "eda", "--no-dictionary").has_dictionary).toBe(false);
  expect(built("dict.hxz", "--profile", "ml", "--dictionary").has_dictionary).toBe(true);
  expect(built("chunk.hxz", "--profile", "ml", "--avg-chunk", "128K").chunking).toMatchObject({ avg: 128 * 1024 });
  expect(built("fixed.hxz", "--profile", "embedded", "--chunking", "fixed").chunking).toMatchObject({
    method: "fixed",
    avg: 16_384,
  });
});

test("--format 1: every profile's settings, as far as that format has them, and the same contents", () => {
  const cwd = source();
  const contents = [...Array(20).keys()].map((number) => readFileSync(join(cwd, "tree", `f${number}`)));
  const { document } = hexzJson(["build", "--list-profiles"], { cwd });
  for (const { name, compression, chunking, dictionary } of document.profiles) {
    const built = hexzJson(["build", "tree", `${name}.hxz`, "--profile", name, "--format", "1", "--memory", "dump"], {
      cwd,
    });
    expect([name, built.code, built.document.profile, built.document.warnings]).toEqual([name, 0, name, []]);
    expect(inspect(cwd, `${name}.hxz`)).toMatchObject({
      version: 1,
      compression,
      chunking,
      has_dictionary: dictionary,
      variable_blocks: true,
      has_secondary: true,
    });
    const bytes = new Uint8Array(readFileSync(join(cwd, `${name}.hxz`)));
    const { main, auxiliary, metadata } = decodeReferenceFormat1(bytes);
    expect(readFileSync(join(cwd, "dump")).equals(auxiliary.bytes)).toBe(true);
    expect(metadata.files.length).toBe(20);
    for (const { path, offset, size } of metadata.files) {
      expect(contents[Number(path.slice(1))]!.equals(main.bytes.subarray(offset, offset + size)), path).toBe(true);
    }
    expect(hexz(["check", `${name}.hxz`], { cwd }).code).toBe(0);
  }
});

test("--format 1: settings overridden, a base, one file; refused where nothing can be kept", () => {
  const cwd = source();
  const build = (...args: string[]) => hexzJson(["build", ...args, "--format", "1"], { cwd });
  expect(build("dump", "fixed.hxz", "--chunking", "fixed", "--block-size", "8K").code).toBe(0);
  expect(inspect(cwd, "fixed.hxz")).toMatchObject({ version: 1, variable_blocks: false, block_size: 8192 });
  expect(hexz(["cat", "fixed.hxz", "dump"], { cwd }).bytes.equals(readFileSync(join(cwd, "dump")))).toBe(true);
  expect(build("tree", "base.hxz", "--profile", "eda").code).toBe(0);
  expect(build("tree", "thin.hxz", "--profile", "eda", "--base", "base.hxz").code).toBe(0);
  expect(inspect(cwd, "thin.hxz")).toMatchObject({ chunks: { unique: 0 }, parent_paths: ["base.hxz"] });
  const none = build("tree", "x.hxz", "--profile", "ml", "--compression", "none");
  expect([none.code, none.document.error.code]).toEqual([2, "usage"]);
  const stdout = hexz(["build", "tree", "-", "--format", "1"], { cwd });
  expect([stdout.code, stdout.bytes.length]).toEqual([2, 0]);
});

test("--memory stands beside the tree; the chunks of a base are the new ones' measure", () => {
  const cwd = source();
  expect(hexz(["build", "tree", "m.hxz", "--memory", "dump"], { cwd }).code).toBe(0);
  expect(inspect(cwd, "m.hxz")).toMatchObject({ streams: [{ name: "memory", size: 50_000 }], entries: { files: 20 } });
  expect(hexz(["build", "tree", "thin.hxz", "--profile", "archival", "--base", "m.hxz"], { cwd }).code).toBe(0);
  expect(inspect(cwd, "thin.hxz").chunks.unique).toBe(0);
});

test("standard input goes without the profile's dictionary; one file is a source, too", () => {
  const cwd = source();
  const input = readFileSync(join(cwd, "tree/f1"));
  expect(hexz(["build", "-", "stdin.hxz", "--profile", "eda"], { cwd, input }).code).toBe(0);
  expect(hexz(["cat", "stdin.hxz"], { cwd }).bytes.equals(input)).toBe(true);
  expect(hexz(["build", "dump", "dump.hxz", "--profile", "ml"], { cwd }).code).toBe(0);
});

test("wrong use: an unknown profile names them all", () => {
  const cwd = source();
  const unknown = hexzJson(["build", "tree", "x.hxz", "--profile", "chip"], { cwd });
  expect([unknown.code, unknown.document.error.code]).toEqual([2, "usage"]);
  for (const name of ["generic", "eda", "embedded", "ml", "archival"])
    expect(unknown.document.error.message).toContain(name);
  for (const args of [[], ["tree"]]) {
    expect(hexzJson(["build", ...args], { cwd }).document.error.code).toBe("usage");
  }
  expect(hexzJson(["build", "nowhere", "x.hxz"], { cwd })).toMatchObject({
    code: 3,
    document: { error: { code: "not_found" } },
  });
});
