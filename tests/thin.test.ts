// Thin archives in memory: what is referred to and what is stored, at any depth, and the errors. The reference decoder
// reads every one of them, with its parents.

import { describe, expect, test } from "vitest";
import {
  type Content,
  HexzError,
  hexOf,
  openArchive,
  type RangeSource,
  type WriterOptions,
} from "../src/core/index.ts";
import { createMemorySource } from "../src/core/source/memory.ts";
import { expectAgreement, expectBytes, findAmong, idOf, packPlan } from "./support/archives.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";

const SMALL = { minChunk: 256, avgChunk: 1024, maxChunk: 4096, blockSize: 16_384 };
const random = randomFrom(SEED);
const concat = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

function packed(content: Content, bases: Uint8Array[] = [], options: WriterOptions = SMALL): Promise<Uint8Array> {
  return packPlan({ streams: [{ name: "disk", content }], bases, options });
}

async function diskOf(bytes: Uint8Array, parents: Uint8Array[]): Promise<Uint8Array> {
  const archive = await openArchive(bytes, { findParent: findAmong(parents) });
  return (await archive.file("disk")).read();
}

/** Packs the content on the bases; proves it; tells what it has to store. */
async function thin(content: Uint8Array, bases: Uint8Array[]): Promise<{ bytes: Uint8Array; counts: Counts }> {
  const bytes = await packed(content, bases);
  const { counts } = await expectAgreement(bytes, bases);
  expectBytes(await diskOf(bytes, bases), content, "disk");
  return { bytes, counts };
}
type Counts = Awaited<ReturnType<typeof expectAgreement>>["counts"];

/** A source that tells which ranges are read. */
function counted(bytes: Uint8Array, name: string, reads: string[]): RangeSource {
  const source = createMemorySource(bytes, name);
  return {
    name,
    size: source.size,
    async read(start, end) {
      reads.push(name);
      return source.read(start, end);
    },
  };
}

describe("what is stored again", () => {
  const old = concat(text(200_000, random), randomBytes(100_000, random));
  const base = packed(old);

  test("unchanged content: nothing", async () => {
    const { bytes, counts } = await thin(old, [await base]);
    expect(counts).toMatchObject({ chunks: 0, chunkBytes: 0, parentChunkBytes: old.length });
    expect((await openArchive(bytes)).root.contentId).toEqual((await openArchive(await base)).root.contentId);
  });

  test("bytes inserted in the middle: the chunks around them", async () => {
    const { counts } = await thin(concat(old.subarray(0, 150_001), text(77, random), old.subarray(150_001)), [
      await base,
    ]);
    expect(counts.chunkBytes, `seed ${SEED}`).toBeLessThan(8 * SMALL.maxChunk);
  });

  test("content that moved and was shuffled: the chunks at the seams", async () => {
    const pieces = Array.from({ length: 5 }, (_, number) => old.subarray(number * 60_000, (number + 1) * 60_000));
    const { counts } = await thin(concat(...[3, 0, 4, 2, 1].map((number) => pieces[number]!)), [await base]);
    expect(counts.parentChunkBytes, `seed ${SEED}`).toBeGreaterThan(old.length * 0.6);
  });

  test("new content between parts of two bases, and duplicates of all three", async () => {
    const [more, fresh] = [text(120_000, random), randomBytes(40_000, random)];
    const content = concat(old, fresh, more, old, fresh, more, new Uint8Array(50_000));
    const { counts, bytes } = await thin(content, [await base, await packed(more)]);
    expect(counts.chunkBytes, `seed ${SEED}`).toBeLessThan(fresh.length + 10 * SMALL.maxChunk);
    expect(counts.duplicateBytes).toBeGreaterThan((content.length - 50_000) / 2 - 20 * SMALL.maxChunk);
    const { root } = await openArchive(bytes);
    expect(root.parents.map(({ hint }) => hint)).toEqual(["base-0.hxz", "base-1.hxz"]);
  });

  test("a base that helps with nothing is no parent", async () => {
    const { bytes } = await thin(old, [await packed(randomBytes(30_000, random))]);
    expect((await openArchive(bytes)).root.parents).toEqual([]);
    expect(bytes).toEqual(await packed(old));
  });

  test("an empty archive, and an empty base", async () => {
    const nothing = await packed(new Uint8Array(0));
    expect((await thin(new Uint8Array(0), [await base, nothing])).bytes).toEqual(nothing);
  });

  test("other codecs and block sizes; the chunking is the base's unless given", async () => {
    const inherited = await packed(old, [await base], { compression: "zstd" });
    expect((await expectAgreement(inherited, [await base])).counts.chunks).toBe(0);
    const other = await packed(old, [await base], { ...SMALL, avgChunk: 2048 });
    expect((await expectAgreement(other, [await base])).counts.chunks).toBeGreaterThan(0);
  });
});

describe("lineages", () => {
  const generations = (async () => {
    const contents = [text(60_000, random)];
    const archives = [await packed(contents[0]!)];
    for (let number = 1; number < 4; number++) {
      const before = contents.at(-1)!;
      contents.push(concat(before.subarray(0, before.length - 9000), randomBytes(30_000, random)));
      archives.push(await packed(contents.at(-1)!, archives));
    }
    return { contents, archives };
  })();

  test("grandchildren and great-grandchildren name the archives that store, and no others", async () => {
    const { contents, archives } = await generations;
    for (const [number, bytes] of archives.entries()) {
      const before = archives.slice(0, number);
      const { parents } = await expectAgreement(bytes, before);
      expect(parents.map(({ id }) => id).sort()).toEqual(before.map(idOf).sort());
      expectBytes(await diskOf(bytes, before.toReversed()), contents[number]!, `generation ${number}`);
    }
  });

  test("a great-grandchild opens each storing archive with one read, and reads its blocks only", async () => {
    const { contents, archives } = await generations;
    const reads: string[] = [];
    const sources = archives.map((bytes, number) => counted(bytes, `generation ${number}`, reads));
    const archive = await openArchive(sources[3]!, {
      findParent: ({ id }) => [sources[archives.findIndex((bytes) => idOf(bytes) === hexOf(id))]!],
    });
    const file = await archive.file("disk");
    expect(reads).toEqual(["generation 3"]);
    // Its index came along with its end. Its first bytes are of the first generation: the end of that one, and a block.
    expectBytes(await file.read(0, 100), contents[3]!.subarray(0, 100), "the start");
    expect(reads.slice(1)).toEqual(["generation 0", "generation 0"]);
    reads.length = 0;
    expectBytes(await file.read(), contents[3]!, "all of it");
    const { chunks } = await expectAgreement(archives[3]!, archives);
    for (const [number, bytes] of archives.slice(0, 3).entries()) {
      const parent = archive.root.parents.findIndex(({ id }) => hexOf(id) === idOf(bytes)) + 1;
      const blocks = new Set(chunks.filter((chunk) => chunk.archive === parent).map((chunk) => chunk.blockOffset));
      const opened = number === 0 ? 0 : 1;
      const count = reads.filter((name) => name === `generation ${number}`).length;
      expect(count, `reads of generation ${number}`).toBeLessThanOrEqual(blocks.size + opened);
    }
  });

  test("a diamond: two children of one base, and a grandchild of both", async () => {
    const shared = text(50_000, random);
    const [left, right] = [randomBytes(20_000, random), randomBytes(20_000, random)];
    const top = await packed(shared);
    const a = await packed(concat(shared, left), [top]);
    const b = await packed(concat(shared, right), [top]);
    const { bytes, counts } = await thin(concat(shared, left, right), [a, b, top]);
    expect(counts.chunkBytes, `seed ${SEED}`).toBeLessThan(8 * SMALL.maxChunk);
    const { parents } = (await openArchive(bytes)).root;
    expect(new Set(parents.map(({ id }) => hexOf(id)))).toEqual(new Set([top, a, b].map(idOf)));
  });
});

describe("parents that are not there", () => {
  const old = text(50_000, random);
  const fresh = randomBytes(5000, random);
  const base = packed(old);
  const child = base.then((bytes) => packed(concat(old, fresh), [bytes]));

  async function failure(parents: Uint8Array[]): Promise<HexzError> {
    const archive = await openArchive(await child, { findParent: findAmong(parents) });
    const error = await (await archive.file("disk")).read().catch((thrown) => thrown);
    expect(error).toBeInstanceOf(HexzError);
    return error;
  }

  test("nothing found: the error has id and hint", async () => {
    const error = await failure([]);
    const id = idOf(await base);
    expect(error).toMatchObject({ code: "parent_missing", data: { id, parent_hint: "base-0.hxz", looked: [] } });
    expect(error.message).toContain(id);
  });

  test("archives of other ids, damaged ones and what is no archive are refused, and named", async () => {
    const bytes = await base;
    const damaged = bytes.slice();
    damaged[bytes.length - 200]! ^= 1;
    const { code, message } = await failure([await packed(fresh), damaged, text(500, random)]);
    expect(code).toBe("parent_missing");
    expect(message).toMatch(/archive 0 \(another archive, id [0-9a-f]{16}…\)/);
    expect(message).toMatch(/archive 1 \(.*damaged.*\)/);
    expect(message).toMatch(/archive 2 \(.*not a .*archive.*\)/);
  });

  test("what the archive stores itself can be read without them", async () => {
    const archive = await openArchive(await child);
    const file = await archive.file("disk");
    expectBytes(await file.read(old.length + 4096), fresh.subarray(4096), "the end");
  });

  test("a block that was altered in a parent is damage, whatever its archive's end says", async () => {
    const bytes = (await base).slice();
    bytes[1000]! ^= 1;
    expect(await failure([bytes])).toMatchObject({ code: "damaged" });
  });
});
