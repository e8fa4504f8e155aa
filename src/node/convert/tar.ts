// `convert tar`: a tar, compressed or not, also from standard input.

import { basename } from "node:path";
import { HexzError } from "../../core/errors.ts";
import { isTarHeader } from "../../core/tar/header.ts";
import type { ContentInput } from "../../core/write/content-input.ts";
import { STDIO } from "../input-facts.ts";
import { openInput } from "../input-file.ts";
import { compressionOf, openDecompressed } from "./decompress.ts";
import type { ImportFormat } from "./format.ts";
import { importTar } from "./tar-import.ts";

/** What the endings of compressed tars stand for. */
const ENDINGS: readonly [RegExp, string][] = [
  [/\.(t[gbxz]z|tzst|tbz2?|taz)$/i, ".tar"],
  [/\.(gz|bz2|xz|zst|zstd)$/i, ""],
];

const UNUSED = 256 * 1024;

/** The name of a tar without what says how it is compressed. */
export function containerName(path: string): string {
  const name = path === STDIO ? "stdin.tar" : basename(path);
  for (const [ending, instead] of ENDINGS) if (ending.test(name)) return name.replace(ending, instead);
  return name;
}

/** Opens a tar, decompressed when it is compressed, for as long as it is used. */
export async function withTar(path: string, use: (input: ContentInput) => Promise<void>): Promise<void> {
  const file = openInput(path === STDIO ? 0 : path);
  try {
    const input = await openDecompressed(file);
    try {
      await use(input);
    } catch (error) {
      if (input.compression !== undefined && isAboutContent(error)) await readToEnd(input);
      throw error;
    }
  } finally {
    file.close();
  }
}

function isAboutContent(error: unknown): boolean {
  return error instanceof HexzError && (error.code === "invalid" || error.code === "truncated");
}

/**
 * Damage may decode for a while, to a tar that makes no sense: the checksum behind it tells.
 * @throws HexzError `damaged`
 */
async function readToEnd(input: ContentInput): Promise<void> {
  const unused = new Uint8Array(UNUSED);
  while ((await input.read(unused)) > 0);
}

export const tar: ImportFormat = {
  name: "tar",
  inputs: { several: false, stdin: true },
  // Only tars are looked for in what is compressed.
  detect: (start) => compressionOf(start) !== undefined || isTarHeader(start),
  async convert([path], context) {
    await withTar(path!, async (input) => {
      if (input.size !== undefined) context.expect(input.size);
      await importTar({ input, name: containerName(path!), format: "tar" }, context);
    });
  },
};
