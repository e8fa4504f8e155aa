// Damage as a matrix: every place of small archives × every kind of damage × every operation. Each cell is a named
// error or exactly the right bytes, and the check tells of every one.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { extractTree, openArchiveFile } from "../src/node/index.ts";
import { expectBytes, idOf, packBases, packPlan } from "./support/archives.ts";
import { isReported, isWhole, type Outcome, outcomeOf, type Truth, truthOf, WrongOutcome } from "./support/outcomes.ts";
import { randomFrom } from "./support/random.ts";
import { decodeReference } from "./support/reference.ts";
import { forge } from "./support/reference-forge.ts";
import { treePlan } from "./support/reference-samples.ts";
import { samplePlans } from "./support/samples.ts";
import { temporaryDirectory } from "./support/trees.ts";

interface Sample {
  bytes: Uint8Array;
  truth: Truth;
  /** Coded blocks: there, and only there, other bytes may mean the same. */
  coded: { start: number; end: number }[];
  blocks: { start: number; end: number }[];
  pages: { start: number; end: number }[];
}

const samples = new Map<string, Sample>();
const WHOLE = [
  "empty-file",
  "tree-lz4",
  "tree-none",
  "mixed-lz4",
  "mixed-zstd",
  "mixed-none",
  "fixed",
  "dictionary",
  "signed",
  "tar",
];
const THIN = ["thin", "thin-grandchild", "thin-dictionary"];
const NAMES = [...WHOLE, ...THIN];

beforeAll(async () => {
  const plans = samplePlans();
  for (const name of NAMES) {
    const plan = plans[name]!;
    samples.set(name, await sampleOf(await packPlan(plan), await packBases(plan.bases)));
  }
  // Inner pages above both trees.
  samples.set("deep", await sampleOf(forge({ ...treePlan, originalSize: 156, deep: true }).file));
});

async function sampleOf(bytes: Uint8Array, parents: readonly Uint8Array[] = []): Promise<Sample> {
  const known = new Map(parents.map((parent) => [idOf(parent), parent]));
  const places = new Map(
    decodeReference(bytes, { parents: known }).chunks.flatMap(({ archive, blockOffset: start, storedLength, codec }) =>
      start === undefined || archive > 0 ? [] : [[start, { start, end: start + storedLength!, codec }] as const],
    ),
  );
  const blocks = [...places.values()].sort((a, b) => a.start - b.start);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const pages: Sample["pages"] = [];
  for (let at = 16; at + 24 < bytes.length; at++) {
    const isPage = view.getUint32(at) === 0x4858_5047 && view.getBigUint64(at + 8, true) === BigInt(at);
    if (isPage) pages.push({ start: at, end: at + 24 + view.getUint32(at + 4, true) });
  }
  return {
    bytes,
    truth: await truthOf(bytes, parents),
    coded: blocks.filter(({ codec }) => codec !== 0),
    blocks,
    pages,
  };
}

/** One cell of the matrix. `at`: what was changed, to tell of. */
async function cell(sample: Sample, damaged: Uint8Array, at: string): Promise<Outcome> {
  try {
    return await outcomeOf(damaged, sample.truth);
  } catch (error) {
    throw new WrongOutcome(`${at}: ${(error as Error).message}`, { cause: error });
  }
}

function expectReported(sample: Sample, outcome: Outcome, start: number, end: number): void {
  if (isReported(outcome)) return;
  // The bytes of a coded block are proven by what they decode to: others that decode to the same are as good.
  const inCoded = sample.coded.some((block) => block.start <= start && end <= block.end);
  expect(inCoded && isWhole(outcome), `the change of bytes ${start} to ${end} is not told of`).toBe(true);
}

test.each([...NAMES, "deep"])("an undamaged archive: %s", async (name) => {
  const sample = samples.get(name)!;
  const outcome = await outcomeOf(sample.bytes, sample.truth);
  expect(outcome.check).toEqual({ ok: true, checkedBytes: sample.truth.addresses.length, problems: [] });
  expect(isWhole(outcome)).toBe(true);
});

describe("every byte changed", () => {
  test.each([...NAMES, "deep"])("%s", async (name) => {
    const sample = samples.get(name)!;
    const masks = [0x01, 0x80, 0xff];
    for (let at = 0; at < sample.bytes.length; at++) {
      // Large archives: two of three masks at every place would take long and say the same.
      for (const mask of sample.bytes.length > 8000 ? [masks[at % 3]!] : masks.slice(0, 2)) {
        const damaged = sample.bytes.slice();
        damaged[at]! ^= mask;
        const outcome = await cell(sample, damaged, `byte ${at} of ${name}, mask ${mask}`);
        expectReported(sample, outcome, at, at + 1);
      }
    }
  });
});

describe("every byte of a parent changed: right bytes or an error, and never another parent's", () => {
  test.each(THIN)("%s", async (name) => {
    const sample = samples.get(name)!;
    const { parents } = sample.truth;
    for (const [number, parent] of parents.entries()) {
      for (let at = 0; at < parent.length; at++) {
        const damaged = parent.slice();
        damaged[at]! ^= 1 << (at % 8);
        const truth = { ...sample.truth, parents: parents.with(number, damaged) };
        const outcome = await outcomeOf(sample.bytes, truth);
        expect([outcome.open, outcome.entries]).toEqual(["right", "right"]);
        // A parent's index is not read, and what it stores for others neither.
        if (isWhole(outcome)) continue;
        const codes = new Set(outcome.check!.problems.map(({ code }) => code));
        expect([...codes].every((code) => code === "damaged" || code === "parent_missing")).toBe(true);
        expect(isReported(outcome), `byte ${at} of parent ${number}`).toBe(true);
      }
    }
  });
});

test.each(NAMES)("every shorter archive of %s is refused", async (name) => {
  const sample = samples.get(name)!;
  for (let length = 0; length < sample.bytes.length; length++) {
    const { open } = await cell(sample, sample.bytes.subarray(0, length), `the first ${length} bytes of ${name}`);
    expect(open).toBe(length < 8 ? "not_an_archive" : "truncated");
  }
});

test.each(NAMES)("bytes appended to or inserted into %s", async (name) => {
  const sample = samples.get(name)!;
  const { bytes } = sample;
  for (const more of [new Uint8Array(1), new Uint8Array(96), bytes.subarray(-96), bytes, new Uint8Array(70_000)]) {
    const appended = new Uint8Array(Buffer.concat([bytes, more]));
    expect((await cell(sample, appended, "appended")).open).toBe("truncated");
  }
  const random = randomFrom(3);
  for (let round = 0; round < 20; round++) {
    const at = random(bytes.length + 1);
    const inserted = new Uint8Array(
      Buffer.concat([bytes.subarray(0, at), Uint8Array.of(random(256)), bytes.subarray(at)]),
    );
    expect(["truncated", "not_an_archive", "version_unknown", "damaged"]).toContain(
      (await cell(sample, inserted, "inserted")).open,
    );
  }
});

test.each([...NAMES, "deep"])("runs of zeros in %s", async (name) => {
  const sample = samples.get(name)!;
  for (const length of [8, 64, 512, 4096]) {
    for (let at = 0; at < sample.bytes.length; at += Math.max(length / 2, sample.bytes.length / 100) | 0) {
      const damaged = sample.bytes.slice();
      damaged.fill(0, at, at + length);
      if (Buffer.compare(damaged, sample.bytes) === 0) continue;
      const outcome = await cell(sample, damaged, `${length} zeros at ${at} of ${name}`);
      expectReported(sample, outcome, at, Math.min(at + length, damaged.length));
    }
  }
});

/** The archive with two of its stretches in each other's place. */
function swapped(bytes: Uint8Array, a: { start: number; end: number }, b: { start: number; end: number }): Uint8Array {
  const parts = [
    [0, a.start],
    [b.start, b.end],
    [a.end, b.start],
    [a.start, a.end],
    [b.end, bytes.length],
  ];
  return new Uint8Array(Buffer.concat(parts.map(([start, end]) => bytes.subarray(start, end))));
}

test.each([...NAMES, "deep"])("pages and blocks of %s in each other's place", async (name) => {
  const sample = samples.get(name)!;
  for (const list of [sample.pages, sample.blocks]) {
    for (const [number, a] of list.entries()) {
      for (const b of list.slice(number + 1)) {
        const damaged = swapped(sample.bytes, a, b);
        if (Buffer.compare(damaged, sample.bytes) === 0) continue;
        const outcome = await cell(sample, damaged, `${a.start} and ${b.start} of ${name} swapped`);
        expect(isReported(outcome), `${a.start} and ${b.start} swapped`).toBe(true);
      }
    }
  }
});

test("the check names what is lost: files, ranges, and nothing that is not", async () => {
  const sample = samples.get("tree-none")!;
  const reference = decodeReference(sample.bytes);
  const archiveFiles = reference.entries.filter(({ type, size }) => type === "file" && size! > 0);
  for (const { start, length, blockOffset, offset } of reference.chunks) {
    if (blockOffset === undefined) continue;
    const damaged = sample.bytes.slice();
    damaged[blockOffset + offset!]! ^= 1;
    const { check } = await outcomeOf(damaged, sample.truth);
    const expected = archiveFiles.flatMap((file) =>
      reference.chunks
        .filter((chunk) => chunk.blockOffset === blockOffset && chunk.offset === offset)
        .filter((chunk) => chunk.start >= file.start! && chunk.start < file.start! + file.size!)
        .map((chunk) => [chunk.start - file.start!, chunk.start - file.start! + chunk.length]),
    );
    expect(check!.problems.map((problem) => [problem.start, problem.end])).toEqual(expected);
    expect(check!.problems.every(({ code, where }) => code === "damaged" && where === "content")).toBe(true);
    expect(check!.checkedBytes, `chunk at ${start}`).toBeLessThanOrEqual(sample.truth.addresses.length - length);
  }
});

test("a damaged head stops nobody but the check", async () => {
  const sample = samples.get("tree-lz4")!;
  for (let at = 0; at < 16; at++) {
    const damaged = sample.bytes.slice();
    damaged[at]! ^= 0x40;
    const outcome = await outcomeOf(damaged, sample.truth);
    expect(isWhole(outcome)).toBe(true);
    expect(outcome.check!.problems.map(({ code, where }) => [code, where])).toEqual([["damaged", "head"]]);
  }
});

test("a damaged index page loses its span and not the rest", async () => {
  const random = randomFrom(5);
  const content = Uint8Array.from({ length: 1_500_000 }, () => random(256));
  const bytes = await packPlan({
    streams: [{ name: "disk", content }],
    options: { minChunk: 64, avgChunk: 256, maxChunk: 1024, blockSize: 4096, compression: "none" },
  });
  const { pages, truth } = await sampleOf(bytes);
  const view = new DataView(bytes.buffer);
  // The second copies of the index's leaves are the last pages of kind 1.
  const leaves = pages.filter(({ start }) => bytes[start + 24] === 1);
  const second = leaves.slice(leaves.length / 2);
  expect(second.length).toBeGreaterThan(2);
  const leaf = second[1]!;
  const firstAddress = Number(view.getBigUint64(leaf.start + 32, true));
  const behind = Number(view.getBigUint64(second[2]!.start + 32, true));
  const damaged = bytes.slice();
  damaged[leaf.start + 100]! ^= 4;
  const { check, bulk } = await outcomeOf(damaged, truth);
  expect(bulk).toEqual(["damaged"]);
  expect(check!.checkedBytes).toBe(content.length - (behind - firstAddress));
  expect(check!.problems.map(({ where }) => where)).toEqual(["index", "content"]);
  expect(check!.problems[1]).toMatchObject({ path: "disk", start: firstAddress, end: behind });
  // Its first copy, between the blocks, is found to be damaged as well.
  const copy = bytes.slice();
  copy[leaves[1]!.start + 100]! ^= 4;
  const first = await outcomeOf(copy, truth);
  expect(isWhole(first)).toBe(true);
  expect(first.check!.problems.map(({ where, code }) => [where, code])).toEqual([["layout", "damaged"]]);
});

test("damage everywhere is told of in bounded length", async () => {
  const random = randomFrom(6);
  const content = Uint8Array.from({ length: 1_000_000 }, () => random(256));
  const options = { minChunk: 64, avgChunk: 256, maxChunk: 1024, blockSize: 4096, compression: "none" as const };
  const bytes = await packPlan({ streams: [{ name: "disk", content }], options });
  const sample = await sampleOf(bytes);
  const damaged = bytes.slice();
  // Every other chunk, so that no two lost ranges touch.
  const chunks = decodeReference(bytes).chunks.filter((_, number) => number % 2 === 0);
  for (const { blockOffset, offset } of chunks) damaged[blockOffset! + offset!]! ^= 1;
  const { check } = await outcomeOf(damaged, sample.truth);
  expect(check!.problems.length).toBe(1001);
  expect(check!.problems.at(-1)!.message).toBe(`there are ${chunks.length - 1000} more problems`);
});

test("a sample reads about as much as it is told to, and finds damage that is everywhere", async () => {
  const { checkArchive } = await import("../src/core/index.ts");
  const { openQuickly } = await import("./support/outcomes.ts");
  const sample = samples.get("mixed-none")!;
  const total = sample.truth.addresses.length;
  for (const sampleBytes of [0, 1, 1000, total - 1, total, total + 1]) {
    const result = await checkArchive(await openQuickly(sample.bytes), { sampleBytes });
    expect(result).toEqual({ ok: true, checkedBytes: Math.min(sampleBytes, total), problems: [] });
  }
  const damaged = sample.bytes.slice();
  for (const { start, end } of sample.blocks) damaged.fill(0, start, end);
  expect((await checkArchive(await openQuickly(damaged), { sampleBytes: 100 })).ok).toBe(false);
});

test("extraction: a file is there with the right bytes, or a warning says why not", async () => {
  const sample = samples.get("tree-none")!;
  const directory = temporaryDirectory();
  const path = join(directory, "damaged.hxz");
  const out = join(directory, "out");
  mkdirSync(out);
  for (let at = 16; at < sample.bytes.length; at += 23) {
    const damaged = sample.bytes.slice();
    damaged[at]! ^= 0x10;
    writeFileSync(path, damaged);
    const to = join(out, String(at));
    const archive = await openArchiveFile(path).catch(() => undefined);
    if (archive === undefined) continue;
    const result = await extractTree(archive, to, {}).catch((error: unknown) => error);
    await archive.close();
    if (result instanceof Error) {
      // The tree itself cannot be read: nothing is there that is wrong.
      expect(result.name).toBe("HexzError");
      continue;
    }
    const { warnings } = result as Awaited<ReturnType<typeof extractTree>>;
    const warned = new Set(warnings.map((warning) => warning.path as string));
    for (const entry of sample.truth.entries) {
      if (entry.type !== "file" || warned.has(entry.path)) continue;
      const content = readFileSync(Buffer.concat([Buffer.from(`${to}/`), Buffer.from(entry.path, "latin1")]));
      expectBytes(content, sample.truth.contents.get(`file:${entry.path}`)!, `${entry.path} with byte ${at} changed`);
    }
  }
});
