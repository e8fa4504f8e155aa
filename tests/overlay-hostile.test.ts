// File systems that point at themselves, claim too much, or are cut: told as broken, with everything else still mapped,
// and few bytes read.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { mapChanges } from "../src/core/disk/map-changes.ts";
import { overlaid } from "../src/core/disk/overlay.ts";
import { createMemorySource } from "../src/core/index.ts";
import { makeExt, makeTree } from "./support/file-systems.ts";
import { run, temporaryDirectory } from "./support/trees.ts";

/** Maps what the change did to a disk, which is all that has changed. Counts what is read. */
async function mapped(before: Uint8Array, change: (bytes: Buffer) => void) {
  const after = Buffer.from(before);
  change(after);
  const blocks: number[] = [];
  for (let at = 0; at < after.length; at += 4096) {
    if (Buffer.compare(after.subarray(at, at + 4096), before.subarray(at, at + 4096)) !== 0) blocks.push(at / 4096);
  }
  let bytes = 0;
  const memory = createMemorySource(after, "disk");
  const disk = overlaid(memory, { data: memory, blocks: Float64Array.from(blocks), torn: 0 });
  const counted = {
    ...disk,
    read(start: number, end: number) {
      bytes += end - start;
      return disk.read(start, end);
    },
  };
  return { ...(await mapChanges(counted)), bytes, modified: blocks.length * 4096 };
}

function ext(): { cwd: string; bytes: Uint8Array; blocksOf: (path: string) => number[] } {
  const cwd = temporaryDirectory();
  makeTree(cwd, 300);
  makeExt(cwd, ["-t", "ext4", "-b", "4096", "-O", "^has_journal"], "16M");
  const blocksOf = (path: string) =>
    run("debugfs", ["-R", `blocks ${path}`, "disk.img"], cwd)
      .trim()
      .split(/\s+/)
      .map(Number);
  return { cwd, bytes: new Uint8Array(readFileSync(join(cwd, "disk.img"))), blocksOf };
}

/** Where the inode of a path is. */
function inodeOf(cwd: string, path: string): number {
  const [, block, offset] = /located at block (\d+), offset 0x([0-9a-f]+)/.exec(
    run("debugfs", ["-R", `imap ${path}`, "disk.img"], cwd),
  )!;
  return Number(block) * 4096 + Number.parseInt(offset!, 16);
}

test("reads metadata only: content that did not change costs nothing", async () => {
  const { bytes, blocksOf } = ext();
  const [big] = blocksOf("/var/big.bin");
  const map = await mapped(bytes, (after) => after.fill(7, big! * 4096, big! * 4096 + 10));
  expect(map.files.map(({ path }) => path)).toEqual(["var/big.bin"]);
  expect(map.bytes).toBeLessThan(600_000);
});

test("a directory that contains the root, and one that contains itself, end", async () => {
  const { bytes, blocksOf } = ext();
  const [many, etc] = [blocksOf("/many")[0]!, blocksOf("/etc")[0]!];
  const map = await mapped(bytes, (after) => {
    after.writeUInt32LE(2, many * 4096 + 24);
    const own = after.readUInt32LE(etc * 4096);
    after.writeUInt32LE(own, etc * 4096 + 24);
  });
  expect(map.partitions).toMatchObject([{ isMapped: true, notes: [] }]);
  expect(map.files.map(({ path }) => path)).toContain("many");
});

test.each([
  [
    "an inode that is not there",
    (after: Buffer, at: { directory: number }) => after.writeUInt32LE(0xffff_ff00, at.directory + 24),
    /inode 4294967040 is named/,
  ],
  [
    "a name longer than its entry",
    (after: Buffer, at: { directory: number }) => after.writeUInt8(255, at.directory + 30),
    /does not fit/,
  ],
  [
    "a directory of zeros",
    (after: Buffer, at: { directory: number }) => after.fill(0, at.directory, at.directory + 4096),
    /does not fit/,
  ],
  [
    "extents that are none",
    (after: Buffer, at: { inode: number }) => after.writeUInt16LE(1, at.inode + 40),
    /extents is broken/,
  ],
  [
    "extents that contain themselves",
    (after: Buffer, at: { inode: number; block: number }) => {
      after.writeUInt16LE(5, at.inode + 46);
      after.writeUInt32LE(at.block, at.inode + 52 + 4);
      after.writeUInt32LE(0, at.inode + 52 + 8);
      after.copy(after, at.block * 4096, at.inode + 40, at.inode + 100);
    },
    /deeper than the one above|used twice/,
  ],
  [
    "a directory of a million blocks",
    (after: Buffer, at: { folder: number }) => after.writeUInt16LE(32_000, at.folder + 52 + 4),
    /is named, of|does not fit|used twice/,
  ],
] as [
  string,
  (after: Buffer, at: { directory: number; inode: number; block: number; folder: number }) => void,
  RegExp,
][])("%s: told as broken, with every byte accounted for", async (_, change, note) => {
  const { cwd, bytes, blocksOf } = ext();
  const at = {
    directory: blocksOf("/etc")[0]! * 4096,
    inode: inodeOf(cwd, "/var/big.bin"),
    folder: inodeOf(cwd, "/etc"),
    block: bytes.length / 4096 - 3,
  };
  const map = await mapped(bytes, (after) => change(after, at));
  expect(map.partitions).toMatchObject([{ isMapped: false, notes: [expect.stringMatching(note)] }]);
  const told = [
    ...map.files.map((file) => file.bytes + file.metadataBytes),
    ...map.areas.map(({ bytes: size }) => size),
  ];
  // What two claim is told of twice.
  expect(told.reduce((sum, one) => sum + one, 0)).toBeGreaterThanOrEqual(map.modified);
  expect(map.bytes).toBeLessThan(2 * bytes.length);
});

test.each([
  ["inodes in groups that are not there", 0, /inodes in/],
  ["more blocks than the disk has", 4, /blocks of/],
  ["blocks of 2^42 bytes", 24, /blocks of 2\^/],
  ["an unknown feature", 96, /not known/],
])("a superblock with %s", async (_, at, note) => {
  const { bytes } = ext();
  const map = await mapped(bytes, (after) => after.writeUInt32LE(0x7000_0020, 1024 + at));
  expect(map.partitions).toMatchObject([{ fileSystem: "ext", isMapped: false, notes: [expect.stringMatching(note)] }]);
  expect(map.areas).toEqual([{ partition: undefined, area: "not mapped", bytes: 4096 }]);
});

test.each([
  ["ends in itself", (fat: Buffer) => fat.writeUInt16LE(3, 6), /used twice/],
  ["leads to a cluster that is not there", (fat: Buffer) => fat.writeUInt16LE(0xff00, 6), /is named, of/],
])("a chain of a FAT that %s", async (_, change, note) => {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "disk.img"), Buffer.alloc(3_000_000));
  run("mkfs.vfat", ["-F", "16", "-s", "1", "disk.img"], cwd);
  writeFileSync(join(cwd, "file"), Buffer.alloc(5000, 1));
  run("mcopy", ["-i", "disk.img", "file", "::file"], cwd);
  const bytes = readFileSync(join(cwd, "disk.img"));
  const reserved = bytes.readUInt16LE(14) * 512;
  const map = await mapped(bytes, (after) => change(after.subarray(reserved)));
  expect(map.partitions).toMatchObject([
    { fileSystem: "FAT16", isMapped: false, notes: [expect.stringMatching(note)] },
  ]);
});

test("a chain of logical drives that comes back to its beginning ends", async () => {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "disk.img"), Buffer.alloc(8 << 20));
  writeFileSync(join(cwd, "script"), "label: dos\nstart=2048, size=10000, type=5\nstart=4096, size=100\n");
  run("sh", ["-c", "sfdisk -q disk.img < script"], cwd);
  const bytes = readFileSync(join(cwd, "disk.img"));
  const map = await mapped(bytes, (after) => {
    const table = after.subarray(2048 * 512 + 446 + 16);
    table.writeUInt8(5, 4);
    table.writeUInt32LE(0, 8);
    table.writeUInt32LE(100, 12);
  });
  expect(map.partitions.map(({ number }) => number)).toEqual([5]);
});
