// From what the system says to a HexzError: a code by who has to act, and one sentence that names the file.

import { getSystemErrorMap } from "node:util";
import { type ErrorCode, HexzError } from "../core/errors.ts";
import { byteStringOf, displayName } from "../core/format/path.ts";

const CODES: Record<string, ErrorCode> = {
  ENOENT: "not_found",
  ENOTDIR: "not_found",
  EACCES: "permission",
  EPERM: "permission",
  EROFS: "permission",
  ENOSPC: "no_space",
  EDQUOT: "no_space",
  EFBIG: "no_space",
  EEXIST: "output_exists",
  ENOTEMPTY: "output_exists",
  EISDIR: "wrong_type",
  ENOTSUP: "unsupported",
  EOPNOTSUPP: "unsupported",
  ENOSYS: "unsupported",
};

/** The symbol of a system error ("ENOENT"), or "" of anything else. */
export function systemCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

/** A path of the file system for messages. */
export function shownPath(path: string | Uint8Array): string {
  return typeof path === "string" ? displayName(byteStringOf(Buffer.from(path))) : displayName(byteStringOf(path));
}

/** An error as the `fs` functions throw it, of the negative error number that `libc` functions return. */
export function systemError(negativeErrno: number, call: string): NodeJS.ErrnoException {
  const [code, text] = getSystemErrorMap().get(negativeErrno) ?? ["EUNKNOWN", `error ${-negativeErrno}`];
  return Object.assign(new Error(`${code}: ${text}, ${call}`), { code, errno: negativeErrno, syscall: call });
}

/** What the system said, in words: "no such file or directory". */
function reasonOf(error: unknown): string {
  const errno = (error as { errno?: unknown } | null)?.errno;
  const known = typeof errno === "number" ? getSystemErrorMap().get(errno) : undefined;
  if (known !== undefined) return known[1];
  return error instanceof Error ? error.message : String(error);
}

/**
 * The HexzError for a failed call.
 * @param doing what failed, to follow "cannot": "open", "write to"
 */
export function fromSystemError(error: unknown, doing: string, path: string | Uint8Array): HexzError {
  if (error instanceof HexzError) return error;
  const system = systemCode(error);
  const shown = shownPath(path);
  return new HexzError(CODES[system] ?? "io", `cannot ${doing} ${shown}: ${reasonOf(error)}`, {
    data: { path: shown, ...(system === "" ? {} : { errno: system }) },
    cause: error,
  });
}
