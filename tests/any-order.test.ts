// Entries in any order: sorting in bounded memory, names that come again, hard links before, after and through others.

import { describe, expect, test } from "vitest";
import { ByteReader } from "../src/core/bytes.ts";
import { readRecord } from "../src/core/format/record.ts";
import {
  type ByteString,
  byteStringFromText,
  comparePaths,
  contentOf,
  createArchive,
  createMemorySink,
  type Entry,
  openArchive,
  type Warning,
} from "../src/core/index.ts";
import { RecordSorter } from "../src/core/write/record-sorter.ts";
import { createMemoryScratch } from "../src/core/write/scratch.ts";
import { UnorderedEntries } from "../src/core/write/unordered-entries.ts";
import { entriesOf, expectAgreement, expectBytes, packPlan } from "./support/archives.ts";
import { randomFrom, text } from "./support/random.ts";

const path = byteStringFromText;
const file = (name: string, more: Partial<Entry> = {}): Entry => ({ path: path(name), type: "file", ...more });

function shuffled<T>(items: readonly T[], random: (below: number) => number): T[] {
  const list = [...items];
  for (let at = list.length - 1; at > 0; at--) {
    const other = random(at + 1);
    [list[at], list[other]] = [list[other]!, list[at]!];
  }
  return list;
}

describe("RecordSorter", () => {
  test.each([0, 1, 31, 32, 33, 1100])("gives %i runs of records in tree order, twice", (runs) => {
    const random = randomFrom(runs + 1);
    let open = 0;
    let most = 0;
    const sorter = new RecordSorter(() => {
      most = Math.max(most, ++open);
      const scratch = createMemoryScratch();
      return { ...scratch, close: () => open-- };
    }, 240);
    const pick = (names: string[]) => names[random(names.length)]!;
    // Two records fill the memory.
    const records = Array.from({ length: runs * 3 }, (_, order) => {
      const components = Array.from({ length: random(4) }, () => pick(["a", "a.", "a\x01", "b", "\xff"]));
      return { path: components.join("/") as ByteString, order, bytes: Uint8Array.of(order % 256) };
    });
    for (const record of records) sorter.add(record.path, record.order, record.bytes);
    const expected = [...records].sort((a, b) => comparePaths(a.path, b.path) || a.order - b.order);
    for (let time = 0; time < 2; time++) {
      const found = [...sorter.sorted()].map(({ path: name, order, bytes }) => ({
        path: name,
        order,
        bytes: bytes.slice(),
      }));
      expect(found).toEqual(expected);
    }
    // Runs become longer ones: 32 of a level at most, and one being made.
    expect(most).toBeLessThanOrEqual(32 * 3 + 1);
    sorter.close();
    expect(open).toBe(0);
  });
});

/** What UnorderedEntries makes of entries; contents by the order in which they come. */
function place(entries: readonly Entry[], memoryBytes?: number) {
  const warnings: Warning[] = [];
  const unordered = new UnorderedEntries(createMemoryScratch, (warning) => warnings.push(warning), memoryBytes);
  for (const [number, entry] of entries.entries()) {
    const isOwn = entry.type === "file" && entry.hardLink === undefined;
    unordered.add(entry, isOwn ? { start: 1000 * (number + 1), size: number + 1, sparse: false } : undefined);
  }
  const placed = [...unordered.placed()].map((each) => {
    const entry = "entry" in each ? each.entry : readRecord(new ByteReader(each.bytes, "a record"), each.path);
    const start = "entry" in each ? each.content.start : entry.start;
    return [entry.path, entry.hardLink ?? entry.type, ...(start === undefined ? [] : [start / 1000])].join(" ");
  });
  unordered.close();
  return { placed, warnings: warnings.map(({ path: name, code }) => `${name}: ${code}`) };
}

describe("UnorderedEntries", () => {
  test("of several entries with one path the last one counts, and is told of", () => {
    const { placed, warnings } = place([file("b"), file("a"), { path: path("b"), type: "fifo" }, file("b")]);
    expect(placed).toEqual(["a file 2", "b file 4"]);
    expect(warnings).toEqual(["b: collision"]);
  });

  test("the first name in key order is the file, whichever is the link", () => {
    const links = [file("m"), file("z", { hardLink: path("m") }), file("a", { hardLink: path("m") })];
    expect(place(links)).toEqual({ placed: ["a file 1", "m a 1", "z a 1"], warnings: [] });
  });

  test("links to links lead to the file, a link before its file, too", () => {
    const chain = [file("1", { hardLink: path("2") }), file("2", { hardLink: path("3") }), file("3"), file("0")];
    expect(place(chain).placed).toEqual(["0 file 4", "1 file 3", "2 1 3", "3 1 3"]);
  });

  test("a link keeps the file that had the name when it was made", () => {
    const again = [file("f"), file("l", { hardLink: path("f") }), file("f"), file("k", { hardLink: path("f") })];
    expect(place(again)).toEqual({ placed: ["f file 3", "k f 3", "l file 1"], warnings: ["f: collision"] });
  });

  test.each([
    ["nothing", [file("l", { hardLink: path("gone") })]],
    ["itself", [file("l", { hardLink: path("l") })]],
    ["each other", [file("l", { hardLink: path("k") }), file("k", { hardLink: path("l") })]],
    ["a directory", [{ path: path("d"), type: "directory" } as Entry, file("l", { hardLink: path("d") })]],
    ["a long chain", Array.from({ length: 60 }, (_, at) => file(`l${at}`, { hardLink: path(`l${at + 1}`) }))],
  ])("a link to %s is left out, and told of", (_, entries) => {
    const { placed, warnings } = place(entries);
    expect(placed.filter((line) => !line.includes("directory"))).toEqual([]);
    expect(warnings.length).toBe(entries.filter((entry) => "hardLink" in entry && entry.hardLink !== undefined).length);
    expect(warnings.every((line) => line.endsWith("no_such_path"))).toBe(true);
  });

  test("memory does not change the result", () => {
    const random = randomFrom(5);
    const entries = Array.from({ length: 3000 }, (_, at) => {
      const name = `d${random(20)}/f${random(2000)}`;
      return random(10) < 3 && at > 0 ? file(name, { hardLink: path(`d${random(20)}/f${random(2000)}`) }) : file(name);
    });
    const all = place(entries);
    expect(place(entries, 4000)).toEqual(all);
    expect(all.placed.length).toBeGreaterThan(1000);
  });
});

test("the order in which entries come changes their addresses and nothing else", async () => {
  const seed = 12;
  const random = randomFrom(seed);
  const items = Array.from({ length: 300 }, (_, number) => ({
    entry: file(`${number % 7}/${number % 11}/${number}`, { mtime: { seconds: number, nanoseconds: 0 } }),
    content: text(number * 7, random),
  }));
  const ordered = [...items].sort((a, b) => comparePaths(a.entry.path, b.entry.path));
  const leftOut: Warning[] = [];
  const options = {
    anyOrder: (warning: Warning) => leftOut.push(warning),
    minChunk: 64,
    avgChunk: 256,
    maxChunk: 1024,
  };
  const bytes = await packPlan({ items: shuffled(items, random), options });
  await expectAgreement(bytes);
  expect(leftOut).toEqual([]);
  const archive = await openArchive(bytes);
  const found = (await entriesOf(archive)).filter(({ type }) => type === "file");
  expect(found.map(({ path: name, mtime }) => [name, mtime])).toEqual(
    ordered.map(({ entry }) => [entry.path, entry.mtime]),
  );
  for (const [number, entry] of found.entries()) {
    expectBytes(await archive.fileOf(entry).read(), ordered[number]!.content, entry.path);
  }
  const { counts } = archive.root;
  expect([counts.files, counts.originalSize]).toEqual([
    300,
    items.reduce((sum, { content }) => sum + content.length, 0),
  ]);
});

test("a part of a container has the chunks that it has as a file, and counts nothing", async () => {
  const random = randomFrom(3);
  const options = { minChunk: 64, avgChunk: 256, maxChunk: 1024, blockSize: 4096 };
  const part = text(20_000, random);
  const whole = new Uint8Array(Buffer.concat([text(777, random), part, text(5000, random)]));
  const parts = [{ entry: file("part"), start: 777, end: 20_777 }];
  const bytes = await packPlan({
    containers: [{ name: "c", content: whole, parts }],
    options: { ...options, bases: [] },
  });
  const alone = await packPlan({ items: [{ entry: file("part"), content: part }], options });
  const chunksOf = async (archive: Uint8Array) => {
    const { chunks, entries } = await expectAgreement(archive);
    const { start, size } = entries.find(({ path: name }) => name === "part")!;
    return chunks.filter((chunk) => chunk.start >= start! && chunk.start < start! + size!).map(({ digest }) => digest);
  };
  expect(await chunksOf(bytes)).toEqual(await chunksOf(alone));
  const { counts } = (await openArchive(bytes)).root;
  expect(counts.originalSize).toBe(whole.length);
});

test("an archive in any order begins with the root directory, empty ones are empty", async () => {
  for (const count of [0, 1]) {
    const sink = createMemorySink();
    const writer = await createArchive(sink, { anyOrder: () => {} });
    if (count === 1) await writer.addFile(file("a/b"), contentOf(Uint8Array.of(1)));
    await writer.finish();
    const { entries } = await expectAgreement(sink.bytes());
    expect(entries.map(({ path: name }) => name)).toEqual(count === 1 ? ["", "a/b"] : []);
  }
});
