// Reading format 1: every stream, file and tensor of the archives that the original programs wrote, through the library.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Archive, displayName, type ReadOptions } from "../src/core/index.ts";
import { craftedArchives, keptArchives, openFormat1 } from "./support/format1.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const secretsOf = (password: string | null | undefined): ReadOptions =>
  password === null || password === undefined ? {} : { secrets: { passwords: [password] } };

async function streamOf(archive: Archive, name: string) {
  const file = await archive.file(name);
  const bytes = await file.read();
  return { size: file.size, sha256: sha256(bytes) };
}

/** The same through bulk reading. */
async function bulkOf(archive: Archive, name: string) {
  const hash = createHash("sha256");
  let size = 0;
  for await (const parts of archive.parts(await archive.file(name))) {
    for (const part of parts) {
      if ("error" in part) throw part.error;
      hash.update("bytes" in part ? part.bytes : new Uint8Array(part.end - part.start).fill(part.fill));
      size += part.end - part.start;
    }
  }
  return { size, sha256: hash.digest("hex") };
}

describe.each(keptArchives)("$file", (kept) => {
  // Once: deriving a key takes its time.
  let opened: Promise<Archive> | undefined;
  const open = () => {
    opened ??= openFormat1("archives", kept.file, secretsOf(kept.password));
    return opened;
  };

  test.each([
    ["disk", "main"],
    ["memory", "auxiliary"],
  ] as const)("gives the stream %s", async (name, key) => {
    const archive = await open();
    const { size, sha256: digest } = kept.streams[key];
    const expected = { size, sha256: kept.file === "055-pack-pipe.hxz" ? sha256(new Uint8Array(0)) : digest };
    expect(await streamOf(archive, name)).toEqual(expected);
    expect(await bulkOf(archive, name)).toEqual(expected);
  });

  if (kept.files !== undefined) {
    test("gives every file with its metadata", async () => {
      const archive = await open();
      const found = [];
      for await (const entry of archive.entries()) {
        if (entry.type !== "file") continue;
        const digest = sha256(await archive.fileOf(entry).read());
        found.push({
          path: displayName(entry.path),
          size: entry.size,
          mode: entry.mode,
          mtime: entry.mtime?.seconds,
          sha256: digest,
        });
      }
      const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1);
      const expected = kept.files!.map(({ path, size, mode, mtime, sha256: digest }) => {
        return { path, size, mode: mode & 0o777, mtime, sha256: digest };
      });
      expect(found.sort(byPath)).toEqual(expected.sort(byPath));
    });
  }

  if (kept.tensors !== undefined) {
    test("gives every tensor as it was, and any part of it", async () => {
      const archive = await open();
      for (const [name, { bytes, sha256: digest, dtype, shape }] of Object.entries(kept.tensors!)) {
        const file = await archive.file(`./${name}`);
        const whole = await file.read();
        expect([whole.length, sha256(whole)], name).toEqual([bytes, digest]);
        const entry = await archive.entry(name);
        expect(entry?.metadata).toMatchObject({ dtype, shape });
        for (const [start, end] of [
          [0, 1],
          [1, 2],
          [bytes >> 1, bytes],
          [3, bytes - 3],
        ] as const) {
          if (start > end || end > bytes) continue;
          expect(await file.read(start, end), `${name} ${start} to ${end}`).toEqual(whole.slice(start, end));
        }
      }
    });
  }
});

describe.each(craftedArchives.filter((one) => one.expect === "read"))("$file: $why", (crafted) => {
  test("is read", async () => {
    const archive = await openFormat1("crafted", crafted.file, secretsOf(crafted.password));
    if (crafted.main) expect(await streamOf(archive, "disk")).toEqual(crafted.main);
    if (crafted.auxiliary) expect(await streamOf(archive, "memory")).toEqual(crafted.auxiliary);
  });
});

test("members of conversions are entries", async () => {
  const tar = await openFormat1("archives", "055-convert-tar.hxz");
  const zeros = await tar.entry("dir/zeros");
  expect(zeros).toMatchObject({ type: "file", size: 140_000 });
  expect(await tar.entry("dir")).toMatchObject({ type: "directory" });
  const hdf5 = await openFormat1("archives", "055-convert-hdf5.hxz");
  expect(await hdf5.entry("group/inner/beta")).toMatchObject({
    size: 8000,
    metadata: { shape: [1000], dtype: "int64" },
  });
  const webdataset = await openFormat1("archives", "055-convert-webdataset.hxz");
  expect(await webdataset.entry("train/0001.seg.png")).toMatchObject({
    size: 500,
    metadata: { sample: "0001", extension: ".seg.png" },
  });
});
