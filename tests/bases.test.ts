// The lookup of chunks in large bases: how much memory each takes, and that every one of them is found.

import { expect, test } from "vitest";
import { openArchive } from "../src/core/index.ts";
import { type Base, loadBases } from "../src/core/write/bases.ts";
import { createMemorySink } from "../src/core/write/memory-sink.ts";
import { packPlan } from "./support/archives.ts";
import { bytesInUse, SIMULATED_CHUNK, simulatedLeaves, writeDigest } from "./support/simulated-index.ts";

/** 16 million are the base of a 1 TiB image. */
const COUNT = Number(process.env.HEXZ_BASE_CHUNKS ?? 1_000_000);

/** The index of an archive of `count` chunks of 64 KiB, each in a block of its own: the dearest case. */
async function simulatedBase(count: number): Promise<Base> {
  const { root } = await openArchive(await packPlan({}));
  const leaves = () => simulatedLeaves(count);
  return { id: new Uint8Array(32).fill(1), hint: "huge.hxz", name: "huge.hxz", root, leaves };
}

test("a base takes at most 48 bytes of memory a chunk, and each of its chunks is found", async () => {
  const base = await simulatedBase(COUNT);
  const before = await bytesInUse();
  const { dedup, blocks, origins } = await loadBases([base], createMemorySink());
  const bytes = (await bytesInUse()) - before;
  expect(dedup.count).toBe(COUNT);
  // What the last segments have room for comes on top.
  expect(bytes).toBeLessThanOrEqual(48 * COUNT + 65_536 * 42);
  const digest = new Uint32Array(8);
  for (let number = 0; number < COUNT; number += 7) {
    writeDigest(digest, number);
    const found = dedup.find(digest);
    if (found?.block !== number) expect(found).toMatchObject({ block: number, offset: 0 });
    if (number % 70_000 === 0) expect(blocks.get(number).offset).toBe(16 + number * SIMULATED_CHUNK);
    writeDigest(digest, COUNT + number);
    if (dedup.find(digest) !== undefined) expect(dedup.find(digest)).toBeUndefined();
  }
  expect(origins.parents.length).toBe(1);
});
