// Both engines behind the one interface: memory, views inside and outside of it, Zstandard, damage.

import { crc32 } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { CODEC, type CodecId, type Engine } from "../src/core/engine.ts";
import { HexzError } from "../src/core/errors.ts";
import { compileBase64 } from "../src/core/kernels.ts";
import { createPortableEngine, ENGINE_SCRATCH } from "../src/core/portable-engine.ts";
import { declaredSize } from "../src/core/zstd.ts";
import { SHARED_KERNELS_BASE64 } from "../src/node/kernels-shared.generated.ts";
import { createNativeEngine } from "../src/node/native-engine.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";

const engines: Engine[] = [];
beforeAll(async () => {
  const portable = await createPortableEngine({ memoryBytes: 64 * 2 ** 20 });
  engines.push(portable);
  const native = createNativeEngine(portable);
  if (native) engines.push(native);
  for (const engine of engines) await engine.load(CODEC.zstd);
});

const CODECS = Object.entries(CODEC) as [string, CodecId][];
const bound = (length: number): number => length + (length >> 7) + 1024;

/** `code` of the HexzError that `run` throws; anything else is a failure. */
function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HexzError) return error.code;
    throw error;
  }
  return "none";
}

function encoded(engine: Engine, codec: CodecId, plain: Uint8Array, level = 3): Uint8Array {
  const out = new Uint8Array(bound(plain.length));
  const length = engine.encode(codec, level, plain, out);
  expect(length).toBeGreaterThan(0);
  return out.slice(0, length);
}

describe("codecs", () => {
  test.each(CODECS)("%s: every engine decodes what every engine coded, any mix of views", (_, codec) => {
    const random = randomFrom(SEED);
    for (const length of [1, 12, 13, 1000, 65536, 65537, 300_000]) {
      for (const plain of [text(length, random), randomBytes(length, random), new Uint8Array(length)]) {
        for (const coder of engines) {
          const stored = encoded(coder, codec, plain);
          for (const decoder of engines) {
            const outer = new Uint8Array(length + 2);
            decoder.decode(codec, stored, outer.subarray(1, length + 1));
            expect(Buffer.compare(outer.subarray(1, length + 1), plain), `seed ${SEED}`).toBe(0);
            expect([outer[0], outer[length + 1]]).toEqual([0, 0]);
          }
        }
      }
    }
    for (const engine of engines) {
      const [plain, out, back] = [engine.allocate(70_000), engine.allocate(72_000), engine.allocate(70_000)];
      plain.set(text(70_000, random));
      const length = engine.encode(codec, 1, plain, out);
      for (const [from, to] of [
        [out, back],
        [out, new Uint8Array(70_000)],
        [out.slice(), back],
      ] as const) {
        back.fill(0);
        engine.decode(codec, from.subarray(0, length), to);
        expect(Buffer.compare(to, plain), `seed ${SEED}`).toBe(0);
      }
      expect(engine.encode(codec, 1, plain, new Uint8Array(length)), "the same for another view").toBe(length);
    }
  });

  test.each(CODECS)("%s: gives 0 when it does not fit and touches nothing behind", (_, codec) => {
    const plain = randomBytes(5000, randomFrom(SEED));
    for (const engine of engines) {
      for (const buffer of [new Uint8Array(8000), engine.allocate(8000)]) {
        buffer.fill(7);
        expect(engine.encode(codec, 3, plain, buffer.subarray(0, 4000))).toBe(0);
        expect(engine.fillValue(buffer.subarray(4000))).toBe(7);
      }
    }
  });

  test.each(CODECS)("%s: another length, a cut or changed block is `damaged` or the right bytes", (_, codec) => {
    const random = randomFrom(SEED + 1);
    const plain = text(3000, random);
    for (const engine of engines) {
      const stored = encoded(engine, codec, plain);
      const decode = (bytes: Uint8Array, length: number) => () => engine.decode(codec, bytes, new Uint8Array(length));
      expect(codeOf(decode(stored, 3000))).toBe("none");
      for (const length of [0, 2999, 3001, 100_000]) expect(codeOf(decode(stored, length))).toBe("damaged");
      for (const end of [0, 1, 5, stored.length - 1]) {
        expect(codeOf(decode(stored.subarray(0, end), 3000))).toBe("damaged");
      }
      const room = engine.allocate(3000 + 128);
      for (let round = 0; round < 3000; round++) {
        const bad = stored.slice();
        for (let change = 0; change <= random(3); change++) bad[random(bad.length)] = random(256);
        room.fill(0xa5);
        const code = codeOf(() => engine.decode(codec, bad, room.subarray(64, 3064)));
        expect(["none", "damaged"], `seed ${SEED}, round ${round}`).toContain(code);
        expect(engine.fillValue(room.subarray(0, 64)), `seed ${SEED}, round ${round}`).toBe(0xa5);
        expect(engine.fillValue(room.subarray(3064)), `seed ${SEED}, round ${round}`).toBe(0xa5);
      }
      // Damage before does not change what comes after.
      expect(Buffer.compare(encoded(engine, codec, plain), stored)).toBe(0);
      expect(codeOf(decode(stored, 3000))).toBe("none");
    }
  });
});

describe("Zstandard", () => {
  test("levels 1 to 19 round-trip, frames declare their size and have no checksum", () => {
    const plain = text(100_000, randomFrom(SEED + 2));
    for (const engine of engines) {
      for (const level of [1, 3, 9, 15, 19]) {
        const stored = encoded(engine, CODEC.zstd, plain, level);
        expect(declaredSize(stored)).toBe(plain.length);
        expect(stored[4]! & 4, "checksum flag").toBe(0);
        const back = new Uint8Array(plain.length);
        engine.decode(CODEC.zstd, stored, back);
        expect(Buffer.compare(back, plain)).toBe(0);
      }
    }
  });

  test("declaredSize() reads every width", () => {
    const frame = (...bytes: number[]) => Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, ...bytes]);
    expect(declaredSize(frame(0x20, 9))).toBe(9);
    expect(declaredSize(frame(0x00, 9))).toBeUndefined();
    expect(declaredSize(frame(0x60, 1, 1))).toBe(257 + 256);
    expect(declaredSize(frame(0x81, 0x58, 7, 0, 0, 1, 0))).toBe(65536);
    expect(declaredSize(frame(0xe0, 0, 0, 0, 0, 1, 0, 0, 0))).toBe(2 ** 32);
    expect(declaredSize(frame(0xe0, 0, 0, 0))).toBeUndefined();
    expect(declaredSize(Uint8Array.from([1, 2, 3, 4, 0x20, 9]))).toBeUndefined();
  });

  test("a frame that declares terabytes is refused before anything is decoded", () => {
    const bomb = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 16, 0, 0, 1, 0, 0]);
    for (const engine of engines)
      expect(codeOf(() => engine.decode(CODEC.zstd, bomb, new Uint8Array(10)))).toBe("damaged");
  });

  test("using it before load() is a TypeError", async () => {
    const engine = await createPortableEngine({ memoryBytes: 2 ** 20 });
    expect(() => engine.encode(CODEC.zstd, 3, new Uint8Array(1), new Uint8Array(9))).toThrow(TypeError);
  });
});

describe("memory", () => {
  test("allocate() gives aligned buffers with slack; when full, buffers outside that work too", async () => {
    const engine = await createPortableEngine({ memoryBytes: 2 ** 20 });
    const buffers = Array.from({ length: 30 }, (_, index) => engine.allocate(65_001 + index));
    let end = 0;
    for (const buffer of buffers) {
      if (buffer.buffer !== engine.memory.buffer) continue;
      expect(buffer.byteOffset % 64).toBe(0);
      expect(buffer.byteOffset).toBeGreaterThanOrEqual(end);
      end = buffer.byteOffset + buffer.length + 64;
    }
    expect(end).toBeGreaterThan(0);
    expect(end).toBeLessThanOrEqual(2 ** 20);
    const last = buffers.at(-1)!;
    expect(last.buffer).not.toBe(engine.memory.buffer);
    buffers[0]!.set(text(65_001, randomFrom(SEED)));
    last.set(buffers[0]!);
    const [one, two] = [new Uint8Array(32), new Uint8Array(32)];
    engine.digest(buffers[0]!, one);
    engine.digest(last.subarray(0, 65_001), two);
    expect(two).toEqual(one);
  });

  test("views stay valid while large blocks outside pass through", async () => {
    const engine = await createPortableEngine({ memoryBytes: 2 ** 20 });
    const kept = engine.allocate(1000).fill(9);
    const plain = text(3 * 2 ** 20, randomFrom(SEED));
    const stored = encoded(engine, CODEC.lz4, plain);
    const back = new Uint8Array(plain.length);
    engine.decode(CODEC.lz4, stored, back);
    expect(Buffer.compare(back, plain)).toBe(0);
    expect(kept.length).toBe(1000);
    expect(engine.fillValue(kept)).toBe(9);
  });

  test("two engines share one memory, each with its own heap", async () => {
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
    const kernels = await compileBase64(SHARED_KERNELS_BASE64);
    const half = 32 * 65536;
    const one = await createPortableEngine({ kernels, memory, heap: { start: 0, end: half } });
    const two = await createPortableEngine({ kernels, memory, heap: { start: half, end: 2 * half } });
    const plain = one.allocate(100_000);
    plain.set(text(100_000, randomFrom(SEED)));
    const stored = two.allocate(110_000);
    expect(stored.byteOffset).toBeGreaterThanOrEqual(half);
    const length = two.encode(CODEC.lz4, 0, plain, stored);
    const back = one.allocate(100_000);
    one.decode(CODEC.lz4, stored.subarray(0, length), back);
    expect(Buffer.compare(back, plain)).toBe(0);
    const digests = [one, two].map((engine) => {
      const out = engine.allocate(32);
      engine.digest(plain, out);
      return Buffer.from(out).toString("hex");
    });
    expect(digests[0]).toBe(digests[1]);
    expect(() => one.allocate(half)).toThrow(HexzError);
    const tooSmall = createPortableEngine({ kernels, memory, heap: { start: 0, end: ENGINE_SCRATCH / 4 } });
    await expect(tooSmall).rejects.toThrow(HexzError);
    const native = createNativeEngine(two);
    if (!native) return;
    back.fill(0);
    native.decode(CODEC.lz4, stored.subarray(0, length), back);
    expect(Buffer.compare(back, plain)).toBe(0);
  });
});

test("both engines give the same digests, also after the native one has switched over", () => {
  const data = text(2 ** 20, randomFrom(SEED + 3));
  const expected = new Uint8Array(32);
  engines[0]!.digest(data, expected);
  const inside = engines[0]!.allocate(data.length);
  inside.set(data);
  for (const engine of engines) {
    for (let round = 0; round < 40; round++) {
      const out = round % 2 ? new Uint8Array(32) : engine.allocate(32);
      engine.digest(round % 3 ? data : inside, out);
      expect(Buffer.compare(out, expected)).toBe(0);
    }
  }
});

test("decodeFront() of the native engine gives the beginning of a block and stays within it", async () => {
  const portable = await createPortableEngine();
  const native = createNativeEngine(portable);
  if (native?.decodeFront === undefined) return;
  const plain = Buffer.from("the quick brown fox jumps over the lazy dog. ".repeat(2000));
  const stored = new Uint8Array(plain.length);
  const storedLength = native.encode(CODEC.lz4, 0, plain, stored);
  for (const length of [1, 44, 45, 4096, plain.length - 1]) {
    const room = new Uint8Array(length + 64).fill(0xee);
    expect(native.decodeFront(CODEC.lz4, stored.subarray(0, storedLength), room.subarray(0, length))).toBe(true);
    expect(Buffer.from(room.subarray(0, length)).equals(plain.subarray(0, length))).toBe(true);
    expect(room.subarray(length).every((byte) => byte === 0xee)).toBe(true);
  }
  expect(native.decodeFront(CODEC.zstd, stored, new Uint8Array(4))).toBe(false);
  const cut = stored.subarray(0, 8);
  expect(() => native.decodeFront!(CODEC.lz4, cut, new Uint8Array(4096))).toThrow(HexzError);
});

test("crc32() is zlib's at every length around a step, inside and outside the memory", () => {
  const random = randomFrom(SEED);
  for (const engine of engines) {
    expect(engine.crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
    for (const length of [0, 1, 7, 8, 9, 63, 64, 65, 65_535, 65_536, 65_537, 200_000]) {
      const bytes = randomBytes(length, random);
      const inside = engine.allocate(length);
      inside.set(bytes);
      expect(engine.crc32(bytes), `${engine.name}, ${length}, seed ${SEED}`).toBe(crc32(bytes));
      expect(engine.crc32(inside), `${engine.name}, ${length}, seed ${SEED}`).toBe(crc32(bytes));
    }
  }
});

test("findCuts() refuses sizes out of range", () => {
  const lengths = new Uint32Array(4);
  for (const sizes of [
    { min: 64, avg: 1000, max: 4096 },
    { min: 1, avg: 256, max: 1024 },
    { min: 64, avg: 32, max: 1024 },
    { min: 2048, avg: 256, max: 1024 },
  ]) {
    expect(codeOf(() => engines[0]!.findCuts(new Uint8Array(10), sizes, true, lengths))).toBe("usage");
  }
});
