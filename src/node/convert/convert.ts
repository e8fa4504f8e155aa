// From another format to an archive: which format it is, and the archive around what it yields.

import { closeSync, openSync, readSync } from "node:fs";
import { HexzError } from "../../core/errors.ts";
import { fromSystemError } from "../errors.ts";
import { checkOutput, STDIO, statInput, totalOf } from "../input-facts.ts";
import { type MadeArchive, type MakeOptions, makeArchive } from "../make-archive.ts";
import { DETECT_LENGTH, type ImportFormat, type ImportOptions } from "./format.ts";
import { IMPORTS, importFormat } from "./registry.ts";

const AUTO = "auto";

export interface ConvertOptions extends MakeOptions, ImportOptions {
  /** "tar", …, or "auto": what the first input looks like; or a format that has no name there. */
  readonly format: string | ImportFormat;
  /** Files; "-" is standard input. */
  readonly inputs: readonly string[];
  /** Told how many bytes of content there will be, when that is known. */
  readonly onTotal?: (bytes: number) => void;
}

/**
 * Makes an archive of files of another format. Nothing appears under the output's name unless all of it succeeded.
 * @throws HexzError; then nothing is left behind
 */
export async function convert(options: ConvertOptions): Promise<MadeArchive> {
  const { inputs, output } = options;
  const named = typeof options.format === "string" ? await namedFormat(options.format) : options.format;
  const facts = inputs.map(statInput);
  for (const fact of facts) {
    if (fact?.stat.isDirectory()) throw new HexzError("wrong_type", `"${fact.path}" is a directory, not a file`);
  }
  const format = named ?? (await detectFormat(inputs[0]!));
  checkInputs(format, inputs);
  checkOutput(output, facts);
  const total = totalOf(facts);
  const rereadable = facts.every((fact) => fact?.stat.isFile());
  return makeArchive({ ...options, order: "any" }, { total, rereadable }, (writer, warn, checkFinished) =>
    format.convert(inputs, {
      writer,
      warn,
      checkFinished,
      expect: (bytes) => options.onTotal?.(bytes),
      alsoReads: (path) => checkOutput(output, [statInput(path)]),
      options,
    }),
  );
}

async function namedFormat(name: string): Promise<ImportFormat | undefined> {
  return name === AUTO ? undefined : importFormat(name);
}

function checkInputs({ name, inputs: takes }: ImportFormat, inputs: readonly string[]): void {
  if (inputs.length > 1 && !takes.several) throw new HexzError("usage", `${name} is converted from one file`);
  const fromStdin = inputs.filter((path) => path === STDIO).length;
  if (fromStdin > 1) throw new HexzError("usage", "standard input can be read once only");
  if (fromStdin > 0 && !takes.stdin) {
    throw new HexzError("usage", `${name} is read from a file, not from standard input: it is not read in order`);
  }
}

async function detectFormat(path: string): Promise<ImportFormat> {
  if (path === STDIO) throw new HexzError("usage", "the format of standard input must be named");
  const start = startOf(path);
  for (const { load } of IMPORTS) {
    const format = await load();
    if (await format.detect?.(start)) return format;
  }
  throw new HexzError("usage", `"${path}" looks like no format that convert reads`, {
    hint: `name it: ${IMPORTS.map(({ name }) => name).join(", ")}`,
  });
}

/** The beginning of a file. */
function startOf(path: string): Uint8Array {
  try {
    const fd = openSync(path, "r");
    try {
      const start = new Uint8Array(DETECT_LENGTH);
      return start.subarray(0, readSync(fd, start, 0, start.length, 0));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw fromSystemError(error, "read", path);
  }
}
