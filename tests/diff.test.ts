// diffArchives(): what two archives share, what happened to every path, and how little is read to know it.

import { describe, expect, test } from "vitest";
import { ChunkNumbers } from "../src/core/diff/chunk-run.ts";
import {
  type Content,
  createMemorySource,
  diffArchives,
  displayName,
  type Entry,
  type FileDiff,
  openArchive,
  type RangeSource,
  type Stream,
  type WriterOptions,
} from "../src/core/index.ts";
import { findAmong, type Plan, packPlan } from "./support/archives.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { bytesInUse, SIMULATED_CHUNK, simulatedFound } from "./support/simulated-index.ts";
import { entryOf } from "./support/trees.ts";

const SMALL = { minChunk: 256, avgChunk: 1024, maxChunk: 4096, blockSize: 16_384 };
const random = randomFrom(SEED);
const concat = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

type Item = NonNullable<Plan["items"]>[number];
const file = (path: string, content: Content, more: Partial<Entry> = {}): Item => ({
  entry: entryOf("file", path, more),
  content,
});
const root: Item = { entry: entryOf("directory", "", { mode: 0o755 }) };

interface Packed {
  readonly items?: readonly Item[];
  readonly disk?: Uint8Array;
  readonly options?: WriterOptions;
  readonly bases?: Uint8Array[];
}

const packed = ({ items = [], disk, options = SMALL, bases = [] }: Packed) =>
  packPlan({
    items: items.length === 0 ? [] : [root, ...items],
    streams: disk === undefined ? [] : [{ name: "disk", content: disk }],
    options,
    bases,
  });

const pathOf = (one: Entry | Stream) => ("name" in one ? `stream ${one.name}` : displayName(one.path));

/** The lists by their paths alone. */
function shown(files: FileDiff | undefined) {
  const { added, removed, changed, renamed, metadataOnly, undecided, unchanged } = files!;
  return {
    added: added.map(pathOf),
    removed: removed.map(pathOf),
    changed: changed.map(({ b }) => pathOf(b)),
    renamed: renamed.map(({ from, to }) => `${pathOf(from)} > ${pathOf(to)}`),
    metadata: metadataOnly.map(({ path, fields }) => `${displayName(path)}: ${fields}`),
    undecided: undecided.map(pathOf),
    unchanged,
  };
}

async function diffOf(a: Packed, b: Packed) {
  const [first, second] = [await packed(a), await packed(b)];
  return diffArchives(await openArchive(first), await openArchive(second));
}

async function filesOf(a: readonly Item[], b: readonly Item[]) {
  return shown((await diffOf({ items: a }, { items: b })).files);
}

const nothing = { added: [], removed: [], changed: [], renamed: [], metadata: [], undecided: [] };

describe("chunks", () => {
  test("distinct ones are counted once, those that B has in parents apart; fills are none", async () => {
    const [old, fresh] = [text(60_000, random), randomBytes(9000, random)];
    const a = await packed({ disk: concat(old, old, new Uint8Array(50_000)) });
    const b = await packed({ disk: concat(old, fresh), bases: [a] });
    const { chunks } = await diffArchives(await openArchive(a), await openArchive(b));
    const { counts } = (await openArchive(b)).root;
    expect(chunks.a.bytes).toBe((await openArchive(a)).root.counts.unique.bytes);
    expect(chunks.b).toEqual({
      chunks: counts.unique.count + counts.parent.count,
      bytes: counts.unique.bytes + counts.parent.bytes,
    });
    expect(chunks.shared).toEqual({ chunks: counts.parent.count, bytes: counts.parent.bytes });
    expect(chunks.viaParent).toBe(counts.parent.count);
    expect(chunks.shared.bytes, `seed ${SEED}`).toBeGreaterThan(50_000);
  });

  test("an archive and itself share all; two empty ones nothing", async () => {
    const one = { disk: text(30_000, random) };
    const { chunks, files } = await diffOf(one, one);
    expect(chunks.a).toEqual(chunks.shared);
    expect(chunks.b).toEqual(chunks.shared);
    expect(shown(files)).toEqual({ ...nothing, unchanged: 1 });
    expect((await diffOf({}, {})).chunks.shared).toEqual({ chunks: 0, bytes: 0 });
  });
});

describe("entries", () => {
  const [one, two, three] = [text(5000, random), text(70, random), randomBytes(8000, random)];

  test("added, removed, changed, unchanged, in the order of the tree", async () => {
    const a = [
      file("a", one),
      file("b", two),
      { entry: entryOf("directory", "d") },
      file("z", three),
      file("d/x", one),
    ];
    const b = [file("a", one), file("b", concat(two, two)), file("c", text(99, random)), file("z", three)];
    expect(await filesOf(a, b)).toEqual({
      ...nothing,
      added: ["c"],
      removed: ["d", "d/x"],
      changed: ["b"],
      unchanged: 3,
    });
  });

  test("a file that moved is renamed; of several equal files those of equal names go together, the rest in order", async () => {
    const a = [file("a", one), file("b", one), file("x", two), file("y", one), file("d/k", one)];
    const b = [file("m", one), file("n", one), file("o", two), file("e/b", one), file("e/new", one)];
    const { renamed, added, removed } = await filesOf(a, b);
    expect(renamed).toEqual(["a > m", "y > n", "x > o", "b > e/b", "d/k > e/new"]);
    expect([added, removed]).toEqual([[], []]);
  });

  test("empty files and other types are not renamed; a file that stays is no source of a rename", async () => {
    const empty = new Uint8Array(0);
    const link = (path: string) => ({ entry: entryOf("symlink", path, { target: "t" as Entry["path"] }) });
    const found = await filesOf(
      [file("a", one), file("e", empty), link("l")],
      [file("a", one), file("b", one), file("f", empty), link("m")],
    );
    expect(found).toEqual({ ...nothing, added: ["b", "f", "m"], removed: ["e", "l"], unchanged: 2 });
  });

  test("metadata that changed alone is named field by field", async () => {
    const xattr = (value: number) => [{ name: "user.x" as Entry["path"], value: Uint8Array.of(value) }];
    const a = [
      file("a", one, { mode: 0o644, uid: 1, mtime: { seconds: 5, nanoseconds: 1 } }),
      file("b", two, { xattrs: xattr(1) }),
      file("c", three, { mode: 0o600, metadata: { k: 1 } }),
    ];
    const b = [
      file("a", one, { mode: 0o755, uid: 2, mtime: { seconds: 5, nanoseconds: 2 } }),
      file("b", two, { xattrs: xattr(2) }),
      file("c", three, { mode: 0o600, metadata: { k: 1 } }),
    ];
    const metadata = ["a: mode,uid,mtime", "b: xattrs"];
    expect(await filesOf(a, b)).toEqual({ ...nothing, metadata, unchanged: 2 });
  });

  test("another type, target or device is a change; another name of a file is metadata", async () => {
    const to = (path: string, target: string) => ({
      entry: entryOf("symlink", path, { target: target as Entry["path"] }),
    });
    const device = (path: string, minor: number) => ({ entry: entryOf("char", path, { device: { major: 1, minor } }) });
    const hard = { entry: entryOf("file", "h", { hardLink: "f" as Entry["path"] }) };
    const a = [device("c", 3), file("f", one), file("h", one), to("l", "x"), file("t", two)];
    const b = [device("c", 5), file("f", one), hard, to("l", "y"), to("t", "f")];
    expect(await filesOf(a, b)).toEqual({
      ...nothing,
      changed: ["c", "l", "t"],
      metadata: ["h: hard_link"],
      unchanged: 2,
    });
  });

  test("streams are compared like files", async () => {
    const disk = text(40_000, random);
    const found = await diffOf(
      { disk, items: [file("disk", one)] },
      { disk: concat(disk, two), items: [file("disk", one)] },
    );
    expect(shown(found.files)).toEqual({ ...nothing, changed: ["stream disk"], unchanged: 2 });
  });
});

describe("changed ranges", () => {
  async function changesOf(a: Uint8Array, b: Uint8Array) {
    const { files } = await diffOf({ disk: a }, { disk: b });
    return files!.changed[0]!.changes!;
  }

  test("what is outside of them is in the old content, in order; random edits", async () => {
    for (let round = 0; round < 30; round++) {
      const a = random(2) ? text(20_000 + random(60_000), random) : randomBytes(20_000 + random(60_000), random);
      let b = a;
      for (let edit = 1 + random(4); edit > 0; edit--) {
        const at = random(b.length);
        const more = [randomBytes(random(5000), random), b.slice(random(b.length)), new Uint8Array(random(20_000))];
        b = concat(b.subarray(0, at), more[random(3)]!, b.subarray(at + random(3) * random(9000)));
      }
      if (Buffer.compare(a, b) === 0) continue;
      const { ranges, changedBytes, removedBytes } = await changesOf(a, b);
      expect(ranges.reduce((sum, [start, end]) => sum + end - start, 0)).toBe(changedBytes);
      expect(a.length - removedBytes, `seed ${SEED}`).toBe(b.length - changedBytes);
      let [kept, from] = [0, 0];
      for (const [start, end] of [...ranges, [b.length, b.length] as const]) {
        expect(start).toBeGreaterThanOrEqual(from);
        for (let at = from; at < start; at += 256) {
          const found = Buffer.from(a.buffer, a.byteOffset, a.length).indexOf(
            b.subarray(at, Math.min(start, at + 256)),
            kept,
          );
          expect(found, `seed ${SEED}, round ${round}`).toBeGreaterThanOrEqual(0);
          kept = found + Math.min(256, start - at);
        }
        from = end;
      }
    }
  });

  test("bytes changed in place: the chunks around them; nothing is gone that is not replaced", async () => {
    const a = randomBytes(200_000, random);
    const b = a.slice();
    for (const at of [10_000, 150_000]) b[at]! ^= 1;
    const { ranges, changedBytes, removedBytes } = await changesOf(a, b);
    expect(ranges.length).toBe(2);
    for (const [number, at] of [10_000, 150_000].entries()) {
      const [start, end] = ranges[number]!;
      expect(start <= at && at < end).toBe(true);
    }
    expect(changedBytes, `seed ${SEED}`).toBeLessThan(6 * SMALL.maxChunk);
    expect(removedBytes).toBe(changedBytes);
  });

  test("data inside of zeros changes the zeros that it replaces, no others", async () => {
    const a = new Uint8Array(1_000_000);
    const b = a.slice();
    b.set(randomBytes(100, random), 500_000);
    const { changedBytes } = await changesOf(a, b);
    expect(changedBytes, `seed ${SEED}`).toBeLessThanOrEqual(2 * SMALL.maxChunk);
  });

  test("two halves that changed places: one of them", async () => {
    const [x, y] = [randomBytes(50_000, random), randomBytes(80_000, random)];
    const { changedBytes } = await changesOf(concat(x, y), concat(y, x));
    expect(changedBytes, `seed ${SEED}`).toBeLessThan(50_000 + 4 * SMALL.maxChunk);
  });

  test("what was cut off or left out is gone, and nothing is new but the seam", async () => {
    const a = randomBytes(100_000, random);
    const { changedBytes, removedBytes } = await changesOf(a, concat(a.subarray(0, 30_000), a.subarray(60_000)));
    expect(changedBytes, `seed ${SEED}`).toBeLessThan(4 * SMALL.maxChunk);
    expect(removedBytes - changedBytes).toBe(30_000);
  });
});

test("archives that were cut differently: equality of what is one chunk in both, difference where chunks coincide, else not known", async () => {
  const [small, large, grown] = [text(200, random), text(50_000, random), text(3000, random)];
  const edited = small.slice();
  edited[9]! ^= 1;
  const a = [
    file("edited", small),
    file("grown", grown),
    file("large", large),
    file("small", small),
    file("zeros", new Uint8Array(99_999)),
  ];
  const b = [
    file("edited", edited),
    file("grown", concat(grown, small)),
    file("large", large),
    file("small", small),
    file("zeros", new Uint8Array(99_999)),
  ];
  const options = { minChunk: 512, avgChunk: 2048, maxChunk: 4096, blockSize: 16_384 };
  const { cutAlike, files } = await diffOf({ items: a }, { items: b, options });
  expect(cutAlike).toBe(false);
  expect(shown(files)).toEqual({ ...nothing, changed: ["edited", "grown"], undecided: ["large"], unchanged: 3 });
  expect(files!.changed.map(({ changes }) => changes)).toEqual([undefined, undefined]);
});

describe("what it costs", () => {
  /** Memory that counts reads; `read` is all that is asked of it. */
  function counted(bytes: Uint8Array, reads: number[]): RangeSource {
    const source = createMemorySource(bytes);
    return {
      name: "counted",
      size: source.size,
      read(start, end) {
        reads.push(end - start);
        return source.read(start, end);
      },
    };
  }

  test("less than 1 % of two archives is read, in a few reads", async () => {
    const noise = new Uint8Array(12_000_000);
    const words = new Uint32Array(noise.buffer);
    for (let at = 0; at < words.length; at++) words[at] = random(2 ** 32);
    const files = (content: Uint8Array) =>
      Array.from({ length: 30 }, (_, number) =>
        file(`f${10 + number}`, content.subarray(number * 300_000, (number + 1) * 300_000)),
      );
    const a = await packed({ disk: noise.subarray(9_000_000), items: files(noise), options: {} });
    const b = await packed({
      disk: noise.subarray(8_999_999),
      items: files(noise.toReversed()),
      bases: [],
      options: {},
    });
    const reads: number[] = [];
    const opened = await Promise.all([a, b].map((bytes) => openArchive(counted(bytes, reads))));
    const { chunks, files: found } = await diffArchives(opened[0]!, opened[1]!);
    expect(found!.changed.length).toBe(31);
    expect(chunks.shared.bytes, `seed ${SEED}`).toBeGreaterThan(2_000_000);
    const sum = reads.reduce((total, length) => total + length, 0);
    expect(sum).toBeLessThan((a.length + b.length) / 100);
    expect(reads.length).toBeLessThanOrEqual(6);
  });

  test("memory: at most 50 bytes a distinct chunk and 12 a chunk of either archive", async () => {
    const count = 300_000;
    const { root: empty, context } = await openArchive(await packed({}));
    const counts = { ...empty.counts, unique: { count, bytes: count * SIMULATED_CHUNK } };
    const simulated = (from: number) => ({
      root: { ...empty, addressSpace: count * SIMULATED_CHUNK, counts },
      source: { name: "huge.hxz", size: count * SIMULATED_CHUNK, read: () => Promise.reject() },
      foundLeaves: () => simulatedFound(count, from),
      format1: undefined,
      context,
    });
    const noLoss = () => expect.unreachable();
    const before = await bytesInUse();
    const numbers = new ChunkNumbers();
    const runs = [await numbers.load(simulated(0), "a", noLoss), await numbers.load(simulated(count / 3), "b", noLoss)];
    const bytes = (await bytesInUse()) - before;
    expect(numbers.tallies.shared.chunks).toBe((count * 2) / 3);
    expect(bytes).toBeLessThanOrEqual(((count * 4) / 3) * 50 + 2 * count * 12);
    expect(runs[0]!.elements[count / 3]).toBe(runs[1]!.elements[0]);
  });
});

test("damaged pages are an error, not a difference", async () => {
  const bytes = await packed({ disk: text(30_000, random) });
  const damaged = bytes.slice();
  const { root: opened } = await openArchive(bytes);
  damaged[opened.index.children[0]!.ref.offset + 100]! ^= 1;
  const [a, b] = [await openArchive(bytes), await openArchive(damaged)];
  await expect(diffArchives(a, b)).rejects.toMatchObject({ code: "damaged" });
  await expect(diffArchives(b, a)).rejects.toMatchObject({ code: "damaged" });
});

test("a thin archive is compared without its parents", async () => {
  const disk = text(50_000, random);
  const a = await packed({ disk });
  const b = await packed({ disk: concat(disk, disk.subarray(7)), bases: [a] });
  const opened = await openArchive(b, { findParent: findAmong([]) });
  const { chunks } = await diffArchives(await openArchive(a), opened);
  expect(chunks.viaParent).toBeGreaterThan(10);
});
