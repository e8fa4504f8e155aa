// Two versions of a disk image: the input (a package is written into a copy of the image, and the overlay that a mount would
// have left), and the measures of a second version.
import { closeSync, mkdirSync, openSync, readSync, statSync, writeFileSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import * as ours from "./ours.mjs";
import { runCommand } from "./run.mjs";

const BLOCK = 4096;
const PIECE = 256 * BLOCK;
const PACKAGE_BYTES = 30_000_000;
const LARGEST_FILE = 2_000_000;

/**
 * Makes a directory with `after.img`, `vm.overlay` and `vm.meta`.
 * @param {string} path
 * @param {string} image an ext4 file system
 * @param {{ path: string, size: number }[]} files candidates for the package, those that the image has first
 */
export async function makeUpdate(path, image, files, { debugfs, fixedTime }) {
  if (!debugfs) throw new Error("the second version of the image needs debugfs (Debian package e2fsprogs)");
  mkdirSync(path);
  const after = join(path, "after.img");
  await runCommand(["cp", "--sparse=always", image, after]);
  const chosen = [];
  let total = 0;
  for (const file of files.toReversed()) {
    if (total >= PACKAGE_BYTES) break;
    if (file.size > LARGEST_FILE || /[^\w./+-]/.test(file.path)) continue;
    chosen.push(file.path);
    total += file.size;
  }
  const commands = join(path, "commands");
  const writes = chosen.map((file, number) => `write ${file} ${number}-${basename(file)}`);
  writeFileSync(commands, `${["mkdir /opt-package", "cd /opt-package", ...writes].join("\n")}\n`);
  await runCommand([debugfs, "-w", "-f", commands, after], { env: { E2FSPROGS_FAKE_TIME: String(fixedTime) } });
  const blocks = writeOverlay(path, image, after);
  return `${chosen.length} files (${Math.round(total / 1e6)} MB) more, ${blocks} blocks of 4 KiB changed`;
}

/** What differs, block by block, and the numbers of the blocks. */
function writeOverlay(path, image, after) {
  const [before, now] = [image, after].map((file) => openSync(file, "r"));
  const overlay = openSync(join(path, "vm.overlay"), "w");
  const numbers = [];
  const [old, fresh] = [Buffer.alloc(PIECE), Buffer.alloc(PIECE)];
  const { size } = statSync(after);
  for (let at = 0; at < size; at += PIECE) {
    readSync(before, old, 0, PIECE, at);
    const length = readSync(now, fresh, 0, PIECE, at);
    if (old.equals(fresh)) continue;
    for (let start = 0; start < length; start += BLOCK) {
      if (old.compare(fresh, start, start + BLOCK, start, start + BLOCK) === 0) continue;
      writeSync(overlay, fresh, start, BLOCK, at + start);
      numbers.push(BigInt((at + start) / BLOCK));
    }
  }
  for (const fd of [before, now, overlay]) closeSync(fd);
  writeFileSync(join(path, "vm.meta"), new Uint8Array(BigUint64Array.from(numbers).buffer));
  return numbers.length;
}

/** The second version packed against the first. */
export function childImage({ path, note, tools, context }) {
  const settings = ours.SETTINGS.cdc64wide;
  const [before, after] = [context.inputs.image.path, join(path, "after.img")];
  return {
    title: "the second version of an image against the first, lz4",
    input: { path: after, size: statSync(after).size, note },
    contenders: [tools.pack(after, { settings }, { after: before }), tools.borg(after, { after: before })],
    comparisons: [
      { metric: "speed", peer: "borg" },
      { metric: "size", peer: "borg" },
    ],
  };
}

/** The overlay committed, thin and full. */
export function commitImage({ path, note, context }) {
  const [before, overlay] = [context.inputs.image.path, join(path, "vm.overlay")];
  const [base, output] = ["in-ours.hxz", "out-ours.hxz"].map((name) => join(context.out, name));
  const [engine] = context.engines;
  const pack = { disk: before, output: base, engine, settings: ours.SETTINGS.cdc64wide };
  const setup = { argv: ours.packCommand(pack), output: base };
  const kinds = [
    ["", "thin", ["--thin"]],
    ["-full", "full", []],
  ];
  return {
    title: "commit of an overlay on an image of 1 GB",
    input: { path: overlay, size: statSync(before).size, note },
    contenders: context.withOurs
      ? kinds.map(([suffix, label, more]) => {
          const argv = ours.commitCommand(engine, base, overlay, output, ...more);
          return { id: `ours${suffix}:${engine}`, label: `**ours**, ${label}`, setup, argv, output };
        })
      : [],
    comparisons: [],
  };
}
