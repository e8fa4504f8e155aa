// `hexz analyze` and `hexz predict` as processes: what they foretell is what `pack` then does.

import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { quoted } from "../src/cli/pack-command.ts";
import { hexz, hexzJson, shell } from "./support/cli.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

process.stdout.write(`cli-analyze.test.ts: HEXZ_SEED=${SEED}\n`);
const MIB = 1024 * 1024;
const random = randomFrom(SEED);

/** A text of some length, made quickly: stretches of one text, each with some letters of its own. */
function longText(length: number): Buffer {
  const base = text(400_000, random);
  const pieces: Buffer[] = [];
  for (let made = 0; made < length; made += 5000) {
    const start = random(base.length - 5000);
    pieces.push(Buffer.from(base.subarray(start, start + 4990)), Buffer.from(randomBytes(10, random)));
  }
  return Buffer.concat(pieces).subarray(0, length);
}

/** By kind: a file or a directory, in a directory of its own. */
const kinds: Record<string, (cwd: string) => string> = {
  "text tree": (cwd) => {
    mkdirSync(join(cwd, "tree/sub dir"), { recursive: true });
    for (let number = 0; number < 100; number++) {
      writeFileSync(join(cwd, number % 2 ? "tree" : "tree/sub dir", `n${number}`), longText(random(20_000)));
    }
    symlinkSync("n1", join(cwd, "tree/link"));
    return "tree";
  },
  "disk image with zeros": (cwd) => {
    writeFileSync(join(cwd, "disk's.img"), longText(3 * MIB));
    truncateSync(join(cwd, "disk's.img"), 40 * MIB);
    return "disk's.img";
  },
  "program files": (cwd) => {
    writeFileSync(join(cwd, "node"), readFileSync(process.execPath).subarray(0, 14 * MIB));
    return "node";
  },
  "random data": (cwd) => {
    writeFileSync(join(cwd, "-random"), randomBytes(6 * MIB, random));
    return "./-random";
  },
  "copies, shifted": (cwd) => {
    const first = longText(2 * MIB);
    writeFileSync(join(cwd, "twice"), Buffer.concat([first, Buffer.from("x"), first, randomBytes(MIB, random)]));
    return "twice";
  },
};

test.each(Object.keys(kinds))("analyze foretells what the pack it recommends makes of %s", (kind) => {
  const cwd = temporaryDirectory();
  const input = kinds[kind]!(cwd);
  const { code, document } = hexzJson(["analyze", input], { cwd });
  expect(code).toBe(0);
  expect(document.sampled_bytes).toBe(document.input_bytes);
  const { recommended, candidates, dcam, warnings } = document;
  expect(warnings).toEqual([]);
  const { reason, command, ...setting } = recommended;
  expect(candidates).toContainEqual(setting);
  expect(reason).not.toBe("");
  expect(Math.min(...candidates.map(({ price }: { price: number }) => price))).toBe(setting.price);
  expect(Object.keys(dcam)).toEqual(
    expect.arrayContaining(["change_probability", "fingerprint_bits", "min_chunk", "avg_chunk", "max_chunk"]),
  );
  expect(shell(command, cwd)).toMatchObject({ code: 0 });
  const made = readdirSync(cwd).filter((name) => name.endsWith(".hxz"));
  expect(made).toHaveLength(1);
  const { size } = statSync(join(cwd, made[0]!));
  const off = Math.abs(recommended.compressed_size - size) / size;
  expect(off, `seed ${SEED}: ${recommended.compressed_size} for ${size}`).toBeLessThan(0.05);
  const inspected = hexzJson(["inspect", `./${made[0]}`], { cwd }).document;
  expect(inspected.chunking).toEqual(setting.chunking);
  expect([inspected.compression, inspected.level]).toEqual([setting.compression, setting.level]);
  expect(inspected.block_size).toBe(setting.block_size);
  expect(inspected.chunks.unique_bytes).toBe(setting.unique_bytes);
  expect(inspected.chunks.total).toBe(setting.chunks);
});

test("predict foretells one setting, with the options of pack", () => {
  const cwd = temporaryDirectory();
  const input = kinds["text tree"]!(cwd);
  for (const options of [
    [],
    ["--compression", "zstd", "--level", "7", "--block-size", "16K"],
    ["--chunking", "fixed", "--block-size", "8K", "--compression", "none"],
    ["--min-chunk", "64", "--avg-chunk", "512", "--max-chunk", "2K", "--exclude", "*2*"],
  ]) {
    const { code, document } = hexzJson(["predict", input, ...options], { cwd });
    expect([options, code]).toEqual([options, 0]);
    const packed = hexzJson(["pack", input, "x.hxz", "--dry-run", ...options], { cwd }).document;
    expect([options, document.unique_bytes]).toEqual([options, packed.chunks.unique_bytes]);
    expect(document.chunks).toBe(packed.chunks.total);
    expect(document.input_bytes).toBe(packed.original_size);
    const off = Math.abs(document.compressed_size - packed.compressed_size) / packed.compressed_size;
    expect(off, JSON.stringify([SEED, options, document, packed])).toBeLessThan(0.05);
  }
});

test("predict with a base is what pack with that base makes", () => {
  const cwd = temporaryDirectory();
  const input = kinds["copies, shifted"]!(cwd);
  expect(hexz(["pack", input, "base.hxz"], { cwd }).code).toBe(0);
  writeFileSync(join(cwd, "next"), Buffer.concat([readFileSync(join(cwd, input)), randomBytes(50_000, random)]));
  const { document } = hexzJson(["predict", "next", "--base", "base.hxz"], { cwd });
  expect(hexz(["predict", "next", "--base", "base.hxz", "--sample", "1M"], { cwd }).code).toBe(2);
  expect(hexz(["pack", "next", "next.hxz", "--base", "base.hxz"], { cwd }).code).toBe(0);
  expect(document).toMatchObject({ compressed_size: statSync(join(cwd, "next.hxz")).size, error: 0 });
});

/** Small files that are alike: records of a few kinds. */
function records(cwd: string): string {
  mkdirSync(join(cwd, "records"));
  const names = Array.from({ length: 40 }, () => Buffer.from(text(30, random)).toString("latin1"));
  for (let number = 0; number < 400; number++) {
    const lines = Array.from({ length: 20 + random(80) }, () => {
      return `{"identifier": ${random(1e9)}, "name of the record": "${names[random(40)]}", "value": ${random(1000)}}`;
    });
    writeFileSync(join(cwd, "records", `r${number}.json`), lines.join("\n"));
  }
  return "records";
}

test("analyze says what a dictionary saves, and predict with one is what pack makes", () => {
  const cwd = temporaryDirectory();
  const input = records(cwd);
  const { document } = hexzJson(["analyze", input], { cwd });
  type Listed = { block_size: number; dictionary: boolean; level: number | null; compressed_size: number };
  const tried = (document.candidates as Listed[]).filter(({ dictionary }) => dictionary);
  expect(tried.map(({ block_size }) => block_size)).toEqual([65_536, 16_384]);
  const small = ["--block-size", "16K", "--min-chunk", "4K", "--avg-chunk", "16K", "--max-chunk", "64K"];
  const options = ["--compression", "zstd", "--dictionary", ...small];
  const packed = hexzJson(["pack", input, "x.hxz", "--dry-run", ...options], { cwd }).document;
  const what = JSON.stringify([SEED, tried[1], packed]);
  expect(Math.abs(tried[1]!.compressed_size / packed.compressed_size - 1), what).toBeLessThan(0.05);
  const without = (document.candidates as Listed[]).find(
    ({ block_size, dictionary, level }) => block_size === 16_384 && !dictionary && level === 3,
  )!;
  expect(tried[1]!.compressed_size, what).toBeLessThan(without.compressed_size);
  expect(hexz(["analyze", input], { cwd }).stdout).toMatch(/^A dictionary .* % with blocks of 64K, saves .* 16K\.$/m);
  expect(hexz(["predict", input, ...options], { cwd }).stdout).toContain(`(${packed.compressed_size})`);
  expect(hexz(["predict", input, ...options, "--sample", "1M"], { cwd }).code).toBe(2);
  expect(hexz(["predict", input, "--dictionary"], { cwd }).code).toBe(2);
});

test("a sample's figures are true within what they say", () => {
  const cwd = temporaryDirectory();
  const part = Buffer.concat([longText(7 * MIB), randomBytes(5 * MIB, random)]);
  mkdirSync(join(cwd, "in"));
  writeFileSync(join(cwd, "in/twice"), Buffer.concat([part, part]));
  writeFileSync(join(cwd, "in/more"), longText(16 * MIB));
  for (let number = 0; number < 50; number++) writeFileSync(join(cwd, `in/n${number}`), longText(40_000));
  const options = ["--compression", "zstd"];
  const whole = hexzJson(["predict", "in", ...options], { cwd }).document;
  const { code, document } = hexzJson(["predict", "in", "--sample", "8M", ...options], { cwd });
  const what = `seed ${SEED}: ${JSON.stringify([whole, document])}`;
  expect([what, code, document.input_bytes]).toEqual([what, 0, whole.input_bytes]);
  expect(document.sampled_bytes, what).toBeLessThan(14 * MIB);
  expect(document.sampled_bytes, what).toBeGreaterThan(4 * MIB);
  expect(Math.abs(document.unique_bytes - whole.unique_bytes), what).toBeLessThanOrEqual(document.unique_error);
  expect(Math.abs(document.compressed_size - whole.compressed_size), what).toBeLessThanOrEqual(document.error);
  expect(hexz(["pack", "in", "in.hxz", ...options], { cwd }).code).toBe(0);
  const archived = hexzJson(["analyze", "in.hxz", "--sample", "8M"], { cwd }).document;
  expect(archived.input_bytes).toBe(whole.input_bytes);
  expect(archived.sampled_bytes).toBeLessThan(14 * MIB);
  expect(shell("hexz predict - --sample 1M < in/more", cwd)).toMatchObject({ code: 2 });
});

test("an archive is measured by its contents, and its command packs them", () => {
  const cwd = temporaryDirectory();
  const input = kinds["text tree"]!(cwd);
  const of = (...args: string[]) => hexzJson(["analyze", ...args], { cwd }).document;
  const direct = of(input);
  expect(hexz(["pack", input, "tree.hxz"], { cwd }).code).toBe(0);
  const archived = of("tree.hxz");
  expect(archived.input_bytes).toBe(direct.input_bytes);
  expect(archived.candidates.map(({ unique_bytes }: { unique_bytes: number }) => unique_bytes)).toEqual(
    direct.candidates.map(({ unique_bytes }: { unique_bytes: number }) => unique_bytes),
  );
  expect(shell(archived.recommended.command, cwd)).toMatchObject({ code: 0 });
  const { size } = statSync(join(cwd, "tree-repacked.hxz"));
  expect(Math.abs(archived.recommended.compressed_size - size) / size).toBeLessThan(0.05);
});

test("a stream's archive is measured, and its command packs the stream", () => {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "a.img"), longText(MIB));
  expect(hexz(["pack", "a.hxz", "--disk", "a.img"], { cwd }).code).toBe(0);
  const { code, document } = hexzJson(["analyze", "a.hxz"], { cwd });
  expect([code, document.input_bytes]).toEqual([0, MIB]);
  expect(shell(document.recommended.command, cwd)).toMatchObject({ code: 0 });
});

test("standard input and several inputs are measured", () => {
  const cwd = temporaryDirectory();
  const bytes = longText(MIB);
  writeFileSync(join(cwd, "a"), bytes);
  writeFileSync(join(cwd, "b"), bytes);
  const piped = shell("cat a | hexz analyze - --json", cwd);
  expect([piped.code, JSON.parse(piped.stdout).input_bytes]).toEqual([0, bytes.length]);
  const { document } = hexzJson(["analyze", "a", "b"], { cwd });
  expect(document.input_bytes).toBe(2 * bytes.length);
  for (const { unique_bytes } of document.candidates) expect(unique_bytes).toBeLessThanOrEqual(bytes.length);
  expect(document.recommended.command).toMatch(/^hexz pack a b a\.hxz/);
});

test("the text has the table, what the model says and the command", () => {
  const cwd = temporaryDirectory();
  const input = kinds["copies, shifted"]!(cwd);
  const { code, stdout, stderr } = hexz(["analyze", input], { cwd });
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^cdc 16K\/64K\/256K +64K /m);
  expect(stdout).toMatch(/^fixed 4K /m);
  expect(stdout).toMatch(/^The model \(DCAM\) chooses chunks of .* remain with cdc/m);
  expect(stdout).toMatch(/^Recommended: .*\n {2}hexz pack twice twice\.hxz/m);
  expect(hexz(["predict", input], { cwd }).stdout).toMatch(/^archive size {2}.* to 1$/m);
});

test("the recommended archive has a free name outside of what is packed", () => {
  const cwd = temporaryDirectory();
  mkdirSync(join(cwd, "in"));
  writeFileSync(join(cwd, "in/a"), "some text");
  writeFileSync(join(cwd, "in.hxz"), "taken");
  expect(hexzJson(["analyze", "in"], { cwd }).document.recommended.command).toMatch(/^hexz pack in in-2\.hxz/);
  const inside = hexzJson(["analyze", "."], { cwd: join(cwd, "in") }).document.recommended.command;
  expect(inside).toMatch(/^hexz pack \. \.\.\/in-2\.hxz/);
  expect(shell(inside, join(cwd, "in"))).toMatchObject({ code: 0 });
});

test("quoted() is read back by a shell", () => {
  for (const word of ["a b", "it's", "$(x)", "a'b'c", "*?", "", "\n", "é"]) {
    expect(shell(`printf %s ${quoted(word)}`, "/").stdout).toBe(word);
  }
});

test("mistakes are told with their exit codes", () => {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "file"), "text");
  expect(hexz(["pack", "file", "good.hxz"], { cwd }).code).toBe(0);
  const bad = readFileSync(join(cwd, "good.hxz"));
  bad[17]! ^= 1;
  writeFileSync(join(cwd, "bad.hxz"), bad);
  writeFileSync(join(cwd, "cut.hxz"), bad.subarray(0, bad.length - 1));
  const cases: [string[], number, string][] = [
    [["analyze"], 2, "usage"],
    [["predict"], 2, "usage"],
    [["analyze", "missing"], 3, "not_found"],
    [["analyze", "-", "-"], 2, "usage"],
    [["analyze", "good.hxz", "file"], 2, "usage"],
    [["analyze", "bad.hxz"], 1, "damaged"],
    [["analyze", "cut.hxz"], 1, "truncated"],
    [["predict", "file", "--block-size", "1K"], 2, "usage"],
    [["predict", "file", "--level", "3"], 2, "usage"],
    [["analyze", "https://example.org/x"], 2, "not_available"],
  ];
  for (const [args, exit, errorCode] of cases) {
    const { code, document } = hexzJson(args, { cwd });
    expect([args, code, document.error?.code]).toEqual([args, exit, errorCode]);
  }
});
