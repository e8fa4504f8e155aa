// `convert tar` and back: tars of GNU tar, bsdtar and Python in every format, compressed or not, and what becomes of
// their members.

import { execFileSync } from "node:child_process";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkArchive, type Entry } from "../src/core/index.ts";
import { openArchiveFile } from "../src/node/archive.ts";
import { convert } from "../src/node/convert/convert.ts";
import { original } from "../src/node/convert/original.ts";
import { entriesOf, expectBytes } from "./support/archives.ts";
import { hexz, hexzJson, shell } from "./support/cli.ts";
import { randomBytes, randomFrom, text } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

/** A directory `tree` with files of all kinds; long names, holes, hard links. */
function place(): string {
  const cwd = temporaryDirectory();
  const tree = join(cwd, "tree");
  const random = randomFrom(4);
  const long = `${"long-".repeat(24)}name`;
  mkdirSync(join(tree, long, long), { recursive: true });
  mkdirSync(join(tree, "empty"));
  writeFileSync(join(tree, "a.txt"), text(3000, random));
  writeFileSync(join(tree, "nothing"), "");
  writeFileSync(join(tree, "block"), randomBytes(512, random));
  writeFileSync(join(tree, "large"), randomBytes(700_001, random));
  writeFileSync(join(tree, long, long, "é"), "text\n");
  writeFileSync(join(tree, "sparse"), "begin");
  truncateSync(join(tree, "sparse"), 1_000_000);
  writeFileSync(join(tree, "sparse"), "middle", { flag: "a" });
  truncateSync(join(tree, "sparse"), 2_000_000);
  linkSync(join(tree, "large"), join(tree, "empty", "link-to-large"));
  symlinkSync(`${long}/${long}/é`, join(tree, "symlink"));
  symlinkSync("x".repeat(200), join(tree, "long-symlink"));
  for (const name of ["a.txt", "large"]) utimesSync(join(tree, name), 1_700_000_000, 1_700_000_000.123456);
  return cwd;
}

const PYTHON = (format: string) =>
  `python3 -c "import tarfile; t = tarfile.open('x.tar', 'w', format=tarfile.${format}_FORMAT); t.add('tree'); t.close()"`;

/** How the tar is made, by what makes it. */
const MAKERS: Record<string, string> = {
  "GNU tar, gnu": "tar --format=gnu -cf x.tar tree",
  "GNU tar, oldgnu": "tar --format=oldgnu -cf x.tar tree",
  "GNU tar, pax": "tar --format=pax -cf x.tar tree",
  "GNU tar, sorted, ./": "tar --sort=name -cf x.tar -C tree .",
  "GNU tar, sparse old": "tar -S --format=gnu -cf x.tar tree",
  "GNU tar, sparse 0.0": "tar -S --format=pax --sparse-version=0.0 -cf x.tar tree",
  "GNU tar, sparse 0.1": "tar -S --format=pax --sparse-version=0.1 -cf x.tar tree",
  "GNU tar, sparse 1.0": "tar -S --format=pax --sparse-version=1.0 -cf x.tar tree",
  "bsdtar, pax": "bsdtar --format=pax -cf x.tar tree",
  "bsdtar, gnutar": "bsdtar --format=gnutar -cf x.tar tree",
  "Python, GNU": PYTHON("GNU"),
  "Python, PAX": PYTHON("PAX"),
};

const MAKE_TAR = fileURLToPath(new URL("support/make-tar.go", import.meta.url));
const hasGo = shell("command -v go", "/").code === 0;
if (!hasGo) process.stderr.write("skipped: tars of Go: there is no go here\n");
const hasBsdtar = shell("command -v bsdtar", "/").code === 0;
if (!hasBsdtar) process.stderr.write("skipped: tars of bsdtar: there is no bsdtar here\n");

/** Converts in this process, as the command does. */
async function convertTar(cwd: string, input: string, output: string) {
  const [from, to] = [join(cwd, input), join(cwd, output)];
  return convert({ format: "auto", inputs: [from], output: to, workers: 1, engine: "wasm" });
}

async function originalOf(cwd: string, archive: string): Promise<Buffer> {
  const opened = await openArchiveFile(join(cwd, archive), { workers: 1 });
  const path = join(cwd, "again");
  await original.write(opened, path, { force: true, warn: () => {} });
  await opened.close();
  return readFileSync(path);
}

/** The tar comes back from its archive, which is good, and whose entries are what is in the tree. */
async function expectConverted(cwd: string, tar: string): Promise<Map<string, Entry>> {
  const output = `${tar}.hxz`;
  expect((await convertTar(cwd, tar, output)).warnings).toEqual([]);
  expectBytes(await originalOf(cwd, output), readFileSync(join(cwd, tar)), tar);
  const archive = await openArchiveFile(join(cwd, output), { workers: 1 });
  expect((await checkArchive(archive)).problems).toEqual([]);
  const entries = new Map((await entriesOf(archive)).map((entry) => [entry.path.replace(/^tree\/?/, ""), entry]));
  for (const [name, entry] of entries) {
    const path = Buffer.from(`${cwd}/tree/${name}`, "latin1");
    const stat = lstatSync(path);
    const type = stat.isDirectory() ? "directory" : stat.isSymbolicLink() ? "symlink" : "file";
    expect([name, entry.type]).toEqual([name, type]);
    if (type === "file") expectBytes(await archive.fileOf(entry).read(), readFileSync(path), name);
    if (type === "symlink") expect(entry.target).toBe(readlinkSync(path, "latin1"));
  }
  await archive.close();
  return entries;
}

describe("convert tar and --to original", () => {
  const makers = Object.entries(MAKERS).filter(([maker]) => hasBsdtar || !maker.startsWith("bsdtar"));
  test.each(makers)("%s: the tree, and the tar byte for byte", async (_, command) => {
    const cwd = place();
    execFileSync("sh", ["-c", command], { cwd });
    const entries = await expectConverted(cwd, "x.tar");
    const found = readdirSync(join(cwd, "tree"), { recursive: true, encoding: "utf8" });
    const bytes = found.map((name) => Buffer.from(name).toString("latin1"));
    expect(bytes.filter((name) => !entries.has(name))).toEqual([]);
    // Hard links are one file; what was known of owner and time is kept.
    expect(entries.get("large")!.mtime!.seconds).toBe(1_700_000_000);
    expect([entries.get("large")!.hardLink, entries.get("empty/link-to-large")!.hardLink]).toEqual([
      undefined,
      entries.get("large")!.path,
    ]);
    expect(entries.get("a.txt")?.mode).toBe(0o644);
    const hasNames = { userName: "root", groupName: "root" };
    if (process.getuid?.() === 0) expect(entries.get("a.txt")).toMatchObject({ uid: 0, gid: 0, ...hasNames });
  });

  test.skipIf(!hasGo)("Go's archive/tar, all formats", async () => {
    const cwd = place();
    execFileSync("sh", ["-c", `go run "$0"`, MAKE_TAR], {
      cwd,
      env: { ...process.env, GO111MODULE: "off", GOFLAGS: "" },
    });
    const counts: number[] = [];
    for (const format of ["ustar", "pax", "gnu"]) counts.push((await expectConverted(cwd, `${format}.tar`)).size);
    expect(counts[1]).toBe(counts[2]);
    expect(counts[0]).toBeGreaterThan(5);
  });

  test.each(["gz", "bz2", "xz", "zst"])("compressed with %s, from a file and from a pipe", async (ending) => {
    const program = { gz: "gzip", bz2: "bzip2", xz: "xz", zst: "zstd" }[ending]!;
    const cwd = place();
    // Two streams, one behind the other, are one content.
    execFileSync("sh", ["-c", "tar -cf x.tar tree && split -n 2 x.tar part."], { cwd });
    execFileSync("sh", ["-c", `for p in part.*; do ${program} -c < $p; done > x.tar.${ending}`], { cwd });
    await convertTar(cwd, `x.tar.${ending}`, "1.hxz");
    expectBytes(await originalOf(cwd, "1.hxz"), readFileSync(join(cwd, "x.tar")), "the tar");
    const piped = `cat x.tar.${ending} | hexz convert tar - 2.hxz --engine wasm && hexz convert --to original 2.hxz - | cmp - x.tar`;
    expect(shell(piped, cwd)).toMatchObject({ code: 0 });
    const bytes = readFileSync(join(cwd, `x.tar.${ending}`));
    writeFileSync(join(cwd, "cut"), bytes.subarray(0, 300_000));
    await expect(convertTar(cwd, "cut", "cut.hxz")).rejects.toMatchObject({ code: "truncated" });
    writeFileSync(join(cwd, "bad"), bytes.fill(0x55, 100_000, 100_400));
    await expect(convertTar(cwd, "bad", "bad.hxz")).rejects.toMatchObject({ code: "damaged" });
    expect(
      readdirSync(cwd)
        .filter((name) => name.endsWith("hxz"))
        .sort(),
    ).toEqual(["1.hxz", "2.hxz"]);
  });

  test("a file of a tar is the same chunks as the file of a directory", () => {
    const cwd = place();
    execFileSync("sh", ["-c", "tar -cf x.tar tree"], { cwd });
    const make = (args: string[]) => hexzJson(args, { cwd }).document.chunks;
    make(["pack", "tree", "tree.hxz"]);
    make(["convert", "tar", "x.tar", "tar.hxz"]);
    const tarOnTree = make(["convert", "tar", "x.tar", "1.hxz", "--base", "tree.hxz"]);
    const treeOnTar = make(["pack", "tree", "2.hxz", "--base", "tar.hxz"]);
    // Only the list of pieces is new.
    expect(tarOnTree).toMatchObject({ unique: 1 });
    expect(tarOnTree.unique_bytes).toBeLessThan(3000);
    expect(treeOnTar).toMatchObject({ unique: 0, unique_bytes: 0 });
    expect(hexz(["convert", "--to", "original", "1.hxz", "again.tar"], { cwd }).code).toBe(0);
    expect(shell("cmp x.tar again.tar", cwd).code).toBe(0);
    // Copies keep the container.
    expect(hexz(["flatten", "1.hxz", "flat.hxz"], { cwd }).code).toBe(0);
    expect(shell("hexz convert --to original flat.hxz - | cmp - x.tar", cwd).code).toBe(0);
  });

  test("an archive of a directory has no original, an unknown container is named", () => {
    const cwd = place();
    hexz(["pack", "tree", "tree.hxz"], { cwd });
    expect(hexzJson(["convert", "--to", "original", "tree.hxz", "x"], { cwd })).toMatchObject({
      code: 2,
      document: { error: { code: "usage" } },
    });
    execFileSync("sh", ["-c", "tar -cf x.tar tree"], { cwd });
    hexz(["convert", "tar", "x.tar", "x.hxz"], { cwd });
    expect(hexzJson(["convert", "--to", "original", "x.hxz", "y", "--path", "z.tar"], { cwd })).toMatchObject({
      code: 1,
      document: { error: { code: "no_such_path", hint: "there are: x.tar" } },
    });
  });
});

describe("what pax records say", () => {
  /** An archive of one member that Python writes with these records. */
  async function entryWith(records: Record<string, string>): Promise<{ entry: Entry; metadata: unknown }> {
    const cwd = temporaryDirectory();
    const script = `
import tarfile, json, sys
t = tarfile.open("x.tar", "w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "of all"})
i = tarfile.TarInfo("file")
i.pax_headers = json.loads(sys.argv[1])
t.addfile(i)
t.close()`;
    execFileSync("python3", ["-c", script, JSON.stringify(records)], { cwd });
    await convertTar(cwd, "x.tar", "x.hxz");
    const archive = await openArchiveFile(join(cwd, "x.hxz"));
    const [, entry] = await entriesOf(archive);
    const metadata = await archive.metadata();
    await archive.close();
    return { entry: entry!, metadata };
  }

  test("fields are taken, times to the nanosecond, also before 1970", async () => {
    const { entry } = await entryWith({ mtime: "-1.25", uid: "5000000000", uname: "ünï", gname: "g" });
    expect(entry).toMatchObject({ mtime: { seconds: -2, nanoseconds: 750_000_000 }, uid: 5_000_000_000 });
    expect(Buffer.from(entry.userName!, "latin1").toString()).toBe("ünï");
  });

  test("attributes become attributes", async () => {
    const { entry } = await entryWith({ "SCHILY.xattr.user.a": "x=y\nz", "LIBARCHIVE.xattr.user.b%20c": "AAEC" });
    expect(entry.xattrs).toEqual([
      { name: "user.a", value: new TextEncoder().encode("x=y\nz") },
      { name: "user.b c", value: Uint8Array.of(0, 1, 2) },
    ]);
    expect(entry.metadata).toBeUndefined();
  });

  test("everything else is kept as metadata, of all members with the container", async () => {
    const records = { "SCHILY.acl.access": "user::rwx,user:ada:r--", "VENDOR.thing": "täg", atime: "5.5" };
    const { entry, metadata } = await entryWith(records);
    expect(entry.metadata).toEqual({ pax: records });
    expect(metadata).toMatchObject({
      containers: [{ format: "tar", name: "x.tar", metadata: { pax: { comment: "of all" } } }],
    });
  });
});
