// Changed disk images, for the fuzzer: read to their end, or refused by name.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDiskInput } from "../../src/core/disk/disk-input.ts";
import { mapChanges } from "../../src/core/disk/map-changes.ts";
import { overlaid } from "../../src/core/disk/overlay.ts";
import { Qcow2Layer, readQcow2Header, readSnapshots } from "../../src/core/disk/qcow2-layer.ts";
import { createMemorySource } from "../../src/core/index.ts";
import { clusterDecoders } from "../../src/node/disk/cluster-codecs.ts";
import { qemuIo } from "./disks.ts";
import { change, mangle, type Random } from "./fuzz.ts";
import { codeOf } from "./outcomes.ts";
import { run } from "./trees.ts";

const OPTIONS = ["cluster_size=512", "extended_l2=on,cluster_size=16384", "compression_type=zstd,cluster_size=4096"];
/** Of a disk, no more is read: what is behind is as what is before. */
const MOST_READ = 1 << 20;

const decoders = await clusterDecoders(["deflate", "zstd"], "wasm");

/** Small qcow2 images that have everything. */
export function loadImages(): Uint8Array[] {
  const cwd = mkdtempSync(join(tmpdir(), "hexz-test-"));
  try {
    return OPTIONS.map((options) => {
      run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", options, "a.qcow2", "96k"], cwd);
      qemuIo(cwd, "a.qcow2", "write -P 1 0 16k", "write -c -P 2 16k 16k", "write -z 32k 16k", "write -P 3 60k 3k");
      run("qemu-img", ["snapshot", "-c", "one", "a.qcow2"], cwd);
      qemuIo(cwd, "a.qcow2", "write -P 4 64k 16k");
      return new Uint8Array(readFileSync(join(cwd, "a.qcow2")));
    });
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

/** Changes what is metadata rather than data. */
function changed(seed: Uint8Array, random: Random): Uint8Array {
  if (random(8) === 0) return mangle(seed, random);
  const bytes = seed.slice();
  const view = new DataView(bytes.buffer);
  const l1 = Number(view.getBigUint64(40));
  const l2 = Number(view.getBigUint64(l1) & 0xff_ffff_fe00n);
  const places = [0, l1, l2, Number(view.getBigUint64(64))];
  for (let times = 1 + random(2); times > 0; times--) {
    const at = places[random(places.length)]!;
    change(bytes, at, Math.min(bytes.length, at + 112), random);
  }
  return bytes;
}

export async function fuzzImage(
  seeds: readonly Uint8Array[],
  random: Random,
  keep: (bytes: Uint8Array) => void,
): Promise<string> {
  const bytes = changed(seeds[random(seeds.length)]!, random);
  keep(bytes);
  return outcomeOfImage(bytes);
}

/** Reads all of an image. @returns "read", or the code of why not */
export async function outcomeOfImage(bytes: Uint8Array): Promise<string> {
  try {
    const source = createMemorySource(bytes, "image");
    const header = await readQcow2Header(source);
    await readSnapshots(source, header);
    const input = await createDiskInput(new Qcow2Layer(source, header, decoders[header.compression]), () => {});
    const piece = new Uint8Array(100_000);
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
    writeFileSync(join(cwd, "tree/file"), Buffer.alloc(30_000, 1));
    writeFileSync(join(cwd, "tree/sub/a long name to have one.txt"), "short");
    const ext = (type: string, ...more: string[]) => {
      rmSync(join(cwd, "disk"), { force: true });
      const bytes = made("mke2fs", "-q", "-F", "-t", type, "-b", "1024", ...more, "-d", "tree", "disk", "512k");
      const view = new DataView(bytes.buffer);
      const table = view.getUint32(2048 + 8, true) * 1024;
      return { bytes, places: [1024, 1110, 1270, 2048, table + 128, table + 256 * 11, ...directoriesOf(bytes)] };
    };
    const fat = (bits: string, size: number) => {
      writeFileSync(join(cwd, "disk"), "");
      truncateSync(join(cwd, "disk"), size);
      run("mkfs.vfat", ["-F", bits, "-s", "1", "disk"], cwd);
      run("mcopy", ["-s", "-i", "disk", "tree/file", "tree/sub", "::"], cwd);
      const bytes = new Uint8Array(readFileSync(join(cwd, "disk")));
      const reserved = (bytes[14]! | (bytes[15]! << 8)) * 512;
      return { bytes, places: [0, 10, 36, reserved, reserved, ...directoriesOf(bytes)] };
    };
    return [
      ext("ext2"),
      ext("ext4", "-O", "^has_journal,inline_data"),
      ext("ext4", "-O", "^has_journal,64bit,meta_bg,^resize_inode"),
      fat("12", 300_000),
      fat("16", 2_600_000),
    ];
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

/** Where names stand. */
function directoriesOf(bytes: Uint8Array): number[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return ["lost+found", "FILE  ", "a long name", "sub", "SUB  "]
    .map((name) => file.indexOf(name) & ~31)
    .filter((at) => at > 0);
}

export function fuzzFileSystem(
  seeds: readonly FileSystemSeed[],
  random: Random,
  keep: (bytes: Uint8Array) => void,
): Promise<string> {
  const seed = seeds[random(seeds.length)]!;
  const bytes = seed.bytes.slice();
  for (let times = 1 + random(3); times > 0; times--) {
    const at = seed.places[random(seed.places.length)]!;
    change(bytes, at, Math.min(bytes.length, at + 128), random);
  }
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
