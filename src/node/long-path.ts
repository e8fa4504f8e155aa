// Paths longer than the system takes in one call (4096 bytes on Linux): directories nest deeper than that. The front of
// such a path is opened piece by piece, and the rest is reached through /proc/self/fd.

import { closeSync, constants, openSync } from "node:fs";

/** Bytes of a path that every system call takes, with the NUL and room for "/proc/self/fd/N". */
const LONGEST_PATH = 4000;

/** Calls `use` with a path that leads where `path` does and is short enough for the system. */
export function withReachable<T>(path: Buffer, use: (path: Buffer) => T): T {
  if (path.length <= LONGEST_PATH || process.platform !== "linux") return use(path);
  const opened: number[] = [];
  try {
    let rest = path;
    while (rest.length > LONGEST_PATH) {
      const slash = rest.lastIndexOf("/", LONGEST_PATH);
      if (slash <= 0) break;
      opened.push(openSync(rest.subarray(0, slash), constants.O_RDONLY | constants.O_DIRECTORY));
      rest = Buffer.concat([Buffer.from(`/proc/self/fd/${opened.at(-1)}`), rest.subarray(slash)]);
    }
    return use(rest);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
