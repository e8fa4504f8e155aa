// The kernels for digests and chunking against official vectors and slow readable forms of the same algorithms.

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { beforeAll, describe, expect, test } from "vitest";
import { type ChunkSizes, type Engine, ZERO_CHUNK } from "../src/core/engine.ts";
import { createPortableEngine } from "../src/core/portable-engine.ts";
import { randomBytes, randomFrom, SEED, text, zeroRidden } from "./support/random.ts";

const require = createRequire(import.meta.url);

let engine: Engine;
beforeAll(async () => {
  engine = await createPortableEngine({ memoryBytes: 128 * 2 ** 20 });
});

const inside = (bytes: Uint8Array): Uint8Array => {
  const view = engine.allocate(bytes.length);
  view.set(bytes);
  return view;
};
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const digestOf = (bytes: Uint8Array): string => {
  const out = new Uint8Array(32);
  engine.digest(bytes, out);
  return hex(out);
};
const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index % 251);

describe("BLAKE3", () => {
  const OFFICIAL: Record<number, string> = {
    0: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    1: "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
    1024: "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
    1025: "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
    102400: "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
  };
  const LENGTHS = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 2048, 2049, 3072, 3073, 4096, 4097, 5120,
    5121, 6144, 6145, 7168, 7169, 8192, 8193, 16383, 16384, 16385, 31744, 32768, 32769, 65536, 65537, 102400, 1048577,
  ];

  test.each(Object.entries(OFFICIAL))("digest() of the official input of %s bytes", (length, expected) => {
    expect(digestOf(inside(counting(Number(length))))).toBe(expected);
  });

  test("digest() equals another implementation at every boundary, inside and outside the memory", () => {
    const { blake3 } = require("@napi-rs/blake-hash") as { blake3(bytes: Buffer): Buffer };
    for (const length of LENGTHS) {
      const bytes = counting(length);
      const expected = hex(blake3(Buffer.from(bytes)));
      expect(digestOf(inside(bytes)), `${length} inside`).toBe(expected);
      expect(digestOf(bytes), `${length} outside`).toBe(expected);
    }
  });

  test("createHasher() gives the one-shot digest for any split, with several hashers in turn", () => {
    const random = randomFrom(SEED);
    for (let round = 0; round < 60; round++) {
      const data = inside(randomBytes(random(round % 3 ? 9000 : 90000), random));
      const other = data.slice().reverse();
      const [one, two] = [engine.createHasher(), engine.createHasher()];
      const most = [64, 1025, 5000, 40000][round % 4]!;
      for (let at = 0; at < data.length; ) {
        const end = at + random(most);
        one.update(data.subarray(at, end));
        if (round % 2) two.update(other.subarray(at, end));
        at = end;
      }
      expect(hex(one.digest()), `seed ${SEED}, round ${round}`).toBe(digestOf(data));
      if (round % 2) expect(hex(two.digest()), `seed ${SEED}, round ${round}`).toBe(digestOf(other));
    }
  });
});

describe("FastCDC", () => {
  const MASKS = [
    0x1804110n,
    0x1803110n,
    0x18035100n,
    0x1800035300n,
    0x19000353000n,
    0x590003530000n,
    0xd90003530000n,
    0xd90103530000n,
    0xd90303530000n,
    0xd90313530000n,
    0xd90f03530000n,
    0xd90303537000n,
    0xd90703537000n,
    0xd90707537000n,
    0xd91707537000n,
    0xd91747537000n,
    0xd91767537000n,
    0xd93767537000n,
    0xd93777537000n,
    0xd93777577000n,
    0xdb3777577000n,
  ];
  const GEAR = Array.from({ length: 256 }, (_, byte) =>
    createHash("md5").update(Buffer.alloc(64, byte)).digest().readBigUInt64BE(0),
  );
  const mod64 = (value: bigint): bigint => BigInt.asUintN(64, value);

  /** hexz-v1.md 4.2, word by word. */
  function slowCut(source: Uint8Array, { min, avg, max }: ChunkSizes): number {
    const bits = Math.round(Math.log2(avg));
    const [small, large] = [MASKS[bits + 1 - 5]!, MASKS[bits - 1 - 5]!];
    if (source.length <= min) return source.length;
    const remaining = Math.min(source.length, max);
    const center = Math.min(avg, remaining);
    let hash = 0n;
    for (let i = Math.floor(min / 2); i < Math.floor(remaining / 2); i++) {
      const mask = i < Math.floor(center / 2) ? small : large;
      hash = mod64((hash << 2n) + (GEAR[source[2 * i]!]! << 1n));
      if ((hash & mod64(mask << 1n)) === 0n) return 2 * i;
      hash = mod64(hash + GEAR[source[2 * i + 1]!]!);
      if ((hash & mask) === 0n) return 2 * i + 1;
    }
    return remaining;
  }

  function slowCuts(data: Uint8Array, sizes: ChunkSizes): number[] {
    const lengths: number[] = [];
    for (let at = 0; at < data.length; ) {
      const cut = slowCut(data.subarray(at, at + sizes.max), sizes);
      lengths.push(cut + (data.subarray(at, at + cut).every((byte) => byte === 0) ? ZERO_CHUNK : 0));
      at += cut;
    }
    return lengths;
  }

  function cuts(data: Uint8Array, sizes: ChunkSizes, capacity = 1 << 16): number[] {
    const lengths = new Uint32Array(capacity);
    return [...lengths.subarray(0, engine.findCuts(data, sizes, true, lengths))];
  }

  const published = (): Uint8Array => {
    const words = Array.from({ length: 32768 }, (_, counter) => {
      const word = Buffer.alloc(8);
      word.writeUInt32LE(counter);
      return createHash("sha256").update(word).digest();
    });
    return Buffer.concat(words);
  };
  const TAIL = [76346, 26475, 115751, 72166, 110054, 23002, 61347, 88013, 19559, 66079, 29831];

  test("findCuts() gives the published vectors", () => {
    const data = inside(published());
    expect(cuts(data, { min: 16384, avg: 65536, max: 131072 })).toEqual([131072, 68432, 42352, 118097, ...TAIL]);
    expect(cuts(data, { min: 16384, avg: 65536, max: 262144 })).toEqual([151071, 87658, 121224, ...TAIL]);
    const small = cuts(data, { min: 2048, avg: 8192, max: 65536 });
    expect(small).toHaveLength(112);
    expect(createHash("sha256").update(small.join(",")).digest("hex")).toBe(
      "0508376f2841ea6b8a9cdc543191f3a8c6d44580813891c53e566845f9301e1a",
    );
    const zeros = cuts(new Uint8Array(10240), { min: 64, avg: 256, max: 1024 });
    expect(zeros).toEqual(Array(10).fill(1024 + ZERO_CHUNK));
  });

  test("the masks of 7 and of 9 to 25 bits never cut inside zeros, which the zero-run shortcut relies on", () => {
    const cutting = MASKS.map((mask, index) => {
      let hash = 0n;
      // From a hash of 0 and, 64 bytes later, from one that no longer changes.
      for (let i = 0; i < 100; i++) {
        hash = mod64((hash << 2n) + (GEAR[0]! << 1n));
        if ((hash & mod64(mask << 1n)) === 0n) return index + 5;
        hash = mod64(hash + GEAR[0]!);
        if ((hash & mask) === 0n) return index + 5;
      }
      return 0;
    });
    expect(cutting.filter(Boolean)).toEqual([5, 6, 8]);
  });

  const shapes = [randomBytes, text, zeroRidden];
  test("findCuts() equals the slow form for random sizes, odd ones too, inside and outside the memory", () => {
    const random = randomFrom(SEED + 1);
    const room = engine.allocate(200_000);
    for (let round = 0; round < 60; round++) {
      const avg = 2 ** (6 + random(10));
      const min = 2 + random(avg);
      const sizes = { min, avg, max: Math.max(min, avg) + random(4 * avg) };
      const data = shapes[round % 3]!(random(150_000), random);
      const expected = slowCuts(data, sizes);
      const where = `seed ${SEED}, round ${round}, ${JSON.stringify(sizes)}, ${data.length} bytes`;
      const view = room.subarray(round % 7, (round % 7) + data.length);
      view.set(data);
      expect(cuts(view, sizes), where).toEqual(expected);
      expect(cuts(data, sizes), where).toEqual(expected);
    }
  });

  test("findCuts() without `final` stops before the look-ahead ends, so read sizes do not matter", () => {
    const random = randomFrom(SEED + 2);
    for (let round = 0; round < 40; round++) {
      const sizes = { min: 64, avg: 256, max: 1024 + random(500) };
      const data = shapes[round % 3]!(60_000, random);
      const found: number[] = [];
      const lengths = new Uint32Array(1 + random(20));
      let start = 0;
      for (let end = 0; start < data.length; ) {
        end = Math.min(data.length, end + random(3000));
        const final = end === data.length;
        const count = engine.findCuts(data.subarray(start, end), sizes, final, lengths);
        for (const length of lengths.subarray(0, count)) {
          found.push(length);
          start += length & 0x7fffffff;
        }
        if (!final && count < lengths.length) expect(end - start).toBeLessThan(sizes.max);
      }
      expect(found, `seed ${SEED}, round ${round}`).toEqual(cuts(data, sizes));
    }
  });

  test("fillValue() finds one differing byte anywhere", () => {
    const random = randomFrom(SEED + 3);
    expect(engine.fillValue(new Uint8Array(0))).toBe(-1);
    for (const length of [1, 2, 7, 8, 9, 63, 64, 65, 127, 128, 1000, 70_000]) {
      for (const value of [0, 1, 255]) {
        const outer = new Uint8Array(length).fill(value);
        for (const bytes of [outer, inside(outer)]) {
          expect(engine.fillValue(bytes)).toBe(value);
          if (length === 1) continue;
          const at = random(length);
          bytes[at]! ^= 1 << random(8);
          expect(engine.fillValue(bytes), `seed ${SEED}, ${length} bytes, ${at}`).toBe(-1);
          bytes[at] = value;
        }
      }
    }
  });
});
