// How large a block device is: `stat` says 0.

import { readFileSync } from "node:fs";
import { libc } from "./libc.ts";

/** Major and minor number of a dev_t as Linux lays it out (elsewhere: 8 and 24 bits). */
export function deviceNumbers(rdev: bigint): { major: number; minor: number } {
  if (process.platform !== "linux") return { major: Number((rdev >> 24n) & 0xffn), minor: Number(rdev & 0xffffffn) };
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn)),
  };
}

/** Bytes of the open block device, or undefined when this machine does not tell. */
export function blockDeviceSize(fd: number, rdev: bigint): number | undefined {
  const end = libc()?.seek?.end(fd);
  if (end !== undefined && end >= 0) return end;
  const { major, minor } = deviceNumbers(rdev);
  try {
    // in units of 512 bytes whatever the device's sector size is
    return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, "latin1")) * 512;
  } catch {
    return undefined;
  }
}
