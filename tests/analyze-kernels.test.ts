// The kernels of analysis: one scan finds the cuts of every chunking, and the hash tells chunks apart.

import { beforeAll, describe, expect, test } from "vitest";
import type { ChunkSizes, Engine } from "../src/core/engine.ts";
import { createPortableEngine } from "../src/core/portable-engine.ts";
import { randomBytes, randomFrom, SEED, text, zeroRidden } from "./support/random.ts";

const MIB = 1024 * 1024;
const MASKS = `1804110 1803110 18035100 1800035300 19000353000 590003530000 d90003530000 d90103530000 d90303530000
  d90313530000 d90f03530000 d90303537000 d90703537000 d90707537000 d91707537000 d91747537000 d91767537000
  d93767537000 d93777537000 d93777577000 db3777577000`
  .split(/\s+/)
  .map((mask) => BigInt(`0x${mask}`));

let engine: Engine;
let room: { source: Uint8Array; found: Uint8Array; list: Uint32Array; state: Uint32Array };
beforeAll(async () => {
  engine = await createPortableEngine({ memoryBytes: 64 * MIB });
  const words = (count: number) => {
    const bytes = engine.allocate(count * 4);
    return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
  };
  room = { source: engine.allocate(4 * MIB), found: engine.allocate(MIB), list: words(MIB), state: words(1) };
});

test("every mask of 11 bits and more has all bits of the one that is scanned for", () => {
  const eleven = MASKS[11 - 5]!;
  for (const mask of MASKS.slice(11 - 5)) expect((mask & eleven) === eleven, mask.toString(16)).toBe(true);
});

/** The lengths that walkCuts finds when the content comes in such pieces. */
function walk(content: Uint8Array, { min, avg, max }: ChunkSizes, ends: readonly number[]): number[] {
  const { source, found, list, state } = room;
  source.fill(0xa5);
  source.set(content, 100);
  const count = engine.kernels.scanCuts(source.byteOffset, 100, 100 + content.length, found.byteOffset, 65_536);
  expect(count).toBeGreaterThanOrEqual(0);
  state[0] = 0;
  const lengths: number[] = [];
  let at = 100;
  for (const [number, end] of ends.entries()) {
    const final = number === ends.length - 1 ? 1 : 0;
    const places = [final, found.byteOffset, count, state.byteOffset, list.byteOffset, list.length / 2] as const;
    const sizes = [min, avg, max, Math.log2(avg)] as const;
    const made = engine.kernels.walkCuts(source.byteOffset, at, 100 + end, ...sizes, ...places);
    for (let chunk = 0; chunk < made; chunk++) {
      expect(list[chunk * 2]).toBe(at);
      lengths.push(list[chunk * 2 + 1]!);
      at += list[chunk * 2 + 1]!;
    }
  }
  return lengths;
}

test("walkCuts() cuts where findCuts() does, whatever the sizes and the pieces", () => {
  const random = randomFrom(SEED);
  const sizes: ChunkSizes[] = [
    { min: 1024, avg: 1024, max: 8192 },
    { min: 1024, avg: 4096, max: 16_384 },
    { min: 2048, avg: 8192, max: 65_536 },
    { min: 4095, avg: 4096, max: 4097 },
    { min: 64, avg: 16_384, max: 65_537 },
    { min: 16_383, avg: 65_536, max: 262_144 },
    { min: 65_536, avg: 262_144, max: 1_048_576 },
  ];
  const kinds = [randomBytes, text, zeroRidden, (length: number) => new Uint8Array(length)];
  for (let round = 0; round < 60; round++) {
    const content = kinds[round % 4]!(random(round % 3 ? 60_000 : 600_000), random);
    const some = sizes[round % sizes.length]!;
    const lengths = new Uint32Array(20_000);
    const count = engine.findCuts(content, some, true, lengths);
    const expected = [...lengths.subarray(0, count)].map((length) => length & 0x7fff_ffff);
    const ends: number[] = [];
    for (let end = 0; end < content.length; end += 1 + random(round % 2 ? 5000 : 200_000)) ends.push(end);
    const found = walk(content, some, [...ends, content.length]);
    expect(found, `seed ${SEED}, round ${round}`).toEqual(expected);
  }
});

test("scanCuts() says when there are too many places", () => {
  const { source, found } = room;
  source.set(randomBytes(200_000, randomFrom(3)));
  const all = engine.kernels.scanCuts(source.byteOffset, 0, 200_000, found.byteOffset, 65_536);
  expect(all).toBeGreaterThan(200);
  expect(engine.kernels.scanCuts(source.byteOffset, 0, 200_000, found.byteOffset, all)).toBe(all);
  expect(engine.kernels.scanCuts(source.byteOffset, 0, 200_000, found.byteOffset, all - 1)).toBe(-1);
});

describe("hashChunks()", () => {
  const hash = (...contents: Uint8Array[]): { hashes: bigint[]; fills: number[] } => {
    const { source, list, found } = room;
    let at = 1;
    for (const [number, content] of contents.entries()) {
      source.set(content, at);
      list[number * 2] = at;
      list[number * 2 + 1] = content.length | 0x8000_0000;
      at += content.length + 3;
    }
    const { length } = contents;
    const hashes = new BigUint64Array(found.buffer, found.byteOffset, length);
    const fills = new Int32Array(found.buffer, found.byteOffset + length * 8, length);
    const scratch = found.byteOffset + MIB - engine.kernels.HASH_SCRATCH.value;
    const results = [hashes.byteOffset, fills.byteOffset, scratch] as const;
    engine.kernels.hashChunks(source.byteOffset, list.byteOffset, length, ...results);
    return { hashes: [...hashes], fills: [...fills] };
  };

  test("is equal for equal bytes anywhere, and tells fills by their value", () => {
    const content = randomBytes(5000, randomFrom(SEED));
    const { hashes, fills } = hash(
      content,
      Uint8Array.of(1, 2, 3),
      content,
      new Uint8Array(700).fill(255),
      Uint8Array.of(9),
    );
    expect(hashes[0]).toBe(hashes[2]);
    expect(fills).toEqual([-1, -1, -1, 255, 9]);
  });

  test("differs when a bit, the length or the order differs", () => {
    const random = randomFrom(SEED);
    for (const length of [2, 3, 63, 64, 65, 127, 128, 129, 4096]) {
      const content = randomBytes(length, random);
      content[0]! |= 1;
      content[1]! &= 0xfe;
      const variants = [content, Uint8Array.from([...content, 0]), content.slice().reverse()];
      for (let bit = 0; bit < Math.min(length * 8, 900); bit++) {
        const other = content.slice();
        other[bit >> 3]! ^= 1 << (bit & 7);
        variants.push(other);
      }
      if (length > 64) variants.push(Uint8Array.from([...content.subarray(64), ...content.subarray(0, 64)]));
      const texts = new Set(variants.map((bytes) => Buffer.from(bytes).toString("hex")));
      expect(new Set(hash(...variants).hashes).size, `${length} bytes`).toBe(texts.size);
    }
  });

  test("spreads nearly equal chunks over all bits", () => {
    const counts = new Array<number>(64).fill(0);
    const contents = Array.from({ length: 1000 }, (_, number) => {
      const bytes = new Uint8Array(256);
      new DataView(bytes.buffer).setUint32((number % 60) * 4, number + 1);
      return bytes;
    });
    const { hashes } = hash(...contents);
    for (const value of hashes) for (let bit = 0; bit < 64; bit++) counts[bit]! += Number((value >> BigInt(bit)) & 1n);
    expect(new Set(hashes).size).toBe(1000);
    for (const count of counts) expect(Math.abs(count - 500)).toBeLessThan(100);
  });
});
