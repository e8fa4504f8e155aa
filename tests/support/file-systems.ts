// File systems in files, made and asked by the system's tools, and overlays of what was changed in them.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BLOCK, type DiskWrite, makeOverlay } from "./overlays.ts";
import { randomBytes, randomFrom, text } from "./random.ts";
import { run } from "./trees.ts";

/** A small tree: `tree` in the directory. */
export function makeTree(cwd: string, files = 40): void {
  const random = randomFrom(17);
  for (const folder of ["tree", "tree/etc", "tree/var", "tree/var/log", "tree/many"]) mkdirSync(join(cwd, folder));
  writeFileSync(join(cwd, "tree/etc/hostname"), "before\n");
  writeFileSync(join(cwd, "tree/etc/long.conf"), text(50_000, random));
  writeFileSync(join(cwd, "tree/var/log/messages with a long name.txt"), text(200_000, random));
  writeFileSync(join(cwd, "tree/var/big.bin"), randomBytes(700_000, random));
  for (let number = 0; number < files; number++) {
    writeFileSync(join(cwd, `tree/many/file-${number}-${"x".repeat(number % 30)}`), text(100 + number * 90, random));
  }
}

/** `disk.img` of the tree. @param options of mke2fs */
export function makeExt(cwd: string, options: readonly string[], size = "24M"): void {
  run("mke2fs", ["-q", "-F", "-d", "tree", ...options, "disk.img", size], cwd);
}

/** Runs commands of debugfs on an image, for changing it. */
export function debugfs(cwd: string, image: string, ...commands: string[]): string {
  writeFileSync(join(cwd, "commands"), `${commands.join("\n")}\n`);
  return run("debugfs", ["-w", "-f", "commands", image], cwd);
}

/** Makes `vm.overlay` of what differs between `disk.img` and `after.img`, block by block, and packs `base.hxz`. */
export function overlayOfChanges(cwd: string): number[] {
  const [before, after] = ["disk.img", "after.img"].map((name) => readFileSync(join(cwd, name))) as [Buffer, Buffer];
  const writes: DiskWrite[] = [];
  for (let at = 0; at < after.length; at += BLOCK) {
    const bytes = after.subarray(at, at + BLOCK);
    if (!bytes.equals(before.subarray(at, at + BLOCK))) writes.push({ at, bytes });
  }
  makeOverlay(cwd, before, writes);
  return writes.map(({ at }) => at / BLOCK);
}

/** Copies `disk.img` to `after.img`, for changing. */
export function copyDisk(cwd: string): void {
  copyFileSync(join(cwd, "disk.img"), join(cwd, "after.img"));
}

/**
 * Who owns blocks of a file system, as debugfs says: `icheck`, then `ncheck`.
 * @returns by block of the file system: a path, or nothing
 */
export function ownersByDebugfs(cwd: string, image: string, blocks: readonly number[]): Map<number, string> {
  const inodes = new Map<number, number>();
  for (const line of run("debugfs", ["-R", `icheck ${blocks.join(" ")}`, image], cwd).split("\n")) {
    const [, block, inode] = /^(\d+)\t(\d+)$/.exec(line) ?? [];
    if (block !== undefined) inodes.set(Number(block), Number(inode));
  }
  const paths = new Map<number, string>([[2, "/"]]);
  const wanted = [...new Set(inodes.values())].filter((inode) => inode > 10 || inode === 2);
  if (wanted.length > 0) {
    for (const line of run("debugfs", ["-R", `ncheck ${wanted.join(" ")}`, image], cwd).split("\n")) {
      const [, inode, path] = /^(\d+)\t(.*)$/.exec(line) ?? [];
      if (inode !== undefined) paths.set(Number(inode), path!.replace(/^\/\//, "/"));
    }
  }
  const owners = new Map<number, string>();
  for (const [block, inode] of inodes) {
    const path = paths.get(inode);
    if (path !== undefined) owners.set(block, path);
  }
  return owners;
}
