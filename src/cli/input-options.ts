// The options that say what is read: by commands that pack, and by those that only measure what would be packed.

import { readFileSync } from "node:fs";
import { type Command, Option, type OptionValues } from "@commander-js/extra-typings";
import { HexzError, type Warning } from "../core/errors.ts";
import { fromSystemError } from "../node/errors.ts";
import type { PackInputs } from "../node/pack.ts";
import { EXIT } from "./exit-codes.ts";
import { refuseUrl } from "./open.ts";
import { ALLOW_BACKING, collect } from "./options.ts";

export function withInputOptions<Arguments extends unknown[], Options extends OptionValues>(
  command: Command<Arguments, Options>,
) {
  return command
    .option("--disk <image>", "a disk image, as the stream disk, as it is")
    .option("--memory <dump>", "a memory dump, as the stream memory")
    .addOption(
      new Option("--disk-format <format>", "what --disk is; raw is taken as it is, whatever it looks like")
        .choices(["raw", "qcow2"] as const)
        .default("raw" as const),
    )
    .addOption(ALLOW_BACKING)
    .addOption(
      new Option("--exclude <pattern>", "leave out, in the syntax of gitignore; repeatable").argParser(collect),
    )
    .addOption(new Option("--exclude-from <file>", "patterns from a file; repeatable").argParser(collect))
    .option("--one-file-system", "do not enter other file systems")
    .option("--dereference", "take what symlinks point to");
}

export interface InputOptions {
  readonly disk?: string | undefined;
  readonly memory?: string | undefined;
  readonly diskFormat: "raw" | "qcow2";
  readonly allowBacking?: true | undefined;
  readonly exclude?: string[] | undefined;
  readonly excludeFrom?: string[] | undefined;
  readonly oneFileSystem?: true | undefined;
  readonly dereference?: true | undefined;
}

function patternsOf({ exclude = [], excludeFrom = [] }: InputOptions): string[] {
  const files = excludeFrom.map((path) => {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      throw fromSystemError(error, "read", path);
    }
  });
  return [...exclude, ...files];
}

/** What the INPUTs and options say to the library. @throws HexzError */
export function inputsOf(inputs: readonly string[], options: InputOptions): Required<PackInputs> {
  const { disk, memory, diskFormat, allowBacking = false, oneFileSystem = false, dereference = false } = options;
  if (disk === undefined && diskFormat !== "raw") throw new HexzError("usage", "--disk-format is of what --disk names");
  const streams = [
    ...(disk === undefined ? [] : [{ name: "disk" as const, path: disk, format: diskFormat }]),
    ...(memory === undefined ? [] : [{ name: "memory" as const, path: memory }]),
  ];
  for (const path of [...inputs, ...streams.map((stream) => stream.path)]) refuseUrl(path);
  return { inputs, streams, allowBacking, walk: { exclude: patternsOf(options), oneFileSystem, dereference } };
}

/** Sockets and what this machine cannot keep are notes; anything else was to be read and was not. */
export function inputExitCode({ code }: Warning): number {
  return code === "unsupported" ? EXIT.done : code === "damaged" ? EXIT.bad : EXIT.outside;
}
