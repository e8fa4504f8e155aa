// Repair: what can be saved is, what is saved is right, what is not is told of; and every archive that comes out is one
// that the reference decoder accepts.

import { describe, expect, test } from "vitest";
import { checkArchive, hexOf, openArchive, verifyArchive } from "../src/core/index.ts";
import { packBases, packPlan } from "./support/archives.ts";
import { fixedSigner } from "./support/fixed-signer.ts";
import { pagesOf } from "./support/fuzz.ts";
import { openQuickly, type Truth, truthOf } from "./support/outcomes.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { decodeReference } from "./support/reference.ts";
import { ascii } from "./support/reference-bytes.ts";
import { forge } from "./support/reference-forge.ts";
import { entry, file, text as sampleText, treePlan, twoStates } from "./support/reference-samples.ts";
import { expectHonest, repaired } from "./support/salvaged.ts";
import { samplePlans } from "./support/samples.ts";
import { signedBytes } from "./support/signers.ts";

process.stdout.write(`repair.test.ts: HEXZ_SEED=${SEED}\n`);
const plans = samplePlans();
const SMALL = { minChunk: 64, avgChunk: 256, maxChunk: 1024, blockSize: 4096 };
const NAMES = ["tree-lz4", "tree-none", "mixed-zstd", "duplicates", "container", "unordered", "signed", "thin", "deep"];
const key = fixedSigner(0).publicKey;

async function sample(name: string): Promise<{ bytes: Uint8Array; parents: Uint8Array[]; truth: Truth }> {
  const plan = plans[name] ?? {};
  const parents = await packBases(plan.bases);
  const bytes = name === "deep" ? forge({ ...treePlan, originalSize: 156, deep: true }).file : await packPlan(plan);
  return { bytes, parents, truth: await truthOf(bytes, parents) };
}

const filled = (bytes: Uint8Array, start: number, end: number, value = 0) => bytes.slice().fill(value, start, end);

describe("copied byte for byte", () => {
  test.each(NAMES)("%s, which is whole", async (name) => {
    const { bytes, parents } = await sample(name);
    const repair = await repaired(bytes, parents);
    expect(repair).toMatchObject({ verbatim: true, cutBytes: 0, losses: [] });
    expect(Buffer.compare(repair.bytes, bytes)).toBe(0);
  });

  test("an append that tore is cut off, wherever it tore", async () => {
    const { bytes } = await sample("signed");
    const signed = await signedBytes(bytes, fixedSigner(5));
    for (let length = bytes.length + 1; length < signed.length; length += 7) {
      const repair = await repaired(signed.subarray(0, length));
      const cutBytes = length - bytes.length;
      // The signatures page may be whole; then only its end mark is missing, and cutting it off is right as well.
      expect(repair).toMatchObject({ verbatim: true, losses: [], cutBytes });
      expect(Buffer.compare(repair.bytes, bytes)).toBe(0);
      expect((await verifyArchive(await openQuickly(repair.bytes), { keys: [key] })).ok).toBe(true);
    }
    // What the system makes of a file whose end was not written yet.
    for (const behind of [new Uint8Array(5000), new Uint8Array(96).fill(0xff), bytes.subarray(-96)]) {
      const repair = await repaired(new Uint8Array(Buffer.concat([bytes, behind])));
      expect(repair).toMatchObject({ verbatim: true, cutBytes: behind.length });
    }
  });

  test("an archive that has lost its end mark only keeps its id and its signatures", async () => {
    const { bytes } = await sample("signed");
    for (const damaged of [
      filled(bytes, bytes.length - 96, bytes.length),
      bytes.subarray(0, -1),
      bytes.subarray(0, -96),
    ]) {
      const repair = await repaired(damaged);
      expect(repair).toMatchObject({ verbatim: true, losses: [] });
      expect(Buffer.compare(repair.bytes, bytes)).toBe(0);
    }
    const unsigned = await repaired(bytes.subarray(0, -200));
    expect(unsigned.losses).toEqual([]);
    expect(hexOf(unsigned.id)).toBe((await openQuickly(bytes)).idText);
  });
});

describe("one page destroyed", () => {
  test.each(NAMES)("%s", async (name) => {
    const { bytes, parents, truth } = await sample(name);
    for (const { start, end, kind } of pagesOf(bytes)) {
      const what = `the page of kind ${kind} at ${start} of ${name}`;
      const repair = await repaired(filled(bytes, start, end), parents);
      expectHonest(repair, truth, what);
      // Leaves have a copy, inner pages are put together again, and signatures are not content.
      if (kind <= 4 || kind === 8) expect([what, repair.losses]).toEqual([what, []]);
      else expect(repair.losses[0]!.where).toBe(kind === 6 ? "metadata" : "root");
      // Without a root nobody knows the parents.
      if (name !== "thin") expect(repair.losses.length).toBe(kind <= 4 || kind === 8 ? 0 : 1);
      expect(repair.from.id === undefined).toBe(kind === 7);
      if (kind === 7 && name !== "thin") {
        // Contents are found by what pages say of themselves.
        for (const [path, content] of truth.contents) {
          if (path.startsWith("file:")) expect(Buffer.compare(repair.contents.get(path)!, content), what).toBe(0);
        }
      }
    }
  });

  test("both copies of a leaf of the index: its contents are lost, told by path and range, and nothing else", async () => {
    const random = randomFrom(SEED);
    const files = Array.from({ length: 100 }, (_, number) => ({
      entry: { path: `f${String(number).padStart(2, "0")}` as never, type: "file" as const },
      content: randomBytes(40_000, random),
    }));
    const bytes = await packPlan({ items: files, options: { ...SMALL, compression: "none" } });
    const truth = await truthOf(bytes);
    const leaves = pagesOf(bytes).filter(({ kind }) => kind === 1);
    expect(leaves.length).toBeGreaterThan(6);
    const body = (page: { start: number; end: number }) => Buffer.from(bytes.subarray(page.start + 24, page.end));
    const damaged = bytes.slice();
    for (const page of leaves) if (body(page).equals(body(leaves[1]!))) damaged.fill(0, page.start, page.end);
    const repair = await repaired(damaged);
    expectHonest(repair, truth, "a leaf lost");
    const gone = files.filter(({ entry }) => !repair.contents.has(`file:${entry.path}`));
    expect(gone.length).toBeGreaterThan(5);
    expect(gone.length).toBeLessThan(50);
    expect(new Set(repair.losses.map(({ path }) => path))).toEqual(new Set(gone.map(({ entry }) => entry.path)));
  });

  test("both copies of the leaves of the tree: contents get names by their addresses", async () => {
    const { bytes, truth } = await sample("tree-lz4");
    const damaged = bytes.slice();
    for (const { start, end, kind } of pagesOf(bytes)) if (kind === 3) damaged.fill(0, start, end);
    const repair = await repaired(damaged);
    expectHonest(repair, truth, "no tree");
    expect(repair.losses.map(({ where }) => where)).toEqual(["tree"]);
    expect(repair.nameless).toBeGreaterThan(0);
    const found = [...repair.contents.values()].reduce((sum, { length }) => sum + length, 0);
    expect(found).toBe(truth.addresses.length);
  });
});

describe("blocks", () => {
  test.each(NAMES)("any block of %s: exactly the files that have a chunk in it are left out", async (name) => {
    const { bytes, parents, truth } = await sample(name);
    const known = new Map(parents.map((parent) => [hexOf(parent.subarray(-48, -16)), parent]));
    const { chunks, entries, streams } = decodeReference(bytes, { parents: known });
    const own = chunks.filter(({ archive, blockOffset }) => archive === 0 && blockOffset !== undefined);
    const blocks = new Map(own.map(({ blockOffset, storedLength }) => [blockOffset!, storedLength!]));
    for (const [start, length] of blocks) {
      // Other bytes, all of them: whatever decodes is not what it was.
      const damaged = bytes.slice();
      for (let at = start; at < start + length; at++) damaged[at]! ^= 0x55;
      const hit = own.filter(({ blockOffset }) => blockOffset === start);
      const isHit = (from: number, size: number) =>
        hit.some((one) => one.start < from + size && from < one.start + one.length);
      const contents = [
        ...streams.map((one) => ({ name: `stream:${one.name}`, start: one.start, size: one.size })),
        ...entries
          .filter(({ type }) => type === "file")
          .map((one) => ({
            name: `file:${Buffer.from(one.pathBytes).toString("latin1")}`,
            start: one.start!,
            size: one.size!,
          })),
      ];
      const left = contents.filter(({ start, size }) => size === 0 || !isHit(start, size)).map((one) => one.name);
      const repair = await repaired(damaged, parents);
      expectHonest(repair, truth, `the block at ${start} of ${name}`);
      expect([...repair.contents.keys()].sort()).toEqual(left.sort());
      expect(repair.losses.length).toBeGreaterThan(0);
      expect(repair.from.proven).toBe(true);
    }
  });

  test("--keep-partial: zeros where bytes are lost, and nowhere else", async () => {
    const random = randomFrom(SEED);
    const content = new Uint8Array(Buffer.concat([text(50_000, random), new Uint8Array(9000), text(30_000, random)]));
    const bytes = await packPlan({ streams: [{ name: "disk", content }], options: SMALL });
    const { chunks } = decodeReference(bytes);
    const [from, to] = [chunks[40]!.blockOffset!, chunks[60]!.blockOffset!];
    expect(to).toBeGreaterThan(from);
    const damaged = filled(bytes, from, to);
    expect((await repaired(damaged)).contents.size).toBe(0);
    const repair = await repaired(damaged, [], { keepPartial: true });
    const expected = content.slice();
    for (const { start, end, path, kept } of repair.losses) {
      expect([path, kept]).toEqual(["disk", true]);
      expected.fill(0, start, end);
    }
    const lost = repair.losses.reduce((sum, { start, end }) => sum + end! - start!, 0);
    expect(lost, `seed ${SEED}`).toBeGreaterThan(1000);
    expect(lost).toBeLessThan(20_000);
    expect(Buffer.compare(repair.contents.get("stream:disk")!, expected)).toBe(0);
  });

  test("what another archive has is not lost", async () => {
    const { bytes, truth } = await sample("tree-none");
    const whole = await openArchive(bytes);
    const base = { id: whole.id, hint: "whole.hxz", name: "whole", root: whole.root, leaves: () => whole.leaves() };
    const damaged = filled(bytes, 16, 1500, 0xee);
    const alone = await repaired(damaged);
    expect(alone.losses.length).toBeGreaterThan(0);
    const repair = await repaired(damaged, [bytes], { bases: [base] });
    expect(repair.losses).toEqual([]);
    expect([...repair.contents.keys()]).toEqual([...truth.contents.keys()]);
    expectHonest(repair, truth, "with a base");
  });

  test("parents that are not there are no loss; they are referred to as before", async () => {
    const random = randomFrom(SEED);
    const content = randomBytes(50_000, random);
    const file = (path: string, content: Uint8Array) => ({
      entry: { path: path as never, type: "file" as const },
      content,
    });
    const bases = [await packPlan({ items: [file("old", content)], options: SMALL })];
    const items = [file("moved", content), file("new", randomBytes(3000, random)), file("newer", text(9000, random))];
    const bytes = await packPlan({ items, options: { ...SMALL, compression: "none" }, bases });
    const damaged = filled(bytes, 20, 40, 0xaa);
    const { salvageArchive } = await import("../src/core/salvage/salvage.ts");
    const { createMemorySink, createMemorySource } = await import("../src/core/index.ts");
    const { createMemoryScratch } = await import("../src/core/write/scratch.ts");
    const { machinery } = await import("./support/outcomes.ts");
    const sink = createMemorySink();
    const result = await salvageArchive(createMemorySource(damaged), machinery, async () => sink, createMemoryScratch);
    const kept = await openQuickly(sink.bytes(), bases);
    expect(result.parents).toEqual((await openQuickly(bytes)).root.parents);
    expect(result.losses.map(({ path }) => path)).toEqual(["new"]);
    const moved = await (await kept.file("moved")).read();
    expect(Buffer.compare(moved, content)).toBe(0);
    expect((await kept.file("newer")).size).toBe(9000);
  });
});

test("a hard link whose file's page is lost becomes the file, and others link to it", async () => {
  const random = randomFrom(SEED);
  const path = (number: number) => `${"long/".repeat(40)}${String(number).padStart(5, "0")}` as never;
  const items = [
    { entry: { path: "a" as never, type: "file" as const }, content: text(3000, random) },
    ...Array.from({ length: 12_000 }, (_, number) => ({ entry: { path: path(number), type: "fifo" as const } })),
    ...["x", "y", "z"].map((name) => ({
      entry: { path: `${path(99_999)}${name}` as never, type: "file" as const, hardLink: "a" as never },
    })),
  ];
  const bytes = await packPlan({ items, options: SMALL });
  const truth = await truthOf(bytes);
  const pages = pagesOf(bytes).filter(({ kind }) => kind === 3);
  expect(pages.length).toBeGreaterThan(3);
  const damaged = bytes.slice();
  for (const { start, end } of [pages[0]!, pages[pages.length / 2]!]) damaged.fill(0, start, end);
  const repair = await repaired(damaged);
  expect(repair.losses.map(({ where }) => where)).toEqual(["tree"]);
  const links = repair.entries.filter(({ type }) => type === "file").map(({ hardLink }) => hardLink);
  expect(links).toEqual([undefined, `${path(99_999)}x`, `${path(99_999)}x`]);
  expectHonest(repair, truth, "links");
});

test("a hard link to a file of other bytes becomes a file, and the next one a link to it", async () => {
  // What follows the chunk of "a" in its block.
  const behind = sampleText.length - 60;
  const links = ["c", "e"].map((name) => entry("d", name, file(60, behind, [10, ascii("a")])));
  const others = treePlan.entries!.slice(0, 6);
  const { file: bytes } = forge({ ...treePlan, entries: [...others, ...links], originalSize: 156 });
  const [root] = pagesOf(bytes).filter(({ kind }) => kind === 7);
  const repair = await repaired(filled(bytes, root!.start, root!.end));
  const kept = repair.entries.map(({ path, hardLink, start, size }) => ({ path, hardLink, start, size }));
  expect(kept.slice(-2)).toEqual([
    { path: "d/c", hardLink: undefined, start: 60, size: behind },
    { path: "d/e", hardLink: "d/c", start: 60, size: behind },
  ]);
  const { problems } = await checkArchive(await openQuickly(repair.bytes, []));
  expect(problems).toEqual([]);
});

test("an archive of two states: the last one, or the one before it with the loss told", async () => {
  const bytes = twoStates();
  const truth = await truthOf(bytes);
  const [first, second] = pagesOf(bytes).filter(({ kind }) => kind === 7);
  const last = await repaired(filled(bytes, first!.start, first!.end));
  expect(last.losses).toEqual([]);
  expectHonest(last, truth, "the first root lost");
  expect(last.contents.has("file:d/new")).toBe(true);
  const before = await repaired(filled(bytes, second!.start, second!.end));
  expect(before.losses.map(({ where, message }) => [where, message])).toEqual([
    ["root", "the last state is lost with its root; this is state 1"],
  ]);
  expectHonest(before, truth, "the second root lost");
  expect(before.contents.has("file:d/new")).toBe(false);
  // Broken off within the second state: the first one ends before it.
  const cut = await repaired(bytes.subarray(0, second!.start));
  expect(cut).toMatchObject({ verbatim: true, losses: [] });
  expect(cut.cutBytes).toBeGreaterThan(0);
});

test("what is no archive, and what nothing is left of, gives an error and no output", async () => {
  const { bytes } = await sample("tree-lz4");
  const random = randomFrom(SEED);
  for (const [damaged, code] of [
    [new Uint8Array(0), "not_an_archive"],
    [randomBytes(100_000, random), "not_an_archive"],
    [bytes.subarray(0, 16), "truncated"],
    [filled(bytes, 16, bytes.length), "truncated"],
    [Uint8Array.from([0x48, 0x45, 0x58, 0x5a, 1, 0, 0, 0, ...new Uint8Array(600)]), "version_unknown"],
  ] as const) {
    await expect(repaired(damaged)).rejects.toMatchObject({ code });
  }
});

test("signers can be required of what is saved", async () => {
  const { bytes } = await sample("signed");
  const damaged = filled(bytes, 16, 80, 0xee);
  const repair = await repaired(damaged, [], { requireSignedBy: [key] });
  expect(repair.from.signatures.filter(({ valid }) => valid)).toHaveLength(2);
  const other = fixedSigner(7).publicKey;
  await expect(repaired(damaged, [], { requireSignedBy: [other] })).rejects.toMatchObject({ code: "untrusted" });
  const root = pagesOf(bytes).find(({ kind }) => kind === 7)!;
  const rootless = repaired(filled(bytes, root.start, root.end), [], { requireSignedBy: [key] });
  await expect(rootless).rejects.toMatchObject({ code: "untrusted" });
  // The new archive is another one, and signed by whoever says so.
  const signed = await repaired(damaged, [], { signers: [fixedSigner(7)] });
  expect((await verifyArchive(await openQuickly(signed.bytes), { keys: [other] })).ok).toBe(true);
});
