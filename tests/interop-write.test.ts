// What we write in format 1, read by the original programs: all options with random inputs.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect } from "vitest";
import { createSigningKeys } from "../src/node/keygen.ts";
import { readPrivateKey } from "../src/node/keys.ts";
import { type PackOptions, pack } from "../src/node/pack.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { findOriginal, type Job, randomContent, sha256, testsWith } from "./support/original.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { concat } from "./support/reference-bytes.ts";
import { temporaryDirectory } from "./support/trees.ts";

const KIB = 1024;
const ROUNDS = 16;
const random = randomFrom(SEED);
const original = findOriginal();
const testWith = testsWith(original);
const oneOf = <T>(...choices: readonly T[]): T => choices[random(choices.length)]!;

function randomOptions(): Partial<PackOptions> {
  const zstd = { compression: "zstd", level: 1 + random(6) } as const;
  const codec = oneOf<Partial<PackOptions>>({ compression: "lz4" }, zstd, { ...zstd, trainDictionary: true });
  const sizes = oneOf(
    {},
    { minChunk: 64, avgChunk: 256, maxChunk: 1024 },
    { minChunk: 2 * KIB, avgChunk: 8 * KIB, maxChunk: 64 * KIB },
    { minChunk: 4097, avgChunk: 16 * KIB, maxChunk: 16 * KIB + 1 },
    { chunking: "fixed", blockSize: oneOf(4 * KIB, 5000, 64 * KIB, 1024 * KIB) } as const,
  );
  const machine = { workers: oneOf(1, 2), engine: oneOf("auto", "wasm") } as const;
  return { ...codec, ...sizes, ...machine };
}

function randomRanges(size: number): [number, number][] {
  return Array.from({ length: 8 }, () => {
    const start = random(size + 1);
    return [start, Math.min(size, start + random(oneOf(2, 5000, 300_000)))];
  });
}

describe("0.5.5 reads", () => {
  testWith("0.5.5")(`disks with all options, seed ${SEED}`, async () => {
    const cwd = temporaryDirectory();
    const cases = [];
    for (let round = 0; round < ROUNDS; round++) {
      const [disk, memory] = [randomContent(random), randomContent(random)];
      const options = randomOptions();
      const withMemory = random(3) === 0;
      writeFileSync(join(cwd, "disk"), disk);
      writeFileSync(join(cwd, "memory"), memory);
      const streams = [
        { name: "disk", path: join(cwd, "disk") },
        ...(withMemory ? [{ name: "memory", path: join(cwd, "memory") } as const] : []),
      ] as const;
      const archive = `${round}.hxz`;
      await pack({ streams, output: join(cwd, archive), archiveFormat: 1, ...options });
      cases.push({
        archive,
        disk,
        ranges: randomRanges(disk.length),
        secondary: withMemory ? memory.length : 0,
        options,
      });
    }
    const jobs = cases.flatMap(({ archive, ranges }): Job[] => [
      { do: "read_055", archive, ranges },
      { do: "inspect_055", archive },
    ]);
    const done = original.run("0.5.5", jobs, cwd);
    for (const [number, { disk, ranges, secondary, options }] of cases.entries()) {
      const what = `round ${number} of seed ${SEED}: ${JSON.stringify(options)}`;
      const expected = ranges.map(([start, end]) => sha256(disk.subarray(start, end)));
      expect(done[2 * number], what).toEqual({ size: disk.length, sha256: sha256(disk), ranges: expected });
      expect(done[2 * number + 1], what).toMatchObject({
        facts: { primary_size: disk.length, secondary_size: secondary },
      });
    }
  });

  testWith("0.5.5")(`thin archives, on our parents and on its own, seed ${SEED}`, async () => {
    const cwd = temporaryDirectory();
    const base = concat(text(400 * KIB, random), randomBytes(200 * KIB, random), new Uint8Array(100 * KIB));
    const child = concat(base.subarray(0, 350 * KIB), text(30 * KIB, random), base.subarray(350 * KIB));
    const changed = base.slice();
    changed.fill(1, 250 * KIB, 251 * KIB);
    for (const [name, bytes] of Object.entries({ base, child, changed })) writeFileSync(join(cwd, name), bytes);
    const own = ["own", "own-fixed"];
    original.run(
      "0.5.5",
      own.map((name): Job => {
        const options = { cdc: name === "own", parallel: false };
        return { do: "pack_055", output: `${name}.hxz`, options: { ...options, disk: "base" } };
      }),
      cwd,
    );
    const pathOf = (name: string) => join(cwd, name);
    const disk = (name: string) => [{ name: "disk", path: pathOf(name) } as const];
    await pack({ streams: disk("base"), output: pathOf("ours.hxz"), archiveFormat: 1 });
    const outputs: string[] = [];
    for (const parent of [...own, "ours"]) {
      for (const name of ["child", "changed"]) {
        const output = `${name}-on-${parent}.hxz`;
        const bases = [pathOf(`${parent}.hxz`)];
        const { counts } = await pack({ streams: disk(name), output: pathOf(output), archiveFormat: 1, bases });
        expect(counts.parent.count, output).toBeGreaterThan(0);
        outputs.push(output);
      }
    }
    const jobs = outputs.map((archive): Job => ({ do: "read_055", archive, ranges: [] }));
    const done = original.run("0.5.5", jobs, cwd);
    for (const [number, archive] of outputs.entries()) {
      const expected = archive.startsWith("child") ? child : changed;
      expect(done[number], archive).toMatchObject({ size: expected.length, sha256: sha256(expected) });
    }
  });

  testWith("0.5.5")("our signatures", async () => {
    const cwd = temporaryDirectory();
    writeFileSync(join(cwd, "a"), text(10_000, random));
    const { privatePath, publicPath } = await createSigningKeys(join(cwd, "keys"));
    const other = await createSigningKeys(join(cwd, "other"));
    const signers = [readPrivateKey(privatePath)];
    await pack({ inputs: [join(cwd, "a")], output: join(cwd, "a.hxz"), archiveFormat: 1, signers });
    const verify = (key: string): Job => ({ do: "verify_055", archive: "a.hxz", key });
    const [good, bad] = original.run("0.5.5", [verify(publicPath), verify(other.publicPath)], cwd);
    expect(good).toEqual({});
    expect(bad).toMatchObject({ error: expect.stringContaining("signature error") });
  });
});

describe("0.8.2 reads", () => {
  testWith("0.8.2")(`trees with all options, seed ${SEED}`, async () => {
    const cwd = temporaryDirectory();
    const cases = [];
    for (let round = 0; round < ROUNDS; round++) {
      const tree = `tree-${round}`;
      const names = ["a", "memory", "disk", "dir/b", "dir/memory", 'dir/deep/ü "\\ \n', "z".repeat(200)];
      const files = names.slice(0, 1 + random(names.length)).map((name) => [name, randomContent(random)] as const);
      for (const [name, content] of files) {
        mkdirSync(dirname(join(cwd, tree, name)), { recursive: true });
        writeFileSync(join(cwd, tree, name), content);
      }
      const options = randomOptions();
      await pack({ inputs: [join(cwd, tree)], output: join(cwd, `${round}.hxz`), archiveFormat: 1, ...options });
      cases.push({ archive: `${round}.hxz`, files, options });
    }
    const done = original.run(
      "0.8.2",
      cases.map(({ archive }): Job => ({ do: "read_082", archive })),
      cwd,
    );
    for (const [number, { files, options }] of cases.entries()) {
      const expected = Object.fromEntries(files.map(([name, content]) => [name, sha256(content)]));
      expect(done[number], `round ${number} of seed ${SEED}: ${JSON.stringify(options)}`).toEqual({ files: expected });
    }
  });

  testWith("0.8.2")("what `hexz build --format 1` makes with each profile, dictionaries among them", async () => {
    const cwd = temporaryDirectory();
    const words = text(20_000, random);
    const files: Record<string, Uint8Array> = {};
    for (let number = 0; number < 60; number++) {
      const parts = Array.from({ length: 300 }, () => {
        const at = random(19_900);
        return concat(new TextEncoder().encode(`{"id": ${random(1e6)}, "name": "`), words.subarray(at, at + 40));
      });
      files[`f${number}.json`] = concat(...parts);
    }
    mkdirSync(join(cwd, "tree"));
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(cwd, "tree", name), bytes);
    const profiles = ["generic", "eda", "embedded", "ml", "archival"];
    const dictionaries: boolean[] = [];
    for (const profile of profiles) {
      const args = ["build", "tree", `${profile}.hxz`, "--profile", profile, "--format", "1"];
      expect(hexz(args, { cwd })).toMatchObject({ code: 0, stderr: "" });
      dictionaries.push(hexzJson(["inspect", `${profile}.hxz`], { cwd }).document.has_dictionary);
    }
    expect(dictionaries).toContain(true);
    const done = original.run(
      "0.8.2",
      profiles.map((profile): Job => ({ do: "read_082", archive: `${profile}.hxz` })),
      cwd,
    );
    const expected = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, sha256(bytes)]));
    for (const [number, profile] of profiles.entries()) expect(done[number], profile).toEqual({ files: expected });
  });
});
