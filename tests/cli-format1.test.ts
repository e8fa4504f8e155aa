// Format 1 on the command line: the commands as a user runs them, on archives that the original wrote and on hostile ones.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { createMemorySource, HexzError, openArchive, verifyArchive } from "../src/core/index.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { craftedArchives, FORMAT1, keptArchives, openFormat1 } from "./support/format1.ts";
import { run, temporaryDirectory } from "./support/trees.ts";

const kept = (name: string) => fileURLToPath(new URL(`archives/${name}.hxz`, FORMAT1));
const crafted = (name: string) => fileURLToPath(new URL(`crafted/${name}.hxz`, FORMAT1));
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const known = (name: string) => keptArchives.find(({ file }) => file === `${name}.hxz`)!;

describe("inspect --json says what the original's inspect said of", () => {
  const folder = new URL("inspect/", FORMAT1);
  test.each(readdirSync(folder).filter((name) => !name.startsWith("082")))("%s", (name) => {
    const { path: _, compression, metadata: __, ...said } = JSON.parse(readFileSync(new URL(name, folder), "utf8"));
    const { code, document } = hexzJson(["inspect", kept(name.slice(0, -".json".length))]);
    expect(code).toBe(0);
    expect(document).toMatchObject(said);
    expect(document.compression).toBe(compression.toLowerCase());
  });
});

test("inspect lists the streams and the manifest's members, with what the conversion knew of them", () => {
  const { document } = hexzJson(["inspect", kept("055-convert-hdf5"), "--entries", "--blocks"]);
  expect(document.streams.map(({ name }: { name: string }) => name)).toEqual(["disk", "memory"]);
  const beta = document.entry_list.find(({ path }: { path: string }) => path === "group/inner/beta");
  expect(beta).toMatchObject({ type: "file", size: 8000, metadata: { dtype: "int64", shape: [1000] } });
  expect(document.block_list.length).toBe(document.blocks.count);
  const { code, stdout } = hexz(["inspect", kept("055-pack-zstd-dict-encrypted")]);
  expect([code, /encrypted +yes/.test(stdout)]).toEqual([0, true]);
});

test("extract restores a tree, and a stream where there is none; cat gives any of them", () => {
  const root = temporaryDirectory();
  expect(hexz(["extract", kept("082-directory-thin"), "tree", "--parent-dir", "."], { cwd: root }).code).toBe(0);
  for (const { path, sha256: digest } of known("082-directory-thin").files!) {
    expect(sha256(readFileSync(join(root, "tree", path))), path).toBe(digest);
  }
  expect(hexz(["extract", kept("055-commit-thin-of-thin"), "disk.img"], { cwd: root }).code).toBe(0);
  const { main } = known("055-commit-thin-of-thin").streams;
  expect(sha256(readFileSync(join(root, "disk.img")))).toBe(main.sha256);
  const tensors = known("070-checkpoint-2").tensors!;
  expect(hexz(["extract", kept("070-checkpoint-2"), "tensors"], { cwd: root }).code).toBe(0);
  for (const [name, { sha256: digest }] of Object.entries(tensors)) {
    expect(sha256(readFileSync(join(root, "tensors", name))), name).toBe(digest);
  }
  const range = hexz(["cat", kept("070-checkpoint-2"), "layer.weight", "--range", "4001+1000"]).bytes;
  expect(range).toEqual(readFileSync(join(root, "tensors/layer.weight")).subarray(4001, 5001));
  expect(sha256(hexz(["cat", kept("055-pack-memory-only")]).bytes)).toBe(
    known("055-pack-memory-only").streams.auxiliary.sha256,
  );
});

test("a password opens it, a wrong one is exit code 1, none 2", () => {
  const root = temporaryDirectory();
  const { password, streams } = known("082-directory-encrypted");
  writeFileSync(join(root, "password"), `${password}\n`);
  const cat = (...options: string[]) =>
    hexz(["cat", kept("082-directory-encrypted"), "disk", ...options], { cwd: root });
  const right = cat("--password-file", "password");
  expect([right.code, sha256(right.bytes)]).toEqual([0, streams.main.sha256]);
  writeFileSync(join(root, "password"), "other\n");
  const wrong = cat("--password-file", "password");
  expect([wrong.code, wrong.bytes.length]).toEqual([1, 0]);
  expect(wrong.stderr).toContain("password");
  expect(cat().code).toBe(2);
  const { code, document } = hexzJson(["check", kept("082-directory-encrypted"), "--password-file", "password"], {
    cwd: root,
  });
  expect([code, document.problems[0].code]).toEqual([1, "password_wrong"]);
});

test("check: good ones are 0 with warnings, damage is 1, a missing parent 3", () => {
  const thin = hexzJson(["check", kept("082-thin-grandchild")]);
  expect([thin.code, thin.document.ok]).toEqual([0, true]);
  expect(thin.document.warnings.map(({ code }: { code: string }) => code)).toEqual([
    "original_differs",
    "original_differs",
  ]);
  const root = temporaryDirectory();
  const alone = join(root, "alone.hxz");
  writeFileSync(alone, readFileSync(kept("082-thin-grandchild")));
  const missing = hexzJson(["check", alone]);
  expect([missing.code, missing.document.problems[0].code]).toEqual([3, "parent_missing"]);
  const damaged = hexzJson(["check", crafted("index-hash")]);
  expect([damaged.code, damaged.document.problems[0].code]).toEqual([1, "damaged"]);
});

describe("extract writes nothing outside", () => {
  const hostile = craftedArchives.filter(({ file }) => file.startsWith("manifest-")).map(({ file }) => file);
  test.each(hostile)("%s", (file) => {
    const root = temporaryDirectory();
    mkdirSync(join(root, "in/side"), { recursive: true });
    const { code, stderr } = hexz(["extract", crafted(file.slice(0, -4)), "out"], { cwd: join(root, "in/side") });
    expect([code, stderr.includes("defect")], stderr).toEqual([file === "manifest-setuid.hxz" ? 0 : 1, false]);
    const written = run("find", [".", "-type", "f", "-printf", "%P %m\n"], root).split("\n").filter(Boolean);
    expect(written.filter((line) => !line.startsWith("in/side/out/"))).toEqual([]);
    expect(written.some((line) => line.split(" ").at(-1)!.length > 3)).toBe(false);
    expect(existsSync("/tmp/hexz-escaped")).toBe(false);
  });
});

test("--base of format 1 is refused with what to do instead", () => {
  const root = temporaryDirectory();
  writeFileSync(join(root, "f"), "f");
  const { code, stderr } = hexz(["pack", "f", "f.hxz", "--base", kept("055-base")], { cwd: root });
  expect(code).toBe(2);
  expect(stderr).toContain("hexz convert hexz1");
  expect(existsSync(join(root, "f.hxz"))).toBe(false);
});

describe("verify says what a signature covers, and proves no more than that", () => {
  const key = fileURLToPath(new URL("archives/test-public.key", FORMAT1));
  const craftedKey = fileURLToPath(new URL("crafted/test-public.key", FORMAT1));

  test("a right signature is no proof of the contents: exit code 1; with --quick of what it covers: 0", () => {
    for (const name of ["055-signed", "082-signed-directory"]) {
      const whole = hexzJson(["verify", key, kept(name)]);
      expect([whole.code, whole.document.ok, whole.document.signatures.length]).toEqual([1, false, 1]);
      expect(whole.document.checked_bytes).toBe(known(name).streams.main.size);
      expect(whole.document.problems).toEqual([
        expect.objectContaining({ code: "untrusted", message: expect.stringContaining("no block, no page") }),
      ]);
      const quick = hexzJson(["verify", "--quick", key, kept(name)]);
      expect([quick.code, quick.document.ok, quick.document.problems]).toEqual([0, true, []]);
      expect(quick.document.warnings).toEqual(whole.document.problems);
    }
    expect(hexz(["verify", key, kept("055-signed")]).stderr).toContain("master index and the metadata");
    expect(hexz(["verify", craftedKey, kept("055-signed")]).stdout).toContain("not signed by every KEY");
    expect(hexz(["verify", kept("055-signed")]).stdout).toContain("no KEY was given");
    expect(hexz(["verify", key, kept("055-base")]).stdout).toContain("not signed\n");
    const quick = hexz(["verify", "--quick", key, kept("055-signed")]);
    expect(quick.stdout).toContain("nothing else was proven");
    expect(quick.stderr).toContain("no block, no page");
  });

  test("a page that was exchanged does not get through; nor anything that is required to be signed", () => {
    const forged = hexzJson(["verify", craftedKey, crafted("signed-forged-page")]);
    expect([forged.code, forged.document.ok]).toEqual([1, false]);
    const required = hexz(["cat", kept("055-signed"), "disk", "--require-signed-by", key]);
    expect([required.code, required.bytes.length]).toEqual([1, 0]);
  });

  test("every byte of the file altered: of none says verify that it is good, and --quick finds those that are covered", async () => {
    const archive = readFileSync(crafted("signed"));
    const { indexOffset, signature } = (await openFormat1("crafted", "signed.hxz")).format1!.opened.header;
    const keys = [new Uint8Array(readFileSync(craftedKey))];
    const whole = await openFormat1("crafted", "signed.hxz");
    expect((await verifyArchive(whole, { keys, quick: true })).ok).toBe(true);
    const step = 7;
    for (let at = 0; at < archive.length; at += at < indexOffset && at > 64 ? step : 1) {
      const altered = new Uint8Array(archive);
      altered[at]! ^= 0x20;
      const code = async (quick: boolean) => {
        try {
          const opened = await openArchive(createMemorySource(altered, "altered"), {});
          const { ok } = await verifyArchive(opened, { keys, quick });
          return ok;
        } catch (error) {
          expect(error).toBeInstanceOf(HexzError);
          return false;
        }
      };
      expect(await code(false), `byte ${at}`).toBe(false);
      if (at >= indexOffset && at < signature!.offset + signature!.length) {
        expect(await code(true), `byte ${at}, quick`).toBe(false);
      }
    }
  });

  test("other keys, other bytes of the master index, none", () => {
    const root = temporaryDirectory();
    const changed = readFileSync(kept("055-signed"));
    changed[known("055-signed").index_offset + 40]! ^= 1;
    writeFileSync(join(root, "changed.hxz"), changed);
    writeFileSync(join(root, "other.key"), new Uint8Array(32).fill(7));
    for (const args of [
      [key, "changed.hxz"],
      ["other.key", kept("055-signed")],
      [key, kept("055-base")],
      [kept("055-signed")],
    ]) {
      for (const quick of [[], ["--quick"]]) {
        const { code, document } = hexzJson(["verify", ...quick, ...args], { cwd: root });
        expect([code, document.ok, document.signatures], args.join(" ")).toEqual([1, false, []]);
      }
    }
  });
});

test("diff compares by digests where there are any, and says where it cannot", () => {
  const { document } = hexzJson(["diff", kept("055-base"), kept("055-commit-thin-8k")]);
  expect(document.shared).toMatchObject({ chunks: 17, via_parent: 17 });
  const same = hexz(["diff", "--exit-code", kept("082-directory"), kept("082-signed-directory")]);
  expect(same.code).toBe(0);
  const upgraded = join(temporaryDirectory(), "upgraded.hxz");
  expect(hexz(["convert", "hexz1", kept("082-directory"), upgraded]).code).toBe(0);
  // The chunks are others; zeros are zeros in both.
  const { files } = hexzJson(["diff", kept("082-directory"), upgraded]).document;
  expect([files.changed, files.added, files.removed, files.unchanged]).toEqual([[], [], [], 12]);
  expect(files.undecided.map(({ path }: { path: string }) => path)).not.toContain("data/zeros");
  const encrypted = hexzJson(["diff", kept("055-pack-lz4-encrypted"), kept("055-pack-lz4-encrypted")]).document;
  expect([encrypted.files.changed, encrypted.files.undecided.length]).toEqual([[], 1]);
  expect(encrypted.warnings.length).toBe(1);
});

test("ls draws a lineage of names: chains, branches, what is not there, circles", () => {
  const { code, document } = hexzJson(["ls", "."], { cwd: fileURLToPath(new URL("lineage/", FORMAT1)) });
  expect(code).toBe(0);
  const parents = Object.fromEntries(
    document.archives.map((one: { path: string; parents: string[] }) => [one.path, one.parents]),
  );
  expect(parents["v2.hxz"]).toEqual(["v1.hxz"]);
  expect(parents["v1-other-branch-with-a-name-longer-than-32.hxz"]).toEqual(["root.hxz"]);
  expect(parents["cycle-a.hxz"]).toEqual(["cycle-b.hxz"]);
  expect(parents["own-parent.hxz"]).toEqual([]);
  expect(document.missing_parents).toEqual([{ id: null, hint: "../055-base.hxz" }]);
  const v1 = document.archives.find(({ path }: { path: string }) => path === "v1.hxz");
  expect(v1).toMatchObject({ archive_id: null, new_chunks: 2, error: null });
});

test("flatten and rebase make archives of format 2: without parents, or with other ones", () => {
  const root = temporaryDirectory();
  const run1 = (...args: string[]) => hexzJson(args, { cwd: root });
  const { main } = known("055-commit-thin-8k").streams;
  const flat = run1("flatten", kept("055-commit-thin-8k"), "flat.hxz");
  expect([flat.code, flat.document.copied_blocks.count]).toEqual([0, 0]);
  expect(sha256(hexz(["cat", "flat.hxz", "disk"], { cwd: root }).bytes)).toBe(main.sha256);
  const thin = run1("rebase", kept("055-commit-thin-8k"), "flat.hxz", "thin.hxz");
  expect([thin.code, thin.document.chunks.unique]).toEqual([0, 0]);
  expect(sha256(hexz(["cat", "thin.hxz", "disk"], { cwd: root }).bytes)).toBe(main.sha256);
  const { document } = run1("inspect", "thin.hxz");
  expect([document.version, document.parents.length, document.compression]).toEqual([2, 1, "lz4"]);
  // its copy would be for everybody
  const encrypted = run1("flatten", kept("055-pack-lz4-encrypted"), "plain.hxz");
  expect([encrypted.code, existsSync(join(root, "plain.hxz"))]).toEqual([2, false]);
  const alone = join(root, "alone.hxz");
  writeFileSync(alone, readFileSync(kept("082-thin-grandchild")));
  expect([run1("flatten", alone, "none.hxz").code, existsSync(join(root, "none.hxz"))]).toEqual([3, false]);
  for (const [command, ...rest] of [
    ["sign", fileURLToPath(new URL("archives/test-private.key", FORMAT1))],
    ["keys", "list"],
  ]) {
    const { code, stderr } = hexz([command!, ...rest, kept("055-base")], { cwd: root });
    expect([code !== 0, stderr], command).toEqual([true, expect.stringContaining("hexz convert hexz1")]);
  }
});

test("overlay compares with a base of format 1", () => {
  const root = temporaryDirectory();
  writeFileSync(join(root, "vm.overlay"), new Uint8Array(8192).fill(1));
  writeFileSync(join(root, "vm.meta"), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
  const { code, document } = hexzJson(["overlay", "vm.overlay", "--base", kept("055-base")], { cwd: root });
  expect([code, document.modified_blocks, document.ranges]).toEqual([0, 1, [[4096, 8192]]]);
});
