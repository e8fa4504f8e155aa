// What the process says to its caller: one exit code for each error code (docs/cli.md, "Exit codes").

import { type ErrorCode, HexzError } from "../core/errors.ts";

export const EXIT = {
  done: 0,
  /** The archive or data is bad, or the answer is no. */
  bad: 1,
  /** Wrong use, or the output exists. */
  usage: 2,
  /** The outside failed. */
  outside: 3,
  /** As a shell reports a process that SIGHUP, SIGINT, SIGPIPE or SIGTERM ended. */
  hungUp: 129,
  interrupted: 130,
  brokenPipe: 141,
  terminated: 143,
} as const;

export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  usage: EXIT.usage,
  not_available: EXIT.usage,
  output_exists: EXIT.usage,
  output_is_input: EXIT.usage,
  collision: EXIT.usage,
  password_missing: EXIT.usage,
  not_encrypted: EXIT.usage,
  not_an_archive: EXIT.bad,
  truncated: EXIT.bad,
  version_unknown: EXIT.bad,
  feature_unknown: EXIT.bad,
  damaged: EXIT.bad,
  invalid: EXIT.bad,
  limit_exceeded: EXIT.bad,
  no_such_path: EXIT.bad,
  wrong_type: EXIT.bad,
  unsafe_path: EXIT.bad,
  device_refused: EXIT.bad,
  password_wrong: EXIT.bad,
  untrusted: EXIT.bad,
  original_differs: EXIT.bad,
  not_found: EXIT.outside,
  permission: EXIT.outside,
  no_space: EXIT.outside,
  io: EXIT.outside,
  changed: EXIT.outside,
  parent_missing: EXIT.outside,
  unsupported: EXIT.outside,
  interrupted: EXIT.interrupted,
};

/** The reader of our output went away: nothing is wrong, and nobody is left to be told. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof HexzError && error.data.epipe === true;
}

export function exitCodeOf(error: HexzError): number {
  return isBrokenPipe(error) ? EXIT.brokenPipe : EXIT_CODES[error.code];
}

/** What a path of this machine is not, is wrong use: only inside an archive is it an answer. */
export function asUsage(error: unknown): unknown {
  if (!(error instanceof HexzError) || error.code !== "wrong_type") return error;
  const { message, hint, data, cause } = error;
  return new HexzError("usage", message, { data: { ...data }, cause, ...(hint === undefined ? {} : { hint }) });
}
