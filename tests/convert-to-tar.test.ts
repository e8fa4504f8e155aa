// `convert --to tar`: a tar of an archive of a directory, as GNU tar, bsdtar and Python extract it.

import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { byteStringFromText, type Entry } from "../src/core/index.ts";
import { encodeMember, tarEndLength } from "../src/core/tar/encode.ts";
import { entryOfMember } from "../src/core/tar/member.ts";
import { TarParser } from "../src/core/tar/parser.ts";
import { hexz, shell } from "./support/cli.ts";
import { randomBytes, randomFrom, text } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

/** A directory `tree` with names, times and types that ustar cannot say. */
function place(): string {
  const cwd = temporaryDirectory();
  const tree = join(cwd, "tree");
  const random = randomFrom(4);
  const long = join(tree, "d".repeat(120), "e".repeat(200));
  mkdirSync(long, { recursive: true });
  mkdirSync(join(tree, "empty"), { mode: 0o1777 });
  writeFileSync(join(long, "n".repeat(250)), text(600, random));
  writeFileSync(join(tree, "é"), randomBytes(70_000, random));
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/not-utf8-`), Buffer.of(0xff)]), "x");
  writeFileSync(join(tree, "zeros"), new Uint8Array(300_000));
  writeFileSync(join(tree, "nothing"), "");
  linkSync(join(tree, "é"), join(tree, "other-name"));
  symlinkSync("t".repeat(300), join(tree, "symlink"));
  utimesSync(join(tree, "é"), 5_000_000_000, 5_000_000_000.25);
  // In the archive the first name comes first, in a tar the other one.
  mkdirSync(join(tree, "sub/deeper"), { recursive: true });
  writeFileSync(join(tree, "sub/deeper/z"), "linked\n");
  mkdirSync(join(tree, "sub/x"));
  linkSync(join(tree, "sub/deeper/z"), join(tree, "sub/x/a"));
  linkSync(join(tree, "sub/deeper/z"), join(tree, "zz"));
  for (const name of ["sub/deeper", "sub/x", "sub", "empty", "d".repeat(120)]) utimesSync(join(tree, name), 1e9, 1e9);
  execFileSync("sh", ["-c", "mkfifo tree/fifo"], { cwd });
  expect(hexz(["pack", "tree", "tree.hxz"], { cwd }).code).toBe(0);
  expect(hexz(["convert", "--to", "tar", "tree.hxz", "x.tar"], { cwd }).code).toBe(0);
  return cwd;
}

const EXTRACT: Record<string, string> = {
  "GNU tar": "tar -xpf x.tar -C out",
  bsdtar: "bsdtar -xpf x.tar -C out",
  Python: `python3 -c "import tarfile; tarfile.open('x.tar').extractall('out')"`,
};
const hasBsdtar = shell("command -v bsdtar", "/").code === 0;
if (!hasBsdtar) process.stderr.write("skipped: tars read by bsdtar: there is no bsdtar here\n");

/** Types, modes, times in seconds, sizes, link counts and targets. */
const LIST = (folder: string) =>
  `(cd ${folder} && find . -mindepth 1 ! -type l -printf '%p %y %m %Ts %n\\n' -o -printf '%p %l\\n'; find . -type f -printf '%p %s\\n') | LC_ALL=C sort`;

describe("--to tar", () => {
  const readers = Object.entries(EXTRACT).filter(([reader]) => hasBsdtar || reader !== "bsdtar");
  test.each(readers)("%s extracts what was packed", (_, command) => {
    const cwd = place();
    expect(shell(`mkdir out && ${command}`, cwd)).toMatchObject({ code: 0 });
    expect(shell(`cd tree && find . -type f -exec cmp {} ../out/{} \\;`, cwd)).toMatchObject({ code: 0, stdout: "" });
    expect(shell(LIST("out"), cwd).stdout).toBe(shell(LIST("tree"), cwd).stdout);
  });

  test("to standard output it is the same, and what it becomes again has the same entries", () => {
    const cwd = place();
    expect(shell("hexz convert --to tar tree.hxz - | cmp - x.tar", cwd)).toMatchObject({ code: 0 });
    expect(hexz(["convert", "tar", "x.tar", "again.hxz"], { cwd }).code).toBe(0);
    expect(hexz(["diff", "tree.hxz", "again.hxz", "--exit-code", "--files"], { cwd }).code).toBe(0);
  });

  test("damage ends it, and leaves nothing", () => {
    const cwd = place();
    execFileSync("sh", ["-c", "printf 'XXXX' | dd of=tree.hxz bs=1 seek=30000 conv=notrunc 2>/dev/null"], { cwd });
    expect(hexz(["convert", "--to", "tar", "tree.hxz", "y.tar"], { cwd })).toMatchObject({ code: 1 });
    expect(shell("ls -a | grep y.tar", cwd).stdout).toBe("");
  });
});

/** What is read of the headers that are written. */
function again(entry: Entry): Entry | undefined {
  const parser = new TarParser("x");
  const header = encodeMember(entry);
  for (let at = 0; at < header.length; at += 512) {
    const member = parser.block(header.subarray(at, at + 512));
    if (member === undefined || member === "end") continue;
    expect([at + 512, member.storedSize]).toEqual([
      header.length,
      entry.hardLink === undefined ? (entry.size ?? 0) : 0,
    ]);
    return entryOfMember(member, "the member").entry;
  }
  return undefined;
}

describe("encodeMember()", () => {
  const path = (length: number) => byteStringFromText("p".repeat(length));
  const file = (more: Partial<Entry>): Entry => ({
    path: path(1),
    type: "file",
    size: 0,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    ...more,
  });
  const xattr = (name: string, ...value: number[]) => ({
    name: byteStringFromText(name),
    value: Uint8Array.from(value),
  });
  const cases: Record<string, Entry> = {
    ...Object.fromEntries(
      [1, 99, 100, 101, 255, 4096].map((length) => [`a name of ${length}`, file({ path: path(length) })]),
    ),
    "a path of prefix and name": file({ path: byteStringFromText(`${"p".repeat(155)}/${"n".repeat(100)}`) }),
    "a longer path": file({ path: byteStringFromText(`${"p".repeat(156)}/${"n".repeat(100)}`) }),
    "8 GiB": file({ size: 8 ** 11 }),
    "one byte less": file({ size: 8 ** 11 - 1 }),
    "large owners": file({ uid: 8 ** 7, gid: 2 ** 40 }),
    "before 1970": file({ mtime: { seconds: -5, nanoseconds: 1 } }),
    "far ahead": file({ mtime: { seconds: 8 ** 11, nanoseconds: 0 } }),
    nanoseconds: file({ mtime: { seconds: 1, nanoseconds: 120_000_000 } }),
    owners: file({ userName: path(31), groupName: path(32) }),
    attributes: file({ xattrs: [xattr("user.a=b", 1), xattr("user.b"), xattr("user.c", 0, 10, 61, 255)] }),
    records: file({ metadata: { pax: { comment: "\\xff and \\\\", "SCHILY.acl.access": "user::rw-" } } }),
    "a hard link": file({ hardLink: path(101), size: 0 }),
    "a symlink": { ...file({ target: path(101) }), type: "symlink" },
    "a device": { ...file({ device: { major: 8 ** 7, minor: 1 } }), type: "block" },
  };
  test.each(Object.entries(cases))("says %s, and it is read again", (_, entry) => {
    const { size: _size, ...expected } = entry;
    expect(again(entry)).toEqual(expected);
  });

  test("a tar ends with two blocks of zeros at a multiple of 20 blocks", () => {
    expect([0, 512, 9216, 9728, 10240].map(tarEndLength)).toEqual([10_240, 9728, 1024, 10_752, 10_240]);
  });
});
