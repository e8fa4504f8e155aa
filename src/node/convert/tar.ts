// `convert tar`: a tar, compressed or not, also from standard input.

import { basename } from "node:path";
import { isTarHeader } from "../../core/tar/header.ts";
import type { ContentInput } from "../../core/write/content-input.ts";
import { STDIO } from "../input-facts.ts";
import { openInput } from "../input-file.ts";
import { compressionOf, openDecompressed } from "./decompress.ts";
import type { ImportFormat } from "./format.ts";

/** What the endings of compressed tars stand for. */
const ENDINGS: readonly [RegExp, string][] = [
  [/\.(t[gbxz]z|tzst|tbz2?|taz)$/i, ".tar"],
  [/\.(gz|bz2|xz|zst|zstd)$/i, ""],
];

/** The name of a tar without what says how it is compressed. */
export function containerName(path: string): string {
  const name = path === STDIO ? "stdin.tar" : basename(path);
  for (const [ending, instead] of ENDINGS) if (ending.test(name)) return name.replace(ending, instead);
  return name;
}

/** Opens a tar, decompressed when it is compressed. */
export async function openTar(path: string): Promise<ContentInput> {
  const input = openInput(path === STDIO ? 0 : path);
  try {
    return await openDecompressed(input);
  } catch (error) {
    input.close();
    throw error;
  }
}

export const tar: ImportFormat = {
  name: "tar",
  inputs: { several: false, stdin: true },
  // Only tars are looked for in what is compressed.
  detect: (start) => compressionOf(start) !== undefined || isTarHeader(start),
  async convert([path], context) {
    const { importTar } = await import("./tar-import.ts");
    const input = await openTar(path!);
    try {
      if (input.size !== undefined) context.expect(input.size);
      await importTar({ input, name: containerName(path!), format: "tar" }, context);
    } finally {
      input.close();
    }
  },
};
