// A survey counts what the writer writes: chunks, distinct bytes and, where all blocks are coded, the archive's size.

import { beforeAll, describe, expect, test } from "vitest";
import { BlockSampler } from "../src/core/analyze/block-sampler.ts";
import { ChunkTable, UNKNOWN } from "../src/core/analyze/chunk-table.ts";
import { DictionaryTrial } from "../src/core/analyze/dictionary-trial.ts";
import { estimateTotal, type Observation } from "../src/core/analyze/estimate.ts";
import { type Candidate, candidatesOf } from "../src/core/analyze/findings.ts";
import { CHUNKINGS, PLANS, type PlanSpec } from "../src/core/analyze/spec.ts";
import { planStretches, stretchesOf } from "../src/core/analyze/stretches.ts";
import { Survey, surveyMemory } from "../src/core/analyze/survey.ts";
import { TreeSize } from "../src/core/analyze/tree-size.ts";
import type { Chunking } from "../src/core/analyze/walker.ts";
import { CODEC, type Engine } from "../src/core/engine.ts";
import {
  byteStringFromText,
  type CodingOptions,
  type ContentInput,
  contentOf,
  openArchive,
} from "../src/core/index.ts";
import { createPortableEngine } from "../src/core/portable-engine.ts";
import { createInlineCrew } from "../src/core/work/crew.ts";
import { packPlan } from "./support/archives.ts";
import { randomBytes, randomFrom, SEED, text, zeroRidden } from "./support/random.ts";

process.stdout.write(`survey.test.ts: HEXZ_SEED=${SEED}\n`);
const KIB = 1024;
const MIB = 1024 * KIB;
const nameOf = (number: number) => byteStringFromText(`f${String(number).padStart(4, "0")}`);

interface Measure {
  readonly chunkings: readonly Chunking[];
  readonly plans: readonly PlanSpec[];
  readonly tableLimit?: number;
  readonly expected?: number;
}

/** Without the codec that takes long. */
const QUICK = PLANS.map((plan) => ({ ...plan, codecs: plan.codecs.filter(({ level }) => level < 19) }));

async function survey(inputs: readonly ContentInput[], measure: Measure = { chunkings: CHUNKINGS, plans: QUICK }) {
  const spec = { expected: undefined, ...measure };
  const { heapBytes, gatherBytes } = surveyMemory(spec, 1);
  const engine: Engine = await createPortableEngine({ memoryBytes: heapBytes + gatherBytes + MIB });
  await engine.load(CODEC.zstd);
  const measuring = new Survey(createInlineCrew({ engine, gather: engine.allocate(gatherBytes) }), spec);
  const tree = new TreeSize(engine);
  for (const [number, input] of inputs.entries()) {
    const start = measuring.bytes;
    const size = await measuring.content(input);
    tree.add({ path: nameOf(number), type: "file", mode: 0o644 }, { start, size, sparse: false });
  }
  const findings = await measuring.finish();
  return candidatesOf(findings, {
    chunkings: measure.chunkings,
    treeBytes: tree.total(),
    stretches: undefined,
    inputLength: measuring.bytes,
    train: undefined,
  });
}

function optionsOf({ chunking, blockSize, codec, level }: Candidate): CodingOptions {
  const { min, avg, max } = chunking.sizes;
  const compression = (["none", "lz4", "zstd", "zstd"] as const)[codec]!;
  const coding = { compression, blockSize, ...(codec === CODEC.zstd ? { level } : {}) };
  if (chunking.method === "fixed") return { ...coding, chunking: "fixed" };
  return { ...coding, minChunk: min, avgChunk: avg, maxChunk: max };
}

/** Packs the contents as the candidate says and compares. */
async function expectPacked(candidate: Candidate, contents: readonly Uint8Array[]): Promise<void> {
  const items = contents.map((content, number) => {
    return { entry: { path: nameOf(number), type: "file" as const, mode: 0o644 }, content };
  });
  const bytes = await packPlan({ items, options: optionsOf(candidate) });
  const { counts } = (await openArchive(bytes)).root;
  const what = `seed ${SEED}: ${JSON.stringify(optionsOf(candidate))}`;
  const { unique, duplicate, fill } = counts;
  expect([what, candidate.chunks]).toEqual([what, unique.count + duplicate.count + fill.count]);
  expect([what, candidate.uniqueBytes]).toEqual([what, unique.bytes]);
  const off = Math.abs(candidate.compressedSize - bytes.length);
  expect(off, `${what}: ${candidate.compressedSize} for ${bytes.length}`).toBeLessThan(400 + bytes.length * 0.01);
}

let random: (below: number) => number;
beforeAll(() => {
  random = randomFrom(SEED);
});

describe("a survey counts what the writer writes", () => {
  const shifted = () => {
    const first = text(300_000, random);
    const second = Uint8Array.from([...first.subarray(0, 100_000), 7, ...first.subarray(100_000)]);
    return [first, second, first];
  };
  const kinds: [string, () => Uint8Array[]][] = [
    ["text", () => [text(900_000, random)]],
    ["random bytes", () => [randomBytes(900_000, random)]],
    ["zeros among data", () => [zeroRidden(1_500_000, random), zeroRidden(700_000, random)]],
    ["shifted copies", shifted],
    [
      "many small files",
      () => Array.from({ length: 700 }, (_, number) => text(random(number % 9 ? 600 : 9000), random)),
    ],
    ["nothing but empty files", () => [new Uint8Array(0), new Uint8Array(0)]],
    ["fills of all lengths", () => [0, 1, 64, 4096, 300_000].map((length) => new Uint8Array(length).fill(5))],
  ];
  test.each(kinds)("%s", async (_, make) => {
    const contents = make();
    const candidates = await survey(contents.map((content) => contentOf(content)));
    for (const [number, candidate] of candidates.entries()) {
      expect(candidate.error).toBe(0);
      // Coding takes long: one chunking with every codec, the others stored.
      const isCoded = candidate.codec !== CODEC.stored;
      if (isCoded && number % 5 !== 0) continue;
      await expectPacked(candidate, contents);
    }
  });

  test("sizes that the scan does not help with, and slots with ends everywhere", async () => {
    const content = zeroRidden(6 * MIB, random);
    const chunkings: Chunking[] = [
      { method: "cdc", sizes: { min: 64, avg: 256, max: 1024 } },
      { method: "cdc", sizes: { min: 2047, avg: 2048, max: 8191 } },
      { method: "cdc", sizes: { min: 4095, avg: 16_384, max: 100_001 } },
      { method: "fixed", sizes: { min: 5000, avg: 5000, max: 5000 } },
    ];
    const codecs = [{ codec: CODEC.lz4, level: 0, every: 1 }];
    const plans = chunkings.map(({ method, sizes }, chunking) => {
      return { chunking, blockSize: method === "fixed" ? sizes.max : 64 * KIB, codecs };
    });
    for (const candidate of await survey([contentOf(content)], { chunkings, plans })) {
      if (candidate.codec === CODEC.stored) await expectPacked(candidate, [content]);
    }
  });

  test("data with more places to cut than are listed", async () => {
    // A run of one value whose hash meets a mask at every byte would do; so does any short period that does.
    const { findCuts } = await createPortableEngine();
    const lengths = new Uint32Array(8192);
    const sizes = { min: 64, avg: 1024, max: 65_536 };
    let period: Uint8Array | undefined;
    for (let tries = 0; period === undefined && tries < 3000; tries++) {
      const candidate = randomBytes(1 + (tries % 40), random);
      const sample = Uint8Array.from({ length: 2000 }, (_, at) => candidate[at % candidate.length]!);
      if (findCuts(sample, sizes, true, lengths) > 12) period = candidate;
    }
    expect(period, `seed ${SEED}`).toBeDefined();
    const content = Uint8Array.from({ length: 6 * MIB }, (_, at) => period![at % period!.length]!);
    content.set(randomBytes(MIB, random), 2 * MIB);
    const candidates = await survey([contentOf(content)]);
    for (const candidate of candidates) if (candidate.codec === CODEC.stored) await expectPacked(candidate, [content]);
  });

  test("holes are not read", async () => {
    const data = randomBytes(200_000, random);
    const content = new Uint8Array(20 * MIB);
    content.set(data, 100_001);
    content.set(data, 19 * MIB);
    let position = 0;
    let read = 0;
    const holes = [
      [0, 100_001],
      [300_001, 19 * MIB],
      [19 * MIB + 200_000, 20 * MIB],
    ] as const;
    const input: ContentInput = {
      name: "sparse",
      size: content.length,
      read(into) {
        const length = Math.min(into.length, content.length - position);
        into.set(content.subarray(position, position + length));
        position += length;
        read += length;
        return length;
      },
      hole: () => Math.max(0, ...holes.map(([start, end]) => (start <= position ? end - position : 0))),
      skip(length) {
        position += length;
      },
      finish() {},
      close() {},
    };
    const candidates = await survey([input]);
    expect(read).toBeLessThan(12 * MIB);
    for (const candidate of candidates) if (candidate.codec === CODEC.stored) await expectPacked(candidate, [content]);
  });
});

describe("stretches", () => {
  test("planStretches() reads all where a sample would be nearly that", () => {
    expect(planStretches(10 * MIB, 9 * MIB)).toBeUndefined();
    expect(planStretches(10 * MIB, 20 * MIB)).toBeUndefined();
    expect(planStretches(100 * MIB, 10 * MIB)).toMatchObject({ total: 100 * MIB, count: 10, length: MIB });
    expect(planStretches(100 * MIB, 1)).toMatchObject({ count: 1 });
  });

  test("stretchesOf() takes about the share that was asked for, of contents of any size", () => {
    for (const most of [50_000, 900_000, 5 * MIB, 300 * MIB]) {
      const sizes: number[] = [];
      for (let total = 0; total < 600 * MIB; total += sizes.at(-1)!) sizes.push(1 + random(most));
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const plan = planStretches(total, 60 * MIB)!;
      let [position, read] = [0, 0];
      for (const size of sizes) {
        let before = -1;
        for (const { start, end, edges } of stretchesOf(plan, position, size)) {
          expect(start).toBeGreaterThan(before);
          expect(end).toBeGreaterThan(start);
          expect(end).toBeLessThanOrEqual(size);
          expect(start % MIB).toBe(0);
          expect(edges).toEqual({ cutStart: start > 0, cutEnd: end < size });
          before = end;
          read += end - start;
        }
        position += size;
      }
      expect(read / (60 * MIB), `seed ${SEED}, contents up to ${most}`).toBeGreaterThan(0.7);
      expect(read / (60 * MIB), `seed ${SEED}, contents up to ${most}`).toBeLessThan(1.3);
    }
  });
});

describe("ChunkTable", () => {
  test("knows chunks by all 64 bits, and gives the number of the first", () => {
    const table = new ChunkTable();
    expect(table.see(1, 2, 10, 0)).toBe(UNKNOWN.fresh);
    expect(table.see(1, 3, 10, 1)).toBe(UNKNOWN.fresh);
    expect(table.see(1, 2, 10, 2)).toBe(0);
    expect(table.see(1, 3, 10, 2)).toBe(1);
    expect(table.distinct()).toEqual({ bytes: 20, error: 0 });
  });

  test("estimates within its error when it is full", () => {
    const table = new ChunkTable(1024);
    let truth = 0;
    for (let number = 0; number < 50_000; number++) {
      const [low, high, length] = [random(2 ** 32), random(2 ** 32), 1 + random(1000)];
      truth += length;
      table.see(low, high, length, number);
      table.see(low, high, length, number);
    }
    const { bytes, error } = table.distinct();
    expect(error / truth).toBeLessThan(0.15);
    // Three standard errors: once in 370 seeds it is more.
    expect(Math.abs(bytes - truth), `seed ${SEED}`).toBeLessThan((error * 3) / 1.96);
  });
});

describe("BlockSampler", () => {
  const taken = (expected: number | undefined, stored: number, blockSize = 64 * KIB) => {
    const sampler = new BlockSampler(expected);
    let [bytes, standing] = [0, 0];
    for (let at = 0; at < stored; at += blockSize) {
      const weight = sampler.next();
      standing += weight * blockSize;
      if (weight === 0) continue;
      sampler.took(blockSize);
      bytes += blockSize;
    }
    return { bytes, standing };
  };

  test("takes all of little, and not much of anything", () => {
    expect(taken(undefined, 4 * MIB).bytes).toBe(4 * MIB);
    expect(taken(4 * MIB, 4 * MIB).bytes).toBe(4 * MIB);
    for (const expected of [undefined, 1e9, 1e12]) {
      for (const stored of [20e6, 500e6, 5e9]) {
        const { bytes, standing } = taken(expected, stored, 256 * KIB);
        const what = `${expected} ${stored}: ${bytes}`;
        expect(bytes, what).toBeGreaterThan(2 * MIB);
        expect(bytes, what).toBeLessThan(48 * MIB);
        expect(Math.abs(standing / stored - 1), what).toBeLessThan(0.3);
      }
    }
  });
});

describe("DictionaryTrial", () => {
  test("trains on one half of the blocks and codes the other", async () => {
    const engine = await createPortableEngine();
    await engine.load(CODEC.zstd);
    const trial = new DictionaryTrial(64 * KIB);
    expect(trial.run(engine, () => undefined, 3, MIB)).toBeUndefined();
    const blocks = Array.from({ length: 300 }, () => text(3000, random));
    for (const block of blocks) trial.offer(block);
    let trained: readonly Uint8Array[] = [];
    expect(
      trial.run(
        engine,
        (pieces) => {
          trained = pieces;
          return undefined;
        },
        3,
        MIB,
      ),
    ).toBeUndefined();
    // 8 MiB of blocks of 64 KiB are kept, whatever their length.
    expect(trained).toHaveLength(64);
    for (const piece of trained) expect(blocks.some((block) => Buffer.compare(block, piece) === 0)).toBe(true);
  });
});

describe("estimateTotal()", () => {
  test("is exact when everything was coded", () => {
    const sample = [3, 5, 8].map((coded): Observation => ({ known: [10, coded], coded, weight: 1 }));
    expect(estimateTotal(sample, [30, { value: 16, error: 0 }])).toEqual({ value: 16, error: 0 });
  });

  test("holds what it says in 95 of 100 cases", () => {
    let held = 0;
    const rounds = 400;
    for (let round = 0; round < rounds; round++) {
      const blocks = Array.from({ length: 2000 }, () => {
        const probed = 1000 + random(60_000);
        return { plain: 65_536, probed, coded: Math.round(probed * 0.8 + (random(20_000) - 10_000) + 8000) };
      });
      const sample = blocks
        .filter((_, at) => at % 20 === round % 20)
        .map(({ plain, probed, coded }): Observation => ({ known: [plain, probed], coded, weight: 20 }));
      const sum = (of: "plain" | "probed" | "coded") => blocks.reduce((total, block) => total + block[of], 0);
      const { value, error } = estimateTotal(sample, [sum("plain"), { value: sum("probed"), error: 0 }]);
      if (Math.abs(value - sum("coded")) <= error) held++;
    }
    expect(held / rounds, `seed ${SEED}`).toBeGreaterThan(0.91);
    expect(held / rounds).toBeLessThan(0.99);
  });

  test("does not take a part for all", () => {
    const sample = [3, 5, 8].map((coded): Observation => ({ known: [10, coded], coded, weight: 1 }));
    const { value, error } = estimateTotal(sample, [60, { value: 40, error: 0 }]);
    expect(value).toBeGreaterThan(25);
    expect(error).toBeGreaterThan(0);
  });

  test("knows nothing from nothing", () => {
    expect(estimateTotal([], [100, { value: 5, error: 0 }])).toEqual({ value: 100, error: 100 });
  });
});
