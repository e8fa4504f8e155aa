// What the original programs write, with all options and random inputs: read, upgraded and written back by us, and read
// by the original again.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect } from "vitest";
import { displayName } from "../src/core/format/path.ts";
import type { Archive, ReadOptions } from "../src/core/read/archive.ts";
import { openArchiveFile } from "../src/node/archive.ts";
import { convert } from "../src/node/convert/convert.ts";
import { anyArchive } from "../src/node/convert/hexz1.ts";
import { findOriginal, type Job, randomContent, sha256, testsWith } from "./support/original.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { concat } from "./support/reference-bytes.ts";
import { temporaryDirectory } from "./support/trees.ts";

const KIB = 1024;
const PASSWORD = "pass wörd";
const random = randomFrom(SEED);
const original = findOriginal();
const testWith = testsWith(original);
const oneOf = <T>(...choices: readonly T[]): T => choices[random(choices.length)]!;

/** Digests of streams and files by their names. */
async function contentsOf(archive: Archive): Promise<Record<string, string>> {
  const contents: Record<string, string> = {};
  for (const { name, size } of archive.ownStreams) {
    if (size > 0) contents[name] = sha256(await (await archive.file(name)).read());
  }
  for await (const entry of archive.entries()) {
    if (entry.type === "file") contents[displayName(entry.path)] = sha256(await archive.fileOf(entry).read());
  }
  return contents;
}

/** What we make of an archive, read at once and after going to format 2 and back; any range of a stream, too. */
async function readings(path: string, options: ReadOptions = {}): Promise<Record<string, string>[]> {
  const [two, one] = [`${path}.two`, `${path}.one`];
  const machine = { workers: 1 };
  await convert({ format: "hexz1", inputs: [path], output: two, ...machine, ...options });
  await convert({ format: anyArchive, archiveFormat: 1, inputs: [two], output: one, ...machine });
  const found = [];
  for (const each of [path, two, one]) {
    const archive = await openArchiveFile(each, { ...machine, ...options });
    found.push(await contentsOf(archive));
    await archive.close();
  }
  return found;
}

const nonEmpty = (contents: Record<string, Uint8Array>) =>
  Object.fromEntries(
    Object.entries(contents)
      .filter(([, bytes]) => bytes.length > 0)
      .map(([name, bytes]) => [name, sha256(bytes)]),
  );

describe("0.5.5 writes", () => {
  testWith("0.5.5")(`disks and memories with all options, seed ${SEED}`, async () => {
    const cwd = temporaryDirectory();
    const cases = Array.from({ length: 12 }, (_, round) => {
      const [disk, memory] = [randomContent(random), random(3) === 0 ? randomContent(random) : new Uint8Array(0)];
      writeFileSync(join(cwd, `disk-${round}`), disk);
      writeFileSync(join(cwd, `memory-${round}`), memory);
      const sizes = oneOf(
        { cdc: true },
        { cdc: true, min_chunk: 2048, avg_chunk: 8192, max_chunk: 65_536 },
        { block_size: oneOf(4 * KIB, 5000, 64 * KIB) },
      );
      // Keys cost time: a few of them.
      const encrypted = round % 6 === 5 ? { encrypt: true, password: PASSWORD } : {};
      const options = {
        compression: oneOf("lz4", "zstd"),
        parallel: random(2) === 0,
        ...sizes,
        ...encrypted,
        disk: `disk-${round}`,
        ...(memory.length > 0 ? { memory: `memory-${round}` } : {}),
      };
      return { output: `${round}.hxz`, options, contents: { disk, memory } };
    });
    const done = original.run(
      "0.5.5",
      cases.map(({ output, options }): Job => ({ do: "pack_055", output, options })),
      cwd,
    );
    expect(done).toEqual(cases.map(() => ({})));
    for (const { output, options, contents } of cases) {
      const secrets = "password" in options ? { secrets: { passwords: [PASSWORD] } } : {};
      const what = `seed ${SEED}: ${JSON.stringify(options)}`;
      const expected = nonEmpty(contents);
      expect(await readings(join(cwd, output), secrets), what).toEqual([expected, expected, expected]);
    }
    const back = cases.map(({ output }): Job => ({ do: "read_055", archive: `${output}.one`, ranges: [] }));
    for (const [number, found] of original.run("0.5.5", back, cwd).entries()) {
      expect(found, `seed ${SEED}`).toMatchObject({ sha256: sha256(cases[number]!.contents.disk) });
    }
  });

  testWith("0.5.5")(`pieces one by one, thin and with metadata, seed ${SEED}`, async () => {
    const cwd = temporaryDirectory();
    const parts = Array.from({ length: 3 }, () => concat(randomContent(random), text(50_000, random)));
    for (const [number, part] of parts.entries()) writeFileSync(join(cwd, `part-${number}`), part);
    const moved = concat(randomBytes(1234, random), ...parts);
    writeFileSync(join(cwd, "moved"), moved);
    const inputs = parts.map((_, number) => `part-${number}`);
    const jobs = [true, false].flatMap((cdc): Job[] => [
      { do: "write_055", output: `base-${cdc}.hxz`, inputs, options: { cdc }, metadata: { note: "kept" } },
      { do: "write_055", output: `thin-${cdc}.hxz`, inputs: ["moved"], options: { cdc, parent: `base-${cdc}.hxz` } },
    ]);
    expect(original.run("0.5.5", jobs, cwd)).toEqual(jobs.map(() => ({})));
    for (const cdc of [true, false]) {
      const base = { disk: sha256(concat(...parts)) };
      // Where content moved the original itself reads other bytes.
      const thin = { disk: sha256(moved) };
      expect(await readings(join(cwd, `base-${cdc}.hxz`)), `seed ${SEED}`).toEqual([base, base, base]);
      expect(await readings(join(cwd, `thin-${cdc}.hxz`)), `seed ${SEED}`).toEqual([thin, thin, thin]);
      const archive = await openArchiveFile(join(cwd, `base-${cdc}.hxz.two`));
      expect(await archive.metadata()).toMatchObject({ note: "kept" });
      await archive.close();
    }
  });
});

describe("0.8.2 writes", () => {
  testWith("0.8.2")(`trees, and trees on trees, seed ${SEED}`, async () => {
    const cwd = temporaryDirectory();
    // Files that any .gitignore above names would be left out without a word.
    writeFileSync(join(cwd, ".ignore"), "!*\n");
    const names = ["a", "b/c", "b/deep/ü x", "b/copy", "empty"];
    const trees = Array.from({ length: 4 }, (_, round) => {
      const files = names.map((name) => [name, name === "empty" ? new Uint8Array(0) : randomContent(random)] as const);
      const contents = Object.fromEntries(files);
      if (random(2)) contents["b/copy"] = contents.a!;
      return { tree: `tree-${round}`, contents, compression: oneOf("lz4", "zstd") };
    });
    const jobs: Job[] = [];
    for (const { tree, contents, compression } of trees) {
      for (const version of ["", "-changed"]) {
        for (const [name, bytes] of Object.entries(contents)) {
          mkdirSync(dirname(join(cwd, tree + version, name)), { recursive: true });
          const changed = concat(bytes.subarray(0, 10), text(2000, random), bytes.subarray(10));
          const written = version !== "" && name === "a" ? changed : bytes;
          writeFileSync(join(cwd, tree + version, name), written);
        }
      }
      jobs.push({ do: "pack_082", input: tree, output: `${tree}.hxz`, options: { compression } });
      const options = { compression, base: `${tree}.hxz` };
      jobs.push({ do: "pack_082", input: `${tree}-changed`, output: `${tree}-changed.hxz`, options });
    }
    expect(original.run("0.8.2", jobs, cwd)).toEqual(jobs.map(() => ({})));
    for (const { tree } of trees) {
      for (const each of [tree, `${tree}-changed`]) {
        const expected = Object.fromEntries(names.map((name) => [name, sha256(readFileSync(join(cwd, each, name)))]));
        expect(await readings(join(cwd, `${each}.hxz`)), `${each}, seed ${SEED}`).toEqual([
          expected,
          expected,
          expected,
        ]);
        const [back] = original.run("0.8.2", [{ do: "read_082", archive: `${each}.hxz.one` }], cwd);
        expect(back, `${each}, seed ${SEED}`).toEqual({ files: expected });
      }
    }
  });
});
