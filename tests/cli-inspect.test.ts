// `hexz inspect` and `hexz check`: their documents, names of any bytes, the number of reads, and damage.

import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openToLook } from "../src/cli/open.ts";
import { createArchive, createMemorySink, createMemorySource, type RangeSource } from "../src/core/index.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { randomBytes, randomFrom } from "./support/random.ts";
import { run, temporaryDirectory } from "./support/trees.ts";

const KEYS =
  "path version archive_id content_id states compression engine level block_size chunking variable_blocks encrypted " +
  "key_slots signed signatures has_dictionary original_size compressed_size compression_ratio entries streams parents " +
  "parent_paths index chunks blocks metadata note created";

function place(): string {
  const cwd = temporaryDirectory();
  mkdirSync(join(cwd, "tree/sub"), { recursive: true });
  writeFileSync(join(cwd, "tree/a"), randomBytes(100_000, randomFrom(7)));
  writeFileSync(join(cwd, "tree/b"), readFileSync(join(cwd, "tree/a")));
  writeFileSync(join(cwd, "tree/zero"), Buffer.alloc(500_000));
  linkSync(join(cwd, "tree/a"), join(cwd, "tree/sub/link"));
  symlinkSync("a", join(cwd, "tree/symlink"));
  hexz(["pack", "tree", "t.hxz", "-s"], { cwd });
  return cwd;
}

test("inspect --json has every key of the contract, in its order", () => {
  const cwd = place();
  const { code, document } = hexzJson(["inspect", "t.hxz"], { cwd });
  expect(code).toBe(0);
  expect(Object.keys(document).join(" ")).toBe(KEYS);
  const size = statSync(join(cwd, "t.hxz")).size;
  expect(document).toMatchObject({
    path: "t.hxz",
    version: 2,
    states: 1,
    compression: "lz4",
    encrypted: false,
    key_slots: [],
    signed: false,
    signatures: [],
    has_dictionary: false,
    // a hard link counts once
    original_size: 700_000,
    compressed_size: size,
    compression_ratio: 700_000 / size,
    entries: { files: 4, directories: 2, symlinks: 1, other: 0 },
    parents: [],
    parent_paths: [],
    metadata: {},
    note: null,
    created: null,
  });
  const { chunks, blocks } = document;
  expect(chunks.total).toBe(chunks.unique + chunks.duplicate + chunks.zero);
  expect([chunks.unique_bytes, chunks.duplicate_bytes, chunks.zero_bytes]).toEqual([100_000, 100_000, 500_000]);
  expect(blocks.stored_bytes).toBeLessThanOrEqual(size);
  expect(blocks.by_codec.none.count).toBe(blocks.count);
  expect(hexzJson(["show", "t.hxz"], { cwd }).document).toEqual(document);
});

test("inspect in text escapes control characters, also of the note", () => {
  const cwd = place();
  writeFileSync(join(cwd, "tree/bad\u001b[31m\nname"), "");
  hexz(["pack", "tree", "n.hxz", "-s", "--note", "two\nlines\u009b"], { cwd });
  const { code, stdout, stderr } = hexz(["inspect", "n.hxz", "--entries"], { cwd });
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("bad\\x1b[31m\\x0aname\n");
  expect(stdout).toContain("two\\x0alines\\xc2\\x9b\n");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  expect(stdout).toMatch(/^-rw-r--r-- .* sub\/link \(another name of a\)$/m);
  expect(stdout).toMatch(/^lrwxrwxrwx .* symlink -> a$/m);
});

test("inspect --entries lists everything that is known, with bytes of names that are not UTF-8", () => {
  const cwd = temporaryDirectory();
  mkdirSync(join(cwd, "tree"));
  const name = Buffer.from("caf\xe9\\", "latin1");
  writeFileSync(Buffer.concat([Buffer.from(join(cwd, "tree/")), name]), "bytes", { mode: 0o604 });
  writeFileSync(join(cwd, "tree/é\\"), "text");
  execFileSync("touch", ["-d", "2001-02-03T04:05:06.123456789Z", join(cwd, "tree/é\\")]);
  hexz(["pack", "tree", "t.hxz", "-s"], { cwd });
  const { entry_list } = hexzJson(["inspect", "t.hxz", "--entries"], { cwd }).document;
  const [root, first, second] = entry_list;
  expect(root).toMatchObject({ path: "", type: "directory", size: null, target: null, hard_link: null, device: null });
  expect(first).toMatchObject({ path: "caf\\xe9\\\\", path_bytes: "636166e95c", type: "file", size: 5, mode: 0o604 });
  expect(second).toMatchObject({ path: "é\\", mtime: "2001-02-03T04:05:06.123456789Z", xattrs: [], metadata: null });
  expect(second).not.toHaveProperty("path_bytes");
  expect(Object.keys(second)).toEqual(
    "path type size mode mtime uid gid user group target hard_link device xattrs metadata".split(" "),
  );
  expect(hexz(["cat", "t.hxz", first.path], { cwd }).stdout).toBe("bytes");
  expect(hexz(["cat", "t.hxz", "é\\\\"], { cwd }).stdout).toBe("text");
});

test("inspect --blocks lists the blocks that the counts count", () => {
  const cwd = place();
  const { blocks, block_list } = hexzJson(["inspect", "t.hxz", "--blocks"], { cwd }).document;
  expect(block_list).toHaveLength(blocks.count);
  expect(block_list[0]).toEqual({
    offset: 16,
    stored: expect.any(Number),
    plain: expect.any(Number),
    codec: "none",
    parent: 0,
  });
  const sum = block_list.reduce((total: number, block: { stored: number }) => total + block.stored, 0);
  expect(sum).toBe(blocks.stored_bytes);
});

/** Counts the reads of a source. */
function counting(source: RangeSource): { source: RangeSource; reads: () => number } {
  let count = 0;
  const { name, size } = source;
  const read: RangeSource["read"] = (start, end, signal) => {
    count++;
    return source.read(start, end, signal);
  };
  return { source: { name, size, read }, reads: () => count };
}

test("openToLook() and the metadata cost one read, two when the root is long", async () => {
  for (const [files, most] of [
    [1, 1],
    [60_000, 2],
  ] as const) {
    const sink = createMemorySink();
    const writer = await createArchive(sink, { metadata: { note: "n".repeat(20_000) } });
    for (let number = 0; number < files; number++) {
      const path = String(number).padStart(200, "0") as Parameters<typeof writer.addEntry>[0]["path"];
      await writer.addEntry({ path, type: "fifo", mode: 0o644 });
    }
    await writer.finish();
    const { source, reads } = counting(createMemorySource(sink.bytes()));
    const archive = await openToLook(source);
    // a long note stands before the root, and may need the second read by itself
    expect((await archive.metadata()).note).toHaveLength(20_000);
    expect(reads()).toBeLessThanOrEqual(Math.max(most, 2));
  }
});

test("check says good, of everything and of a sample", () => {
  const cwd = place();
  expect(hexzJson(["check", "t.hxz"], { cwd })).toMatchObject({
    code: 0,
    document: { ok: true, sampled: null, problems: [] },
  });
  expect(Object.keys(hexzJson(["check", "t.hxz"], { cwd }).document)).toEqual([
    "ok",
    "checked_bytes",
    "sampled",
    "problems",
  ]);
  const { code, document } = hexzJson(["check", "t.hxz", "--sample", "5%"], { cwd });
  expect([code, document.ok, document.sampled]).toEqual([0, true, "5%"]);
  expect(hexz(["check", "t.hxz"], { cwd }).stdout).toMatch(/^t\.hxz: good/);
  expect(hexz(["check", "t.hxz", "-s"], { cwd })).toMatchObject({ code: 0, stdout: "", stderr: "" });
});

test("check names what is lost, exit code 1", () => {
  const cwd = place();
  const bytes = readFileSync(join(cwd, "t.hxz"));
  bytes[1000]! ^= 1;
  writeFileSync(join(cwd, "bad.hxz"), bytes);
  const { code, document } = hexzJson(["check", "bad.hxz"], { cwd });
  expect([code, document.ok]).toEqual([1, false]);
  expect(document.problems[0]).toMatchObject({ code: "damaged", path: "a" });
  expect(Object.keys(document.problems[0])).toEqual(["code", "where", "path", "start", "end", "message"]);
  const text = hexz(["check", "bad.hxz"], { cwd });
  expect(text.code).toBe(1);
  expect(text.stderr).toMatch(/^hexz: problem: bytes .* of "a" are lost/m);
  expect(text.stdout).toMatch(/^bad\.hxz: bad/);
});

test("check of what is no archive is a document with problems, not an error", () => {
  const cwd = place();
  for (const [name, found] of [
    ["tree/a", "not_an_archive"],
    ["cut.hxz", "truncated"],
  ] as const) {
    run("sh", ["-c", "head -c 5000 t.hxz > cut.hxz"], cwd);
    const { code, document } = hexzJson(["check", name], { cwd });
    expect([code, document.ok, document.problems[0].code]).toEqual([1, false, found]);
    expect(hexzJson(["inspect", name], { cwd })).toMatchObject({ code: 1, document: { error: { code: found } } });
  }
});
