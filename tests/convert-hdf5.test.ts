// `convert hdf5`: what h5py wrote comes back, dataset by dataset and the file byte for byte.

import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createMemorySource } from "../src/core/index.ts";
import { openArchiveFile, openArchiveSource } from "../src/node/index.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { hdf5Files } from "./support/hdf5.ts";
import { temporaryDirectory } from "./support/trees.ts";

interface Expected {
  readonly size: number;
  readonly sha256: string;
  readonly shape: number[] | null;
}

/** A directory with `name`.h5 and its archive, and what h5py found in the file. */
function converted(name: string) {
  const folder = temporaryDirectory();
  const input = join(folder, `${name}.h5`);
  copyFileSync(join(hdf5Files(), `${name}.h5`), input);
  const archive = join(folder, `${name}.hxz`);
  const made = hexzJson(["convert", "hdf5", input, archive]);
  expect(made.code).toBe(0);
  const json = readFileSync(join(hdf5Files(), `${name}.h5.json`), "utf8");
  return { folder, input, archive, made: made.document, expected: Object.entries<Expected>(JSON.parse(json)) };
}

// biome-ignore lint/suspicious/noExplicitAny: entries of many shapes, looked into by tests
function entriesIn(document: { entry_list: any[] }): Map<string, any> {
  return new Map(document.entry_list.map((entry) => [entry.path, entry]));
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test("every dataset is read as h5py reads it, through the library", async () => {
  const { archive, expected } = converted("latest");
  const open = await openArchiveFile(archive);
  for (const [path, { size, sha256: digest }] of expected) {
    const file = await open.file(path);
    expect(file.size, path).toBe(size);
    expect(sha256(await file.read()), path).toBe(digest);
  }
  await open.close();
});

test("extract and cat give values, check proves the file, nothing is stored twice", () => {
  const { folder, archive, expected, input } = converted("earliest");
  const out = join(folder, "out");
  expect(hexz(["extract", archive, out]).code).toBe(0);
  for (const [path, { sha256: digest }] of expected) expect(sha256(readFileSync(join(out, path))), path).toBe(digest);
  const range = hexz(["cat", archive, "group/chunked", "--range", "1000+50"]);
  expect(Buffer.compare(range.bytes, readFileSync(join(out, "group/chunked")).subarray(1000, 1050))).toBe(0);
  expect(hexz(["check", archive]).code).toBe(0);
  const { document } = hexzJson(["inspect", archive]);
  expect(document.original_size).toBe(readFileSync(input).length);
  expect(document.chunks.unique_bytes + document.chunks.zero_bytes + document.chunks.duplicate_bytes).toBe(
    document.original_size,
  );
});

test("--to original gives the file byte for byte; convert auto knows it", () => {
  const { folder, archive, input } = converted("user-block");
  const back = join(folder, "back.h5");
  expect(hexz(["convert", "--to", "original", archive, back]).code).toBe(0);
  expect(Buffer.compare(readFileSync(back), readFileSync(input))).toBe(0);
  const again = join(folder, "again.hxz");
  expect(hexz(["convert", "auto", input, again]).code).toBe(0);
  expect(Buffer.compare(readFileSync(again), readFileSync(archive))).toBe(0);
});

test("entries tell shape, dtype, chunking, filters and attributes; links are links, an external one is noted", () => {
  const { archive, made } = converted("latest");
  expect(made.warnings).toEqual([
    { path: "external", code: "unsupported", message: expect.stringContaining('the file "other.h5"') },
  ]);
  const { document } = hexzJson(["inspect", archive, "--entries"]);
  const entries = entriesIn(document);
  expect(entries.get("group/cube").metadata).toEqual({
    shape: [7, 11, 13],
    dtype: "|u1",
    chunks: [2, 5, 7],
    filters: [{ id: 1, name: "deflate" }],
  });
  expect(entries.get("texts").metadata).toEqual({ shape: [4], dtype: "str" });
  expect(entries.get("empty").metadata.shape).toBe(null);
  expect(entries.get("scalar").metadata.shape).toEqual([]);
  expect(entries.get("group").metadata).toEqual({ attributes: { units: "m" } });
  expect(document.entry_list[0].metadata.external_links).toEqual({ external: { file: "other.h5", path: "/x" } });
  expect(entries.get("link")).toMatchObject({ type: "symlink", target: "contiguous" });
  expect(entries.get("group/loop")).toMatchObject({ type: "symlink", target: "../group" });
  expect(entries.get("group/chunked").size).toBe(300 * 401 * 4);
});

test("a contiguous dataset deduplicates with the same bytes packed as a file", () => {
  const { folder, archive } = converted("latest");
  const values = hexz(["cat", archive, "contiguous"]).bytes;
  const tree = join(folder, "tree");
  mkdirSync(tree);
  writeFileSync(join(tree, "values.bin"), values);
  const child = hexzJson(["pack", tree, join(folder, "child.hxz"), "--base", archive]);
  expect(child.document.chunks.unique_bytes).toBe(0);
  expect(child.document.chunks.parent_bytes).toBe(values.length);
});

test("a filter that is not here: a warning at conversion, an error on reading, never other bytes", () => {
  const { folder, input } = converted("earliest");
  const bytes = readFileSync(input);
  // The filter in the pipeline message of "lzf": its number becomes one that nobody has.
  const filter = bytes.indexOf(Buffer.from([0x00, 0x7d, 0x08, 0x00, 0x01, 0x00, 0x03, 0x00, ...Buffer.from("lzf")]));
  expect(filter).toBeGreaterThan(0);
  bytes.writeUInt16LE(31_999, filter);
  const changed = join(folder, "changed.h5");
  writeFileSync(changed, bytes);
  const archive = join(folder, "changed.hxz");
  const made = hexzJson(["convert", "hdf5", changed, archive]);
  expect(made.code).toBe(0);
  const warning = made.document.warnings.find(({ path }: { path: string }) => path === "lzf");
  expect(warning).toMatchObject({ code: "unsupported", message: expect.stringContaining("the filter lzf") });
  const read = hexz(["cat", archive, "lzf"]);
  expect(read.code).toBe(3);
  expect(read.bytes.length).toBe(0);
  expect(read.stderr).toMatch(/cannot read "\/lzf" of .*changed\.hxz.*: it needs the filter lzf/);
  expect(hexz(["cat", archive, "contiguous"]).code).toBe(0);
});

test("what is no HDF5 file, or cut, is refused by name and leaves nothing", () => {
  const { folder, input } = converted("latest");
  truncateSync(input, 5000);
  const output = join(folder, "none.hxz");
  const ran = hexzJson(["convert", "hdf5", input, output]);
  expect(ran.code).toBe(1);
  expect(ran.document.error.code).toBe("invalid");
  expect(ran.document.error.message).toMatch(/latest\.h5 is not an HDF5 file that libhdf5 reads: .*truncated/);
  expect(() => readFileSync(output)).toThrow(/ENOENT/);
  expect(hexz(["convert", "hdf5", "-", output]).code).toBe(2);
});

test("derived contents need a derivation: without it, the file is refused and the rest is read", async () => {
  const { archive } = converted("latest");
  const source = createMemorySource(new Uint8Array(readFileSync(archive)), "latest.hxz");
  const open = await openArchiveSource(source, { derivation: { methods: {}, close() {} } });
  const message = '"group/cube" in latest.hxz is derived by hdf5, which is not known here';
  await expect(open.file("group/cube")).rejects.toMatchObject({ code: "feature_unknown", message });
  expect((await (await open.file("contiguous")).read()).length).toBe(800_000);
  await open.close();
});
