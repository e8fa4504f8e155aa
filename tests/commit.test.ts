// hexz commit: the archive of a base and an overlay is, chunk by chunk, the one that packing the changed disk gives, and
// what did not change is not read.

import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { patchedSource } from "../src/core/commit/patched.ts";
import { planSplices } from "../src/core/commit/splices.ts";
import { digestWith } from "../src/core/digest.ts";
import type { ByteRange } from "../src/core/disk/overlay.ts";
import type { Engine } from "../src/core/engine.ts";
import { contentOf, createArchive, createMemorySink, hexOf, openArchive } from "../src/core/index.ts";
import { createPortableEngine } from "../src/core/portable-engine.ts";
import { copySourceOf } from "../src/node/copy.ts";
import { expectAgreement, expectBytes } from "./support/archives.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { type DiskWrite, makeOverlay, written } from "./support/overlays.ts";
import { randomBytes, randomFrom, SEED, text, zeroRidden } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Random writes: some in zeros, some of zeros, some long, some behind the end. */
function someWrites(disk: Uint8Array, random: (below: number) => number): DiskWrite[] {
  return Array.from({ length: 1 + random(8) }, () => {
    const length = 1 + random(random(4) === 0 ? 300 * KIB : 9000);
    const at = random(disk.length + (random(5) === 0 ? 2 * MIB : 1));
    const value = random(4);
    const bytes =
      value === 0 ? new Uint8Array(length) : value === 1 ? disk.slice(0, length) : randomBytes(length, random);
    return { at, bytes };
  });
}

const read = (cwd: string, name: string) => new Uint8Array(readFileSync(join(cwd, name)));
const inspect = (cwd: string, name: string) => hexzJson(["inspect", name], { cwd }).document;

describe("planSplices()", () => {
  const settings = [
    { chunking: "cdc", blockSize: 64 * KIB, minChunk: 1 * KIB, avgChunk: 4 * KIB, maxChunk: 16 * KIB },
    { chunking: "fixed", blockSize: 4 * KIB },
    { chunking: "cdc", blockSize: 4 * KIB, minChunk: 64, avgChunk: 256, maxChunk: 1024 },
  ] as const;

  test.each([0, 1, 2])(`gives the chunks of the changed disk, setting %i, seed ${SEED}`, async (which) => {
    const options = settings[which]!;
    const engine = await createPortableEngine({ memoryBytes: 1 << 20 });
    const digestOf = digestWith(engine);
    for (let round = 0; round < 12; round++) {
      const random = randomFrom(SEED + round * 7919);
      const size = [0, 1, 70 * KIB, 500_000][Math.min(3, random(20))]!;
      const disk =
        round % 2
          ? zeroRidden(size, random)
          : new Uint8Array(Buffer.concat([text(size >> 1, random), new Uint8Array(size >> 1)]));
      const changes = someWrites(disk, random).map(({ at, bytes }) => ({
        at: Math.min(at, disk.length),
        bytes: bytes.subarray(0, 20_000),
      }));
      const after = written(disk, changes);
      const before = await chunksOf(disk, options);
      const expected = await chunksOf(after, options);
      const ranges = merged(changes.map(({ at, bytes }) => ({ start: at, end: at + bytes.length })));
      const splices = await splicesOf(disk, after, ranges, before, engine);
      expect(spliced(before.chunks, splices, digestOf), `round ${round} of seed ${SEED}`).toEqual(expected.chunks);
    }
  });

  test("a change right at a border, which may move it, and right before one", async () => {
    const engine = await createPortableEngine({ memoryBytes: 1 << 20 });
    const digestOf = digestWith(engine);
    const disk = randomBytes(60_000, randomFrom(9));
    const before = await chunksOf(disk, settings[2]);
    let border = 0;
    for (const chunk of before.chunks.slice(0, 60)) {
      for (const at of border === 0 ? [0] : [border - 1, border]) {
        const after = disk.slice();
        after[at]! ^= 0x55;
        const splices = await splicesOf(disk, after, [{ start: at, end: at + 1 }], before, engine);
        const expected = await chunksOf(after, settings[2]);
        expect(spliced(before.chunks, splices, digestOf), `a change at ${at}`).toEqual(expected.chunks);
      }
      border += Number(chunk.split(" ")[0]);
    }
  });

  test("a write among zeros costs no more than itself, however many zeros there are", async () => {
    const engine = await createPortableEngine({ memoryBytes: 1 << 20 });
    const disk = new Uint8Array(40 * MIB);
    disk.set(text(100_000, randomFrom(1)), disk.length - 100_000);
    const before = await chunksOf(disk, settings[0]);
    let bytesRead = 0;
    const splices = await planSplices({
      content: {
        size: disk.length,
        changed: [{ start: 10 * MIB + 777, end: 10 * MIB + 4873 }],
        async read(start, end) {
          bytesRead += end - start;
          const bytes = disk.slice(start, end);
          for (let at = Math.max(start, 10 * MIB + 777); at < Math.min(end, 10 * MIB + 4873); at++)
            bytes[at - start] = at;
          return bytes;
        },
        zeroUntil: (position) => position,
      },
      before: { start: 0, size: disk.length },
      coding: before.coding,
      leafAt: before.leafAt,
      engine,
      digestOf: digestWith(engine),
    });
    expect(splices.length).toBe(1);
    expect(bytesRead).toBeLessThan(4096 + 100_000 + 6 * 16 * KIB);
  });

  function merged(ranges: { start: number; end: number }[]) {
    const result: { start: number; end: number }[] = [];
    for (const range of ranges.sort((a, b) => a.start - b.start)) {
      const last = result.at(-1);
      if (last !== undefined && last.end >= range.start) last.end = Math.max(last.end, range.end);
      else result.push(range);
    }
    return result;
  }

  /** What planSplices() makes of a disk in memory that was changed in some ranges. */
  function splicesOf(
    disk: Uint8Array,
    after: Uint8Array,
    changed: ByteRange[],
    { coding, leafAt }: Awaited<ReturnType<typeof chunksOf>>,
    engine: Engine,
  ) {
    const content = {
      size: after.length,
      changed,
      read: async (start: number, end: number) => after.slice(start, end),
      zeroUntil: (position: number) => position,
    };
    const before = { start: 0, size: disk.length };
    return planSplices({ content, before, coding, leafAt, engine, digestOf: digestWith(engine) });
  }

  /** Chunks of the only stream, as "length digest" or "length fill", fills in maximal pieces told as one. */
  async function chunksOf(bytes: Uint8Array, options: (typeof settings)[number]) {
    const sink = createMemorySink();
    const writer = await createArchive(sink, options);
    await writer.addStream("disk", contentOf(bytes));
    await writer.finish();
    const archive = await openArchive(sink.bytes());
    const chunks: string[] = [];
    for await (const { starts, fills, digests } of archive.leaves()) {
      for (let number = 0; number < fills.length; number++) {
        const length = starts[number + 1]! - starts[number]!;
        const fill = fills[number]!;
        chunks.push(
          fill >= 0 ? `${length} ${fill}` : `${length} ${hexOf(digests.subarray(number * 32, number * 32 + 32))}`,
        );
      }
    }
    const leafAt = async (address: number) => {
      const found = await archive.run(archive.index.find(address));
      if ("error" in found) throw found.error;
      return found.leaf;
    };
    return { chunks, coding: archive.root.coding, leafAt };
  }

  function spliced(
    old: string[],
    splices: Awaited<ReturnType<typeof planSplices>>,
    digestOf: (bytes: Uint8Array) => Uint8Array,
  ) {
    expect(digestOf(new Uint8Array(0)).length).toBe(32);
    const result: { length: number; rest: string }[] = [];
    const add = (length: number, rest: string) => {
      const last = result.at(-1);
      if (last?.rest === rest && rest.length < 4) last.length += length;
      else if (length > 0) result.push({ length, rest });
    };
    let at = 0;
    let next = 0;
    const flush = (position: number) => {
      for (; next < splices.length && splices[next]!.start <= position; next++) {
        for (const chunk of splices[next]!.chunks)
          add(chunk.length, "fill" in chunk ? `${chunk.fill}` : hexOf(chunk.digest));
        at = Math.max(at, splices[next]!.end);
      }
    };
    let position = 0;
    for (const chunk of old) {
      const [length, rest] = chunk.split(" ") as [string, string];
      const end = position + Number(length);
      while (at < end) {
        flush(at);
        if (at >= end) break;
        const until = Math.min(end, splices[next]?.start ?? end);
        add(until - at, rest);
        at = until;
      }
      position = end;
    }
    flush(Number.POSITIVE_INFINITY);
    return result.map(({ length, rest }) => `${length} ${rest}`);
  }
});

test("an overlay that changes while it is committed is noticed", async () => {
  const bytes = randomBytes(100, randomFrom(1));
  const content = { size: 100, changed: [], read: async () => bytes, zeroUntil: (position: number) => position };
  const sink = createMemorySink();
  const writer = await createArchive(sink);
  await writer.addStream("disk", contentOf(bytes));
  await writer.finish();
  const archive = await openArchive(sink.bytes());
  const { digestOf } = archive.context;
  const digest = digestOf(bytes);
  const splices = [{ start: 0, end: 100, chunks: [{ length: 100, digest }] }];
  const { coding } = archive.root;
  const patch = { stream: archive.streams[0]!, content, splices, coding, metadata: {} };
  const source = patchedSource(copySourceOf(archive, {}), patch, digestOf);
  const { value: leaf } = await source.leaves()[Symbol.asyncIterator]().next();
  expect(await source.chunk(leaf!.blocks[0]!, 0, 100, digest)).toEqual(bytes);
  bytes[50]! ^= 1;
  await expect(source.chunk(leaf!.blocks[0]!, 0, 100, digest)).rejects.toMatchObject({ code: "changed" });
});

describe("commit", () => {
  const random = randomFrom(3);
  /** Text, then zeros, noise, and zeros again. */
  const parts = [
    text(800 * KIB, random),
    new Uint8Array(1500 * KIB),
    randomBytes(400 * KIB, random),
    new Uint8Array(401_000),
  ];
  const disk = new Uint8Array(Buffer.concat(parts));
  const memory = text(200_000, random);
  const writes: DiskWrite[] = [
    { at: 500_000, bytes: randomBytes(5000, random) },
    { at: 1300 * KIB + 123, bytes: text(100_000, random) },
    { at: 2300 * KIB + 5000, bytes: new Uint8Array(200 * KIB) },
    { at: 100, bytes: randomBytes(10, random) },
  ];
  const growing: DiskWrite[] = [...writes, { at: disk.length + 5000, bytes: randomBytes(70_000, random) }];

  /** `base.hxz` of a disk, memory and a tree, `vm.overlay` with the writes, and `after.img`. */
  function place(made: readonly DiskWrite[], options: string[] = [], overlay = {}): string {
    const cwd = temporaryDirectory();
    writeFileSync(join(cwd, "disk.img"), disk);
    writeFileSync(join(cwd, "memory"), memory);
    writeFileSync(join(cwd, "notes.txt"), text(90_000, random));
    writeFileSync(join(cwd, "after.img"), written(disk, made));
    const command = ["pack", "notes.txt", "base.hxz", "--disk", "disk.img", "--memory", "memory", "--note", "old"];
    expect(hexz([...command, ...options], { cwd }).code).toBe(0);
    makeOverlay(cwd, disk, made, overlay);
    return cwd;
  }

  /** What packing the changed disk in the same way gives. */
  function expected(cwd: string, options: string[] = []): { content_id: string; original_size: number } {
    const command = ["pack", "notes.txt", "expected.hxz", "--disk", "after.img", "--memory", "memory", "--note", "new"];
    expect(hexz([...command, ...options], { cwd }).code).toBe(0);
    return inspect(cwd, "expected.hxz");
  }

  test.each([
    ["in place", writes, []],
    ["with growth", growing, []],
    ["with growth, zstd and small blocks", growing, ["--compression", "zstd", "--block-size", "16K"]],
    ["with growth and fixed chunks", growing, ["--chunking", "fixed"]],
    ["of nothing", [], []],
  ])("%s is what packing the changed disk gives, thin and full", async (_, made, options) => {
    const cwd = place(made, options, { twice: true, torn: 5 });
    const { content_id, original_size } = expected(cwd, options);
    const thin = hexzJson(["commit", "base.hxz", "vm.overlay", "thin.hxz", "--thin", "--message", "new"], { cwd });
    const full = hexzJson(["commit", "base.hxz", "vm.overlay", "full.hxz", "--message", "new"], { cwd });
    expect([thin.code, full.code]).toEqual([0, 0]);
    const base = read(cwd, "base.hxz");
    await expectAgreement(read(cwd, "thin.hxz"), [base]);
    await expectAgreement(read(cwd, "full.hxz"));
    for (const name of ["thin.hxz", "full.hxz"]) {
      expect(inspect(cwd, name), name).toMatchObject({ content_id, original_size, note: "new" });
    }
    expect(thin.document.parents).toEqual([{ id: inspect(cwd, "base.hxz").archive_id, hint: "base.hxz" }]);
    expect(full.document.parents).toBeUndefined();
    // Of the base, blocks that the change did not touch are the same bytes.
    expect(full.document.copied_blocks.stored_bytes).toBeGreaterThan(base.length * 0.2);
    expect(thin.document.copied_blocks.count).toBe(0);
    const bytes = made.reduce((sum, write) => sum + write.bytes.length, 0);
    expect(thin.document.compressed_size).toBeLessThan(2 * bytes + 200_000);
    // The overlay is there, and can be committed again.
    expect(statSync(join(cwd, "vm.meta")).size).toBeGreaterThan(0);
  });

  test("a thin commit reads no block of the base that the change does not touch", () => {
    const cwd = place([{ at: 500_000, bytes: randomBytes(5000, random) }]);
    const { block_list } = hexzJson(["inspect", "base.hxz", "--blocks"], { cwd }).document;
    const base = read(cwd, "base.hxz");
    base[block_list.at(-1).offset + 5]! ^= 1;
    base[block_list[0].offset + 5]! ^= 1;
    writeFileSync(join(cwd, "base.hxz"), base);
    const thin = hexzJson(["commit", "base.hxz", "vm.overlay", "thin.hxz", "--thin"], { cwd });
    expect([thin.code, thin.document.modified_blocks]).toEqual([0, 2]);
    expect(thin.document.recut_bytes).toBeLessThan(5000 + 4 * 256 * KIB);
    const full = hexzJson(["commit", "base.hxz", "vm.overlay", "full.hxz"], { cwd });
    expect([full.code, full.document.error.code]).toEqual([1, "damaged"]);
  });

  test("--delete-overlay deletes it when the archive is there, and only then", () => {
    const cwd = place(writes);
    writeFileSync(join(cwd, "taken.hxz"), "mine");
    const refused = hexzJson(["commit", "base.hxz", "vm.overlay", "taken.hxz", "--delete-overlay"], { cwd });
    expect([refused.code, refused.document.error.code]).toEqual([2, "output_exists"]);
    expect(statSync(join(cwd, "vm.overlay")).size).toBeGreaterThan(0);
    const { code, document } = hexzJson(["commit", "base.hxz", "vm.overlay", "new.hxz", "--delete-overlay"], { cwd });
    expect([code, document.overlay_deleted]).toEqual([0, true]);
    for (const name of ["vm.overlay", "vm.meta"])
      expect(statSync(join(cwd, name), { throwIfNoEntry: false })).toBeUndefined();
    const both = ["commit", "base.hxz", "vm.overlay", "x.hxz", "--delete-overlay", "--keep-overlay"];
    expect(hexzJson(both, { cwd }).document.error.code).toBe("usage");
    const piped = hexz(["commit", "base.hxz", "vm.overlay", "-", "--delete-overlay"], { cwd });
    expect([piped.code, piped.stdout]).toEqual([2, ""]);
  });

  test("base, overlay and log are no output", () => {
    const cwd = place(writes);
    for (const output of ["base.hxz", "vm.overlay", "vm.meta"]) {
      const before = read(cwd, output);
      const { code, document } = hexzJson(["commit", "base.hxz", "vm.overlay", output, "--force"], { cwd });
      expect([code, document.error.code]).toEqual([2, "output_is_input"]);
      expectBytes(read(cwd, output), before, output);
    }
  });

  test("a chain of thin commits stays readable, and a thin one of the last refers to who stores", async () => {
    const cwd = place(writes);
    const more: DiskWrite[] = [{ at: 300_000, bytes: randomBytes(9000, random) }];
    expect(hexz(["commit", "base.hxz", "vm.overlay", "one.hxz", "--thin"], { cwd }).code).toBe(0);
    makeOverlay(cwd, written(disk, writes), more);
    expect(hexz(["commit", "one.hxz", "vm.overlay", "two.hxz", "--thin", "--compression", "zstd"], { cwd }).code).toBe(
      0,
    );
    const { parents } = await expectAgreement(read(cwd, "two.hxz"), [read(cwd, "base.hxz"), read(cwd, "one.hxz")]);
    expect(parents.map(({ hint }) => hint).sort()).toEqual(["base.hxz", "one.hxz"]);
    const { bytes } = hexz(["cat", "two.hxz", "disk"], { cwd });
    expect(bytes.equals(written(written(disk, writes), more))).toBe(true);
    // One full archive of all three.
    expect(hexz(["commit", "one.hxz", "vm.overlay", "full.hxz"], { cwd }).code).toBe(0);
    await expectAgreement(read(cwd, "full.hxz"));
  });

  test("what the overlay lacks, and a base without disk, are named and leave nothing", () => {
    const cwd = place(writes);
    const overlay = read(cwd, "vm.overlay");
    writeFileSync(join(cwd, "vm.overlay"), overlay.subarray(0, overlay.length - 5000));
    const torn = hexzJson(["commit", "base.hxz", "vm.overlay", "out.hxz"], { cwd });
    expect([torn.code, torn.document.error.code]).toEqual([1, "truncated"]);
    writeFileSync(join(cwd, "vm.overlay"), overlay);
    writeFileSync(join(cwd, "alone.overlay"), overlay);
    const alone = hexzJson(["commit", "base.hxz", "alone.overlay", "out.hxz"], { cwd });
    expect([alone.code, alone.document.error.code, alone.document.error.log]).toEqual([3, "not_found", "alone.meta"]);
    const log = hexzJson(["commit", "base.hxz", "vm.meta", "out.hxz"], { cwd });
    expect([log.code, log.document.error.code]).toEqual([2, "usage"]);
    hexz(["pack", "notes.txt", "tree.hxz"], { cwd });
    const tree = hexzJson(["commit", "tree.hxz", "vm.overlay", "out.hxz"], { cwd });
    expect([tree.code, tree.document.error.code]).toEqual([1, "no_such_path"]);
    expect(statSync(join(cwd, "out.hxz"), { throwIfNoEntry: false })).toBeUndefined();
  });

  test("over an archive of format 1, disk and memory are packed anew; a thin one is refused", async () => {
    const cwd = temporaryDirectory();
    const base = new URL("format1/crafted/two-streams.hxz", import.meta.url);
    writeFileSync(join(cwd, "base.hxz"), readFileSync(base));
    const before = hexz(["cat", "base.hxz", "disk"], { cwd }).bytes;
    const change = [{ at: 5000, bytes: randomBytes(6000, random) }];
    makeOverlay(cwd, before, change);
    expect(hexz(["commit", "base.hxz", "vm.overlay", "new.hxz"], { cwd })).toMatchObject({ code: 0, stderr: "" });
    await expectAgreement(read(cwd, "new.hxz"));
    expectBytes(hexz(["cat", "new.hxz", "disk"], { cwd }).bytes, written(before, change), "the disk");
    const memoryBefore = hexz(["cat", "base.hxz", "memory"], { cwd }).bytes;
    expectBytes(hexz(["cat", "new.hxz", "memory"], { cwd }).bytes, memoryBefore, "the memory");
    const thin = hexzJson(["commit", "base.hxz", "vm.overlay", "thin.hxz", "--thin"], { cwd });
    expect([thin.code, thin.document.error.code]).toEqual([2, "not_available"]);
  });
});
