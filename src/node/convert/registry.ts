// All formats of `convert`. To add one: a file beside this one that exports an ImportFormat or ExportFormat, and its
// line here instead of that in LATER. Only the format that is asked for is loaded.

import { HexzError } from "../../core/errors.ts";
import type { ExportFormat, ImportFormat } from "./format.ts";

interface Listed<Format> {
  /** That of the format. */
  readonly name: string;
  load(): Promise<Format>;
}

export const IMPORTS: readonly Listed<ImportFormat>[] = [
  { name: "hexz1", load: async () => (await import("./hexz1.ts")).hexz1 },
  { name: "tar", load: async () => (await import("./tar.ts")).tar },
  { name: "webdataset", load: async () => (await import("./webdataset.ts")).webdataset },
  { name: "hdf5", load: async () => (await import("./hdf5.ts")).hdf5 },
  { name: "qcow2", load: async () => (await import("./qcow2.ts")).qcow2 },
];
export const EXPORTS: readonly Listed<ExportFormat>[] = [
  { name: "raw", load: async () => (await import("./raw.ts")).raw },
  { name: "tar", load: async () => (await import("./to-tar.ts")).toTar },
  { name: "original", load: async () => (await import("./original.ts")).original },
  { name: "qcow2", load: async () => (await import("./qcow2.ts")).toQcow2 },
];

/** What later versions will know. */
const LATER_IMPORTS = ["safetensors", "gguf"];

/** An archive of format 1 is made like any archive, see `anyArchive`. */
const TO_ARCHIVES = ["hexz1"];

async function load<Format>(
  formats: readonly Listed<Format>[],
  { later = [], others = [] }: { later?: readonly string[]; others?: readonly string[] },
  name: string,
): Promise<Format> {
  const found = formats.find((format) => format.name === name);
  if (found !== undefined) return found.load();
  const names = [...formats.map((format) => format.name), ...others].join(", ");
  if (later.includes(name)) {
    throw new HexzError("not_available", `the format ${name} is not available yet`, { hint: `there are: ${names}` });
  }
  throw new HexzError("usage", `unknown format "${name}"`, { hint: `there are: ${names}` });
}

/** @throws HexzError `usage`, `not_available` */
export function importFormat(name: string): Promise<ImportFormat> {
  return load(IMPORTS, { later: LATER_IMPORTS }, name);
}

/** @throws HexzError `usage`, `not_available` */
export function exportFormat(name: string): Promise<ExportFormat> {
  return load(EXPORTS, { others: TO_ARCHIVES }, name);
}
