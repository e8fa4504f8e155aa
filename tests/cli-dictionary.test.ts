// `--dictionary` as a user has it: trained, stored, used; and what is refused.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectAgreement } from "./support/archives.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { randomFrom, SEED, text } from "./support/random.ts";
import { decodeReferenceFormat1 } from "./support/reference-format1.ts";
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
  // Blocks of a few bytes, the rests of cutting, do not get smaller and are stored as they are.
  const { "zstd-dictionary": coded, none: stored, ...others } = document.blocks.by_codec;
  expect(others).toEqual({});
  expect(coded.count + (stored?.count ?? 0)).toBe(document.blocks.count);
  expect(coded.count, `seed ${SEED}`).toBeGreaterThan(0.98 * document.blocks.count);
  if (stored !== undefined) expect(stored.plain_bytes / stored.count, `seed ${SEED}`).toBeLessThan(100);
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

test("--format 1 --dictionary: stands behind the header, codes every block, and is left out where it would leak", () => {
  const cwd = tree();
  const pack = (name: string, ...more: string[]) =>
    hexzJson(["pack", "tree", name, "--format", "1", "--compression", "zstd", ...more], { cwd });
  const small = ["--min-chunk", "1K", "--avg-chunk", "4K", "--max-chunk", "16K"];
  const { code, document } = pack("d.hxz", "--dictionary", ...small);
  expect([code, document.warnings]).toEqual([0, []]);
  const plain = pack("p.hxz", ...small).document;
  expect(document.compressed_size, `seed ${SEED}`).toBeLessThan(plain.compressed_size * 0.95);
  expect(inspect(cwd, "d.hxz")).toMatchObject({ version: 1, compression: "zstd", has_dictionary: true });
  const bytes = new Uint8Array(readFileSync(join(cwd, "d.hxz")));
  const { main, metadata, dictionaryLength } = decodeReferenceFormat1(bytes);
  expect(dictionaryLength).toBe(document.dictionary_bytes);
  // The dictionary id of a trained dictionary, and of a frame that was coded with it.
  const view = new DataView(bytes.buffer);
  expect(view.getUint32(4096, true)).toBe(0xec30_a437);
  const id = view.getUint32(4100, true);
  const first = 4096 + dictionaryLength!;
  expect([view.getUint32(first, true), view.getUint8(first + 4) & 3]).toEqual([0xfd2f_b528, 3]);
  expect(view.getUint32(first + 5 + ((view.getUint8(first + 4) >> 5) & 1 ? 0 : 1), true)).toBe(id);
  for (const { path, offset, size } of metadata.files) {
    expect(readFileSync(join(cwd, "tree", path)).equals(main.bytes.subarray(offset, offset + size)), path).toBe(true);
  }
  expect(hexz(["extract", "d.hxz", "out"], { cwd }).code).toBe(0);
  expect(readFileSync(join(cwd, "out/f1149.json")).equals(readFileSync(join(cwd, "tree/f1149.json")))).toBe(true);
  const env = { ...process.env, HEXZ_PASSWORD: "x" };
  const leak = hexzJson(
    ["pack", "tree", "e.hxz", "--format", "1", "--compression", "zstd", "--dictionary", "--encrypt"],
    { cwd, env },
  );
  expect([leak.code, leak.document.error.code]).toEqual([2, "usage"]);
  const lz4 = hexzJson(["pack", "tree", "l.hxz", "--format", "1", "--dictionary"], { cwd });
  expect([lz4.code, lz4.document.error.code]).toEqual([2, "usage"]);
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
