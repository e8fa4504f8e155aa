// qcow2 images that lie: each lie has its error, and none costs more than the file can justify.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createDiskInput } from "../src/core/disk/disk-input.ts";
import { Qcow2Layer, readQcow2Header } from "../src/core/disk/qcow2-layer.ts";
import type { RangeSource } from "../src/core/index.ts";
import { readImage } from "./support/disks.ts";
import { run, temporaryDirectory } from "./support/trees.ts";

/** An image of 4 KiB clusters with data in all of its 1 MiB, changed by the test, at a path. */
function lying(change: (bytes: Buffer, at: { l1: number; l2: number }) => Buffer | undefined): string {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "raw"), Buffer.alloc(1 << 20, "all of it is data. "));
  run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=4096", "raw", "image"], cwd);
  const bytes = readFileSync(join(cwd, "image"));
  const l1 = Number(bytes.readBigUInt64BE(40));
  const l2 = Number(bytes.readBigUInt64BE(l1) & 0xff_ffff_ffff_fe00n);
  const path = join(cwd, "image");
  writeFileSync(path, change(bytes, { l1, l2 }) ?? bytes);
  return path;
}

const LIES: [string, string, (bytes: Buffer, at: { l1: number; l2: number }) => Buffer | undefined][] = [
  ["another magic", "invalid", (bytes) => void bytes.writeUInt8(0, 3)],
  ["version 4", "version_unknown", (bytes) => void bytes.writeUInt32BE(4, 4)],
  ["clusters of 256 bytes", "invalid", (bytes) => void bytes.writeUInt32BE(8, 20)],
  ["clusters of 4 MiB", "invalid", (bytes) => void bytes.writeUInt32BE(22, 20)],
  ["a disk of 2^63 bytes", "limit_exceeded", (bytes) => void bytes.writeBigUInt64BE(1n << 63n, 24)],
  ["a disk that the L1 table does not cover", "invalid", (bytes) => void bytes.writeBigUInt64BE(1n << 40n, 24)],
  ["an L1 table of 32 GiB", "limit_exceeded", (bytes) => void bytes.writeUInt32BE(0xffff_ffff, 36)],
  ["an L1 table behind the end", "truncated", (bytes) => void bytes.writeBigUInt64BE(1n << 40n, 40)],
  ["an L1 table beside a cluster", "invalid", (bytes) => void bytes.writeBigUInt64BE(4097n, 40)],
  ["encryption by AES", "feature_unknown", (bytes) => void bytes.writeUInt32BE(1, 32)],
  ["encryption by LUKS", "feature_unknown", (bytes) => void bytes.writeUInt32BE(2, 32)],
  ["an external data file", "feature_unknown", (bytes) => void bytes.writeUInt8(4, 79)],
  ["an unknown feature", "feature_unknown", (bytes) => void bytes.writeUInt8(0x80, 72)],
  ["subclusters in small clusters", "invalid", (bytes) => void bytes.writeUInt8(0x10, 79)],
  ["a compression that no feature tells", "invalid", (bytes) => void bytes.writeUInt8(1, 104)],
  ["a header longer than the file", "invalid", (bytes) => void bytes.writeUInt32BE(1 << 30, 100)],
  ["a header extension of 4 GiB", "invalid", (bytes) => void bytes.writeBigUInt64BE(0x6803_f857_ffff_fff0n, 112)],
  ["a million snapshots", "limit_exceeded", (bytes) => void bytes.writeUInt32BE(1_000_000, 60)],
  [
    "a snapshot behind the end",
    "truncated",
    (bytes) => {
      bytes.writeUInt32BE(1, 60);
      bytes.writeBigUInt64BE(1n << 40n, 64);
    },
  ],
  [
    "a backing file's name of 4 GiB",
    "invalid",
    (bytes) => {
      bytes.writeBigUInt64BE(512n, 8);
      bytes.writeUInt32BE(0xffff_ffff, 16);
    },
  ],
  ["an L2 table beside a cluster", "invalid", (bytes, { l1 }) => void bytes.writeUInt8(2, l1 + 6)],
  ["an L2 table behind the end", "truncated", (bytes, { l1 }) => void bytes.writeUInt8(1, l1 + 2)],
  ["a cluster beside a cluster", "invalid", (bytes, { l2 }) => void bytes.writeUInt8(2, l2 + 6)],
  ["a cluster behind the end", "truncated", (bytes, { l2 }) => void bytes.writeUInt8(1, l2 + 2)],
  ["a compressed cluster that is none", "damaged", (bytes, { l2 }) => void bytes.writeUInt8(0x40, l2)],
  [
    "a zero cluster in version 2",
    "invalid",
    (bytes, { l2 }) => {
      bytes.writeUInt32BE(2, 4);
      bytes.writeUInt8(1, l2 + 7);
    },
  ],
  ["a file cut in its data", "truncated", (bytes) => bytes.subarray(0, bytes.length / 2)],
  ["a file cut in its header", "truncated", (bytes) => bytes.subarray(0, 90)],
];

test.each(LIES)("%s is %s", async (_, code, change) => {
  const path = lying(change);
  await expect(readImage(path)).rejects.toMatchObject({ code, message: expect.stringContaining("image") });
});

/** A source of zeros but for what is set, which counts what is read of it. */
function counting(size: number, parts: Map<number, Uint8Array>): RangeSource & { bytes: number } {
  const counted = {
    name: "image",
    size,
    bytes: 0,
    async read(start: number, end: number) {
      counted.bytes += end - start;
      const bytes = new Uint8Array(end - start);
      for (const [at, part] of parts) {
        if (at < end && at + part.length > start) {
          bytes.set(part.subarray(Math.max(0, start - at), end - at), Math.max(0, at - start));
        }
      }
      return bytes;
    },
  };
  return counted;
}

/** An image of 3 clusters of 2 MiB, in which every L1 entry names one L2 table, and all of that one cluster. */
function bomb(entries: number): RangeSource & { bytes: number } {
  const cluster = 2 ** 21;
  const header = Buffer.alloc(104);
  header.writeUInt32BE(0x514649fb, 0);
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(21, 20);
  header.writeBigUInt64BE(BigInt(entries) * 2n ** 39n, 24);
  header.writeUInt32BE(entries, 36);
  header.writeBigUInt64BE(BigInt(cluster), 40);
  header.writeUInt32BE(104, 100);
  const l1 = Buffer.alloc(entries * 8);
  for (let entry = 0; entry < entries; entry++) l1.writeBigUInt64BE(BigInt(2 * cluster), entry * 8);
  const l2 = Buffer.alloc(cluster);
  for (let entry = 0; entry < cluster / 8; entry++) l2.writeBigUInt64BE(BigInt(cluster), entry * 8);
  return counting(
    3 * cluster,
    new Map([
      [0, header],
      [cluster, l1],
      [2 * cluster, l2],
    ] as [number, Buffer][]),
  );
}

test("one cluster that is used for a disk of 4 PiB ends soon, with few bytes read", async () => {
  const source = bomb(8191);
  const layer = new Qcow2Layer(source, await readQcow2Header(source), () => {});
  const input = await createDiskInput(layer, () => {});
  const piece = new Uint8Array(1 << 20);
  let read = 0;
  const readOn = async () => {
    for (; read < 1 << 30; ) read += await input.read(piece);
  };
  await expect(readOn()).rejects.toMatchObject({ code: "invalid", message: expect.stringContaining("used twice") });
  expect(read).toBeLessThan(source.size);
  expect(source.bytes).toBeLessThan(2 * source.size);
});

test("an L1 table of 8 PiB of nothing is read once, by windows", async () => {
  const cluster = 2 ** 21;
  const source = bomb(4000);
  const empty = {
    ...source,
    read: async (start: number, end: number) => {
      const bytes = await source.read(start, end);
      if (start >= cluster) bytes.fill(0);
      return bytes;
    },
  };
  const layer = new Qcow2Layer(empty, await readQcow2Header(empty), () => {});
  const input = await createDiskInput(layer, () => {});
  expect(input.hole!()).toBe(4000 * 2 ** 39);
  expect(source.bytes).toBeLessThanOrEqual(64 * 1024 + 4000 * 8);
});
