// Sizes as people type and read them. All units are binary, also those that are written KB.

import { HexzError } from "../core/errors.ts";

const UNITS = ["", "k", "m", "g", "t", "p"];
const SIZE = /^(\d+(?:\.\d+)?|\.\d+) ?(?:([kmgtp])(?:i?b)?|b)?$/i;

/** Bytes of "4096", "64K", "1.5G", "64KiB", "64kb". @throws HexzError `usage` */
export function parseSize(text: string): number {
  const [, number, unit = ""] = SIZE.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(number) * 1024 ** UNITS.indexOf(unit.toLowerCase()));
  if (number !== undefined && Number.isSafeInteger(bytes)) return bytes;
  throw new HexzError("usage", `"${text}" is not a size`, { hint: "sizes look like 4096, 64K or 1.5G" });
}

/** "512 B", "64.00 KiB", "1.50 GiB". */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes;
  let unit = 0;
  // 1023.996 would be shown as 1024.00
  while (value >= 1023.995 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)} ${UNITS[unit]!.toUpperCase()}iB`;
}
