// hexz repair as a process: exit codes, documents, outputs; and random sectors of an archive that is not small.
// HEXZ_REPAIR_BYTES=500000000 makes it the size of a real one.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { IndexLeaf } from "../src/core/format/index-page.ts";
import { PAGE_KIND } from "../src/core/format/page.ts";
import { openArchiveFile } from "../src/node/archive.ts";
import { expectBytes } from "./support/archives.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { pagesOf } from "./support/fuzz.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { run, temporaryDirectory } from "./support/trees.ts";

const BYTES = Number(process.env.HEXZ_REPAIR_BYTES ?? 24_000_000);
const SECTOR = 4096;
process.stdout.write(`cli-repair.test.ts: HEXZ_SEED=${SEED}\n`);

const read = (cwd: string, name: string) => readFileSync(join(cwd, name));

/** A tree of files of many sizes, and its archive. */
function packedTree(cwd: string, bytes: number): Map<string, Buffer> {
  const random = randomFrom(SEED);
  const files = new Map<string, Buffer>();
  const noise = randomBytes(1_000_000, random);
  const words = text(1_000_000, random);
  let total = 0;
  for (let number = 0; total < bytes; number++) {
    const size = random(10) === 0 ? random(2_000_000) : random(60_000);
    const content = Buffer.alloc(size);
    const from = number % 2 === 0 ? noise : words;
    for (let at = 0; at < size; at += from.length) content.set(from.subarray(0, size - at), at);
    // No two files have a chunk in common.
    for (let at = 0; at < size; at += 512)
      content.writeUInt32LE((number * 4096 + at / 512) >>> 0, Math.min(at, size - 4 < 0 ? 0 : size - 4));
    const directory = `d${number % 7}`;
    mkdirSync(join(cwd, "tree", directory), { recursive: true });
    writeFileSync(join(cwd, "tree", directory, `f${number}`), content);
    files.set(`${directory}/f${number}`, content);
    total += size;
  }
  expect(hexz(["pack", "tree", "whole.hxz"], { cwd }).code).toBe(0);
  return files;
}

interface Bytes {
  readonly start: number;
  readonly end: number;
}

/** What a file needs of an archive: all of its blocks, and one copy of each index page that tells of them. */
interface Needs {
  readonly blocks: Bytes[];
  readonly pages: Bytes[][];
}

async function needsOfFiles(path: string, bytes: Uint8Array): Promise<Map<string, Needs>> {
  const archive = await openArchiveFile(path);
  const leafPages = pagesOf(bytes).filter(({ kind }) => kind === PAGE_KIND.indexLeaf);
  const leaves: IndexLeaf[] = [];
  for await (const leaf of archive.leaves()) leaves.push(leaf);
  // Once among the blocks, once together behind them.
  expect(leafPages.length).toBe(leaves.length * 2);
  const chunks = leaves.flatMap(({ starts, fills, blocks, blockNumbers }, number) =>
    Array.from(fills, (fill, chunk) => ({
      start: starts[chunk]!,
      end: starts[chunk + 1]!,
      block: fill < 0 ? blocks[blockNumbers[chunk]!] : undefined,
      page: [leafPages[number]!, leafPages[leaves.length + number]!],
    })),
  );
  const needs = new Map<string, Needs>();
  for await (const { type, path: name, start = 0, size = 0 } of archive.entries()) {
    if (type !== "file") continue;
    const own = chunks.filter((chunk) => chunk.start < start + size && chunk.end > start);
    const blocks = own.flatMap(({ block }) => (block === undefined ? [] : [block]));
    needs.set(name, {
      blocks: blocks.map(({ offset, storedLength }) => ({ start: offset, end: offset + storedLength })),
      pages: own.map(({ page }) => page),
    });
  }
  await archive.close();
  return needs;
}

const hit = (one: Bytes, hits: readonly Bytes[]) => hits.some(({ start, end }) => start < one.end && end > one.start);

/** Paths of the files that have what they need. */
const savable = (files: Map<string, Needs>, hits: readonly Bytes[]): string[] =>
  [...files]
    .filter(([, { blocks }]) => !blocks.some((block) => hit(block, hits)))
    .filter(([, { pages }]) => pages.every((copies) => copies.some((copy) => !hit(copy, hits))))
    .map(([path]) => path);

/** The files of an archive are right; those that are not there are listed. Returns the paths of those that are there. */
function expectFiles(
  cwd: string,
  archive: string,
  files: Map<string, Buffer>,
  lost: readonly { path: string | null }[],
): string[] {
  expect(hexz(["check", archive], { cwd }).code).toBe(0);
  expect(hexz(["extract", archive, "out", "--force"], { cwd }).code).toBe(0);
  const told = new Set(lost.map(({ path }) => path));
  const there: string[] = [];
  for (const [path, content] of files) {
    if (!existsSync(join(cwd, "out", path))) {
      expect(told.has(path), `${path} is gone`).toBe(true);
      continue;
    }
    there.push(path);
    expectBytes(read(cwd, join("out", path)), content, path);
  }
  run("rm", ["-rf", join(cwd, "out")]);
  return there;
}

test("100 random sectors destroyed, the last tenth lost, the first tenth lost", { timeout: 1_000_000 }, async () => {
  const cwd = temporaryDirectory();
  const random = randomFrom(SEED);
  const files = packedTree(cwd, BYTES);
  const whole = read(cwd, "whole.hxz");
  const needs = await needsOfFiles(join(cwd, "whole.hxz"), whole);
  const names = pagesOf(whole).filter(({ kind }) => kind !== PAGE_KIND.indexLeaf);
  const hits: Bytes[] = [];
  const sectors = Buffer.from(whole);
  // What a sector of the names or the root costs is in repair.test.ts.
  while (hits.length < Math.max(10, Math.min(100, BYTES / 5_000_000))) {
    const start = random(Math.floor(whole.length / SECTOR)) * SECTOR;
    const sector = { start, end: start + SECTOR };
    if (hit(sector, names)) continue;
    sectors.set(randomBytes(SECTOR, random), start);
    hits.push(sector);
  }
  writeFileSync(join(cwd, "damaged.hxz"), sectors);
  const { code, document } = hexzJson(["repair", "damaged.hxz", "saved.hxz"], { cwd });
  expect([code, document.complete], `seed ${SEED}`).toEqual([1, false]);
  const saved = new Set(expectFiles(cwd, "saved.hxz", files, document.lost));
  expect(
    savable(needs, hits).filter((path) => !saved.has(path)),
    `seed ${SEED}`,
  ).toEqual([]);
  expect(saved.size, `seed ${SEED}`).toBeLessThan(files.size);

  const tenth = Math.floor(whole.length / 10);
  writeFileSync(join(cwd, "damaged.hxz"), Buffer.concat([Buffer.alloc(tenth), whole.subarray(tenth)]));
  const front = hexzJson(["repair", "damaged.hxz", "saved.hxz", "--force"], { cwd });
  expect([front.code, front.document.source.proven]).toEqual([1, true]);
  const behind = new Set(expectFiles(cwd, "saved.hxz", files, front.document.lost));
  expect(savable(needs, [{ start: 0, end: tenth }]).filter((path) => !behind.has(path))).toEqual([]);

  writeFileSync(join(cwd, "damaged.hxz"), whole.subarray(0, whole.length - tenth));
  expect(hexz(["cat", "damaged.hxz", "d0/f0"], { cwd })).toMatchObject({ code: 1, stdout: "" });
  const back = hexzJson(["repair", "damaged.hxz", "saved.hxz", "--force"], { cwd });
  expect([back.code, back.document.source.archive_id, back.document.lost[0].where]).toEqual([1, null, "root"]);
  // What has lost its name is in lost+found.
  expectFiles(
    cwd,
    "saved.hxz",
    files,
    [...files.keys()].map((path) => ({ path })),
  );
  const content = savable(needs, [{ start: whole.length - tenth, end: whole.length }]);
  const { document: shown } = hexzJson(["inspect", "saved.hxz"], { cwd });
  expect(shown.original_size, `seed ${SEED}`).toBeGreaterThanOrEqual(
    content.reduce((sum, path) => sum + files.get(path)!.length, 0),
  );
});

test("exit code 0 and the same bytes where nothing is lost, with a note of what was cut off", () => {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "file"), text(300_000, randomFrom(SEED)));
  expect(hexz(["pack", "file", "a.hxz"], { cwd }).code).toBe(0);
  expect(hexz(["keygen"], { cwd }).code).toBe(0);
  const before = read(cwd, "a.hxz");
  expect(hexz(["sign", "private.key", "a.hxz"], { cwd }).code).toBe(0);
  const signed = read(cwd, "a.hxz");
  // The append of `sign`, torn.
  writeFileSync(join(cwd, "torn.hxz"), signed.subarray(0, signed.length - 50));
  const torn = hexz(["inspect", "torn.hxz"], { cwd });
  expect([torn.code, torn.stderr]).toEqual([1, expect.stringContaining("has lost its end")]);
  expect(torn.stderr).toContain("hexz: hint: hexz repair");
  const { code, stdout, stderr } = hexz(["repair", "torn.hxz", "saved.hxz"], { cwd });
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain(`${signed.length - 50 - before.length} bytes behind the archive's end were left out`);
  expectBytes(read(cwd, "saved.hxz"), before, "saved.hxz");
  const again = hexzJson(["repair", "a.hxz", "again.hxz", "--sign", "private.key"], { cwd });
  expect(again).toMatchObject({ code: 0, document: { verbatim: true, complete: true, cut_bytes: 0, lost: [] } });
  expect(hexz(["verify", "public.key", "again.hxz"], { cwd }).code).toBe(0);
  expect(hexz(["repair", "a.hxz", "-"], { cwd }).bytes.equals(signed)).toBe(true);
});

test("a partly lost image is left out, or kept with zeros; the input is never touched", () => {
  const cwd = temporaryDirectory();
  const image = text(2_000_000, randomFrom(SEED));
  writeFileSync(join(cwd, "image"), image);
  expect(hexz(["pack", "a.hxz", "--disk", "image"], { cwd }).code).toBe(0);
  const damaged = read(cwd, "a.hxz");
  damaged.fill(0, 100_000, 104_096);
  writeFileSync(join(cwd, "a.hxz"), damaged);
  const refused = hexzJson(["repair", "a.hxz", "saved.hxz"], { cwd });
  expect([refused.code, refused.document.lost[0]]).toEqual([1, expect.objectContaining({ path: "disk", kept: false })]);
  expect(hexzJson(["inspect", "saved.hxz"], { cwd }).document).toMatchObject({ original_size: 0, streams: [] });
  const { code, stderr } = hexz(["repair", "a.hxz", "saved.hxz", "--keep-partial", "--force"], { cwd });
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^hexz: lost: bytes \d+ to \d+ of "disk" are lost/)]);
  const { document } = hexzJson(["repair", "a.hxz", "saved.hxz", "--keep-partial", "--force"], { cwd });
  const expected = Buffer.from(image);
  for (const { path, start, end, kept } of document.lost) {
    expect([path, kept]).toEqual(["disk", true]);
    expected.fill(0, start, end);
  }
  expect(hexz(["extract", "saved.hxz", "out"], { cwd }).code).toBe(0);
  expectBytes(read(cwd, "out"), expected, "the image");
  expectBytes(read(cwd, "a.hxz"), damaged, "the input");
  // Another archive that has what is lost.
  expect(hexz(["pack", "image", "other.hxz"], { cwd }).code).toBe(0);
  expect(hexz(["repair", "a.hxz", "healed.hxz", "--base", "other.hxz"], { cwd }).code).toBe(0);
  expect(hexz(["extract", "healed.hxz", "healed"], { cwd }).code).toBe(0);
  expectBytes(read(cwd, "healed"), image, "the healed image");
});

test("no archive, an output that exists, an output that is the input: nothing is written", () => {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "noise"), randomBytes(10_000, randomFrom(SEED)));
  expect(hexz(["pack", "noise", "a.hxz"], { cwd }).code).toBe(0);
  const before = read(cwd, "a.hxz");
  for (const [args, code, error] of [
    [["noise", "out.hxz"], 1, "not_an_archive"],
    [["a.hxz", "noise"], 2, "output_exists"],
    [["a.hxz", "a.hxz", "--force"], 2, "output_is_input"],
    [["a.hxz", "out.hxz", "--base", "auto:."], 2, "usage"],
    [["missing", "out.hxz"], 3, "not_found"],
  ] as const) {
    const ran = hexzJson(["repair", ...args], { cwd });
    expect([args, ran.code, ran.document.error.code]).toEqual([args, code, error]);
    expect(existsSync(join(cwd, "out.hxz"))).toBe(false);
  }
  expectBytes(read(cwd, "a.hxz"), before, "a.hxz");
});

test("an encrypted archive: what stands in other segments is saved, for whoever could read it before", () => {
  const cwd = temporaryDirectory();
  const files = packedTree(cwd, 2_000_000);
  run("age-keygen", ["-o", join(cwd, "identity")]);
  const [, recipient] = /public key: (age1\w+)/.exec(read(cwd, "identity").toString())!;
  expect(hexz(["pack", "tree", "a.hxz", "--recipient", recipient!], { cwd }).code).toBe(0);
  const identity = ["--identity", "identity"];
  const before = hexzJson(["inspect", "a.hxz", ...identity], { cwd }).document;
  const damaged = read(cwd, "a.hxz");
  damaged[300_000]! ^= 1;
  writeFileSync(join(cwd, "damaged.hxz"), damaged);
  const { code, document } = hexzJson(["repair", "damaged.hxz", "saved.hxz", ...identity], { cwd });
  expect([code, document.source]).toEqual([1, { archive_id: before.archive_id, proven: true, signatures: [] }]);
  const saved = hexzJson(["inspect", "saved.hxz", ...identity], { cwd }).document;
  expect([saved.encrypted, saved.compressed_size]).toEqual([true, read(cwd, "saved.hxz").length]);
  expect(hexz(["check", "saved.hxz", ...identity], { cwd }).code).toBe(0);
  expect(hexz(["extract", "saved.hxz", "out", ...identity], { cwd }).code).toBe(0);
  const told = new Set(document.lost.map(({ path }: { path: string }) => path));
  expect(told.size).toBeLessThan(files.size / 2);
  for (const [path, content] of files) {
    if (!told.has(path)) expectBytes(read(cwd, join("out", path)), content, path);
    else expect(existsSync(join(cwd, "out", path))).toBe(false);
  }
  // Without its key nothing can be told, and nothing is written.
  const locked = hexzJson(["repair", "damaged.hxz", "no.hxz"], { cwd });
  expect([locked.code, locked.document.error.code, existsSync(join(cwd, "no.hxz"))]).toEqual([
    2,
    "password_missing",
    false,
  ]);
  // An append that tore.
  hexz(["keygen"], { cwd });
  expect(hexz(["sign", "private.key", "a.hxz", ...identity], { cwd }).code).toBe(0);
  const signed = read(cwd, "a.hxz");
  writeFileSync(join(cwd, "torn.hxz"), signed.subarray(0, signed.length - 1000));
  const torn = hexzJson(["repair", "torn.hxz", "cut.hxz", ...identity], { cwd });
  expect([torn.code, torn.document.verbatim, torn.document.archive_id]).toEqual([0, true, before.archive_id]);
  expect(torn.document.cut_bytes).toBe(signed.length - 1000 - damaged.length);
});
