// How ours is run: the built command started by node directly, as npx does once it has found it.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const COMMAND = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
const LIBRARY = fileURLToPath(new URL("../dist/node.js", import.meta.url));
const RANDOM_READ = fileURLToPath(new URL("random-read.mjs", import.meta.url));

/** Chunk and block sizes as options; where a peer cannot be told otherwise, ours is told the peer's. */
export const SETTINGS = {
  /** hexz 0.5.5's own sizes. */
  cdc64: { chunking: "cdc", "block-size": "64K", "min-chunk": "16K", "avg-chunk": "64K", "max-chunk": "128K" },
  /** borg's with --chunker-params buzhash,14,18,16,4095. */
  cdc64wide: { chunking: "cdc", "block-size": "64K", "min-chunk": "16K", "avg-chunk": "64K", "max-chunk": "256K" },
  /** hexz 0.8.2's for a directory, which no option of it changes. */
  cdc8: { chunking: "cdc", "block-size": "64K", "min-chunk": "2K", "avg-chunk": "8K", "max-chunk": "64K" },
  /** The same with blocks of about one chunk, which is what hexz has. */
  cdc8small: { chunking: "cdc", "block-size": "8K", "min-chunk": "2K", "avg-chunk": "8K", "max-chunk": "64K" },
  /** mksquashfs -b 65536, and `hexz pack` without --cdc. */
  fixed64: { chunking: "fixed", "block-size": "64K" },
};

/** @returns {string | null} why ours cannot be measured */
export function oursMissing() {
  return existsSync(COMMAND) ? null : "ours: dist/cli.js is not there; build first";
}

const hexz = (command, engine, ...rest) => [process.execPath, COMMAND, command, ...rest, "--engine", engine, "--quiet"];

/**
 * @param {{ inputs?: string[], disk?: string, output: string, engine: string, settings: object, compression?: string, level?: number, base?: string, format?: string }} options
 * @returns {string[]}
 */
export function packCommand({ inputs = [], disk, output, engine, settings, compression = "lz4", level, base, format }) {
  const options = {
    ...(disk ? { disk } : {}),
    ...settings,
    compression,
    ...(level ? { level: String(level) } : {}),
    ...(base ? { base } : {}),
    ...(format ? { format } : {}),
  };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  return hexz("pack", engine, ...inputs, output, ...flags);
}

/** @param {{ format: string, input: string, output: string, engine: string, settings: object }} options */
export function convertCommand({ format, input, output, engine, settings }) {
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return hexz("convert", engine, format, input, output, ...flags);
}

export const extractCommand = (engine, archive, destination) => hexz("extract", engine, archive, destination);

export const commitCommand = (engine, base, overlay, output, ...more) =>
  hexz("commit", engine, base, overlay, output, "--force", ...more);
/** A command that only reads its input. */
export const lookCommand = (command, engine, input) => hexz(command, engine, input);

/** Without --engine: reading the index needs none, and this is the bare command a person types. */
export const diffCommand = (before, after) => [process.execPath, COMMAND, "diff", before, after];
export const inspectCommand = (archive) => [process.execPath, COMMAND, "inspect", archive];

/** @param {{ archive: string, offsets: string, length: number, warmup: number, verify: boolean, engine: string }} options */
export function randomReadCommand({ archive, offsets, length, warmup, verify, engine }) {
  const numbers = [String(length), String(warmup), verify ? "1" : "0"];
  return [process.execPath, RANDOM_READ, LIBRARY, archive, offsets, ...numbers, engine];
}
