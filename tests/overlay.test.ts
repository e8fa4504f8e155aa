// hexz overlay: blocks of the log, and the files of a disk or a tree that they belong to, as the tools of the file systems
// say.

import { copyFileSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeOverlayLog, encodeOverlayLog, overlaid } from "../src/core/disk/overlay.ts";
import { createMemorySource } from "../src/core/index.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { copyDisk, debugfs, makeExt, makeTree, overlayOfChanges, ownersByDebugfs } from "./support/file-systems.ts";
import { BLOCK, makeOverlay } from "./support/overlays.ts";
import { randomBytes, randomFrom, text } from "./support/random.ts";
import { run, temporaryDirectory } from "./support/trees.ts";

const MIB = 1024 * 1024;

interface FileShown {
  path: string;
  type: string;
  partition: number | null;
  bytes: number;
  metadata_bytes: number;
  ranges: [number, number][];
  other_paths: string[];
}

/** The document of `hexz overlay vm.overlay --base base.hxz`. */
function inspected(cwd: string): {
  files: FileShown[];
  areas: { area: string; bytes: number; partition: number | null }[];
  [key: string]: unknown;
} {
  expect(hexz(["pack", "base.hxz", "--disk", "disk.img", "--force"], { cwd }).code).toBe(0);
  const { code, document } = hexzJson(["overlay", "vm.overlay", "--base", "base.hxz"], { cwd });
  expect([code, document.error]).toEqual([0, undefined]);
  return document;
}

/** Every changed byte is told of once. */
function expectComplete(document: ReturnType<typeof inspected>): void {
  const told = [
    ...document.files.map(({ bytes, metadata_bytes }) => bytes + metadata_bytes),
    ...document.areas.map(({ bytes }) => bytes),
  ];
  expect(told.reduce((sum, bytes) => sum + bytes, 0)).toBe(document.modified_bytes);
}

describe("the log", () => {
  test("decodeOverlayLog() counts a block once and nothing of a torn entry", () => {
    const log = Buffer.concat([encodeOverlayLog([7, 2, 7, 2 ** 39]), Buffer.of(1, 2, 3)]);
    expect(decodeOverlayLog(log, "log")).toEqual({ blocks: Float64Array.of(2, 7, 2 ** 39), torn: 3 });
    expect(decodeOverlayLog(new Uint8Array(0), "log")).toEqual({ blocks: new Float64Array(0), torn: 0 });
    expect(() => decodeOverlayLog(encodeOverlayLog([2 ** 40]), "log")).toThrow(/over the limit/);
    expect(() => decodeOverlayLog(new Uint8Array(8).fill(255), "log")).toThrow(/over the limit/);
  });

  test("overlaid() takes logged blocks from the overlay, others from below, and zeros from nowhere", async () => {
    const below = createMemorySource(new Uint8Array(10_000).fill(1), "below");
    const data = createMemorySource(new Uint8Array(30_000).fill(2), "data");
    const disk = overlaid(below, { data, blocks: Float64Array.of(1, 2, 5), torn: 0 });
    const bytes = await disk.read(0, disk.size);
    const expected = new Uint8Array(30_000);
    expected.fill(1, 0, 10_000);
    expected.fill(2, BLOCK, 3 * BLOCK);
    expected.fill(2, 5 * BLOCK, 6 * BLOCK);
    expect(Buffer.compare(bytes, expected)).toBe(0);
    expect(await disk.read(4000, 4100)).toEqual(expected.slice(4000, 4100));
    expect(disk.changed).toEqual([
      { start: 4096, end: 12_288 },
      { start: 20_480, end: 24_576 },
    ]);
    expect([disk.zeroUntil(12_288), disk.zeroUntil(24_576), disk.zeroUntil(21_000)]).toEqual([20_480, 30_000, 21_000]);
    const short = createMemorySource(new Uint8Array(5000), "data");
    expect(() => overlaid(below, { data: short, blocks: Float64Array.of(1), torn: 0 })).toThrow(/lacks bytes: block 1/);
  });

  test("without a base, blocks, bytes and ranges are told, and a missing log is exit code 3", () => {
    const cwd = temporaryDirectory();
    const writes = [5, 6, 9].map((block) => ({ at: block * BLOCK, bytes: new Uint8Array(10) }));
    makeOverlay(cwd, new Uint8Array(MIB), [...writes, ...writes], { twice: true, torn: 3 });
    const { code, document } = hexzJson(["overlay", "vm.overlay"], { cwd });
    expect([code, document]).toMatchObject([
      0,
      {
        path: "vm.overlay",
        block_size: 4096,
        modified_blocks: 3,
        modified_bytes: 12_288,
        ranges: [
          [20_480, 28_672],
          [36_864, 40_960],
        ],
        blocks: [5, 6, 9],
        files: null,
        warnings: [{ code: "unsupported" }],
      },
    ]);
    const { stdout } = hexz(["overlay", "vm.overlay", "--blocks"], { cwd });
    expect(stdout).toBe("vm.overlay: 3 blocks of 4 KiB (12.00 KiB) in 2 ranges\nblocks:\n  5\n  6\n  9\n");
    expect(hexzJson(["overlay", "vm.overlay", "--files"], { cwd })).toMatchObject({ code: 2 });
    run("rm", ["vm.meta"], cwd);
    expect(hexzJson(["overlay", "vm.overlay"], { cwd })).toMatchObject({
      code: 3,
      document: { error: { log: "vm.meta" } },
    });
  });
});

describe("ext", () => {
  test.each([
    ["ext2 of 1 KiB blocks", ["-t", "ext2", "-b", "1024"]],
    ["ext3", ["-t", "ext3", "-b", "4096"]],
    ["ext4 of 1 KiB blocks", ["-t", "ext4", "-b", "1024"]],
    ["ext4 of 4 KiB blocks", ["-t", "ext4", "-b", "4096"]],
    ["ext4 with groups of descriptors", ["-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode,64bit"]],
    ["ext4 without flex groups and checksums", ["-t", "ext4", "-b", "1024", "-O", "^flex_bg,^metadata_csum,^64bit"]],
    ["ext4 with inline data", ["-t", "ext4", "-b", "4096", "-O", "inline_data"]],
    ["ext4 with clusters", ["-t", "ext4", "-b", "4096", "-O", "bigalloc", "-C", "16384"]],
  ])("%s: changed blocks belong to the files that debugfs names", (_, options) => {
    const cwd = temporaryDirectory();
    makeTree(cwd);
    makeExt(cwd, options);
    copyDisk(cwd);
    writeFileSync(join(cwd, "new"), text(120_000, randomFrom(2)));
    const changes = ["rm /var/big.bin", "ln /etc/long.conf /etc/second", "cd /var", "write new new", "mkdir dir"];
    debugfs(cwd, "after.img", ...changes);
    const blocks = overlayOfChanges(cwd);
    const document = inspected(cwd);
    expect(document.warnings).toEqual([]);
    expectComplete(document);
    // Both say the same of every block of the file system that has changed.
    const [kind, , , blockSize] = options as [string, string, string, string];
    expect(kind).toBe("-t");
    const size = Number(blockSize);
    const numbers = blocks.flatMap((block) =>
      Array.from({ length: BLOCK / size }, (_, at) => (block * BLOCK) / size + at),
    );
    const expected = ownersByDebugfs(cwd, "after.img", numbers);
    const found = new Map<number, string>();
    for (const { path, ranges } of document.files) {
      for (const [start, end] of ranges) for (let at = start; at < end; at += size) found.set(at / size, path);
    }
    expect([...found].sort(([a], [b]) => a - b)).toEqual([...expected].sort(([a], [b]) => a - b));
    expect([...found.values()]).toContain("/var/new");
    expect(document.areas.map(({ area }) => area)).toContain("inode tables");
  });

  test("content, directories, metadata, journal and free space are told apart", () => {
    const cwd = temporaryDirectory();
    makeTree(cwd);
    makeExt(cwd, ["-t", "ext4", "-b", "4096"]);
    copyDisk(cwd);
    const disk = readFileSync(join(cwd, "after.img"));
    const place = (path: string) =>
      Number(
        run("debugfs", ["-R", `blocks ${path}`, "disk.img"], cwd)
          .trim()
          .split(/\s+/)[0],
      );
    const journal = Number(/\(\d+-?\d*\):(\d+)/.exec(run("debugfs", ["-R", "stat <8>", "disk.img"], cwd))![1]);
    const free = disk.length / BLOCK - 5;
    for (const block of [place("/etc/hostname"), place("/many"), journal + 3, free, 0])
      disk[block * BLOCK + 2000]! ^= 1;
    writeFileSync(join(cwd, "after.img"), disk);
    overlayOfChanges(cwd);
    const document = inspected(cwd);
    expect(document.files.map(({ path, type, bytes }) => [path, type, bytes])).toEqual([
      ["/etc/hostname", "file", 4096],
      ["/many", "directory", 4096],
    ]);
    expect(document.areas.map(({ area, bytes }) => [area, bytes]).sort()).toEqual([
      ["boot block and superblock", 4096],
      ["free space", 4096],
      ["journal", 4096],
    ]);
    const { stdout } = hexz(["overlay", "vm.overlay", "--base", "base.hxz", "--files"], { cwd });
    expect(stdout).toContain("disk: ext4, 24.00 MiB at 0");
    expect(stdout).toContain("4.00 KiB  /many/\n");
    expectComplete(document);
  });

  test("a journal that was not replayed is told of", () => {
    const cwd = temporaryDirectory();
    makeTree(cwd, 2);
    makeExt(cwd, ["-t", "ext4"]);
    debugfs(cwd, "disk.img", "feature needs_recovery");
    makeOverlay(cwd, readFileSync(join(cwd, "disk.img")), [{ at: 0, bytes: new Uint8Array(10) }]);
    const { warnings } = inspected(cwd) as unknown as { warnings: { message: string }[] };
    expect(warnings.map(({ message }) => message).join()).toContain("journal holds changes");
  });
});

describe("FAT", () => {
  test.each([
    ["12", "2880K"],
    ["16", "20M"],
    ["32", "70M"],
  ])("FAT%s: files that mtools wrote are named, by their long names", (bits, size) => {
    const cwd = temporaryDirectory();
    const random = randomFrom(4);
    writeFileSync(join(cwd, "disk.img"), "");
    truncateSync(join(cwd, "disk.img"), Number(/\d+/.exec(size)![0]) * (size.endsWith("M") ? MIB : 1024));
    run("mkfs.vfat", ["-F", bits, "-n", "BOOT", "disk.img"], cwd);
    const copy = (image: string, bytes: Uint8Array, path: string) => {
      writeFileSync(join(cwd, "file"), bytes);
      run("env", ["LC_ALL=C.UTF-8", "mcopy", "-o", "-i", image, "file", `::${path}`], cwd);
    };
    run("mmd", ["-i", "disk.img", "::EFI", "::EFI/A directory with a long name"], cwd);
    copy("disk.img", text(30_000, random), "/EFI/A directory with a long name/grübx64-longer.efi");
    copy("disk.img", text(9000, random), "/README.TXT");
    copyDisk(cwd);
    copy("after.img", text(30_001, random), "/EFI/A directory with a long name/grübx64-longer.efi");
    copy("after.img", randomBytes(5000, random), "/EFI/new.bin");
    overlayOfChanges(cwd);
    const document = inspected(cwd);
    expect((document.partitions as { file_system: string; label: string }[])[0]).toMatchObject({
      file_system: `FAT${bits}`,
      label: "BOOT",
      mapped: true,
    });
    const byPath = new Map(document.files.map((file) => [file.path, file]));
    // What shares a block of 4 KiB with these may be named as well.
    expect([...byPath.keys()]).toEqual(
      expect.arrayContaining(["/EFI/A directory with a long name/grübx64-longer.efi", "/EFI/new.bin"]),
    );
    expect(byPath.get("/EFI/new.bin")!.bytes).toBeGreaterThanOrEqual(5000);
    expect(byPath.get("/EFI/A directory with a long name/grübx64-longer.efi")!.bytes).toBeGreaterThanOrEqual(30_001);
    expect(document.areas.map(({ area }) => area)).toContain("file allocation table");
    expectComplete(document);
    // The content is where we say that it is.
    const after = readFileSync(join(cwd, "after.img"));
    const placed = Buffer.concat(byPath.get("/EFI/new.bin")!.ranges.map(([start, end]) => after.subarray(start, end)));
    expect(placed.subarray(0, 5000).equals(readFileSync(join(cwd, "file")))).toBe(true);
  });
});

describe("partitions", () => {
  /** `disk.img` with an ext4 file system at 1 MiB, a FAT at 30 MiB, and something unknown at 50 MiB. */
  function place(label: "gpt" | "dos", third: string): string {
    const cwd = temporaryDirectory();
    makeTree(cwd);
    makeExt(cwd, ["-t", "ext4", "-b", "4096"]);
    run("mv", ["disk.img", "ext.img"], cwd);
    writeFileSync(join(cwd, "disk.img"), "");
    truncateSync(join(cwd, "disk.img"), 64 * MIB);
    const script = `label: ${label}\nstart=2048, size=${24 * 2048}\nstart=${30 * 2048}, size=${8 * 2048}\n${third}\n`;
    writeFileSync(join(cwd, "script"), script);
    run("sh", ["-c", "sfdisk -q disk.img < script"], cwd);
    const disk = readFileSync(join(cwd, "disk.img"));
    disk.set(readFileSync(join(cwd, "ext.img")), MIB);
    writeFileSync(join(cwd, "fat.img"), "");
    truncateSync(join(cwd, "fat.img"), 8 * MIB);
    run("mkfs.vfat", ["fat.img"], cwd);
    run("mcopy", ["-i", "fat.img", "tree/etc/hostname", "::hostname"], cwd);
    disk.set(readFileSync(join(cwd, "fat.img")), 30 * MIB);
    disk.set(Buffer.from("LABELONE"), 50 * MIB + 512);
    disk.set(Buffer.from("LVM2 001"), 50 * MIB + 0x218);
    writeFileSync(join(cwd, "disk.img"), disk);
    return cwd;
  }

  test.each([
    ["gpt", `start=${50 * 2048}, size=2048`, 3],
    ["dos", `start=${50 * 2048}, size=2048, type=8e`, 3],
    ["dos", `start=${48 * 2048}, size=${10 * 2048}, type=5\nstart=${50 * 2048}, size=2048, type=8e`, 5],
  ] as const)("%s: each has its files, what is not read is named (%s)", (label, third, number) => {
    const cwd = place(label, third);
    copyDisk(cwd);
    const fd = openSync(join(cwd, "after.img"), "r+");
    const hostname = Number(run("debugfs", ["-R", "blocks /etc/hostname", "ext.img"], cwd).trim());
    const blockSize = Number(/Block size: +(\d+)/.exec(run("dumpe2fs", ["-h", "ext.img"], cwd))![1]);
    for (const at of [MIB + hostname * blockSize, 50 * MIB + 8192, 40 * MIB, 100]) writeSync(fd, "changed", at);
    run("mcopy", ["-o", "-i", `after.img@@30M`, "tree/etc/long.conf", "::HOSTNAME"], cwd);
    overlayOfChanges(cwd);
    const document = inspected(cwd);
    expect(document.partition_table).toBe(label === "gpt" ? "gpt" : "mbr");
    expect(document.partitions).toMatchObject([
      { number: 1, start: MIB, size: 24 * MIB, file_system: "ext4", mapped: true },
      { number: 2, start: 30 * MIB, size: 8 * MIB, mapped: true },
      { number, start: 50 * MIB, file_system: "LVM", mapped: false },
    ]);
    expect(document.files.map(({ path, partition }) => [partition, path])).toEqual(
      [
        [1, "/etc/hostname"],
        [2, "/"],
        [2, "/HOSTNAME"],
      ].map(([partition, path]) => [partition, path]),
    );
    const areas = document.areas.map(({ area, partition }) => `${partition} ${area}`);
    expect(areas).toContain(`${number} not mapped`);
    expect(areas).toContain("null outside of partitions");
    expect(areas).toContain("null partition table");
    expectComplete(document);
  });
});

test("the entries of a tree that was changed are named", () => {
  const cwd = temporaryDirectory();
  const random = randomFrom(8);
  run("mkdir", ["in"], cwd);
  for (const name of ["a", "b", "c"]) writeFileSync(join(cwd, "in", name), randomBytes(20_000, random));
  hexz(["pack", "in", "base.hxz"], { cwd });
  const disk = Buffer.concat(["a", "b", "c"].map((name) => readFileSync(join(cwd, "in", name))));
  makeOverlay(cwd, disk, [{ at: 19_000, bytes: randomBytes(3000, random) }]);
  const { code, document } = hexzJson(["overlay", "vm.overlay", "--base", "base.hxz"], { cwd });
  expect([code, document.modified_blocks, document.partitions]).toEqual([0, 2, null]);
  expect(document.files).toMatchObject([
    { path: "a", type: "file", bytes: 20_000 - 16_384 },
    { path: "b", bytes: 24_576 - 20_000 },
  ]);
  copyFileSync(join(cwd, "vm.overlay"), join(cwd, "x.overlay"));
  expect(hexzJson(["overlay", "x.overlay", "--base", "base.hxz"], { cwd }).code).toBe(3);
});
