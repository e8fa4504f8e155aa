// A complete `hexz` command line that packs what was measured with a setting, ready to be pasted into a shell.

import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Candidate } from "../core/analyze/findings.ts";
import { CODEC } from "../core/engine.ts";
import { HexzError } from "../core/errors.ts";
import { isZstd } from "../core/zstd.ts";
import { checkOutput, STDIO, statInput } from "../node/input-facts.ts";
import { codecName } from "./figures.ts";
import type { InputOptions } from "./input-options.ts";

const KIB = 1024;
const MIB = 1024 * 1024;

/** A word as a POSIX shell reads it back. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A path that is not taken for an option. */
function pathWord(path: string): string {
  return quoted(path.startsWith("-") && path !== STDIO ? `./${path}` : path);
}

function sizeWord(bytes: number): string {
  if (bytes % MIB === 0) return `${bytes / MIB}M`;
  return bytes % KIB === 0 ? `${bytes / KIB}K` : String(bytes);
}

/** The options of a setting, those that are the defaults left out. */
export function settingWords({ chunking, blockSize, codec, level }: Candidate): string[] {
  const { min, avg, max } = chunking.sizes;
  const words: string[] = [];
  if (codec !== CODEC.lz4) words.push("--compression", codecName(isZstd(codec) ? CODEC.zstd : codec));
  if (isZstd(codec) && level !== 3) words.push("--level", String(level));
  if (codec === CODEC.zstdDictionary) words.push("--dictionary");
  if (chunking.method === "fixed") words.push("--chunking", "fixed");
  if (blockSize !== 64 * KIB) words.push("--block-size", sizeWord(blockSize));
  if (chunking.method === "fixed" || (avg === 64 * KIB && min === 16 * KIB && max === 256 * KIB && blockSize >= avg)) {
    return words;
  }
  return [...words, "--min-chunk", sizeWord(min), "--avg-chunk", sizeWord(avg), "--max-chunk", sizeWord(max)];
}

function inputWords(options: InputOptions): string[] {
  const { disk, memory, diskFormat, allowBacking, exclude = [], excludeFrom = [] } = options;
  return [
    ...(disk === undefined ? [] : ["--disk", pathWord(disk)]),
    ...(memory === undefined ? [] : ["--memory", pathWord(memory)]),
    ...(diskFormat === "raw" ? [] : ["--disk-format", diskFormat]),
    ...(allowBacking === true ? ["--allow-backing"] : []),
    ...exclude.map((pattern) => `--exclude=${quoted(pattern)}`),
    ...excludeFrom.map((path) => `--exclude-from=${quoted(path)}`),
    ...(options.oneFileSystem === true ? ["--one-file-system"] : []),
    ...(options.dereference === true ? ["--dereference"] : []),
  ];
}

/** A name for the archive that is free, and not inside of what is packed. */
function freeName(inputs: readonly string[], stem: string, ending: string): string {
  const facts = inputs.filter((path) => path !== STDIO).map(statInput);
  const isAllowed = (path: string) => {
    try {
      checkOutput(path, facts);
      return true;
    } catch (error) {
      if (error instanceof HexzError && error.code === "output_is_input") return false;
      throw error;
    }
  };
  let folder = ".";
  while (!isAllowed(join(folder, `${stem}${ending}`)) && resolve(folder) !== "/") folder = join("..", folder);
  for (let number = 1; ; number++) {
    const path = join(folder, `${stem}${number === 1 ? "" : `-${number}`}${ending}`);
    if (!existsSync(path)) return path;
  }
}

function stemOf(path: string | undefined): string {
  if (path === undefined || path === STDIO) return "stdin";
  return basename(resolve(path)).replace(/\.hxz$/, "") || "root";
}

export interface PackedInputs {
  readonly inputs: readonly string[];
  readonly options: InputOptions;
  /** The inputs are archives: their contents were measured. */
  readonly archives: boolean;
}

/** @returns the command line; of archives one that extracts them first */
export function packCommandLine({ inputs, options, archives }: PackedInputs, candidate: Candidate): string {
  const { disk, memory } = options;
  const all = [...inputs, ...[disk, memory].filter((path) => path !== undefined)];
  const settings = settingWords(candidate);
  if (!archives) {
    const output = freeName(all, stemOf(all[0]), ".hxz");
    return ["hexz", "pack", ...inputs.map(pathWord), pathWord(output), ...inputWords(options), ...settings].join(" ");
  }
  const folders = inputs.map((path) => ({ path, folder: freeName(inputs, stemOf(path), "") }));
  const extracting = folders.map(({ path, folder }) => `hexz extract ${pathWord(path)} ${pathWord(folder)}`);
  const output = freeName(inputs, `${stemOf(inputs[0])}-repacked`, ".hxz");
  const packing = ["hexz", "pack", ...folders.map(({ folder }) => pathWord(folder)), pathWord(output), ...settings];
  return [...extracting, packing.join(" ")].join(" && ");
}
