// The lookup of chunks in large bases: how much memory each takes, and that every one of them is found.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import type { IndexLeaf } from "../src/core/format/index-page.ts";
import { openArchive } from "../src/core/index.ts";
import { type Base, loadBases } from "../src/core/write/bases.ts";
import { packPlan } from "./support/archives.ts";

const PAGE = 1000;
const CHUNK = 65_536;
/** 16 million are the base of a 1 TiB image. */
const COUNT = Number(process.env.HEXZ_BASE_CHUNKS ?? 1_000_000);

/** Digests that depend on the number alone. */
function writeDigest(words: Uint32Array, number: number): void {
  let state = (number * 2 + 1) | 0;
  for (let word = 0; word < 8; word++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + word;
    state = Math.imul(state ^ (state >>> 12), 0x297a_2d39);
    words[word] = (state ^ (state >>> 15)) >>> 0;
  }
}

/** The index of an archive of `count` chunks of 64 KiB, each in a block of its own: the dearest case. */
async function simulatedBase(count: number): Promise<Base> {
  const { root } = await openArchive(await packPlan({}));
  return {
    id: new Uint8Array(32).fill(1),
    hint: "huge.hxz",
    name: "huge.hxz",
    root,
    async *leaves() {
      for (let first = 0; first < count; first += PAGE) yield leafOf(first, Math.min(PAGE, count - first));
    },
  };
}

function leafOf(first: number, count: number): IndexLeaf {
  const words = new Uint32Array(count * 8);
  for (let number = 0; number < count; number++)
    writeDigest(words.subarray(number * 8, number * 8 + 8), first + number);
  return {
    starts: Float64Array.from({ length: count + 1 }, (_, number) => (first + number) * CHUNK),
    digests: new Uint8Array(words.buffer),
    fills: new Int16Array(count).fill(-1),
    blockNumbers: Uint32Array.from({ length: count }, (_, number) => number),
    blockOffsets: new Uint32Array(count),
    blocks: Array.from({ length: count }, (_, number) => {
      const offset = 16 + (first + number) * CHUNK;
      return { archive: 0, dictionary: undefined, codec: 0, offset, storedLength: CHUNK, plainLength: CHUNK };
    }),
  };
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Memory of buffers that something still refers to. */
async function bytesInUse(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage().arrayBuffers;
}

test("a base takes at most 48 bytes of memory a chunk, and each of its chunks is found", async () => {
  const base = await simulatedBase(COUNT);
  const before = await bytesInUse();
  const { dedup, blocks, origins } = await loadBases([base]);
  const bytes = (await bytesInUse()) - before;
  expect(dedup.count).toBe(COUNT);
  // What the last segments have room for comes on top.
  expect(bytes).toBeLessThanOrEqual(48 * COUNT + 65_536 * 42);
  const digest = new Uint32Array(8);
  for (let number = 0; number < COUNT; number += 7) {
    writeDigest(digest, number);
    const found = dedup.find(digest);
    if (found?.block !== number) expect(found).toMatchObject({ block: number, offset: 0 });
    if (number % 70_000 === 0) expect(blocks.get(number).offset).toBe(16 + number * CHUNK);
    writeDigest(digest, COUNT + number);
    if (dedup.find(digest) !== undefined) expect(dedup.find(digest)).toBeUndefined();
  }
  expect(origins.parents.length).toBe(1);
});
