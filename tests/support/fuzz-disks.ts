// Changed disk images, for the fuzzer: read to their end, or refused by name.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDiskInput } from "../../src/core/disk/disk-input.ts";
import { mapChanges } from "../../src/core/disk/map-changes.ts";
import { decodeOverlayLog, encodeOverlayLog, overlaid } from "../../src/core/disk/overlay.ts";
import { Qcow2Layer, readQcow2Header, readSnapshots } from "../../src/core/disk/qcow2-layer.ts";
import { createMemorySource } from "../../src/core/index.ts";
import { clusterDecoders } from "../../src/node/disk/cluster-codecs.ts";
import { qemuIo } from "./disks.ts";
import { mangle, type Random } from "./fuzz.ts";
import { type Decoder, Scratch } from "./fuzz-records.ts";
import type { Keep } from "./fuzz-run.ts";
import { codeOf, WrongOutcome } from "./outcomes.ts";
import { run } from "./trees.ts";

const OPTIONS = ["cluster_size=512", "extended_l2=on,cluster_size=16384", "compression_type=zstd,cluster_size=4096"];
/** Of a disk, no more is read: what is behind is as what is before. */
const MOST_READ = 200_000;

const decoders = await clusterDecoders(["deflate", "zstd"], "wasm");

interface ImageSeed {
  readonly bytes: Uint8Array;
  /** Where its metadata is. */
  readonly places: readonly number[];
  readonly scratch: Scratch;
}

/** Small qcow2 images that have everything. */
export function loadImages(): ImageSeed[] {
  const cwd = mkdtempSync(join(tmpdir(), "hexz-test-"));
  try {
    return OPTIONS.map((options) => {
      run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", options, "a.qcow2", "96k"], cwd);
      qemuIo(cwd, "a.qcow2", "write -P 1 0 16k", "write -c -P 2 16k 16k", "write -z 32k 16k", "write -P 3 60k 3k");
      run("qemu-img", ["snapshot", "-c", "one", "a.qcow2"], cwd);
      qemuIo(cwd, "a.qcow2", "write -P 4 64k 16k");
      const bytes = new Uint8Array(readFileSync(join(cwd, "a.qcow2")));
      const view = new DataView(bytes.buffer);
      const l1 = Number(view.getBigUint64(40));
      const l2 = Number(view.getBigUint64(l1) & 0xff_ffff_fe00n);
      return { bytes, places: [0, l1, l2, Number(view.getBigUint64(64))], scratch: new Scratch(bytes) };
    });
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

export async function fuzzImage(seeds: readonly ImageSeed[], random: Random, keep: Keep): Promise<string> {
  const { bytes: seed, places, scratch } = seeds[random(seeds.length)]!;
  const bytes = random(50) === 0 ? mangle(seed, random) : scratch.changedNear(places, 1 + random(2), random, 112);
  keep(bytes);
  return outcomeOfImage(bytes);
}

const piece = new Uint8Array(100_000);

/** Reads all of an image. @returns "read", or the code of why not */
export async function outcomeOfImage(bytes: Uint8Array): Promise<string> {
  try {
    const source = createMemorySource(bytes, "image");
    const header = await readQcow2Header(source);
    await readSnapshots(source, header);
    const input = await createDiskInput(new Qcow2Layer(source, header, decoders[header.compression]), () => {});
    for (let read = 0; read < MOST_READ; ) {
      const hole = input.hole!();
      if (hole > 0) input.skip!(hole);
      const length = await input.read(piece);
      if (length === 0) break;
      read += length;
    }
    return "read";
  } catch (error) {
    return codeOf(error);
  }
}

/** A file system and where its metadata is. */
interface FileSystemSeed {
  readonly bytes: Uint8Array;
  /** Positions near which to change something. */
  readonly places: readonly number[];
  readonly scratch: Scratch;
}

/** Small file systems of all kinds that are read. */
export function loadFileSystems(): FileSystemSeed[] {
  const cwd = mkdtempSync(join(tmpdir(), "hexz-test-"));
  const made = (...command: string[]): Uint8Array => {
    run(command[0]!, command.slice(1), cwd);
    return new Uint8Array(readFileSync(join(cwd, "disk")));
  };
  try {
    mkdirSync(join(cwd, "tree/sub"), { recursive: true });
    writeFileSync(join(cwd, "tree/file"), Buffer.alloc(5000, 1));
    writeFileSync(join(cwd, "tree/sub/a long name to have one.txt"), "short");
    const ext = (type: string, ...more: string[]) => {
      rmSync(join(cwd, "disk"), { force: true });
      const bytes = made(
        "mke2fs",
        "-q",
        "-F",
        "-t",
        type,
        "-b",
        "1024",
        "-N",
        "16",
        ...more,
        "-d",
        "tree",
        "disk",
        "96k",
      );
      const view = new DataView(bytes.buffer);
      const table = view.getUint32(2048 + 8, true) * 1024;
      return seedOf(bytes, [1024, 1110, 1270, 2048, table + 128, table + 256 * 11, ...directoriesOf(bytes)]);
    };
    const fat = (bits: string, size: number) => {
      writeFileSync(join(cwd, "disk"), "");
      truncateSync(join(cwd, "disk"), size);
      run("mkfs.vfat", ["-F", bits, "-s", "1", "disk"], cwd);
      run("mcopy", ["-s", "-i", "disk", "tree/file", "tree/sub", "::"], cwd);
      const bytes = new Uint8Array(readFileSync(join(cwd, "disk")));
      const reserved = (bytes[14]! | (bytes[15]! << 8)) * 512;
      return seedOf(bytes, [0, 10, 36, reserved, reserved, ...directoriesOf(bytes)]);
    };
    return [
      ext("ext2"),
      ext("ext4", "-O", "^has_journal,inline_data"),
      ext("ext4", "-O", "^has_journal,64bit,meta_bg,^resize_inode"),
      fat("12", 60_000),
      fat("16", 2_200_000),
    ];
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

function seedOf(bytes: Uint8Array, places: readonly number[]): FileSystemSeed {
  return { bytes, places, scratch: new Scratch(bytes) };
}

/** Where names stand. */
function directoriesOf(bytes: Uint8Array): number[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return ["lost+found", "FILE  ", "a long name", "sub", "SUB  "]
    .map((name) => file.indexOf(name) & ~31)
    .filter((at) => at > 0);
}

export function fuzzFileSystem(seeds: readonly FileSystemSeed[], random: Random, keep: Keep): Promise<string> {
  // The last one is large, because that kind must be.
  const { places, scratch } = seeds[random(30) === 0 ? seeds.length - 1 : random(seeds.length - 1)]!;
  const bytes = scratch.changedNear(places, 1 + random(3), random, 128);
  keep(bytes);
  return outcomeOfFileSystem(bytes);
}

/** Maps all of a file system, which is as if all of it had changed. */
export async function outcomeOfFileSystem(bytes: Uint8Array): Promise<string> {
  const disk = createMemorySource(bytes, "disk");
  const blocks = Float64Array.from({ length: Math.ceil(bytes.length / 4096) }, (_, block) => block);
  const { partitions, files, areas } = await mapChanges(overlaid(disk, { data: disk, blocks, torn: 0 }));
  const told = [...files.map((file) => file.bytes + file.metadataBytes), ...areas.map((area) => area.bytes)];
  const sum = told.reduce((total, one) => total + one, 0);
  if (sum < bytes.length) throw new Error(`${sum} bytes are told of, of ${bytes.length}`);
  return partitions.every(({ isMapped }) => isMapped) ? "mapped" : "not mapped";
}

/** What overlays are logged in. */
export function overlayDecoders(): Decoder[] {
  const below = createMemorySource(new Uint8Array(1 << 20), "disk");
  // A few blocks only: others that are logged are lacking there.
  const data = createMemorySource(new Uint8Array(49 * 4096), "overlay");
  const decode = (bytes: Uint8Array) => {
    const log = decodeOverlayLog(bytes, "the log");
    if (log.blocks.some((block, at) => at > 0 && block <= log.blocks[at - 1]!)) throw new WrongOutcome("not in order");
    const { changed, outside, size } = overlaid(below, { ...log, data });
    if (changed.some(({ start, end }) => start >= end || end > size)) throw new WrongOutcome("a range of nothing");
    if (outside > log.blocks.length) throw new WrongOutcome("more blocks than there are");
  };
  const logs = [[0, 1, 2], [7, 3, 3, 40], [], Array.from({ length: 48 }, (_, block) => block)];
  return logs.map((log) => ({ name: "overlay log", input: encodeOverlayLog(log), decode }));
}
