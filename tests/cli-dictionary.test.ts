// `--dictionary` as a user has it: trained, stored, used; and what is refused.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectAgreement } from "./support/archives.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { randomFrom, SEED, text } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

/** Records that are alike, as in exported data: 3 MB in 150 files. */
function tree(): string {
  const cwd = temporaryDirectory();
  mkdirSync(join(cwd, "tree"));
  const random = randomFrom(SEED);
  const words = text(20_000, random);
  for (let number = 0; number < 150; number++) {
    let lines = "";
    for (let line = 0; lines.length < 20_000; line++) {
      const at = random(19_000);
      lines += `{"id": ${number}${line}, "name": "${Buffer.from(words.subarray(at, at + 30))}", "price": ${random(10_000)}}\n`;
    }
    writeFileSync(join(cwd, "tree", `f${1000 + number}.json`), lines);
  }
  return cwd;
}

const ZSTD = ["--compression", "zstd", "--block-size", "4K"];
const inspect = (cwd: string, name: string) => hexzJson(["inspect", name], { cwd }).document;

test("--dictionary makes small blocks smaller; --train-dict is the same; the bytes are the same every time", async () => {
  const cwd = tree();
  const { code, document } = hexzJson(["pack", "tree", "d.hxz", ...ZSTD, "--dictionary"], { cwd });
  expect(code).toBe(0);
  expect(document.dictionary_bytes).toBeGreaterThan(4000);
  const plain = hexzJson(["pack", "tree", "p.hxz", ...ZSTD], { cwd }).document;
  expect(document.compressed_size, `seed ${SEED}`).toBeLessThan(plain.compressed_size * 0.95);
  expect(document.blocks.by_codec["zstd-dictionary"].count).toBe(document.blocks.count);
  expect(hexz(["pack", "tree", "again.hxz", ...ZSTD, "--train-dict", "--workers", "1"], { cwd }).code).toBe(0);
  expect(readFileSync(join(cwd, "again.hxz")).equals(readFileSync(join(cwd, "d.hxz")))).toBe(true);
  expect(inspect(cwd, "d.hxz")).toMatchObject({ compression: "zstd", level: 3, has_dictionary: true });
  expect(inspect(cwd, "p.hxz").has_dictionary).toBe(false);
  expect(hexz(["inspect", "d.hxz"], { cwd }).stdout).toContain("zstd level 3 with a dictionary");
  await expectAgreement(new Uint8Array(readFileSync(join(cwd, "d.hxz"))));
  for (const engine of ["native", "wasm"]) {
    expect(hexz(["check", "d.hxz", "--engine", engine], { cwd }).code).toBe(0);
    const { bytes } = hexz(["cat", "d.hxz", "f1149.json", "--engine", engine], { cwd });
    expect(bytes.equals(readFileSync(join(cwd, "tree/f1149.json")))).toBe(true);
  }
  expect(hexz(["extract", "d.hxz", "out"], { cwd }).code).toBe(0);
  expect(hexz(["diff", "d.hxz", "p.hxz", "--exit-code"], { cwd }).code).toBe(0);
});

test("children, flatten and rebase keep the dictionaries of the blocks that they take over", async () => {
  const cwd = tree();
  const at = (name: string) => join(cwd, name);
  const read = (name: string) => new Uint8Array(readFileSync(at(name)));
  expect(hexz(["pack", "tree", "base.hxz", ...ZSTD, "--dictionary"], { cwd }).code).toBe(0);
  writeFileSync(at("tree/f1000.json"), text(50_000, randomFrom(SEED + 1)));
  expect(hexz(["pack", "tree", "child.hxz", ...ZSTD, "--dictionary", "--base", "base.hxz"], { cwd }).code).toBe(0);
  await expectAgreement(read("child.hxz"), [read("base.hxz")]);
  const flat = hexzJson(["flatten", "child.hxz", "flat.hxz"], { cwd });
  expect(flat.code).toBe(0);
  await expectAgreement(read("flat.hxz"));
  expect(inspect(cwd, "flat.hxz")).toMatchObject({ has_dictionary: true, parents: [] });
  expect(flat.document.copied_blocks.count).toBeGreaterThan(flat.document.blocks.count * 0.9);
  expect(flat.document.blocks.by_codec["zstd-dictionary"].count).toBeGreaterThan(500);
  expect(hexz(["rebase", "flat.hxz", "base.hxz", "thin.hxz"], { cwd })).toMatchObject({ code: 0, stderr: "" });
  await expectAgreement(read("thin.hxz"), [read("base.hxz")]);
  expect(hexz(["diff", "thin.hxz", "child.hxz", "--exit-code"], { cwd }).code).toBe(0);
});

test("refused: other codecs, standard input; too small an input gets none, with a warning", () => {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "small"), "nothing to learn from");
  for (const [args, code] of [
    [["small", "x.hxz", "--dictionary"], "usage"],
    [["-", "x.hxz", "--dictionary", "--compression", "zstd"], "usage"],
  ] as const) {
    const refused = hexzJson(["pack", ...args], { cwd, input: "x" });
    expect([args, refused.code, refused.document.error.code]).toEqual([args, 2, code]);
  }
  const { code, document } = hexzJson(["pack", "small", "x.hxz", "--dictionary", "--compression", "zstd"], { cwd });
  expect([code, document.dictionary_bytes, document.warnings.length]).toEqual([0, undefined, 1]);
});
