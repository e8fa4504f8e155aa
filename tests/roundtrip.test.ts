// What is packed comes out again, byte for byte: contents of every size around every boundary, random trees, any
// option; and the archive depends on input and options alone. Real trees and images are in roundtrip-trees.test.ts.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  byteStringFromText,
  byteStringOf,
  type CodingOptions,
  type ContentInput,
  checkArchive,
  comparePaths,
  createArchive,
  createMemorySink,
  type Entry,
  openArchive,
} from "../src/core/index.ts";
import { contentsOf, expectAgreement, expectBytes, packPlan } from "./support/archives.ts";
import { randomBytes, randomFrom, SEED, text, zeroRidden } from "./support/random.ts";
import { referenceCuts } from "./support/reference-chunking.ts";

process.stdout.write(`roundtrip.test.ts: HEXZ_SEED=${SEED}\n`);
const KIB = 1024;
const SMALL: CodingOptions = { minChunk: 64, avgChunk: 256, maxChunk: 1024, blockSize: 4096 };

const fileOf = (path: string): Entry => ({ path: byteStringFromText(path), type: "file", mode: 0o644 });

/** 0, 1 and the three sizes around each boundary. */
const around = (boundaries: number[]): number[] => [
  ...new Set([0, 1, ...boundaries.flatMap((boundary) => [boundary - 1, boundary, boundary + 1])]),
];

describe("files of every size around every boundary", () => {
  const cases: [string, CodingOptions, number[]][] = [
    // Chunk sizes, the block, two blocks, a page, and a slot of the write line.
    ["small chunks", SMALL, around([64, 256, 1024, 4096, 8192, 64 * KIB, 1024 * KIB])],
    ["default chunks", {}, around([16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB])],
    ["fixed chunks", { chunking: "fixed", blockSize: 4096 }, around([4096, 8192, 64 * KIB, 1024 * KIB])],
    [
      "one chunk a block",
      { ...SMALL, blockSize: 4096, minChunk: 4096, avgChunk: 4096, maxChunk: 4096 },
      around([4096]),
    ],
  ];
  test.each(cases)("%s", async (_, coding, sizes) => {
    const random = randomFrom(SEED);
    for (const make of [randomBytes, text, zeroRidden, (length: number) => new Uint8Array(length).fill(random(3))]) {
      const contents = sizes.map((size, number) => ({ path: `f${String(number).padStart(3, "0")}`, size }));
      const items = contents.map(({ path, size }) => ({ entry: fileOf(path), content: make(size, random) }));
      const compression = (["lz4", "zstd", "none"] as const)[random(3)]!;
      const bytes = await packPlan({ items, options: { ...coding, compression } });
      const archive = await openArchive(bytes);
      const found = await contentsOf(archive);
      for (const { entry, content } of items) expectBytes(found.get(`file:${entry.path}`)!, content, entry.path);
      await expectAgreement(bytes);
    }
  });
});

/** An input that gives at most so many bytes a time, now and then later, and tells of holes where it is asked to. */
function raggedInput(content: Uint8Array, random: (below: number) => number, how: { size: boolean; holes: boolean }) {
  let at = 0;
  const zerosFrom = (start: number) => {
    let end = start;
    while (end < content.length && content[end] === 0) end++;
    return end - start;
  };
  const input: ContentInput = {
    name: "ragged",
    size: how.size ? content.length : undefined,
    read(into) {
      const most = Math.min(into.length, 1 + random(random(2) ? 10 : 50_000));
      const piece = content.subarray(at, at + most);
      into.set(piece);
      at += piece.length;
      return random(2) ? piece.length : Promise.resolve(piece.length);
    },
    ...(how.holes && {
      hole: () => zerosFrom(at),
      skip: (length: number) => {
        at += length;
      },
    }),
    finish() {},
    close() {},
  };
  return input;
}

test("sizes of reads, known sizes and holes do not change a byte", async () => {
  const random = randomFrom(SEED + 1);
  for (const coding of [SMALL, {}, { chunking: "fixed", blockSize: 4096 } as const]) {
    const contents = [
      zeroRidden(300_000, random),
      text(1, random),
      new Uint8Array(700_000),
      zeroRidden(900_000, random),
    ];
    const items = contents.map((content, number) => ({ entry: fileOf(`f${number}`), content }));
    const expected = await packPlan({ items, options: coding });
    for (const how of [0, 1, 2, 3].map((bits) => ({ size: bits % 2 === 1, holes: bits > 1 }))) {
      const sink = createMemorySink();
      const writer = await createArchive(sink, coding);
      for (const { entry, content } of items) await writer.addFile(entry, raggedInput(content, random, how));
      await writer.finish();
      expectBytes(sink.bytes(), expected, `the archive read with ${JSON.stringify(how)}, seed ${SEED}`);
    }
    await expectAgreement(expected);
  }
});

test("the content id is that of the content, whatever codec and block size", async () => {
  const random = randomFrom(SEED + 2);
  const items = [0, 1, 2].map((number) => ({ entry: fileOf(`f${number}`), content: zeroRidden(60_000, random) }));
  const chunks = { minChunk: 256, avgChunk: 1024, maxChunk: 4096 };
  const ids = new Set<string>();
  const archiveIds = new Set<string>();
  for (const compression of ["lz4", "zstd", "none"] as const) {
    for (const blockSize of [4096, 65_536]) {
      const { contentId, id } = await expectAgreement(
        await packPlan({ items, options: { ...chunks, compression, blockSize } }),
      );
      ids.add(contentId);
      archiveIds.add(id);
    }
  }
  expect(ids.size).toBe(1);
  expect(archiveIds.size).toBe(6);
});

/** A content that FastCDC cuts every 65 bytes: two bytes at that distance make its hash hit. */
function shortChunks(count: number, random: (below: number) => number): Uint8Array {
  const bytes = randomBytes(count * 65, random);
  const hits = (pair: number) => {
    const sample = bytes.slice(0, 66);
    sample.set([pair >> 8, pair & 255], 64);
    return referenceCuts(sample, { chunking: "fastcdc", min: 64, avg: 256, max: 1024 })[0] === 65;
  };
  let pair = 0;
  while (!hits(pair)) pair++;
  for (let at = 64; at + 1 < bytes.length; at += 65) bytes.set([pair >> 8, pair & 255], at);
  return bytes;
}

test("many chunks: inner pages of the index", async () => {
  const random = randomFrom(SEED + 4);
  const content = shortChunks(380_000, random);
  const bytes = await packPlan({ streams: [{ name: "disk", content }], options: { ...SMALL, compression: "none" } });
  const archive = await openArchive(bytes);
  expect(archive.root.index.depth).toBe(1);
  const disk = await archive.file("disk");
  for (let round = 0; round < 200; round++) {
    const start = random(content.length);
    expectBytes(await disk.read(start, start + 1), content.subarray(start, start + 1), `byte ${start}`);
  }
  expectBytes(await disk.read(), content, "disk");
  expect(await checkArchive(archive)).toEqual({ ok: true, checkedBytes: content.length, problems: [] });
});

test("many small files, deep directories and long names: inner pages of the tree", async () => {
  const random = randomFrom(SEED + 3);
  const long = "n".repeat(200);
  const items: { entry: Entry; content?: Uint8Array }[] = [];
  for (let number = 0; number < 2400; number++) {
    const path = `${"d".repeat(1 + (number % 40))}/${long}${String(number).padStart(5, "0")}`;
    items.push({ entry: fileOf(path), content: randomBytes(random(700), random) });
  }
  items.push({
    entry: fileOf(`${Array.from({ length: 255 }, () => "e").join("/")}/last`),
    content: randomBytes(9, random),
  });
  items.sort((a, b) => comparePaths(a.entry.path, b.entry.path));
  const bytes = await packPlan({ items, options: { ...SMALL, compression: "none" } });
  const archive = await openArchive(bytes);
  expect(archive.root.tree.depth).toBeGreaterThan(0);
  for (const number of [0, 1, 17, 1999]) {
    const { entry, content } = items[number]!;
    expectBytes(await (await archive.file(entry.path)).read(), content!, entry.path);
  }
  await expectAgreement(bytes);
});

const name = fc
  .uint8Array({ minLength: 1, maxLength: 6 })
  .filter((bytes) => !bytes.includes(0) && !bytes.includes(47) && bytes.some((byte) => byte !== 46))
  .map(byteStringOf);
const piece = fc.oneof(
  { weight: 3, arbitrary: fc.uint8Array({ maxLength: 3000 }) },
  fc
    .record({ value: fc.integer({ min: 0, max: 255 }), length: fc.integer({ min: 0, max: 9000 }) })
    .map(({ value, length }) => new Uint8Array(length).fill(value)),
  // Pieces that occur again and again.
  fc
    .record({ seed: fc.integer({ min: 1, max: 3 }), length: fc.integer({ min: 1, max: 6000 }) })
    .map(({ seed, length }) => text(length, randomFrom(seed))),
);
const content = fc.array(piece, { maxLength: 6 }).map((pieces) => new Uint8Array(Buffer.concat(pieces)));
const metadata = fc.record(
  {
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.nat(),
    gid: fc.nat(),
    userName: name,
    mtime: fc.record({
      seconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
      nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
    }),
    xattrs: fc.uniqueArray(fc.record({ name, value: fc.uint8Array({ maxLength: 40 }) }), {
      selector: (xattr) => xattr.name,
      maxLength: 3,
      minLength: 1,
    }),
    metadata: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })),
  },
  { requiredKeys: [] },
);
const node = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("file" as const), content }) },
  fc.record({ type: fc.constant("directory" as const) }),
  fc.record({ type: fc.constant("symlink" as const), target: fc.uint8Array({ maxLength: 20 }).map(byteStringOf) }),
  fc.record({ type: fc.constant("fifo" as const) }),
  fc.record({
    type: fc.constantFrom("char" as const, "block" as const),
    device: fc.record({ major: fc.nat(), minor: fc.nat() }),
  }),
);
const items = fc
  .uniqueArray(fc.record({ path: fc.array(name, { minLength: 1, maxLength: 3 }), node, metadata }), {
    selector: ({ path }) => path.join("/"),
    maxLength: 12,
  })
  .map((list) =>
    list
      .map(
        ({
          path,
          node: { content: bytes, ...fields },
          metadata: more,
        }: (typeof list)[number] & { node: { content?: Uint8Array } }) => {
          const xattrs = more.xattrs && [...more.xattrs].sort((a, b) => (a.name < b.name ? -1 : 1));
          const entry = { path: path.join("/"), ...more, ...(xattrs && { xattrs }), ...fields } as unknown as Entry;
          return { entry, ...(bytes && { content: bytes }) };
        },
      )
      .sort((a, b) => comparePaths(a.entry.path, b.entry.path)),
  );
const coding: fc.Arbitrary<CodingOptions> = fc
  .record({
    compression: fc.constantFrom("lz4" as const, "zstd" as const, "none" as const),
    fixed: fc.boolean(),
    block: fc.integer({ min: 4096, max: 70_000 }),
    min: fc.integer({ min: 64, max: 2048 }),
    avg: fc.integer({ min: 8, max: 12 }),
    max: fc.integer({ min: 1024, max: 9000 }),
  })
  .map(({ compression, fixed, block, min, avg, max }) => {
    if (fixed) return { compression, chunking: "fixed", blockSize: block };
    const avgChunk = 2 ** avg;
    const sizes = { minChunk: Math.min(min, avgChunk), avgChunk, maxChunk: Math.max(max, avgChunk) };
    return { compression, blockSize: block, ...sizes };
  });

test("random trees and options: entries, contents and any range of them come back", async () => {
  await fc.assert(
    fc.asyncProperty(
      items,
      coding,
      fc.option(content),
      fc.infiniteStream(fc.nat()),
      async (list, options, disk, numbers) => {
        const streams = disk === null ? [] : [{ name: "disk" as const, content: disk }];
        const bytes = await packPlan({ items: list, streams, options });
        const reference = await expectAgreement(bytes);
        expect(reference.entries.length).toBe(list.length === 0 ? 0 : list.length + 1);
        const archive = await openArchive(bytes, { cacheBytes: numbers.next().value % 20_000 });
        const contents = [...list.flatMap((item) => (item.content ? [item] : []))];
        for (const { entry, content: expected } of contents) {
          const file = archive.fileOf((await archive.entry(`./${escaped(entry.path)}`))!);
          for (let round = 0; round < 4; round++) {
            const start = numbers.next().value % (file.size + 1);
            const end = start + (numbers.next().value % (file.size - start + 1));
            expectBytes(await file.read(start, end), expected!.subarray(start, end), `[${start}, ${end})`);
            expectBytes(file.readSync(start, end), expected!.subarray(start, end), `[${start}, ${end})`);
          }
        }
        const ranges = contents.map(() => {
          const start = numbers.next().value % (archive.root.addressSpace + 1);
          return { start, end: start + (numbers.next().value % (archive.root.addressSpace - start + 1)) };
        });
        for await (const parts of archive.bulk(ranges)) {
          for (const part of parts) {
            if ("error" in part) throw part.error;
            const length = part.end - part.start;
            const found = "bytes" in part ? part.bytes : new Uint8Array(length).fill(part.fill);
            expectBytes(found, reference.read(part.start, part.end), "a part");
          }
        }
      },
    ),
    { seed: SEED, numRuns: 120 },
  );
});

/** As a user would type it. */
const escaped = (path: string) =>
  path.replace(/[\\\x80-\xff]/g, (character) =>
    character === "\\" ? "\\\\" : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
