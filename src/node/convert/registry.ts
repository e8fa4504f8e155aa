// All formats of `convert`. To add one: a file beside this one that exports an ImportFormat or ExportFormat (what it
// needs to load comes by `import()` inside `convert` or `write`), and its line here instead of that in LATER.

import { HexzError } from "../../core/errors.ts";
import type { ExportFormat, ImportFormat } from "./format.ts";
import { hdf5 } from "./hdf5.ts";
import { hexz1 } from "./hexz1.ts";
import { original } from "./original.ts";
import { qcow2, toQcow2 } from "./qcow2.ts";
import { raw } from "./raw.ts";
import { tar } from "./tar.ts";
import { toTar } from "./to-tar.ts";
import { webdataset } from "./webdataset.ts";

export const IMPORTS: readonly ImportFormat[] = [hexz1, tar, webdataset, hdf5, qcow2];
export const EXPORTS: readonly ExportFormat[] = [raw, toTar, original, toQcow2];

/** What later versions will know. */
const LATER_IMPORTS = ["safetensors", "gguf"];

/** An archive of format 1 is made like any archive, see `anyArchive`. */
const TO_ARCHIVES = ["hexz1"];

function find<F extends { readonly name: string }>(
  formats: readonly F[],
  { later = [], others = [] }: { later?: readonly string[]; others?: readonly string[] },
  name: string,
): F {
  const found = formats.find((format) => format.name === name);
  if (found !== undefined) return found;
  const names = [...formats.map((format) => format.name), ...others].join(", ");
  if (later.includes(name)) {
    throw new HexzError("not_available", `the format ${name} is not available yet`, { hint: `there are: ${names}` });
  }
  throw new HexzError("usage", `unknown format "${name}"`, { hint: `there are: ${names}` });
}

/** @throws HexzError `usage`, `not_available` */
export function importFormat(name: string): ImportFormat {
  return find(IMPORTS, { later: LATER_IMPORTS }, name);
}

/** @throws HexzError `usage`, `not_available` */
export function exportFormat(name: string): ExportFormat {
  return find(EXPORTS, { others: TO_ARCHIVES }, name);
}
