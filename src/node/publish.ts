// The moment when a finished temporary gets its final name: without replacing anything.

import { linkSync, lstatSync, renameSync, unlinkSync } from "node:fs";
import type { Directory } from "./directory-chain.ts";
import { systemCode, systemError } from "./errors.ts";
import { libc } from "./libc.ts";

/** File systems without hard links say one of these. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL"]);

/** Appends the NUL that C wants; `path` itself is left alone. */
function terminated(path: Buffer): Buffer {
  const copy = Buffer.alloc(path.length + 1);
  copy.set(path);
  return copy;
}

/** Whether the system could do it at once. @param directory descriptor that relative names start from */
function renamedAtOnce(temporary: Buffer, final: Buffer, directory?: number): boolean {
  const rename = libc()?.renameNew;
  if (rename === undefined) return false;
  const result = rename(temporary, final, directory);
  if (result >= 0) return true;
  const error = systemError(result, "rename");
  if (error.code !== "EINVAL" && error.code !== "ENOSYS") throw error;
  return false;
}

/** The same as `renameNew` for two names in one directory. */
export function renameNewIn(directory: Directory, temporary: string, final: string): void {
  const cName = (name: string) => Buffer.from(`${name}\0`, "latin1");
  if (directory.fd >= 0 && renamedAtOnce(cName(temporary), cName(final), directory.fd)) return;
  renameNew(directory.child(temporary), directory.child(final));
}

/**
 * Renames `temporary` to `final` unless that name is taken, in one step that nothing can come between.
 * @throws the system's error, EEXIST when `final` is there
 */
export function renameNew(temporary: Buffer, final: Buffer): void {
  if (renamedAtOnce(terminated(temporary), terminated(final))) return;
  try {
    linkSync(temporary, final);
  } catch (error) {
    if (!NO_LINKS.has(systemCode(error))) throw error;
    // the last resort leaves a moment between the look and the rename
    if (lstatSync(final, { throwIfNoEntry: false }) !== undefined) {
      throw Object.assign(new Error("EEXIST"), { code: "EEXIST", errno: -17 });
    }
    renameSync(temporary, final);
    return;
  }
  unlinkSync(temporary);
}
