// Standard output that somebody else reads: writing to it must not keep signals from being handled.

import { fstatSync } from "node:fs";

/**
 * Makes writing to standard output fail with EAGAIN, where it is a pipe or socket whose reader is slow, instead of
 * waiting. Node does that to it when its stream is first used, and takes it back at the end.
 */
export function unblockStdout(): void {
  const stat = fstatSync(1);
  if (stat.isFIFO() || stat.isSocket()) void process.stdout;
}
