// The LZ4 kernels against the system's liblz4, where there is one, and against hostile blocks.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { CODEC, type Engine } from "../src/core/engine.ts";
import { KERNELS_BASE64 } from "../src/core/kernels.generated.ts";
import { compileBase64, instantiateKernels, type Kernels } from "../src/core/kernels.ts";
import { createPortableEngine } from "../src/core/portable-engine.ts";
import { createNativeEngine } from "../src/node/native-engine.ts";
import { randomBytes, randomFrom, SEED, text, zeroRidden } from "./support/random.ts";

let engine: Engine;
/** Only when it has liblz4. */
let native: Engine | undefined;
beforeAll(async () => {
  engine = await createPortableEngine();
  native = createNativeEngine(engine);
  if (!native?.description.includes("lz4")) native = undefined;
});

describe("LZ4", () => {
  const SIZES = [0, 1, 4, 5, 11, 12, 13, 14, 64, 255, 256, 4095, 65535, 65536, 65537, 65551, 131072];
  const bound = (length: number): number => length + Math.ceil(length / 255) + 16;

  /** Walks the sequences of a block that liblz4 took. */
  function hasZeroOffset(block: Uint8Array): boolean {
    const lengthFrom = (at: number, nibble: number): [number, number] => {
      let [length, next] = [nibble, at];
      if (nibble === 15) {
        do length += block[next]!;
        while (block[next++] === 255);
      }
      return [length, next];
    };
    for (let at = 0; ; ) {
      const token = block[at]!;
      const [literals, after] = lengthFrom(at + 1, token >> 4);
      at = after + literals;
      if (at >= block.length) return false;
      if (block[at] === 0 && block[at + 1] === 0) return true;
      at = lengthFrom(at + 2, token & 15)[1];
    }
  }

  function roundTrip(plain: Uint8Array, where: string): void {
    const out = new Uint8Array(bound(plain.length));
    const stored = out.subarray(0, engine.encode(CODEC.lz4, 0, plain, out));
    const back = new Uint8Array(plain.length);
    engine.decode(CODEC.lz4, stored, back);
    expect(Buffer.compare(back, plain), where).toBe(0);
    if (!native) return;
    back.fill(1);
    native.decode(CODEC.lz4, stored, back);
    expect(Buffer.compare(back, plain), `${where}, liblz4 decodes ours`).toBe(0);
    const theirs = new Uint8Array(bound(plain.length));
    const length = native.encode(CODEC.lz4, 0, plain, theirs);
    back.fill(1);
    engine.decode(CODEC.lz4, theirs.subarray(0, length), back);
    expect(Buffer.compare(back, plain), `${where}, we decode liblz4's`).toBe(0);
    // An exact fit works, a byte less gives 0.
    const tight = new Uint8Array(stored.length);
    expect(engine.encode(CODEC.lz4, 0, plain, tight), `${where}, exact fit`).toBe(stored.length);
    expect(Buffer.compare(tight, stored)).toBe(0);
    expect(engine.encode(CODEC.lz4, 0, plain, tight.subarray(1)), `${where}, one byte short`).toBe(0);
  }

  test.each(SIZES)("blocks of %i bytes cross-decode", (length) => {
    const random = randomFrom(SEED + length);
    for (const shape of [randomBytes, text, zeroRidden, (n: number) => new Uint8Array(n)]) {
      roundTrip(shape(length, random), `seed ${SEED}, ${length} bytes`);
    }
  });

  test("blocks of 16 MiB cross-decode, incompressible ones too", () => {
    const random = randomFrom(SEED + 9);
    const noise = randomBytes(2 ** 20, random);
    const large = new Uint8Array(2 ** 24);
    // Noise that repeats beyond the reach of an offset, and text.
    for (let at = 0; at < large.length / 2; at += noise.length) large.set(noise, at);
    large.set(text(2 ** 23, random), 2 ** 23);
    roundTrip(large, `seed ${SEED}`);
    roundTrip(large.subarray(0, 2 ** 20 + 17), `seed ${SEED}`);
  });

  test("random small blocks cross-decode", () => {
    const byte = fc.integer({ min: 0, max: 2 });
    const block = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(byte, { maxLength: 600 }).map((list) => Uint8Array.from(list)),
    );
    fc.assert(
      fc.property(block, (plain) => roundTrip(Uint8Array.from(plain), "fast-check")),
      { seed: SEED, numRuns: 2000 },
    );
  });

  test("repeats of every period from 1 to 70 decode", () => {
    for (let period = 1; period <= 70; period++) {
      roundTrip(
        Uint8Array.from({ length: 500 + period }, (_, index) => (index % period) * 3 + 1),
        `period ${period}`,
      );
    }
  });

  test("stays within 1 % of liblz4's size on 64 KiB blocks", () => {
    if (!native) return;
    const data = text(2 ** 20, randomFrom(77));
    const out = new Uint8Array(70000);
    let [ours, theirs] = [0, 0];
    for (let at = 0; at < data.length; at += 65536) {
      ours += engine.encode(CODEC.lz4, 0, data.subarray(at, at + 65536), out);
      theirs += native.encode(CODEC.lz4, 0, data.subarray(at, at + 65536), out);
    }
    expect(ours).toBeLessThan(theirs * 1.01);
  });

  test("60 000 mutated blocks end in -1 or exactly-sized output, and nothing outside is touched", async () => {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
    const kernels: Kernels = await instantiateKernels(await compileBase64(KERNELS_BASE64), memory);
    const all = new Uint8Array(memory.buffer);
    const random = randomFrom(SEED + 4);
    const [start, canary] = [kernels.HEAP_BASE.value, 0xa5];
    let accepted = 0;
    for (let round = 0; round < 60_000; round++) {
      const where = `seed ${SEED}, round ${round}`;
      const plain = round % 2 ? text(1 + random(400), random) : zeroRidden(1 + random(400), random);
      const stored = new Uint8Array(bound(plain.length));
      let block = stored.subarray(0, engine.encode(CODEC.lz4, 0, plain, stored));
      for (let change = random(4); change > 0; change--) {
        const at = random(block.length);
        const action = random(4);
        if (action === 0) block[at] = random(256);
        else if (action === 1) block[at]! ^= 1 << random(8);
        else if (action === 2) block[at] = 255;
        else block = block.subarray(0, 1 + at);
      }
      const length = random(4) ? plain.length : random(800);
      // One of the two ends where the memory ends: a read or write behind it traps.
      all.fill(canary, start);
      const [src, dst] =
        round & 4
          ? [all.length - block.length, all.length - 4096 - length]
          : [all.length - 4096 - block.length, all.length - length];
      all.set(block, src);
      const tables = round % 500 === 0 ? all.slice(0, start) : undefined;
      const result = kernels.lz4Decode(src, block.length, dst, length);
      expect(result === 0 || result === -1, where).toBe(true);
      expect(Buffer.compare(all.subarray(src, src + block.length), block), where).toBe(0);
      const [first, second] = src < dst ? [src, dst] : [dst, src];
      const [firstEnd, secondEnd] = src < dst ? [src + block.length, dst + length] : [dst + length, src + block.length];
      for (const [from, to] of [
        [start, first],
        [firstEnd, second],
        [secondEnd, all.length],
      ] as const) {
        // Equal bytes are checked by the kernel itself; that it can tell is tested above.
        if (to > from) expect(kernels.fillValue(from, to - from), `${where}, outside`).toBe(canary);
      }
      if (tables) expect(Buffer.compare(all.subarray(0, start), tables)).toBe(0);
      if (result === 0) accepted += 1;
      if (native) {
        const theirs = new Uint8Array(length);
        let good = true;
        try {
          native.decode(CODEC.lz4, block, theirs);
        } catch {
          good = false;
        }
        // liblz4 lets an offset of 0 pass; apart from that the two agree.
        if (!(good && hasZeroOffset(block))) expect(result === 0, `${where}, liblz4 agrees`).toBe(good);
        if (result === 0) expect(Buffer.compare(all.subarray(dst, dst + length), theirs), where).toBe(0);
      }
    }
    // The generator must make both kinds.
    expect(accepted).toBeGreaterThan(3000);
    expect(accepted).toBeLessThan(57_000);
  });

  test("the encoder writes nothing outside at any capacity", async () => {
    const memory = new WebAssembly.Memory({ initial: 4, maximum: 4 });
    const kernels = await instantiateKernels(await compileBase64(KERNELS_BASE64), memory);
    const all = new Uint8Array(memory.buffer);
    const random = randomFrom(SEED + 5);
    const table = Math.ceil(kernels.HEAP_BASE.value / 64) * 64;
    const free = table + kernels.LZ4_SCRATCH.value;
    for (let round = 0; round < 3000; round++) {
      const where = `seed ${SEED}, round ${round}`;
      const plain = round % 2 ? text(random(600), random) : zeroRidden(random(600), random);
      const capacity = random(bound(plain.length));
      const src = all.length - plain.length;
      const dst = free + 64;
      all.fill(0xa5, free);
      all.set(plain, src);
      const length = kernels.lz4Encode(src, plain.length, dst, capacity, table);
      expect(length, where).toBeLessThanOrEqual(capacity);
      expect(kernels.fillValue(free, 64), where).toBe(0xa5);
      expect(kernels.fillValue(dst + capacity, src - dst - capacity), where).toBe(0xa5);
      expect(Buffer.compare(all.subarray(src), plain), where).toBe(0);
      if (length === 0) continue;
      const back = new Uint8Array(plain.length);
      engine.decode(CODEC.lz4, all.subarray(dst, dst + length), back);
      expect(Buffer.compare(back, plain), where).toBe(0);
    }
  });
});
