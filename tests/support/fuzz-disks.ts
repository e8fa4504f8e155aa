// Changed disk images, for the fuzzer: read to their end, or refused by name.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDiskInput } from "../../src/core/disk/disk-input.ts";
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

/** Small images that have everything. */
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
