// `convert hexz1` and `convert --to hexz1`: every archive that the original programs wrote becomes one of format 2 and
// goes back to format 1, with the same contents.

import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { displayName } from "../src/core/format/path.ts";
import type { Archive } from "../src/core/read/archive.ts";
import { checkArchive } from "../src/core/read/check.ts";
import { openArchiveFile } from "../src/node/archive.ts";
import { type ConvertOptions, convert } from "../src/node/convert/convert.ts";
import { anyArchive } from "../src/node/convert/hexz1.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { FORMAT1, type KeptArchive, keptArchives } from "./support/format1.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { decodeReferenceFormat1 } from "./support/reference-format1.ts";
import { temporaryDirectory } from "./support/trees.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const ARCHIVES = fileURLToPath(new URL("archives/", FORMAT1));
/** The stream of a pipe is said to have no bytes; what is there cannot be reached by the format's rules. */
const NOT_REACHED = "055-pack-pipe.hxz";

async function digestsOf(archive: Archive): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const { name, size } of archive.ownStreams) {
    if (size > 0) digests[`stream ${name}`] = sha256(await (await archive.file(name)).read());
  }
  for await (const entry of archive.entries()) {
    if (entry.type === "file") digests[displayName(entry.path)] = sha256(await archive.fileOf(entry).read());
  }
  return digests;
}

function convertOptions(kept: KeptArchive | undefined, rest: ConvertOptions): ConvertOptions {
  return typeof kept?.password === "string" ? { ...rest, secrets: { passwords: [kept.password] } } : rest;
}

describe.each(keptArchives)("$file", (kept) => {
  test("goes to format 2 and back", async () => {
    const cwd = temporaryDirectory();
    const [there, back] = [join(cwd, "there.hxz"), join(cwd, "back.hxz")];
    const inputs = [join(ARCHIVES, kept.file)];
    await convert(convertOptions(kept, { format: "hexz1", inputs, output: there, workers: 1 }));
    const upgraded = await openArchiveFile(there);
    expect((await checkArchive(upgraded)).problems).toEqual([]);
    expect(upgraded.root.parents).toEqual([]);
    const digests = await digestsOf(upgraded);
    if (kept.files !== undefined) {
      expect(digests).toEqual(Object.fromEntries(kept.files.map((file) => [file.path, file.sha256])));
    } else if (kept.tensors !== undefined) {
      const tensors = Object.entries(kept.tensors).map(([name, { sha256: digest }]) => [name, digest]);
      expect(digests).toEqual(Object.fromEntries(tensors));
    } else if (upgraded.root.counts.files === 0 && kept.file !== NOT_REACHED) {
      const { main, auxiliary } = kept.streams;
      expect(digests).toEqual({
        ...(main.size > 0 ? { "stream disk": main.sha256 } : {}),
        ...(auxiliary.size > 0 ? { "stream memory": auxiliary.sha256 } : {}),
      });
    } else expect(Object.keys(digests).length).toBe(kept.file === NOT_REACHED ? 0 : upgraded.root.counts.files);

    await convert({ format: anyArchive, archiveFormat: 1, inputs: [there], output: back, workers: 1 });
    decodeReferenceFormat1(new Uint8Array(readFileSync(back)));
    const again = await openArchiveFile(back);
    expect(await digestsOf(again)).toEqual(digests);
    await again.close();
    await upgraded.close();
  });
});

describe("the command", () => {
  const random = randomFrom(SEED);

  function tree(): string {
    const cwd = temporaryDirectory();
    mkdirSync(join(cwd, "tree/sub"), { recursive: true });
    writeFileSync(join(cwd, "tree/a"), text(200_000, random));
    writeFileSync(join(cwd, "tree/sub/b"), randomBytes(100_000, random));
    writeFileSync(join(cwd, "tree/sub/c"), readFileSync(join(cwd, "tree/a")));
    return cwd;
  }
  const filesOf = (root: string) =>
    Object.fromEntries(
      readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => [join(entry.parentPath, entry.name).slice(root.length), join(entry.parentPath, entry.name)])
        .map(([name, path]) => [name, sha256(readFileSync(path!))]),
    );

  test("packs format 1, upgrades it and goes back; contents, modes, times and the note stay", () => {
    const cwd = tree();
    const { mtimeMs } = statSync(join(cwd, "tree/a"));
    const packed = hexzJson(["pack", "tree", "one.hxz", "--format", "1", "--note", "kept"], { cwd });
    expect(packed).toMatchObject({ code: 0, document: { archive_id: null, original_size: 500_000, warnings: [] } });
    const upgraded = hexzJson(["convert", "hexz1", "one.hxz", "two.hxz"], { cwd });
    expect(upgraded).toMatchObject({ code: 0, document: { original_size: 500_000, warnings: [] } });
    expect(upgraded.document.chunks.unique_bytes).toBe(300_000);
    const back = hexzJson(["convert", "--to", "hexz1", "two.hxz", "three.hxz", "--compression", "zstd"], { cwd });
    expect(back).toMatchObject({ code: 0, document: { archive_id: null, original_size: 500_000, warnings: [] } });
    for (const name of ["one", "two", "three"]) {
      expect(hexz(["extract", `${name}.hxz`, name, "--quiet"], { cwd }), name).toMatchObject({ code: 0, stderr: "" });
      expect(filesOf(join(cwd, name)), `${name}, seed ${SEED}`).toEqual(filesOf(join(cwd, "tree")));
      expect(Math.floor(statSync(join(cwd, name, "a")).mtimeMs / 1000)).toBe(Math.floor(mtimeMs / 1000));
      expect(statSync(join(cwd, name, "a")).mode).toBe(statSync(join(cwd, "tree/a")).mode);
      if (name === "two") expect(hexzJson(["inspect", "two.hxz"], { cwd }).document.note).toBe("kept");
    }
  });

  test("one file is extracted as a file, a directory with one file as a directory", () => {
    const cwd = tree();
    mkdirSync(join(cwd, "one"));
    writeFileSync(join(cwd, "one/file"), "x");
    for (const input of ["tree/a", "one"]) {
      const name = input.replace("/", "-");
      const commands = [
        ["pack", input, `${name}.1`, "--format", "1"],
        ["convert", "hexz1", `${name}.1`, `${name}.2`],
        ["convert", "--to", "hexz1", `${name}.2`, `${name}.3`],
      ];
      for (const command of commands) expect(hexz([...command, "--quiet"], { cwd }).code).toBe(0);
      for (const number of ["1", "2", "3"]) {
        const out = join(cwd, `${name}-${number}`);
        expect(hexz(["extract", `${name}.${number}`, out, "--quiet"], { cwd })).toMatchObject({ code: 0, stderr: "" });
        if (input === "one") expect(readdirSync(out)).toEqual(["file"]);
        else expect(sha256(readFileSync(out))).toBe(sha256(readFileSync(join(cwd, input))));
      }
    }
  });

  test("refuses what format 1 cannot keep, and with --lossy lists it", () => {
    const cwd = tree();
    symlinkSync("a", join(cwd, "tree/link"));
    mkdirSync(join(cwd, "tree/empty"));
    const refused = hexzJson(["pack", "tree", "one.hxz", "--format", "1"], { cwd });
    expect(refused).toMatchObject({ code: 2, document: { error: { code: "usage", path: "link" } } });
    expect(existsSync(join(cwd, "one.hxz"))).toBe(false);
    const lossy = hexzJson(["pack", "tree", "one.hxz", "--format", "1", "--lossy"], { cwd });
    expect(lossy).toMatchObject({ code: 0 });
    expect(lossy.document.warnings.map(({ path }: { path: string }) => path)).toEqual(["link", "empty"]);
    hexz(["pack", "tree", "two.hxz"], { cwd });
    expect(hexz(["convert", "--to", "hexz1", "two.hxz", "three.hxz"], { cwd }).code).toBe(2);
    const converted = hexzJson(["convert", "--to", "hexz1", "two.hxz", "three.hxz", "--lossy"], { cwd });
    expect(converted.code).toBe(0);
    expect(converted.document.warnings.map(({ path }: { path: string }) => path)).toEqual(["link", "empty"]);
    expect(readdirSync(cwd).filter((name) => name.includes("hexz-"))).toEqual([]);
  });

  test("refuses, and leaves nothing", () => {
    const cwd = tree();
    hexz(["pack", "tree", "one.hxz", "--format", "1"], { cwd });
    hexz(["pack", "tree", "two.hxz"], { cwd });
    const damaged = readFileSync(join(cwd, "one.hxz"));
    damaged[4096 + 5000]! ^= 1;
    writeFileSync(join(cwd, "damaged.hxz"), damaged);
    const before = readdirSync(cwd).sort();
    const cases: [string, string[], number, RegExp][] = [
      ["format 1 on standard output", ["pack", "tree", "-", "--format", "1"], 2, /needs a file/],
      ["no compression", ["pack", "tree", "x.hxz", "--format", "1", "--compression", "none"], 2, /lz4 or zstd/],
      ["an archive of format 2 as one of format 1", ["convert", "hexz1", "two.hxz", "x.hxz"], 2, /is of format 2/],
      ["a base of format 2", ["pack", "tree", "x.hxz", "--format", "1", "--base", "two.hxz"], 2, /is of format 2/],
      [
        "two bases",
        ["pack", "tree", "x.hxz", "--format", "1", "--base", "one.hxz", "--base", "two.hxz"],
        2,
        /one parent/,
      ],
      ["recipients", ["pack", "tree", "x.hxz", "--format", "1", "--recipient", "age1x"], 2, /one password/],
      ["an output that exists", ["convert", "hexz1", "one.hxz", "two.hxz"], 2, /exists already/],
      ["the input as output", ["convert", "--to", "hexz1", "one.hxz", "one.hxz", "--force"], 2, /also an input/],
      ["what is no archive", ["convert", "--to", "hexz1", "tree/a", "x.hxz"], 1, /not a Hexz archive/],
      ["a damaged archive", ["convert", "hexz1", "damaged.hxz", "x.hxz"], 1, /CRC|digest|does not|checksum/],
    ];
    for (const [what, args, code, message] of cases) {
      const ran = hexz(args, { cwd });
      expect([ran.code, ran.stdout], what).toEqual([code, ""]);
      expect(ran.stderr, what).toMatch(message);
      expect(readdirSync(cwd).sort(), what).toEqual(before);
    }
  });

  test("what does not compress fills the reader's memory and comes back", () => {
    const cwd = temporaryDirectory();
    writeFileSync(join(cwd, "disk"), randomBytes(9_000_000, random));
    for (const more of [["--chunking", "fixed", "--block-size", "1M"], ["--compression", "zstd"], []]) {
      expect(hexz(["pack", "--disk", "disk", "a.hxz", "--format", "1", "--force", ...more], { cwd }).code).toBe(0);
      expect(hexz(["extract", "a.hxz", "out", "--force", "--quiet"], { cwd })).toMatchObject({ code: 0, stderr: "" });
      expect(sha256(readFileSync(join(cwd, "out"))), `seed ${SEED}`).toBe(sha256(readFileSync(join(cwd, "disk"))));
    }
  });

  test("encrypts with a password, and converts what is encrypted", () => {
    const cwd = tree();
    const env = { ...process.env, HEXZ_PASSWORD: "correct horse" };
    for (const args of [
      ["pack", "tree", "one.hxz", "--format", "1", "--encrypt"],
      ["convert", "hexz1", "one.hxz", "two.hxz", "--encrypt"],
      ["convert", "--to", "hexz1", "two.hxz", "three.hxz", "--encrypt"],
    ]) {
      expect(hexz([...args, "--quiet"], { cwd, env })).toMatchObject({ code: 0, stderr: "" });
    }
    const { main, encrypted } = decodeReferenceFormat1(readFileSync(join(cwd, "three.hxz")), {
      password: "correct horse",
    });
    expect([encrypted, main.bytes.length]).toEqual([true, 500_000]);
    const { SOURCE_DATE_EPOCH: _, ...plain } = process.env;
    expect(hexz(["extract", "two.hxz", "x"], { cwd, env: plain })).toMatchObject({ code: 2 });
  });

  test("what is made of an encrypted archive is plain with a warning, or is not made", () => {
    const cwd = tree();
    const env = { ...process.env, HEXZ_PASSWORD: "correct horse" };
    writeFileSync(join(cwd, "disk"), text(50_000, random));
    writeFileSync(join(cwd, "vm.overlay"), text(4096, random));
    writeFileSync(join(cwd, "vm.meta"), new Uint8Array(8));
    for (const format of ["1", "2"]) {
      const args = ["pack", "--disk", "disk", `${format}.hxz`, "--format", format, "--encrypt", "--quiet"];
      expect(hexz(args, { cwd, env })).toMatchObject({ code: 0, stderr: "" });
    }
    const conversions = [
      ["convert", "hexz1", "1.hxz", "out.hxz"],
      ["convert", "--to", "hexz1", "2.hxz", "out.hxz"],
      ["convert", "--to", "hexz1", "1.hxz", "out.hxz"],
    ];
    for (const args of conversions) {
      const { code, document } = hexzJson([...args, "--force"], { cwd, env });
      expect([code, document.warnings.map((one: { code: string }) => one.code)], args.join(" ")).toEqual([
        0,
        ["not_encrypted"],
      ]);
      const { stdout: _, stderr } = hexz([...args, "--force", "--quiet"], { cwd, env });
      expect(stderr).toContain("is encrypted, and what is made of it is not");
      const { HEXZ_PASSWORD: __, ...nothing } = env;
      const read = hexz(["cat", "out.hxz", "disk"], { cwd, env: nothing });
      expect([read.code, sha256(read.bytes)]).toEqual([0, sha256(readFileSync(join(cwd, "disk")))]);
      const closed = hexzJson([...args, "--force", "--encrypt"], { cwd, env });
      expect([closed.code, closed.document.warnings]).toEqual([0, []]);
      expect(hexz(["cat", "out.hxz", "disk"], { cwd, env: nothing }).code).toBe(2);
    }
    rmSync(join(cwd, "out.hxz"));
    // Copies of format 2 are encrypted as what they were made of; where that cannot be, there is none.
    for (const args of [
      ["flatten", "1.hxz", "out.hxz"],
      ["rebase", "1.hxz", "none.hxz", "out.hxz"],
      ["commit", "1.hxz", "vm.overlay", "out.hxz"],
    ]) {
      writeFileSync(join(cwd, "small"), "small");
      hexz(["pack", "small", "none.hxz", "--force"], { cwd });
      const { code, document } = hexzJson(args, { cwd, env });
      expect([code, document.error.code], args[0]).toEqual([2, "not_encrypted"]);
      expect(existsSync(join(cwd, "out.hxz"))).toBe(false);
    }
    for (const args of [
      ["flatten", "2.hxz", "out.hxz"],
      ["commit", "2.hxz", "vm.overlay", "out.hxz"],
      ["repair", "2.hxz", "out.hxz"],
    ]) {
      expect([args[0], hexzJson([...args, "--force"], { cwd, env }).code]).toEqual([args[0], 0]);
      expect(hexzJson(["inspect", "out.hxz"], { cwd, env }).document.encrypted, args[0]).toBe(true);
    }
  });

  test("the bytes do not depend on the number of threads", () => {
    const cwd = tree();
    writeFileSync(join(cwd, "disk"), text(20_000_000, random));
    for (const workers of ["1", "2", "3"]) {
      const args = ["pack", "--disk", "disk", `${workers}.hxz`, "--format", "1", "--workers", workers];
      expect(hexz([...args, "--engine", "wasm", "--memory", "tree/sub/b"], { cwd }).code).toBe(0);
    }
    const [one, two, three] = ["1", "2", "3"].map((name) => sha256(readFileSync(join(cwd, `${name}.hxz`))));
    expect([two, three], `seed ${SEED}`).toEqual([one, one]);
  });
});
