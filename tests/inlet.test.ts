// An inlet: what lies between contents is left out, contents are packed as if each came alone.

import { describe, expect, test } from "vitest";
import type { ContentRange } from "../src/core/format/record.ts";
import { contentOf, createArchive, createMemorySink } from "../src/core/index.ts";
import { expectBytes } from "./support/archives.ts";
import { randomFrom, SEED, zeroRidden } from "./support/random.ts";

/** What an input is made of, in order: a content, bytes that are none, or one that is put together from two runs. */
type Part = { readonly kind: "content" | "between" | "joined"; readonly bytes: Uint8Array };
type Random = ReturnType<typeof randomFrom>;
interface Options {
  readonly chunking?: "cdc" | "fixed";
}

const MIB = 1024 * 1024;
const GAP = 300_000;
/** Pieces of it are the parts, with runs of zeros, and some again. */
const MATERIAL = zeroRidden(5 * MIB, randomFrom(SEED));

/** Gives pieces of any length, some at once and some later. */
function inPieces(bytes: Uint8Array, random: Random) {
  let at = 0;
  return {
    read(into: Uint8Array): number | Promise<number> {
      const most = [1, 700, 70_000, 8 * MIB][random(4)]!;
      const piece = bytes.subarray(at, at + Math.min(into.length, 1 + random(most)));
      into.set(piece);
      at += piece.length;
      return random(2) === 0 ? piece.length : Promise.resolve(piece.length);
    },
  };
}

function materialOf(length: number, random: Random): Uint8Array {
  const at = random(MATERIAL.length - length);
  return MATERIAL.subarray(at, at + length);
}

const joined = (parts: readonly Part[]): Uint8Array => new Uint8Array(Buffer.concat(parts.map(({ bytes }) => bytes)));

/** The runs of a content that is put together, a hole between them. */
function split(bytes: Uint8Array): [Uint8Array, Uint8Array] {
  const half = bytes.length >> 1;
  return [bytes.subarray(0, half), bytes.subarray(half)];
}

function withGap(bytes: Uint8Array): Uint8Array {
  const [first, second] = split(bytes);
  return new Uint8Array(Buffer.concat([first, new Uint8Array(GAP), second]));
}

async function throughInlet(parts: readonly Part[], random: Random, options: Options) {
  const sink = createMemorySink();
  const writer = await createArchive(sink, { ...options, anyOrder: () => {} });
  const source = { ...contentOf(new Uint8Array(0)), ...inPieces(joined(parts), random) };
  const inlet = writer.openInlet(source);
  const ranges: ContentRange[] = [];
  let position = 0;
  for (const { kind, bytes } of parts) {
    if (kind === "between") {
      for (let at = 0; at < bytes.length; at += 512) {
        const expected = bytes.subarray(at, at + 512);
        expectBytes(await inlet.peek(expected.length), expected, "what lies between");
        inlet.skip(expected.length);
      }
    } else if (kind === "content") ranges.push(await inlet.content(bytes.length));
    else ranges.push(await writer.addContent({ ...contentOf(piecesOf(inlet, bytes)), size: bytes.length + GAP }));
    position += bytes.length;
    expect(inlet.position).toBe(position);
  }
  expect((await inlet.peek(1)).length).toBe(0);
  expect((await inlet.content(10)).size).toBe(0);
  await writer.finish();
  return { bytes: sink.bytes(), ranges };
}

async function* piecesOf(inlet: { read(into: Uint8Array): number | Promise<number> }, bytes: Uint8Array) {
  for (const [number, run] of split(bytes).entries()) {
    if (number === 1) yield new Uint8Array(GAP);
    const found = new Uint8Array(run.length);
    for (let at = 0; at < run.length; ) at += await inlet.read(found.subarray(at));
    yield found;
  }
}

async function oneByOne(parts: readonly Part[], options: Options) {
  const sink = createMemorySink();
  const writer = await createArchive(sink, { ...options, anyOrder: () => {} });
  const ranges: ContentRange[] = [];
  for (const { kind, bytes } of parts) {
    if (kind === "between") continue;
    ranges.push(await writer.addContent(contentOf(kind === "content" ? bytes : withGap(bytes))));
  }
  await writer.finish();
  return { bytes: sink.bytes(), ranges };
}

async function expectSame(parts: readonly Part[], random: Random, options: Options = {}): Promise<void> {
  const [found, expected] = [await throughInlet(parts, random, options), await oneByOne(parts, options)];
  expect(found.ranges).toEqual(expected.ranges);
  expectBytes(found.bytes, expected.bytes, "the archive");
}

describe("an inlet gives the archive that its contents give one by one", () => {
  test.each(["cdc", "fixed"] as const)("parts of all lengths, %s", async (chunking) => {
    const random = randomFrom(SEED);
    for (let round = 0; round < 6; round++) {
      const parts = Array.from({ length: 60 }, (_, number): Part => {
        const length = random([2, 600, 40_000, 3 * MIB][random(4)]!);
        const kind = (["content", "between", "joined"] as const)[random(8) === 0 ? 2 : number % 2]!;
        return { kind, bytes: materialOf(length, random) };
      });
      await expectSame(parts, random, { chunking });
    }
  });

  test("more contents than a slot has chunks, and as many in a row without a byte between them", async () => {
    const random = randomFrom(SEED + 1);
    const parts = Array.from({ length: 30_000 }, (_, number): Part => {
      const kind = number % 2 === 0 || number > 20_000 ? "content" : "between";
      return { kind, bytes: materialOf(1 + random(20), random) };
    });
    await expectSame(parts, random);
  });
});
