// node bench/profiles.mjs: the profiles of `hexz build` on four kinds of data: size, speed of packing, and how long a
// random read of 4 KiB takes. With --dictionary-table, where a dictionary pays: the kinds against block sizes. Builds
// the table of docs/benchmarks.md; `npm run bench -- profiles` is the same.
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const CLI = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
const LIBRARY = pathToFileURL(fileURLToPath(new URL("../dist/node.js", import.meta.url))).href;
const MB = 1_000_000;
const ROUNDS = 3;
const READS = 500;
/** Of each kind of data: the smallest profile packs a few MB/s. */
const BYTES = 40 * MB;

/** xorshift32: the same data everywhere. */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Weights of a network are nearly normal and small. */
function tensors(path, bytes) {
  const random = randomFrom(7);
  const values = new Float32Array(bytes / 4);
  for (let at = 0; at < values.length; at += 2) {
    const radius = Math.sqrt(-2 * Math.log(random() + 1e-12)) * 0.02;
    const angle = 2 * Math.PI * random();
    values[at] = radius * Math.cos(angle);
    values[at + 1] = radius * Math.sin(angle);
  }
  writeFileSync(path, new Uint8Array(values.buffer));
}

/** Regular files below a directory, in order, until so many bytes are there; links are not followed. */
function copySome(from, to, most) {
  let left = most;
  const names = readdirSync(from, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of names) {
    const [path, copy] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) left = copySome(path, copy, left);
    if (!entry.isFile() || statSync(path).size > left) continue;
    mkdirSync(to, { recursive: true });
    copyFileSync(path, copy);
    left -= statSync(path).size;
  }
  return left;
}

function makeKinds(folder) {
  const kinds = {
    text: join(folder, "include"),
    image: join(folder, "image"),
    binaries: join(folder, "bin"),
    tensors: join(folder, "tensors"),
  };
  copySome("/usr/include", kinds.text, BYTES);
  copySome("/usr/bin", kinds.binaries, BYTES);
  execFileSync("mke2fs", ["-q", "-t", "ext4", "-d", kinds.binaries, kinds.image, "80M"]);
  tensors(kinds.tensors, BYTES);
  return kinds;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

function pack(argv, output) {
  const ran = spawnSync(process.execPath, [CLI, ...argv, output, "--force", "--json"], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (ran.status !== 0) throw new Error(`${argv.join(" ")}: ${ran.stdout}${ran.stderr}`);
  return JSON.parse(ran.stdout);
}

/** Microseconds of a read of 4 KiB of a block that is not kept: p50. */
async function readLatency(path) {
  const { openArchiveFile } = await import(LIBRARY);
  const archive = await openArchiveFile(path, { cacheBytes: 0 });
  const files = archive.streams.map(({ name, size }) => ({ path: name, size }));
  for await (const entry of archive.entries()) if (entry.type === "file" && entry.size > 4096) files.push(entry);
  const random = randomFrom(11);
  const times = [];
  for (let number = 0; number < READS; number++) {
    const one = files[Math.floor(random() * files.length)];
    const file = one.type === undefined ? await archive.file(one.path) : archive.fileOf(one);
    const at = Math.floor(random() * (one.size - 4096));
    const start = performance.now();
    file.readSync(at, at + 4096);
    times.push((performance.now() - start) * 1000);
  }
  await archive.close();
  return median(times);
}

async function row(kind, name, argv, output) {
  const runs = Array.from({ length: ROUNDS }, () => pack(argv, output));
  const [{ original_size: plain, compressed_size: coded }] = runs;
  const speed = plain / MB / median(runs.map(({ seconds }) => seconds));
  const latency = await readLatency(output);
  console.log(
    `| ${kind} | ${name} | ${(coded / MB).toFixed(2)} | ${((100 * coded) / plain).toFixed(1)} % | ${speed.toFixed(0)} | ${latency.toFixed(0)} |`,
  );
}

const folder = mkdtempSync(join(tmpdir(), "hexz-profiles-"));
try {
  const kinds = makeKinds(folder);
  const output = join(folder, "out.hxz");
  console.log("| data | settings | MB | of plain | pack MB/s | 4 KiB read, µs p50 |\n|---|---|---|---|---|---|");
  const { profiles } = JSON.parse(
    execFileSync(process.execPath, [CLI, "build", "--list-profiles", "--json"], { encoding: "utf8" }),
  );
  const extra = process.argv.includes("--dictionary-table");
  for (const [kind, path] of Object.entries(kinds)) {
    if (!extra) for (const { name } of profiles) await row(kind, name, ["build", path, "--profile", name], output);
    for (const size of extra ? ["4K", "16K", "64K", "128K"] : []) {
      const argv = ["pack", path, "--compression", "zstd", "--block-size", size];
      await row(kind, `zstd 3, ${size}`, argv, output);
      await row(kind, `zstd 3, ${size}, dictionary`, [...argv, "--dictionary"], output);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
