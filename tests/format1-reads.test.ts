// How much of an archive of format 1 is read for what is asked: readings, bytes and blocks are counted.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Archive } from "../src/core/read/archive.ts";
import { createMemorySource } from "../src/core/source/memory.ts";
import type { RangeSource } from "../src/core/source/source.ts";
import type { Crew } from "../src/core/work/crew.ts";
import { readingMachinery } from "../src/node/archive.ts";
import { extractTree } from "../src/node/extract.ts";
import { pack } from "../src/node/index.ts";
import { bytesOfKept, keptArchives, parentsAmong } from "./support/format1.ts";
import { randomFrom, SEED, text } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

const FILES = 1500;
const contents = new Map<string, string>();
let packed: Promise<Buffer> | undefined;

async function packTree(): Promise<Buffer> {
  const folder = temporaryDirectory();
  const random = randomFrom(SEED);
  for (let number = 0; number < FILES; number++) {
    const directory = `d${number % 7}`;
    const content = Buffer.from(text(1 + random(5000), random)).toString("latin1") + number;
    mkdirSync(join(folder, "tree", directory), { recursive: true });
    writeFileSync(join(folder, "tree", directory, `f${number}`), content);
    contents.set(`${directory}/f${number}`, content);
  }
  const output = join(folder, "a.hxz");
  await pack({ inputs: [join(folder, "tree")], output, archiveFormat: 1, lossy: true });
  return readFileSync(output);
}

interface Counts {
  reads: number;
  bytes: number;
  decoded: number;
}

/** @param change alters the archive before it is opened */
async function open(change: (archive: Buffer) => void = () => {}): Promise<{ archive: Archive; counts: Counts }> {
  packed ??= packTree();
  const own = Buffer.from(await packed);
  change(own);
  const counts: Counts = { reads: 0, bytes: 0, decoded: 0 };
  const read = (start: number, end: number) => {
    counts.reads++;
    counts.bytes += end - start;
    return own.subarray(start, end);
  };
  const source: RangeSource = {
    name: "counted",
    size: own.length,
    read: async (start, end) => read(start, end),
    readSync: read,
    readIntoSync: (start, into) => into.set(read(start, start + into.length)),
  };
  const machinery = await readingMachinery(own.length, { workers: 1 });
  const counting = async (...options: Parameters<typeof machinery.openCrew>): Promise<Crew> => {
    const crew = await machinery.openCrew(...options);
    const { decode } = crew.engine;
    crew.engine.decode = (...block) => {
      counts.decoded++;
      decode(...block);
    };
    return crew;
  };
  const archive = await Archive.open(source, { ...machinery, openCrew: counting });
  Object.assign(counts, { reads: 0, bytes: 0 });
  return { archive, counts };
}

test("a tree is extracted with few readings, none of its blocks is decoded twice", async () => {
  const { archive, counts } = await open();
  const destination = join(temporaryDirectory(), "out");
  const { failed, entries } = await extractTree(archive, destination);
  expect({ failed, entries }).toEqual({ failed: 0, entries: FILES + 8 });
  for (const directory of readdirSync(destination)) {
    for (const name of readdirSync(join(destination, directory))) {
      const found = readFileSync(join(destination, directory, name), "latin1");
      expect(found === contents.get(`${directory}/${name}`), `seed ${SEED}: ${directory}/${name}`).toBe(true);
    }
  }
  expect(counts.decoded).toBe(FILES);
  // Every file has a page of its own; blocks and pages lie one behind the other.
  expect(archive.root.index.pageCount).toBe(FILES);
  expect(counts.reads).toBeLessThan(40);
  expect(counts.bytes).toBeLessThan(2.1 * archive.source.size);
});

test("one file takes its page and its block", async () => {
  const { archive, counts } = await open();
  const content = await (await archive.file("d3/f1046")).read();
  expect(Buffer.from(content).toString("latin1") === contents.get("d3/f1046")).toBe(true);
  expect(counts.reads).toBe(2);
  expect(counts.bytes).toBeLessThan(60 + 6000);
});

test("a page that is damaged costs its own file, although it is read with others", async () => {
  const { archive: whole } = await open();
  const { pages } = whole.format1!.opened.master.main;
  const { offset } = pages[700]!;
  const { archive } = await open((own) => own.writeUInt32LE(9, offset));
  const found: string[] = [];
  const list = [];
  for await (const entry of archive.entries()) if (entry.type === "file") list.push(entry);
  const ranges = list.map(({ path, start, size }) => ({ path, start: start!, end: start! + size! }));
  for await (const parts of archive.bulk(ranges)) {
    for (const part of parts) if ("error" in part) found.push(`${part.range.path} ${part.error.code}`);
  }
  const lost = ranges.find(({ start }) => start === pages[700]!.startLogical)!;
  expect(found).toEqual([`${lost.path} invalid`]);
});

test.each(["082-directory-encrypted", "055-pack-zstd-dict", "055-pack-zstd-dict-encrypted", "055-commit-thin-of-thin"])(
  "%s is decoded by all threads",
  async (name) => {
    const kept = keptArchives.find(({ file }) => file === `${name}.hxz`)!;
    const bytes = bytesOfKept(kept.file);
    const machinery = await readingMachinery(bytes.length, { workers: 2 });
    const crews: number[] = [];
    const openCrew = async (...options: Parameters<typeof machinery.openCrew>): Promise<Crew> => {
      const crew = await machinery.openCrew(...options);
      crews.push(crew.threads);
      return crew;
    };
    const archive = await Archive.open(
      createMemorySource(bytes, kept.file),
      { ...machinery, openCrew },
      {
        findParent: parentsAmong("archives"),
        secrets: { passwords: kept.password == null ? [] : [kept.password] },
      },
    );
    const hash = createHash("sha256");
    const { start, size } = archive.streams.find((stream) => stream.name === "disk")!;
    for await (const parts of archive.bulk([{ start, end: start + size }])) {
      for (const part of parts) {
        if ("error" in part) throw part.error;
        hash.update("bytes" in part ? part.bytes : new Uint8Array(part.end - part.start).fill(part.fill));
      }
    }
    const { sha256 } = kept.streams.main;
    expect({ size, sha256: hash.digest("hex"), crews }).toEqual({ size: kept.streams.main.size, sha256, crews: [2] });
  },
);
