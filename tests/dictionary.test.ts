// Dictionaries: written, read by both engines and the reference decoder, by children, copied; and how they are trained.

import { describe, expect, test } from "vitest";
import { CODEC } from "../src/core/engine.ts";
import { createMemorySource, HexzError, openArchive, type RangeSource } from "../src/core/index.ts";
import { createPortableEngine } from "../src/core/portable-engine.ts";
import type { ContentInput } from "../src/core/write/content-input.ts";
import { loadTrainer } from "../src/node/dictionary.ts";
import { createNativeEngine } from "../src/node/native-engine.ts";
import { Sampler } from "../src/node/sample.ts";
import { expectAgreement, expectBytes, findAmong, idOf, packPlan } from "./support/archives.ts";
import { dictionaryText, sampleDictionary } from "./support/dictionary-sample.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { decodeReference } from "./support/reference.ts";
import { forge } from "./support/reference-forge.ts";
import { dictionaryPlan } from "./support/reference-samples.ts";

const SMALL = { minChunk: 256, avgChunk: 1024, maxChunk: 4096, blockSize: 4096, compression: "zstd" } as const;
const random = randomFrom(SEED);
const words = dictionaryText();
const dictionary = sampleDictionary();
const concat = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

const packed = (content: Uint8Array, options = {}, bases: Uint8Array[] = []) =>
  packPlan({ streams: [{ name: "disk", content }], options: { ...SMALL, ...options }, bases });

async function diskOf(bytes: Uint8Array, parents: Uint8Array[] = []): Promise<Uint8Array> {
  const archive = await openArchive(bytes, { findParent: findAmong(parents) });
  return (await archive.file("disk")).read();
}

describe("archives", () => {
  test("blocks are coded with it and are smaller; both copies of its page are there; both decoders agree", async () => {
    const bytes = await packed(words, { dictionary });
    const { chunks } = await expectAgreement(bytes);
    expect(new Set(chunks.map(({ codec }) => codec))).toEqual(new Set([CODEC.zstdDictionary]));
    expectBytes(await diskOf(bytes), words, "disk");
    expect(bytes.length).toBeLessThan((await packed(words)).length);
    let copies = 0;
    for (let at = Buffer.from(bytes).indexOf(dictionary); at >= 0; at = Buffer.from(bytes).indexOf(dictionary, at + 1))
      copies++;
    expect(copies).toBe(2);
  });

  test("one that no block needs is not written", async () => {
    const noise = randomBytes(20_000, random);
    const bytes = await packed(noise, { dictionary });
    expect((await expectAgreement(bytes)).chunks.every(({ codec }) => codec === 0)).toBe(true);
    expect(Buffer.from(bytes).indexOf(dictionary)).toBe(-1);
  });

  test("what the reference encoder makes is read", async () => {
    const { file } = forge(dictionaryPlan());
    expectBytes(
      await (await openArchive(file)).file("memory").then((found) => found.read()),
      decodeReference(file).read(0, 700),
      "memory",
    );
  });

  test("a read of one block costs its dictionary once, which comes along with the end where it is small", async () => {
    const bytes = await packed(concat(words, randomBytes(40_000, random)), { dictionary });
    const ranges: string[] = [];
    const source = createMemorySource(bytes);
    const counted: RangeSource = {
      name: "counted",
      size: source.size,
      read(start, end) {
        ranges.push(`${start} ${end}`);
        return source.read(start, end);
      },
    };
    const archive = await openArchive(counted);
    expect(ranges.length).toBe(1);
    expect(archive.root.dictionaries[0]!.ref.offset).toBeGreaterThan(bytes.length - 16_384);
    const file = await archive.file("disk");
    await file.read(0, 100);
    await file.read(30_000, 30_100);
    expect(ranges.length).toBe(3);
  });

  test("what cannot be one is refused", async () => {
    const refused = async (options: object) => {
      const error = await packed(words, options).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(HexzError);
      return error.code;
    };
    expect(await refused({ dictionary, compression: "lz4" })).toBe("usage");
    expect(await refused({ dictionary: words.subarray(0, 1000) })).toBe("invalid");
    expect(await refused({ dictionary: concat(dictionary, new Uint8Array(1_048_576)) })).toBe("usage");
  });
});

describe("children", () => {
  test("a child names its parent's dictionary, and has one of its own; nothing of the parent's index is read", async () => {
    const fresh = words.subarray(40_000);
    const parent = await packed(words.subarray(0, 30_000), { dictionary });
    const child = await packed(concat(words.subarray(0, 30_000), fresh), { dictionary }, [parent]);
    const reference = await expectAgreement(child, [parent]);
    expect(new Set(reference.chunks.map(({ archive }) => archive))).toEqual(new Set([0, 1]));
    const { root } = await openArchive(child);
    expect(root.dictionaries.map(({ archive }) => archive).sort()).toEqual([0, 1]);
    expectBytes(await diskOf(child, [parent]), concat(words.subarray(0, 30_000), fresh), "disk");
    const grandchild = await packed(words.subarray(1000, 30_000), {}, [child, parent]);
    expect((await expectAgreement(grandchild, [parent, child])).parents.map(({ id }) => id)).toEqual([idOf(parent)]);
  });

  test("without its parent, blocks that need its dictionary are missing, not damaged", async () => {
    const parent = await packed(words.subarray(0, 30_000), { dictionary });
    const child = await packed(concat(words.subarray(0, 30_000), text(9000, random)), {}, [parent]);
    await expect(diskOf(child)).rejects.toMatchObject({ code: "parent_missing" });
  });
});

describe("engines", () => {
  test("portable and native read each other's blocks; another dictionary, or none, is damage", async () => {
    const portable = await createPortableEngine({ memoryBytes: 1 << 20 });
    const native = createNativeEngine(portable);
    const engines = native === undefined ? [portable] : [portable, native];
    const other = dictionary.slice();
    other[4]! ^= 1;
    for (const engine of engines) await engine.load(CODEC.zstdDictionary);
    const plain = words.subarray(41_000, 45_000);
    for (const coder of engines) {
      for (const level of [1, 3, 19]) {
        const out = new Uint8Array(plain.length);
        const length = coder.encode(CODEC.zstdDictionary, level, plain, out, dictionary);
        expect(length).toBeLessThan(coder.encode(CODEC.zstd, level, plain, out.slice()));
        for (const decoder of engines) {
          const decoded = new Uint8Array(plain.length);
          decoder.decode(CODEC.zstdDictionary, out.subarray(0, length), decoded, dictionary);
          expectBytes(decoded, plain, `${coder.name} to ${decoder.name}, level ${level}`);
          const refusal = { code: "damaged" };
          const decode = (bytes?: Uint8Array) => () =>
            decoder.decode(CODEC.zstdDictionary, out.subarray(0, length), decoded, bytes);
          expect(decode(other)).toThrow(expect.objectContaining(refusal));
          expect(decode()).toThrow(expect.objectContaining(refusal));
        }
      }
    }
  });

  test("more dictionaries than are kept prepared are prepared again", async () => {
    const portable = await createPortableEngine({ memoryBytes: 1 << 20 });
    for (const engine of [portable, createNativeEngine(portable) ?? portable]) {
      await engine.load(CODEC.zstdDictionary);
      const copies = Array.from({ length: 20 }, () => dictionary.slice());
      for (let round = 0; round < 60; round++) {
        const own = copies[(round * 7) % copies.length]!;
        const plain = words.subarray(round * 500, round * 500 + 3000);
        const out = new Uint8Array(3000);
        const stored = out.subarray(0, engine.encode(CODEC.zstdDictionary, 1 + (round % 4), plain, out, own));
        const decoded = new Uint8Array(3000);
        engine.decode(CODEC.zstdDictionary, stored, decoded, copies[round % copies.length]);
        expectBytes(decoded, plain, `round ${round}`);
      }
    }
  });
});

describe("the sample", () => {
  /** Counts what is read; skips where it may. */
  function input(content: Uint8Array, seekable: boolean, known = true) {
    const state = { at: 0, read: 0 };
    const made: ContentInput = {
      name: "content",
      size: known ? content.length : undefined,
      seekable,
      read(into) {
        const count = Math.min(into.length, 1000, content.length - state.at);
        into.set(content.subarray(state.at, state.at + count));
        state.at += count;
        state.read += count;
        return count;
      },
      skip(length) {
        state.at += length;
      },
      finish() {
        throw new Error("a sample is no whole content");
      },
      close() {},
    };
    return { made, state };
  }

  test("pieces are spread evenly over all contents; of files only these are read", async () => {
    const sampler = new Sampler({ piece: 100, most: 10, total: 50_000 });
    const contents = Array.from({ length: 50 }, (_, number) => new Uint8Array(1000).fill(number + 1));
    let read = 0;
    for (const content of contents) {
      const { made, state } = input(content, true);
      await sampler.addContent(made);
      read += state.read;
    }
    expect(sampler.pieces.map((piece) => piece[0])).toEqual([1, 6, 11, 16, 21, 26, 31, 36, 41, 46]);
    expect([read, sampler.address]).toEqual([1000, 50_000]);
  });

  test("where the total is not known, every other piece goes when there are too many; zeros are none", async () => {
    const sampler = new Sampler({ piece: 100, most: 8 });
    const content = new Uint8Array(30_000).fill(1);
    content.fill(0, 10_000, 20_000);
    expect(await sampler.addContent(input(content, false, false).made)).toMatchObject({ size: 30_000 });
    expect(sampler.pieces.length).toBeLessThanOrEqual(8);
    expect(sampler.pieces.length).toBeGreaterThan(3);
    expect(sampler.pieces.every((piece) => piece.every((byte) => byte === 1))).toBe(true);
  });

  test("training is deterministic; what is too small gives none", () => {
    const train = loadTrainer();
    const samples = Array.from({ length: 40 }, (_, number) => words.subarray(number * 1000, number * 1000 + 1000));
    const first = train(samples, 400_000)!;
    expectBytes(train(samples, 400_000)!, first, "the dictionary");
    expect(first.length).toBeLessThanOrEqual(400_000 / 256);
    expect(train(samples.slice(0, 3), 3000)).toBeUndefined();
    expect(train([], 1e9)).toBeUndefined();
  });
});
