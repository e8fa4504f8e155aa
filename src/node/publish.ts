// The moment when a finished temporary gets its final name: without replacing anything.

import { linkSync, lstatSync, renameSync, unlinkSync } from "node:fs";
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

/**
 * Renames `temporary` to `final` unless that name is taken, in one step that nothing can come between.
 * @throws the system's error, EEXIST when `final` is there
 */
export function renameNew(temporary: Buffer, final: Buffer): void {
  const rename = libc()?.renameNew;
  if (rename !== undefined) {
    const result = rename(terminated(temporary), terminated(final));
    if (result >= 0) return;
    const error = systemError(result, "rename");
    if (error.code !== "EINVAL" && error.code !== "ENOSYS") throw error;
  }
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
