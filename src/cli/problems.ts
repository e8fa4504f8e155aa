// What a check has found, as `check` and `verify` tell it.

import { parsePathText } from "../core/format/path.ts";
import type { Problem } from "../core/read/check.ts";
import { nameFields } from "./text.ts";

export function problemDocument({ code, where, path, start, end, message }: Problem): object {
  const name = path === undefined ? { path: null } : nameFields("path", parsePathText(path));
  return { code, where, ...name, start: start ?? null, end: end ?? null, message };
}

export function problemText({ message, path }: Problem): string {
  return path === undefined || message.includes(path) ? message : `${path}: ${message}`;
}
