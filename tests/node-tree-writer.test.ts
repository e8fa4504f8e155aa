// TreeWriter on real file systems: all metadata by walk and back, compared by the system's tools; and what it refuses.

import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { HexzError, Warning } from "../src/core/errors.ts";
import type { Entry } from "../src/core/format/entry.ts";
import type { ByteString } from "../src/core/format/path.ts";
import { abortAll } from "../src/node/abort.ts";
import { TreeWriter } from "../src/node/tree-writer.ts";
import { copyTree, entryOf, isRoot, possible, restore, run, temporaryDirectory, walkAll } from "./support/trees.ts";

/** The code of the HexzError that `attempt` throws, or "done". */
function codeOf(attempt: () => void): string {
  try {
    attempt();
    return "done";
  } catch (error) {
    return (error as HexzError).code ?? String(error);
  }
}

/** One of everything that this machine lets a user create. */
function makeEverything(root: string): void {
  const at = (name: string) => join(root, name);
  for (const name of ["empty directory", "d/e/f", "closed"]) mkdirSync(at(name), { recursive: true });
  writeFileSync(at("empty"), "");
  writeFileSync(at("d/file"), "content\n".repeat(5000));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x0a, 0xe9, 0x5c])]), "not UTF-8");
  writeFileSync(at("closed/inside"), "in a directory without write permission");
  linkSync(at("d/file"), at("another name"));
  linkSync(at("d/file"), at("d/e/third"));
  symlinkSync(Buffer.from([0x2f, 0xff, 0x2e, 0x2e]), at("d/link"));
  symlinkSync("missing/../target", at("dangling"));
  run(
    "sh",
    [
      "-c",
      "printf x | dd of=sparse bs=1 seek=3000000 conv=notrunc; printf y | dd of=sparse bs=1 seek=70001 conv=notrunc",
    ],
    root,
  );
  truncateSync(at("sparse"), 10_000_001);
  run("mkfifo", ["-m", "640", at("fifo")]);
  run("touch", ["-d", "1969-12-31 23:59:58.123456789 UTC", at("empty")]);
  run("touch", ["-d", "1901-01-01 00:00:00.000000001 UTC", at("d/e")]);
  run("touch", ["-h", "-d", "2099-05-05 05:05:05.999999999 UTC", at("dangling")]);
  run("touch", ["-d", "2001-01-01 01:01:01.1 UTC", at("fifo")]);
  possible("user attributes", () => {
    run("setfattr", ["-n", "user.binary", "-v", "0x00ff0a", at("d/file")]);
    run("setfattr", ["-n", "user.empty", at("d")]);
    run("setfattr", ["-n", "user.big", "-v", "b".repeat(900), at("closed/inside")]);
  });
  possible("access lists", () => {
    run("setfacl", ["-m", "u:12345:rwx,g:54321:r", at("closed/inside")]);
    run("setfacl", ["-d", "-m", "u:12345:rx", at("empty directory")]);
  });
  if (isRoot()) {
    run("chown", ["1234:4321", at("d/file")]);
    run("chown", ["-h", "77:88", at("d/link")]);
    run("chown", ["daemon:mail", at("d/e/f")]);
    possible("device nodes", () => {
      run("mknod", [at("char"), "c", "4095", "1048575"]);
      run("mknod", ["-m", "604", at("block"), "b", "7", "300"]);
    });
    possible("attributes of the system", () => {
      run("setfattr", ["-h", "-n", "trusted.link", "-v", "t", at("dangling")]);
      const capability = "0x0100000200200000000000000000000000000000";
      run("setfattr", ["-n", "security.capability", "-v", capability, at("d/file")]);
    });
  } else process.stderr.write("skipped: owners, devices and attributes of the system: not root\n");
  run("chmod", ["4755", at("empty")]);
  run("chmod", ["1777", at("empty directory")]);
  run("chmod", ["3555", at("closed")]);
}

/** What the tools of the system say about a tree. */
function described(root: string): string {
  const found = run("find", [".", "!", "-type", "d", "-printf", "%P|%y|%m|%U|%G|%T@|%s|%l|%n\\0"], root);
  const directories = run("find", [".", "-type", "d", "-printf", "%P|%y|%m|%U|%G|%T@\\0"], root);
  const lines = [...found.split("\0"), ...directories.split("\0")].sort();
  const attributes = run("sh", ["-c", "find . -print0 | sort -z | xargs -0 getfattr -h -d -m- -e hex --"], root);
  const nodes = run("sh", ["-c", "stat -c '%n %t %T %F' char block fifo 2>/dev/null || true"], root);
  return [...lines, attributes, nodes].join("\n");
}

test("TreeWriter restores everything that walk() found", async () => {
  const root = temporaryDirectory();
  const [from, to] = [join(root, "from"), join(root, "to")];
  mkdirSync(from, { mode: 0o750 });
  makeEverything(from);
  const warnings = await copyTree(from, to, { devices: true, preserveSetuid: true });
  expect(warnings).toEqual([]);
  expect(described(to)).toBe(described(from));
  expect(run("diff", ["-r", "--no-dereference", "--exclude=char", "--exclude=block", "--exclude=fifo", from, to])).toBe(
    "",
  );
  const entries = (tree: string) => walkAll(tree).items.map(({ entry }) => entry);
  expect(entries(to)).toEqual(entries(from));
  // holes stay holes: 3 pages of data in 10 MB, at most a block more
  expect(statSync(join(to, "sparse")).blocks).toBeLessThanOrEqual(statSync(join(from, "sparse")).blocks + 16);
  expect(statSync(join(from, "sparse")).blocks).toBeLessThan(1000);
});

test("TreeWriter goes as deep as walk(), with few descriptors, and sets the metadata of every level", async () => {
  const root = temporaryDirectory();
  const [from, to] = [join(root, "from"), join(root, "to")];
  mkdirSync(from);
  const script = `import os,sys
os.chdir(sys.argv[1])
for i in range(600):
    os.mkdir("level%d" % i); os.chdir("level%d" % i)
open("deepest", "w").write("x")
for i in range(600):
    os.chdir(".."); os.utime("level%d" % (599 - i), ns=(1, 599 - i))`;
  if (!possible("making a deep tree", () => run("python3", ["-c", script, from]))) return;
  const before = readdirSync("/proc/self/fd").length;
  expect(await copyTree(from, to)).toEqual([]);
  expect(readdirSync("/proc/self/fd")).toHaveLength(before);
  const entries = (tree: string) => walkAll(tree).items.map(({ entry }) => entry);
  const restored = entries(to);
  expect(restored).toHaveLength(602);
  expect(restored).toEqual(entries(from));
}, 60_000);

test("TreeWriter never follows a symlink below the destination", () => {
  const root = temporaryDirectory();
  const [sentinel, to] = [join(root, "sentinel"), join(root, "to")];
  mkdirSync(join(sentinel, "sub"), { recursive: true });
  writeFileSync(join(sentinel, "file"), "untouched");
  const before = described(sentinel);
  const writer = new TreeWriter(to);
  restore(writer, entryOf("symlink", "out", { target: sentinel as ByteString }));
  restore(writer, entryOf("file", "plain"), "x");
  const bent = ["out/new", "out/file", "out/sub/new", "plain/new"];
  for (const path of bent) {
    for (const type of ["file", "directory", "symlink", "fifo"] as const) {
      expect(codeOf(() => restore(writer, entryOf(type, path, { mode: 0o777 })))).toBe("unsafe_path");
    }
  }
  const link = (path: string, hardLink: string) =>
    codeOf(() => writer.hardLink(entryOf("file", path, { hardLink: hardLink as ByteString })));
  expect(link("h1", "out/file")).toBe("unsafe_path");
  expect(link("out/h2", "plain")).toBe("unsafe_path");
  expect(link("h3", "out")).toBe("unsafe_path");
  expect(link("h4", "../sentinel/file")).toBe("unsafe_path");
  expect(link("h5", "missing")).toBe("not_found");
  // the same symlink as a directory entry: not taken for one, and its target keeps its metadata
  expect(codeOf(() => restore(writer, entryOf("directory", "out", { mode: 0o777 })))).toBe("collision");
  writer.finish();
  expect(described(sentinel)).toBe(before);
  expect(readdirSync(to).sort()).toEqual(["out", "plain"]);
});

test("TreeWriter stays out when a directory is swapped for a symlink between two entries", () => {
  const root = temporaryDirectory();
  const [sentinel, to] = [join(root, "sentinel"), join(root, "to")];
  mkdirSync(join(sentinel, "b"), { recursive: true });
  writeFileSync(join(sentinel, "b/kept"), "untouched");
  const before = described(sentinel);
  const warnings: Warning[] = [];
  const writer = new TreeWriter(to, { onWarning: (warning) => warnings.push(warning) });
  const results: string[] = [];
  restore(writer, entryOf("directory", "a", { mode: 0o700 }));
  restore(writer, entryOf("directory", "a/b", { mode: 0o711, mtime: { seconds: 1, nanoseconds: 0 } }));
  restore(writer, entryOf("file", "a/b/one"), "1");
  const pending = writer.file(entryOf("file", "a/b/pending"));
  renameSync(join(to, "a"), join(to, "moved"));
  symlinkSync(sentinel, join(to, "a"));
  // the open directory is written on: where it is now, never where the symlink points
  results.push(codeOf(() => restore(writer, entryOf("file", "a/b/two"), "2")));
  pending.write(Buffer.from("p"), 0);
  results.push(codeOf(() => pending.finish()));
  restore(writer, entryOf("file", "elsewhere"), "3");
  results.push(codeOf(() => restore(writer, entryOf("file", "a/b/three"), "3")));
  results.push(codeOf(() => restore(writer, entryOf("file", "a/four"), "4")));
  results.push(codeOf(() => restore(writer, entryOf("symlink", "a/five", { target: "x" as ByteString }))));
  writer.finish();
  expect(described(sentinel)).toBe(before);
  expect(results.slice(1)).toEqual(["done", "unsafe_path", "unsafe_path", "unsafe_path"]);
  expect(warnings.map(({ code }) => code)).toContain("unsafe_path");
  expect(readdirSync(join(to, "moved/b")).sort()).toContain("pending");
});

test("TreeWriter refuses names that are no names", () => {
  const root = temporaryDirectory();
  const writer = new TreeWriter(join(root, "to"));
  const hostile = ["../x", "/etc/x", "a/../../x", "..", ".", "a//x", "a/", "./x", "x\0y", "a/./b", ""];
  for (const path of hostile) {
    for (const type of ["file", "symlink", "fifo"] as const) {
      expect([path, codeOf(() => restore(writer, entryOf(type, path)))]).toEqual([path, "unsafe_path"]);
    }
    if (path !== "") expect(codeOf(() => writer.directory(entryOf("directory", path)))).toBe("unsafe_path");
  }
  writer.finish();
  expect(readdirSync(root)).toEqual(["to"]);
});

test("TreeWriter refuses what is there already and leaves it alone; directories are merged", () => {
  const to = temporaryDirectory();
  mkdirSync(join(to, "d"));
  writeFileSync(join(to, "d/old"), "old");
  run("chmod", ["701", to]);
  const writer = new TreeWriter(to);
  restore(writer, entryOf("directory", "", { mode: 0o755 }));
  restore(writer, entryOf("directory", "d", { mode: 0o750 }));
  const target = "x" as ByteString;
  for (const type of ["file", "symlink", "fifo", "directory"] as const) {
    expect(codeOf(() => writer.check(entryOf(type, "d/old")))).toBe("collision");
    expect(codeOf(() => restore(writer, entryOf(type, "d/old", { target }), "new"))).toBe("collision");
  }
  expect(codeOf(() => writer.check(entryOf("directory", "d")))).toBe("done");
  expect(codeOf(() => writer.check(entryOf("file", "d/new")))).toBe("done");
  expect(codeOf(() => writer.check(entryOf("file", "none/new")))).toBe("done");
  // it appears while the file is written
  const output = writer.file(entryOf("file", "late"));
  output.write(Buffer.from("new"), 0);
  writeFileSync(join(to, "late"), "first");
  expect(codeOf(() => output.finish())).toBe("collision");
  writer.finish();
  expect(readFileSync(join(to, "d/old"), "latin1")).toBe("old");
  expect(readFileSync(join(to, "late"), "latin1")).toBe("first");
  expect(readdirSync(to).sort()).toEqual(["d", "late"]);
  expect(readdirSync(join(to, "d"))).toEqual(["old"]);
  expect([statSync(to).mode & 0o7777, statSync(join(to, "d")).mode & 0o7777]).toEqual([0o701, 0o750]);
});

test("TreeWriter shows a file only when it is finished, and abortAll() leaves no temporary", () => {
  const to = join(temporaryDirectory(), "to");
  const writer = new TreeWriter(to);
  const output = writer.file(entryOf("file", "a/b", { mode: 0o644 }));
  output.write(Buffer.from("half"), 0);
  expect(existsSync(join(to, "a/b"))).toBe(false);
  expect(readdirSync(join(to, "a"))).toHaveLength(1);
  abortAll();
  expect(readdirSync(join(to, "a"))).toEqual([]);
  expect(codeOf(() => output.write(Buffer.from("more"), 4))).toBe("io");
});

test("a file with content missing is an error, and leaves nothing", () => {
  const to = join(temporaryDirectory(), "to");
  const writer = new TreeWriter(to);
  const output = writer.file(entryOf("file", "short", { size: 10 }));
  output.write(Buffer.from("12345"), 0);
  expect(codeOf(() => output.finish())).toBe("io");
  writer.finish();
  expect(readdirSync(to)).toEqual([]);
});

test("writeZeros() leaves holes, or writes zeros with sparse: never; the length is exact", () => {
  const root = temporaryDirectory();
  const blocks = (["auto", "never"] as const).map((sparse) => {
    const to = join(root, sparse);
    const writer = new TreeWriter(to, { sparse });
    const output = writer.file(entryOf("file", "f", { size: 1_000_003 }));
    output.writeZeros(500_001, 500_002);
    output.write(Buffer.from("x"), 500_001);
    output.writeZeros(500_001, 0);
    output.finish();
    writer.finish();
    const content = readFileSync(join(to, "f"));
    expect(content).toHaveLength(1_000_003);
    expect([content.indexOf("x"), content.filter((byte) => byte !== 0).length]).toEqual([500_001, 1]);
    return statSync(join(to, "f")).blocks;
  });
  expect(blocks[1]! * 512).toBeGreaterThanOrEqual(1_000_003);
  expect(blocks[0]! * 512).toBeLessThan(100_000);
});

test("a sparse file gets its holes back from zeros inside ordinary data, at any position", () => {
  const to = join(temporaryDirectory(), "to");
  const writer = new TreeWriter(to);
  const expected = Buffer.alloc(300_000);
  for (const at of [0, 8191, 8192, 100_000, 299_998]) expected[at] = 7;
  const output = writer.file(entryOf("file", "f", { size: expected.length, sparse: true }));
  for (let at = 0; at < expected.length; at += 7777) output.write(expected.subarray(at, at + 7777), at);
  output.finish();
  writer.finish();
  expect(readFileSync(join(to, "f")).equals(expected)).toBe(true);
  expect(statSync(join(to, "f")).blocks * 512).toBeLessThan(100_000);
});

test("devices are refused without `devices`, each named; setuid needs preserveSetuid or the owner", () => {
  const to = join(temporaryDirectory(), "to");
  const warnings: Warning[] = [];
  const writer = new TreeWriter(to, { owner: false, onWarning: (warning) => warnings.push(warning) });
  const device = { major: 1, minor: 3 };
  restore(writer, entryOf("char", "null", { device }));
  restore(writer, entryOf("block", "disk", { device }));
  for (const path of ["s1", "s2", "s3"]) restore(writer, entryOf("file", path, { mode: 0o6755, uid: 12, gid: 13 }));
  writer.finish();
  expect(warnings.map(({ path, code }) => [path, code])).toEqual([
    ["null", "device_refused"],
    ["disk", "device_refused"],
    ["s1", "permission"],
  ]);
  expect(warnings[2]?.message).toContain("2 more");
  expect(readdirSync(to).sort()).toEqual(["s1", "s2", "s3"]);
  expect(statSync(join(to, "s1")).mode & 0o7777).toBe(0o755);
});

test.skipIf(!isRoot())(
  "without root the owner is named once, and read-only directories are filled all the same",
  () => {
    const root = temporaryDirectory();
    run("chmod", ["777", root]);
    process.setegid!(65534);
    process.seteuid!(65534);
    onTestFinished(() => {
      process.seteuid!(0);
      process.setegid!(0);
    });
    const warnings: Warning[] = [];
    const writer = new TreeWriter(join(root, "to"), { onWarning: (warning) => warnings.push(warning) });
    const owner = { uid: 0, gid: 0 };
    restore(writer, entryOf("directory", "d", { mode: 0o555, ...owner, mtime: { seconds: 5, nanoseconds: 6 } }));
    restore(writer, entryOf("directory", "d/e", { mode: 0o1000, ...owner }));
    const xattrs = [{ name: "user.a" as ByteString, value: Buffer.from("v") }];
    restore(writer, entryOf("file", "d/f", { mode: 0o400, ...owner, xattrs }), "x");
    restore(writer, entryOf("file", "d/e/g", { mode: 0, ...owner }), "y");
    // after this nobody gets to what is below: it has to come first
    restore(writer, entryOf("directory", "shut", { mode: 0 }));
    restore(writer, entryOf("directory", "shut/inner", { mode: 0o711 }));
    writer.finish();
    process.seteuid!(0);
    expect(statSync(join(root, "to/d")).mode & 0o7777).toBe(0o555);
    expect(statSync(join(root, "to/shut/inner")).mode & 0o7777).toBe(0o711);
    expect(statSync(join(root, "to/d/e")).mode & 0o7777).toBe(0);
    expect(statSync(join(root, "to/d"), { bigint: true }).mtimeNs).toBe(5_000_000_006n);
    expect(run("getfattr", ["-d", "--absolute-names", join(root, "to/d/f")])).toContain('user.a="v"');
    expect(warnings.map(({ code }) => code)).toEqual(["permission", "permission"]);
    expect(warnings[0]?.message).toContain("owner");
    expect(warnings[0]?.message).toContain("3 more");
  },
);

test("owners are restored by name, or by number with numericOwner", (context) => {
  if (!isRoot()) context.skip("not root");
  const root = temporaryDirectory();
  const ids = [false, true].map((numericOwner) => {
    const to = join(root, String(numericOwner));
    const writer = new TreeWriter(to, { numericOwner });
    const names = { userName: "daemon" as ByteString, groupName: "no such group" as ByteString };
    restore(writer, entryOf("file", "f", { uid: 4000, gid: 5000, ...names }));
    writer.finish();
    const { uid, gid } = statSync(join(to, "f"));
    return [uid, gid];
  });
  expect(ids).toEqual([
    [Number(run("id", ["-u", "daemon"])), 5000],
    [4000, 5000],
  ]);
});

test("a full disk is no_space and leaves no temporary", (context) => {
  if (!isRoot()) context.skip("not root: no small file system");
  const mount = temporaryDirectory();
  if (!possible("mounting tmpfs", () => run("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", mount]))) return;
  onTestFinished(() => void execFileSync("umount", [mount]));
  const writer = new TreeWriter(join(mount, "to"));
  const output = writer.file(entryOf("file", "big"));
  expect(codeOf(() => output.write(new Uint8Array(1 << 20).fill(1), 0))).toBe("no_space");
  writer.abort();
  expect(readdirSync(join(mount, "to"))).toEqual([]);
});

test("entries come in any order: metadata of directories is last, missing parents are made", () => {
  const to = join(temporaryDirectory(), "to");
  const writer = new TreeWriter(to);
  const mtime = { seconds: 1000, nanoseconds: 1 };
  const entries: Entry[] = [
    entryOf("file", "x/y/z", { mtime }),
    entryOf("directory", "x/y", { mode: 0o500, mtime }),
    entryOf("file", "x/y/w"),
    entryOf("directory", "x", { mode: 0o700, mtime }),
    entryOf("directory", "", { mode: 0o711, mtime }),
  ];
  for (const entry of entries) restore(writer, entry);
  writer.finish();
  for (const [path, mode] of [
    ["", 0o711],
    ["x", 0o700],
    ["x/y", 0o500],
  ] as const) {
    const stat = statSync(join(to, path), { bigint: true });
    expect([path, Number(stat.mode) & 0o7777, stat.mtimeNs]).toEqual([path, mode, 1_000_000_000_001n]);
  }
});
