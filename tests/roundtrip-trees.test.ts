// Real trees and images through packing and extraction on a real file system: the same bytes, names and metadata, and
// the same archive however many threads worked on it.

import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  checkArchive,
  contentOf,
  createArchive,
  createMemorySink,
  extractTree,
  hexOf,
  openArchiveFile,
  type PackOptions,
  pack,
} from "../src/node/index.ts";
import { expectBytes } from "./support/archives.ts";
import { randomFrom, SEED, text, zeroRidden } from "./support/random.ts";
import { decodeReference } from "./support/reference.ts";
import { isRoot, possible, run, temporaryDirectory } from "./support/trees.ts";

process.stdout.write(`roundtrip-trees.test.ts: HEXZ_SEED=${SEED}\n`);
const MIB = 1024 * 1024;

/** Everything of a tree but its bytes: name, type, mode, owner, size, nanoseconds, links, target. */
function listing(root: string): string[] {
  const format = "%P\\0%y\\0%m\\0%U\\0%G\\0%T@\\0%l\\0";
  const everything = run("find", [".", "-printf", `${format}\\n`], root);
  const files = run("find", [".", "-type", "f", "-printf", "%P\\0%s\\0%n\\n"], root);
  return [...everything.split("\n").sort(), ...files.split("\n").sort()];
}

function xattrs(root: string): string {
  return run("getfattr", ["-R", "-h", "-d", "-m", "-", "--absolute-names", "."], root);
}

/** Differences of bytes, names and metadata: nothing when there are none. */
function expectSameTree(found: string, expected: string): void {
  const { stdout } = spawnSync("diff", ["-r", "--no-dereference", expected, found], { encoding: "latin1" });
  // diff does not compare what is no file; the listing does.
  expect(stdout.split("\n").filter((line) => !/ is a (fifo|character special file) while /.test(line))).toEqual([""]);
  expect(listing(found)).toEqual(listing(expected));
  if (possible("comparing extended attributes", () => run("getfattr", ["--version"]))) {
    expect(xattrs(found)).toBe(xattrs(expected));
  }
}

async function packed(options: PackOptions): Promise<Uint8Array> {
  const { warnings } = await pack({ ...options, force: true });
  expect(warnings).toEqual([]);
  return readFileSync(options.output);
}

/** Subdirectories of the system that amount to some hundred MiB, the larger first. */
function systemTree(root: string, most: number): string[] {
  const sized = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => {
      const path = join(root, name);
      return { path, bytes: Number(run("du", ["-s", "-B1", path]).split("\t")[0]) };
    })
    .sort((a, b) => b.bytes - a.bytes);
  let left = most;
  const chosen: string[] = [];
  for (const { path, bytes } of sized) {
    if (bytes > left || chosen.length === 40) continue;
    left -= bytes;
    chosen.push(path);
  }
  return chosen;
}

describe("the system's own trees", () => {
  test.each([
    ["/usr/share", {}],
    ["/usr/lib", { compression: "zstd", level: 1 }],
  ] as const)("%s", async (root, options) => {
    const inputs = systemTree(root, 120 * MIB);
    const directory = temporaryDirectory();
    const output = join(directory, "tree.hxz");
    // What root alone may read is not to be read here.
    const { warnings, counts } = await pack({ inputs, output, ...options });
    if (isRoot()) expect(warnings).toEqual([]);
    expect(counts.files).toBeGreaterThan(10);
    const archive = await openArchiveFile(output);
    expect(await checkArchive(archive)).toMatchObject({ ok: true, checkedBytes: archive.root.addressSpace });
    const extracted = join(directory, "out");
    const { warnings: refused } = await extractTree(archive, extracted, {});
    if (isRoot()) expect(refused).toEqual([]);
    await archive.close();
    if (!isRoot()) return;
    for (const input of inputs) expectSameTree(join(extracted, input.slice(root.length + 1)), input);
  });
});

/** A tree with everything that a file system can hold. */
function oddTree(root: string, random: (below: number) => number): void {
  mkdirSync(join(root, "deep/er/est"), { recursive: true });
  mkdirSync(join(root, "empty"));
  writeFileSync(join(root, "zero"), "");
  for (const size of [1, 100, 65_536, 300_000]) writeFileSync(join(root, `deep/f${size}`), zeroRidden(size, random));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/deep/`), Buffer.from([0xff, 0xfe, 0x20, 0x0a, 0x41])]), "odd name");
  run("ln", ["deep/f100", "hard"], root);
  run("ln", ["-s", "../nowhere at all", "deep/er/dangling"], root);
  run("truncate", ["-s", "3M", "sparse"], root);
  appendFileSync(join(root, "sparse"), text(5000, random));
  run("chmod", ["4751", "hard"], root);
  run("chmod", ["1777", "empty"], root);
  run("touch", ["-h", "-d", "1969-12-31 23:59:58.123456789 UTC", "deep/er/dangling"], root);
  run("touch", ["-d", "2038-01-20 00:00:00.000000001 UTC", "deep/er/est"], root);
  run("mkfifo", ["pipe"], root);
  possible("extended attributes", () => run("setfattr", ["-n", "user.note", "-v", "0x00ff10", "hard"], root));
  if (!isRoot()) return;
  possible("device nodes", () => run("mknod", ["device", "c", "7", "300"], root));
  run("chown", ["-h", "1234:4321", "deep/er/dangling"], root);
  run("chown", ["12345", "zero"], root);
  possible("capabilities", () => run("setfattr", ["-n", "security.note", "-v", "x", "zero"], root));
}

test("a tree of everything that a file system holds", async () => {
  const directory = temporaryDirectory();
  const tree = join(directory, "in");
  mkdirSync(tree);
  oddTree(tree, randomFrom(SEED));
  const bytes = await packed({ inputs: [tree], output: join(directory, "odd.hxz") });
  const archive = await openArchiveFile(join(directory, "odd.hxz"));
  const { warnings } = await extractTree(archive, join(directory, "out"), isRoot() ? { devices: true } : {});
  if (isRoot()) expect(warnings).toEqual([]);
  expectSameTree(join(directory, "out"), tree);
  const holes = statSync(join(directory, "out/sparse"));
  expect(holes.blocks * 512, "the sparse file has its hole again").toBeLessThan(MIB);
  const reference = decodeReference(bytes);
  expect(reference.id).toBe(archive.idText);
  expect(reference.entries.find(({ path }) => path === "sparse")?.sparse).toBe(true);
  await archive.close();
});

/** Images that the test makes: a file system half empty, the same without holes, and one with holes at odd places. */
function images(directory: string): string[] {
  const [sparse, filled, ragged] = ["sparse.img", "filled.img", "ragged.img"].map((name) => join(directory, name));
  const made = possible("an ext4 image", () => {
    const tree = join(directory, "tree");
    mkdirSync(tree);
    run("cp", ["-a", ...systemTree("/usr/share", 20 * MIB), tree]);
    execFileSync("mke2fs", ["-q", "-t", "ext4", "-d", tree, sparse!, "64M"], {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
      stdio: "pipe",
    });
    run("cp", ["--sparse=never", sparse!, filled!]);
  });
  const random = randomFrom(SEED + 1);
  for (let at = 0; at < 12 * MIB; at += 1 + random(2 * MIB)) {
    writeFileSync(ragged!, "", { flag: "a" });
    run("truncate", ["-s", String(at), ragged!]);
    appendFileSync(ragged!, zeroRidden(1 + random(200_000), random));
  }
  run("truncate", ["-s", String(14 * MIB + 77), ragged!]);
  return made ? [sparse!, filled!, ragged!] : [ragged!];
}

test("disk images: the same bytes come out, holes stay holes and change nothing else", async () => {
  const directory = temporaryDirectory();
  const output = join(directory, "image.hxz");
  const chunks: string[] = [];
  for (const path of images(directory)) {
    await packed({ streams: [{ name: "disk", path }], output, engine: "wasm" });
    const archive = await openArchiveFile(output);
    const expected = readFileSync(path);
    const [stream] = archive.streams;
    expect(stream).toMatchObject({ size: expected.length, sparse: !path.includes("filled") });
    const disk = await archive.file("disk");
    expectBytes(await disk.read(), expected, path);
    expect(await checkArchive(archive)).toMatchObject({ ok: true, checkedBytes: expected.length });
    if (archive.source.size < 20 * MIB) {
      const reference = decodeReference(readFileSync(output));
      expect([reference.id, reference.contentId]).toEqual([archive.idText, hexOf(archive.root.contentId)]);
      expectBytes(reference.read(0, expected.length), expected, "what the reference reads");
    }
    const { index, counts } = archive.root;
    chunks.push(JSON.stringify([index.children.map(({ ref }) => hexOf(ref.digest)), counts]));
    await archive.close();
  }
  // The image with holes and the one without have the same chunks, blocks and index pages.
  if (chunks.length === 3) expect(chunks[1]).toBe(chunks[0]);
});

test("threads do not change a byte; the core alone writes the same with the portable engine", async () => {
  const directory = temporaryDirectory();
  const random = randomFrom(SEED + 2);
  const disk = join(directory, "disk.img");
  writeFileSync(
    disk,
    Buffer.concat([zeroRidden(5_000_000, random), text(3_000_000, random), new Uint8Array(2_000_000)]),
  );
  const [input] = systemTree("/usr/share", 15 * MIB);
  const output = join(directory, "out.hxz");
  const streams = [{ name: "disk" as const, path: disk }];
  for (const options of [
    { engine: "wasm" },
    { engine: "auto" },
    { engine: "wasm", compression: "zstd", level: 1 },
    { engine: "wasm", compression: "none", minChunk: 256, avgChunk: 1024, maxChunk: 4096, blockSize: 4096 },
  ] as const) {
    const files = await Promise.all([packed({ inputs: [input!], streams, output, ...options, workers: 1 })]);
    for (const workers of [2, 8, 1])
      files.push(await packed({ inputs: [input!], streams, output, ...options, workers }));
    for (const file of files.slice(1)) expectBytes(file, files[0]!, `the archive with ${JSON.stringify(options)}`);
    if (options.engine !== "wasm") continue;
    const alone = await packed({ streams, output, ...options, workers: 8 });
    const sink = createMemorySink();
    const { engine: _, ...coding } = options;
    const writer = await createArchive(sink, coding);
    await writer.addStream("disk", contentOf(readFileSync(disk)));
    await writer.finish();
    expectBytes(sink.bytes(), alone, "the archive of the core alone");
  }
});

test("how a pipe cuts its data does not change a byte", () => {
  const directory = temporaryDirectory();
  const input = join(directory, "input");
  writeFileSync(input, zeroRidden(3_000_000, randomFrom(SEED + 3)));
  const cli = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
  const archives = ["bs=977", "bs=64k", "bs=5M"].map((size) => {
    const output = join(directory, `${size}.hxz`);
    const command = `dd if="$0" ${size} status=none | "$1" "$2" pack - "$3" --quiet`;
    run("sh", ["-c", command, input, process.execPath, cli, output]);
    return readFileSync(output);
  });
  for (const archive of archives) expectBytes(archive, archives[0]!, "the archive of a pipe");
});
