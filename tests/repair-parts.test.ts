// Repair of archives that have lost a part: the end, the beginning, sectors here and there.

import { describe, expect, test } from "vitest";
import { HexzError, type RangeSource } from "../src/core/index.ts";
import { packBases, packPlan } from "./support/archives.ts";
import { pagesOf } from "./support/fuzz.ts";
import { isWhole, openQuickly, outcomeOf, truthOf } from "./support/outcomes.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { decodeReference } from "./support/reference.ts";
import { expectHonest, repaired } from "./support/salvaged.ts";
import { samplePlans } from "./support/samples.ts";

process.stdout.write(`repair-parts.test.ts: HEXZ_SEED=${SEED}\n`);
const SMALL = { minChunk: 64, avgChunk: 256, maxChunk: 1024, blockSize: 4096 };
const NAMES = ["tree-lz4", "tree-none", "mixed-zstd", "duplicates", "container", "unordered", "signed", "thin"];
const filled = (bytes: Uint8Array, start: number, end: number, value = 0) => bytes.slice().fill(value, start, end);

describe("parts of the file lost", () => {
  const random = randomFrom(SEED);
  // Larger than a leaf may describe before it is written.
  const items = Array.from({ length: 300 }, (_, number) => ({
    entry: { path: `d/${String(number).padStart(3, "0")}` as never, type: "file" as const },
    content: number % 3 === 0 ? randomBytes(40_000, random) : text(40_000, random),
  }));
  const size = items.length * 40_000;
  const packed = packPlan({ items, options: { metadata: { note: "kept" } } });

  test.each([0.1, 0.3, 0.6])(
    "the last part of it (%d): what stands before comes back, and names of nearly all",
    async (part) => {
      const bytes = await packed;
      const truth = await truthOf(bytes);
      const damaged = bytes.subarray(0, Math.floor(bytes.length * (1 - part)));
      const repair = await repaired(damaged);
      expectHonest(repair, truth, `without ${part}`);
      expect(repair.from.id).toBeUndefined();
      const found = [...repair.contents.values()].reduce((sum, { length }) => sum + length, 0);
      expect(found, `seed ${SEED}`).toBeGreaterThan(size * (1 - part) - 5 * 1024 * 1024);
    },
  );

  test.each([
    ["overwritten", (bytes: Uint8Array, length: number) => filled(bytes, 0, length)],
    ["cut off", (bytes: Uint8Array, length: number) => bytes.subarray(length)],
  ])("the first tenth of it, %s: all that stands behind comes back", async (_, damage) => {
    const bytes = await packed;
    const truth = await truthOf(bytes);
    const length = Math.floor(bytes.length / 10);
    const repair = await repaired(damage(bytes, length));
    expectHonest(repair, truth, "without its beginning");
    expect(repair.from).toMatchObject({ id: (await openQuickly(bytes)).id, proven: true });
    // Only blocks at the border of what is lost are coded anew.
    const { codecs } = decodeReference(repair.bytes).counts;
    const blocks = codecs.reduce((sum, codec) => sum + codec.blocks, 0);
    expect(repair.copied.count).toBeGreaterThan(blocks * 0.95);
    const { chunks } = decodeReference(bytes);
    const first = chunks.find(({ blockOffset }) => blockOffset !== undefined && blockOffset >= length)!.start;
    for (const { path, start } of truth.entries) {
      if (start !== undefined && start >= first) expect(repair.contents.has(`file:${path}`), path).toBe(true);
    }
  });

  test("pages cost bounded memory, and the scan reads little more than the file", async () => {
    const bytes = await packed;
    let read = 0;
    let most = 0;
    const source: RangeSource = {
      name: "counted",
      size: bytes.length,
      async read(start, end) {
        read += end - start;
        most = Math.max(most, end - start);
        return bytes.subarray(start, end);
      },
    };
    const { scan } = await import("../src/core/salvage/scan.ts");
    const { context } = await openQuickly(bytes);
    let pages = 0;
    for await (const _ of scan(source, context.digestOf)) pages++;
    expect(pages).toBe(pagesOf(bytes).length + 1);
    expect(read).toBeLessThan(bytes.length * 1.2);
    expect(most).toBeLessThan(10 * 1024 * 1024);
  });
});

test("sectors that cannot be read are lost, and no more than what lies in them", async () => {
  const random = randomFrom(SEED);
  const items = Array.from({ length: 40 }, (_, number) => ({
    entry: { path: `f${number + 10}` as never, type: "file" as const },
    content: randomBytes(1000, random),
  }));
  const bytes = await packPlan({ items, options: SMALL });
  const truth = await truthOf(bytes);
  const broken = [4096, 8192] as const;
  const source: RangeSource = {
    name: "a failing disk",
    size: bytes.length,
    async read(start, end) {
      if (start < broken[1] && end > broken[0]) throw new HexzError("io", "EIO");
      return bytes.subarray(start, end);
    },
  };
  const repair = await repaired(source);
  expect(repair.contents.size).toBeGreaterThan(20);
  expectHonest(repair, truth, "a failing disk");
  const zeroed = await repaired(filled(bytes, ...broken));
  expect(Buffer.compare(repair.bytes, zeroed.bytes)).toBe(0);
});

test("random damage: honest, whatever it is", async () => {
  const random = randomFrom(SEED);
  for (const name of NAMES) {
    const plan = samplePlans()[name]!;
    const parents = await packBases(plan.bases);
    const bytes = await packPlan(plan);
    const truth = await truthOf(bytes, parents);
    for (let round = 0; round < 25; round++) {
      let damaged = bytes.slice();
      for (let times = 1 + random(4); times > 0; times--) {
        const start = random(bytes.length);
        if (random(5) === 0) damaged = damaged.slice(0, bytes.length - random(bytes.length / 2));
        else damaged.fill(random(256), start, start + 1 + random(400));
      }
      try {
        const repair = await repaired(damaged, parents);
        expectHonest(repair, truth, `${name}, round ${round}, seed ${SEED}`);
        if (repair.losses.length === 0) {
          expect(isWhole(await outcomeOf(repair.bytes, truth)), `${name}, round ${round}, seed ${SEED}`).toBe(true);
        }
      } catch (error) {
        if (!(error instanceof HexzError)) throw error;
        expect(["not_an_archive", "truncated", "version_unknown", "feature_unknown"]).toContain(error.code);
      }
    }
  }
});
