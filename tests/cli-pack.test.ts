// `hexz pack` as a process: both spellings, documents, what is refused, and that nothing half-made is left.

import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hexz, hexzJson, shell } from "./support/cli.ts";
import { randomBytes, randomFrom } from "./support/random.ts";
import { isRoot, run, temporaryDirectory } from "./support/trees.ts";

/** A directory with a small tree `tree` and an image `disk.img`. */
function place(): string {
  const root = temporaryDirectory();
  mkdirSync(join(root, "tree/sub"), { recursive: true });
  writeFileSync(join(root, "tree/a.txt"), "hello\n");
  writeFileSync(join(root, "tree/sub/b.txt"), "world\n".repeat(1000));
  writeFileSync(join(root, "disk.img"), randomBytes(300_000, randomFrom(1)));
  return root;
}

test("pack INPUT OUTPUT prints the document of the contract", () => {
  const cwd = place();
  const { code, document } = hexzJson(["pack", "tree", "out.hxz"], { cwd });
  expect(code).toBe(0);
  expect(Object.keys(document)).toEqual([
    "path",
    "archive_id",
    "original_size",
    "compressed_size",
    "compression_ratio",
    "chunks",
    "blocks",
    "seconds",
    "warnings",
  ]);
  expect(document).toMatchObject({ path: "out.hxz", original_size: 6006, warnings: [] });
  expect(document.compressed_size).toBe(statSync(join(cwd, "out.hxz")).size);
  expect(document.archive_id).toMatch(/^[0-9a-f]{64}$/);
  expect(document.chunks).toMatchObject({ total: 2, unique: 2, unique_bytes: 6006, duplicate: 0, zero: 0 });
  expect(document.blocks.count).toBe(1);
});

test("pack prints a summary on standard output, nothing with --quiet, -s or --silent", () => {
  const cwd = place();
  const { code, stdout, stderr } = hexz(["pack", "tree", "out.hxz"], { cwd });
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("5.87 KiB");
  for (const quiet of ["--quiet", "-s", "--silent"]) {
    expect(hexz(["pack", "tree", "out.hxz", "--force", quiet], { cwd })).toMatchObject({ stdout: "", stderr: "" });
  }
});

test("pack OUTPUT --disk IMAGE --memory DUMP makes two streams; the image is taken as it is", () => {
  const cwd = place();
  writeFileSync(join(cwd, "memory.bin"), Buffer.concat([Buffer.from("QFI\xfb", "latin1"), Buffer.alloc(100_000)]));
  expect(hexz(["pack", "out.hxz", "--disk", "disk.img", "--memory", "memory.bin", "-s"], { cwd }).code).toBe(0);
  const { document } = hexzJson(["inspect", "out.hxz"], { cwd });
  expect(document.streams).toEqual([
    { name: "disk", size: 300_000 },
    { name: "memory", size: 100_004 },
  ]);
  expect(hexz(["cat", "out.hxz", "disk"], { cwd }).bytes.equals(readFileSync(join(cwd, "disk.img")))).toBe(true);
  expect(hexz(["cat", "out.hxz", "memory"], { cwd }).bytes.equals(readFileSync(join(cwd, "memory.bin")))).toBe(true);
});

test("pack takes inputs and a disk into one archive, and several inputs under their names", () => {
  const cwd = place();
  expect(hexz(["pack", "tree", "disk.img", "out.hxz", "--disk", "disk.img", "-s"], { cwd }).code).toBe(0);
  const { document } = hexzJson(["inspect", "out.hxz", "--entries"], { cwd });
  expect(document.entry_list.map(({ path }: { path: string }) => path)).toEqual([
    "",
    "disk.img",
    "tree",
    "tree/a.txt",
    "tree/sub",
    "tree/sub/b.txt",
  ]);
  expect(document.streams).toEqual([{ name: "disk", size: 300_000 }]);
  mkdirSync(join(cwd, "other"));
  writeFileSync(join(cwd, "other/disk.img"), "");
  const clash = hexzJson(["pack", "disk.img", "other/disk.img", "clash.hxz"], { cwd });
  expect([clash.code, clash.document.error.code]).toEqual([2, "usage"]);
  expect(existsSync(join(cwd, "clash.hxz"))).toBe(false);
});

test("pack reads standard input as `stdin`, and as a disk", () => {
  const cwd = place();
  expect(hexz(["pack", "-", "out.hxz", "-s"], { cwd, input: "from a pipe" }).code).toBe(0);
  expect(hexz(["cat", "out.hxz", "stdin"], { cwd }).stdout).toBe("from a pipe");
  expect(hexz(["pack", "disk.hxz", "--disk", "-", "-s"], { cwd, input: "a disk" }).code).toBe(0);
  expect(hexz(["cat", "disk.hxz"], { cwd }).stdout).toBe("a disk");
  expect(hexz(["pack", "-", "-", "twice.hxz"], { cwd, input: "" }).code).toBe(2);
});

test("pack to standard output gives the same bytes and nothing else; --json is refused there", () => {
  const cwd = place();
  hexz(["pack", "tree", "out.hxz"], { cwd });
  const { code, bytes, stderr } = hexz(["pack", "tree", "-"], { cwd });
  expect(code).toBe(0);
  expect(bytes.equals(readFileSync(join(cwd, "out.hxz")))).toBe(true);
  expect(stderr).toContain("archive id");
  const refused = hexz(["pack", "tree", "-", "--json"], { cwd });
  expect([refused.code, refused.stdout]).toEqual([2, ""]);
  expect(JSON.parse(refused.stderr).error.code).toBe("usage");
  expect(hexzJson(["pack", "tree", "-", "--dry-run"], { cwd }).code).toBe(0);
});

test("an archive that is redirected into the tree it packs does not pack itself", () => {
  const cwd = place();
  expect(shell("hexz pack tree - > tree/out.hxz && hexz extract tree/out.hxz out -s && ls out", cwd)).toMatchObject({
    code: 0,
    stdout: "a.txt\nsub\n",
  });
});

test("pack refuses an existing output without --force, and leaves it alone", () => {
  const cwd = place();
  writeFileSync(join(cwd, "out.hxz"), "precious");
  for (const more of [[], ["--dry-run"]]) {
    const { code, document } = hexzJson(["pack", "tree", "out.hxz", ...more], { cwd });
    expect([code, document.error.code]).toEqual([2, "output_exists"]);
    expect(document.error.hint).toContain("--force");
  }
  expect(readFileSync(join(cwd, "out.hxz"), "utf8")).toBe("precious");
  expect(hexz(["pack", "tree", "out.hxz", "--force", "-s"], { cwd }).code).toBe(0);
  expect(hexz(["check", "out.hxz"], { cwd }).code).toBe(0);
  expect(hexzJson(["pack", "disk.img", "tree", "--force"], { cwd })).toMatchObject({ code: 2 });
});

test("pack refuses an output that is an input, or lies in one, also with --force", () => {
  const cwd = place();
  linkSync(join(cwd, "disk.img"), join(cwd, "same.img"));
  symlinkSync("tree", join(cwd, "way"));
  const before = readFileSync(join(cwd, "disk.img"));
  for (const args of [
    ["disk.img", "disk.img"],
    ["disk.img", "same.img"],
    ["tree", "tree/out.hxz"],
    ["tree", "way/sub/out.hxz"],
  ]) {
    const { code, document } = hexzJson(["pack", ...args, "--force"], { cwd });
    expect([args, code, document.error.code]).toEqual([args, 2, "output_is_input"]);
  }
  expect(hexzJson(["pack", "disk.img", "--disk", "disk.img", "--force"], { cwd }).code).toBe(2);
  expect(readFileSync(join(cwd, "disk.img")).equals(before)).toBe(true);
  expect(run("find", ["tree", "-name", "*hxz*"], cwd)).toBe("");
});

test("pack leaves nothing behind when an input is missing, wrong, or the output cannot be", () => {
  const cwd = place();
  const cases: [string[], number][] = [
    [["missing", "out.hxz"], 3],
    [["tree", "missing", "out.hxz"], 3],
    [["out.hxz", "--disk", "missing"], 3],
    [["out.hxz", "--disk", "tree"], 2],
    [["tree", "nowhere/out.hxz"], 3],
    [["tree", "out.hxz", "--exclude-from", "missing"], 3],
    [["out.hxz"], 2],
    [["tree", "out.hxz", "--level", "3"], 2],
    [["tree", "out.hxz", "--avg-chunk", "50000"], 2],
    [["tree", "out.hxz", "--chunking", "fixed", "--cdc"], 2],
  ];
  for (const [args, expected] of cases) {
    const { code, document } = hexzJson(["pack", ...args], { cwd });
    expect([args, code]).toEqual([args, expected]);
    expect(document.error.message).not.toBe("");
  }
  expect(readdirSync(cwd).sort()).toEqual(["disk.img", "tree"]);
});

test("pack --dry-run tells the figures and writes nothing", () => {
  const cwd = place();
  const dry = hexzJson(["pack", "tree", "out.hxz", "--dry-run"], { cwd });
  expect(dry.code).toBe(0);
  expect(readdirSync(cwd).sort()).toEqual(["disk.img", "tree"]);
  const real = hexzJson(["pack", "tree", "out.hxz"], { cwd });
  expect({ ...dry.document, seconds: 0 }).toEqual({ ...real.document, seconds: 0 });
});

test("pack options end up in the archive", () => {
  const cwd = place();
  const env = { ...process.env, SOURCE_DATE_EPOCH: "1700000000" };
  const coding = ["--compression", "zstd", "--level", "5", "--block-size", "128KiB", "--min-chunk", "4k"];
  const chunks = ["--avg-chunk", "16K", "--max-chunk", "64K", "--note", "hello", "--engine", "wasm", "--workers", "2"];
  const excluded = ["--exclude", "*.txt", "--exclude", "!a.txt", "-s"];
  expect(hexz(["pack", "tree", "out.hxz", ...coding, ...chunks, ...excluded], { cwd, env }).code).toBe(0);
  const { document } = hexzJson(["inspect", "out.hxz", "--entries"], { cwd });
  expect(document).toMatchObject({
    compression: "zstd",
    level: 5,
    block_size: 131072,
    chunking: { method: "cdc", min: 4096, avg: 16384, max: 65536 },
    variable_blocks: true,
    note: "hello",
    created: "2023-11-14T22:13:20.000Z",
    metadata: { note: "hello", created: "2023-11-14T22:13:20.000Z" },
    entries: { files: 1, directories: 2, symlinks: 0, other: 0 },
  });
  expect(hexz(["pack", "tree", "fixed.hxz", "--chunking", "fixed", "--compression", "none", "-s"], { cwd }).code).toBe(
    0,
  );
  const fixed = hexzJson(["inspect", "fixed.hxz"], { cwd }).document;
  expect(fixed).toMatchObject({ compression: "none", level: null, note: null, created: null, variable_blocks: false });
  expect(fixed.chunking).toEqual({ method: "fixed", min: 65536, avg: 65536, max: 65536 });
});

test.skipIf(!isRoot())("pack reports an unreadable file of a tree, keeps the rest, and exits with 3", () => {
  const cwd = place();
  writeFileSync(join(cwd, "tree/secret"), "x", { mode: 0o600 });
  run("chmod", ["777", cwd]);
  const nobody = { cwd, uid: 65534, gid: 65534 };
  const { code, document } = hexzJson(["pack", "tree", "out.hxz"], nobody);
  expect(code).toBe(3);
  expect(document.warnings).toEqual([
    { path: "secret", code: "permission", message: expect.stringContaining("secret") },
  ]);
  expect(document.original_size).toBe(6006);
  const text = hexz(["pack", "tree", "again.hxz", "-s"], nobody);
  expect([text.code, text.stdout]).toEqual([3, ""]);
  expect(text.stderr).toMatch(/^hexz: warning: .*secret.*permission denied\n$/);
  // where it is the input itself, nothing is left
  const alone = hexzJson(["pack", "tree/secret", "alone.hxz"], nobody);
  expect([alone.code, alone.document.error.code]).toEqual([3, "permission"]);
  expect(existsSync(join(cwd, "alone.hxz"))).toBe(false);
});

test("a socket is a warning, and no failure", () => {
  const cwd = place();
  const made = shell("python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"tree/socket\")'", cwd);
  if (made.code !== 0) return;
  const { code, document } = hexzJson(["pack", "tree", "out.hxz"], { cwd });
  expect(code).toBe(0);
  expect(document.warnings).toEqual([{ path: "socket", code: "unsupported", message: "sockets are not kept" }]);
});

test("--progress json prints lines on standard error, and standard output stays clean", () => {
  const cwd = place();
  const { stdout, stderr } = hexz(["pack", "disk.img", "out.hxz", "--json", "--progress", "json"], { cwd });
  JSON.parse(stdout);
  const lines = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).progress);
  expect(lines.at(-1)).toMatchObject({ phase: "packing", bytes: 300_000, total: 300_000 });
  expect(hexz(["pack", "disk.img", "out.hxz", "--force"], { cwd }).stderr).toBe("");
});
