// Extraction of archives that mean harm, by the command line: nothing outside the destination is touched. Shown by a tree
// beside it that stays as it was, and by every system call that changes something.

import { spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  byteStringFromText,
  contentOf,
  createArchive,
  createMemorySink,
  type Entry,
  type EntryType,
} from "../src/node/index.ts";
import { CLI, hexz, hexzJson } from "./support/cli.ts";
import { ascii } from "./support/reference-bytes.ts";
import { forge, record } from "./support/reference-forge.ts";
import { entry as forgedEntry, file as forgedFile, rootEntry } from "./support/reference-samples.ts";
import { possible, run, temporaryDirectory } from "./support/trees.ts";

type Item = Partial<Entry> & { readonly content?: string };

async function archiveOf(items: Readonly<Record<string, Item & { type: EntryType }>>): Promise<Uint8Array> {
  const sink = createMemorySink();
  const writer = await createArchive(sink, { anyOrder: () => {} });
  for (const [path, { content, ...about }] of Object.entries(items)) {
    const entry = { path: byteStringFromText(path), ...about } as Entry;
    if (content === undefined) await writer.addEntry(entry);
    else await writer.addFile(entry, contentOf(ascii(content)));
  }
  await writer.finish();
  return sink.bytes();
}

/** Paths and contents below a directory, and when each was changed. */
function described(directory: string): string {
  return run("find", [directory, "-printf", "%P %y %m %s %T@ %C@ %l\\n"]);
}

interface Place {
  readonly root: string;
  readonly to: string;
  readonly archive: string;
  readonly sentinel: string;
}

function place(bytes: Uint8Array): Place {
  const root = temporaryDirectory();
  const sentinel = join(root, "sentinel");
  mkdirSync(join(sentinel, "sub"), { recursive: true });
  writeFileSync(join(sentinel, "file"), "untouched");
  const archive = join(root, "hostile.hxz");
  writeFileSync(archive, bytes);
  return { root, sentinel, archive, to: join(root, "to") };
}

const name = (text: string) => byteStringFromText(text);

/** Symlinks out of the destination and everything that could follow them. */
function bentTree(sentinel: string): Record<string, Item & { type: EntryType }> {
  return {
    out: { type: "symlink", target: name(sentinel) },
    up: { type: "symlink", target: name("../sentinel") },
    "out/new": { type: "file", content: "x" },
    "out/file": { type: "file", content: "x" },
    "out/sub": { type: "directory", mode: 0o777 },
    "up/deep/er": { type: "file", content: "x" },
    "up/pipe": { type: "fifo" },
    "up/link": { type: "symlink", target: name("/") },
    good: { type: "file", content: "good", mode: 0o4755 },
    device: { type: "char", device: { major: 1, minor: 3 } },
    "back\\slash": { type: "file", content: "1" },
    "C:\\x": { type: "file", content: "2" },
    COM1: { type: "file", content: "3" },
    "new\nline\u001b[31m": { type: "file", content: "4" },
    " ": { type: "file", content: "5" },
    "-rf": { type: "file", content: "6" },
  };
}

test("symlinks, devices and odd names: the good is restored, the rest is told, nothing outside is touched", async () => {
  const { root, sentinel, to, archive } = place(new Uint8Array(0));
  writeFileSync(archive, await archiveOf(bentTree(sentinel)));
  const before = described(sentinel);
  const { code, document } = hexzJson(["extract", archive, to]);
  expect(code).toBe(1);
  expect(described(sentinel)).toBe(before);
  expect(readdirSync(root).sort()).toEqual(["hostile.hxz", "sentinel", "to"]);
  const told = new Map(document.warnings.map(({ path, code }: { path: string; code: string }) => [path, code]));
  for (const path of ["out/new", "out/file", "out/sub", "up/deep/er", "up/pipe", "up/link"]) {
    expect(told.get(path), path).toBe("unsafe_path");
  }
  expect(told.get("device")).toBe("device_refused");
  expect(readFileSync(join(to, "good"), "utf8")).toBe("good");
  for (const path of ["back\\slash", "C:\\x", "COM1", "new\nline\u001b[31m", " ", "-rf"]) {
    expect(statSync(join(to, path)).isFile(), path).toBe(true);
  }
  // Names are shown without what a terminal would obey.
  const shown = hexz(["extract", archive, join(root, "again")]);
  expect(shown.stdout + shown.stderr).not.toContain("\u001b");
});

/** Calls that change the file system, with the argument that says where. */
const CHANGING =
  "mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mknod,mknodat,chmod," +
  "fchmodat,chown,lchown,fchownat,truncate,utimensat,setxattr,lsetxattr,open,openat,creat";

test("every system call that changes something is about the destination", async (context) => {
  if (!possible("strace", () => run("strace", ["-o", "/dev/null", "true"]))) return context.skip();
  const { root, sentinel, to, archive } = place(new Uint8Array(0));
  writeFileSync(archive, await archiveOf(bentTree(sentinel)));
  const trace = join(root, "trace");
  const strace = ["-f", "-y", "-s", "4096", "-o", trace, "-e", `trace=${CHANGING}`];
  spawnSync("strace", [...strace, process.execPath, CLI, "extract", archive, to, "-s"]);
  let changes = 0;
  const open = new Map<string, string>();
  for (const line of readFileSync(trace, "latin1").split("\n")) {
    const opened = /= (\d+)<([^>]*)>$/.exec(line);
    if (opened !== null) open.set(opened[1]!, opened[2]!);
    const [, call, args] = /^\d+ +(\w+)\((.*)$/.exec(line) ?? [];
    if (call === undefined || args === undefined || /= -1 E/.test(line)) continue;
    if (/^(open|openat|creat)$/.test(call) && !/O_CREAT|O_WRONLY|O_RDWR|O_TRUNC/.test(args)) continue;
    // A path from a directory that is open, or as it is. Of a symlink the first is what it holds.
    const paths = [...args.matchAll(/(?:\d+<([^>]*)>, )?"((?:[^"\\]|\\.)*)"/g)].slice(
      call.startsWith("symlink") ? 1 : 0,
    );
    for (const [, from, path] of paths.slice(0, /^(rename|link)/.test(call) ? 2 : 1)) {
      const held = path!.replace(/^\/proc\/self\/fd\/(\d+)/, (_, fd: string) => open.get(fd) ?? `unknown ${fd}`);
      const at = from === undefined ? held : join(from, held);
      if (at === "/dev/null" || at.startsWith("/dev/shm/")) continue;
      changes++;
      expect(at === to || at.startsWith(`${to}/`), `${line}: ${at}`).toBe(true);
    }
  }
  expect(changes).toBeGreaterThan(15);
});

test("names that no archive may have are refused when they are listed", () => {
  for (const bad of ["..", ".", "a/../../b", "/etc/passwd", "nul\0byte", ""]) {
    const plan = { entries: [rootEntry, forgedEntry("", bad, record("fifo"))], chunks: [], originalSize: 0 };
    const { root, to, archive } = place(forge(plan).file);
    const { code, document } = hexzJson(["extract", archive, to]);
    expect([code, document.error.code], bad).toEqual([1, "invalid"]);
    expect(readdirSync(root).sort()).toEqual([
      "hostile.hxz",
      "sentinel",
      ...(lstatSync(to, { throwIfNoEntry: false }) ? ["to"] : []),
    ]);
  }
});

const ALIKE = ["A", "a", "caf\u00e9", "cafe\u0301"];
const alike = () => archiveOf(Object.fromEntries(ALIKE.map((path) => [path, { type: "file", content: path }])));

test("names that differ in case or normalisation are different files", async () => {
  const { to, archive } = place(await alike());
  expect(hexz(["extract", archive, to]).code).toBe(0);
  for (const path of ALIKE) expect(readFileSync(join(to, path), "utf8")).toBe(path);
});

test("on a file system that takes such names for the same, one is a collision and never replaces the other", async (context) => {
  const { root, archive } = place(await alike());
  const image = join(root, "fat.img");
  const mount = join(root, "fat");
  mkdirSync(mount);
  const mounted = possible("a FAT file system to extract to", () => {
    run("sh", ["-c", `truncate -s 8M ${image} && mkfs.vfat ${image} && mount -o loop,utf8 ${image} ${mount}`]);
  });
  if (!mounted) return context.skip();
  try {
    const ran = hexzJson(["extract", archive, join(mount, "to")]);
    expect(ran.code).not.toBe(0);
    for (const path of readdirSync(join(mount, "to"))) {
      expect(ALIKE).toContain(readFileSync(join(mount, "to", path), "utf8"));
    }
    const codes = [
      ran.document.error?.code,
      ...(ran.document.warnings ?? []).map(({ code }: { code: string }) => code),
    ];
    expect(codes).toContain("collision");
  } finally {
    run("umount", [mount]);
  }
});

test("a file that claims ten tebibytes of zeros takes no room, and no time", () => {
  const size = 10 * 2 ** 40;
  const plan = {
    chunks: [{ fill: 0, length: size }],
    entries: [rootEntry, forgedEntry("", "huge", forgedFile(0, size, [13, new Uint8Array(0)]))],
    originalSize: size,
  };
  const { to, archive } = place(forge(plan).file);
  const ran = hexz(["extract", archive, to], { timeout: 60_000 });
  const made = lstatSync(join(to, "huge"), { throwIfNoEntry: false }) ?? lstatSync(to, { throwIfNoEntry: false });
  if (ran.code === 0) expect(made!.blocks * 512).toBeLessThan(1 << 20);
  // A file system with a lower limit refuses.
  else expect(ran.stderr).toMatch(/no space|too large/i);
});

test("directories as deep as the format allows are restored", async () => {
  const deep = Array.from({ length: 200 }, (_, level) => `level ${level}`).join("/");
  const { to, archive } = place(
    await archiveOf({ [deep]: { type: "directory" }, [`${deep}/file`]: { type: "file", content: "deep" } }),
  );
  expect(hexz(["extract", archive, to]).code).toBe(0);
  expect(run("find", [to, "-type", "f", "-size", "4c"]).trim().endsWith("level 199/file")).toBe(true);
});

test("a destination that is a symlink, or has one in the way, is not followed out", async () => {
  const { root, sentinel, to, archive } = place(
    await archiveOf({ "dir/file": { type: "file", content: "x" }, other: { type: "file", content: "y" } }),
  );
  mkdirSync(to);
  symlinkSync(sentinel, join(to, "dir"));
  const before = described(sentinel);
  const { code } = hexzJson(["extract", archive, to]);
  expect(code).not.toBe(0);
  expect(described(sentinel)).toBe(before);
  expect(readdirSync(root).sort()).toEqual(["hostile.hxz", "sentinel", "to"]);
});
