// `hexz pack`: inputs and images into one archive.

import { lstatSync, readFileSync } from "node:fs";
import { Argument, Command, Option } from "@commander-js/extra-typings";
import { HexzError, type Warning } from "../../core/errors.ts";
import type { ChosenBase } from "../../node/auto-bases.ts";
import { fromSystemError } from "../../node/errors.ts";
import type { PackOptions, PackResult } from "../../node/pack.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { asUsage, EXIT } from "../exit-codes.ts";
import { refuseUrl } from "../open.ts";
import {
  BASE,
  collect,
  countParser,
  ENGINE,
  FORCE,
  JSON_OPTION,
  LATER_WRITING,
  notAvailable,
  PARENT_DIR,
  PROGRESS,
  QUIET,
  refuseLater,
  SILENT,
  sizeParser,
  WORKERS,
} from "../options.ts";
import { createProgress } from "../progress.ts";
import { isTerminal } from "../terminal.ts";
import { printable } from "../text.ts";
import { tellWritten } from "../written.ts";

const STDOUT = "-";

function define() {
  const command = new Command("hexz pack")
    .summary("pack files, directories or images into an archive")
    .description("Packs files, directories, images or standard input (-) into one archive.")
    .usage("[options] INPUT... OUTPUT\n       hexz pack [options] OUTPUT --disk IMAGE [--memory DUMP]")
    .addArgument(
      new Argument(
        "<path...>",
        "INPUTs and, last, the OUTPUT. The contents of a single directory go to the root of the archive; " +
          "several INPUTs go under their base names. - is standard input or output",
      ),
    )
    .option("--disk <image>", "pack a disk image as the stream disk, as it is")
    .option("--memory <dump>", "pack a memory dump as the stream memory")
    .addOption(
      new Option("--compression <codec>", "how blocks are coded")
        .choices(["lz4", "zstd", "none"] as const)
        .default("lz4" as const),
    )
    .addOption(new Option("--level <number>", "of zstd: 1 to 19 (default: 3)").argParser(countParser(1)))
    .addOption(
      new Option(
        "--chunking <method>",
        "cut by content (FastCDC), or at multiples of the block size (default: cdc)",
      ).choices(["cdc", "fixed"] as const),
    )
    .addOption(new Option("--cdc", "the same as --chunking cdc").conflicts("chunking"))
    .addOption(
      new Option(
        "--block-size <size>",
        "plaintext that is coded together, 4K to 16M: the unit of a random read (default: 64K)",
      ).argParser(sizeParser),
    )
    .addOption(new Option("--min-chunk <size>", "default: 16K, or a quarter of a smaller block").argParser(sizeParser))
    .addOption(
      new Option("--avg-chunk <size>", "a power of two; default: 64K, or a smaller block's size").argParser(sizeParser),
    )
    .addOption(new Option("--max-chunk <size>", "default: 256K, or four times a smaller block").argParser(sizeParser))
    .addOption(BASE)
    .addOption(PARENT_DIR)
    .addOption(
      new Option("--disk-format <format>", "what --disk is; raw is taken as it is, whatever it looks like")
        .choices(["raw", "qcow2"] as const)
        .default("raw" as const),
    )
    .addOption(
      new Option("--exclude <pattern>", "leave out, in the syntax of gitignore; repeatable").argParser(collect),
    )
    .addOption(new Option("--exclude-from <file>", "patterns from a file; repeatable").argParser(collect))
    .option("--one-file-system", "do not enter other file systems")
    .option("--dereference", "pack what symlinks point to")
    .option("--note <text>", "a text to keep in the metadata")
    .addOption(new Option("--format <number>", "of the archive").choices(["1", "2"] as const).default("2" as const))
    .option("--dry-run", "do everything but write")
    .addOption(FORCE)
    .addOption(WORKERS)
    .addOption(ENGINE)
    .addOption(PROGRESS)
    .addOption(QUIET)
    .addOption(SILENT)
    .addOption(JSON_OPTION);
  refuseLater(command, LATER_WRITING);
  return command;
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

/** What is packed, and where to: the last path is the output in both spellings. */
function planOf(
  paths: readonly string[],
  { disk, memory }: Options,
): Pick<PackOptions, "inputs" | "streams" | "output"> {
  const streams = [
    ...(disk === undefined ? [] : [{ name: "disk" as const, path: disk }]),
    ...(memory === undefined ? [] : [{ name: "memory" as const, path: memory }]),
  ];
  const inputs = paths.slice(0, -1);
  if (inputs.length + streams.length === 0) {
    throw new HexzError("usage", "there is nothing to pack", {
      hint: `hexz pack INPUT... OUTPUT, or hexz pack ${paths[0]} --disk IMAGE`,
    });
  }
  const output = paths.at(-1)!;
  for (const path of [...inputs, ...streams.map((stream) => stream.path), output]) refuseUrl(path);
  return { inputs, streams, output };
}

function checkAvailable({ format, diskFormat }: Options): void {
  if (format === "1") throw notAvailable("--format 1");
  if (diskFormat === "qcow2") throw notAvailable("--disk-format qcow2");
}

/** The moment that SOURCE_DATE_EPOCH names; without it an archive does not tell when it was made. */
function createdTime(): string | undefined {
  const text = process.env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === "") return undefined;
  const time = new Date(Number(text) * 1000);
  if (/^\d+$/.test(text) && !Number.isNaN(time.getTime())) return time.toISOString();
  throw new HexzError("usage", `SOURCE_DATE_EPOCH is "${text}"; it must be a number of seconds since 1970`);
}

function metadataOf({ note }: Options): Record<string, unknown> | undefined {
  const created = createdTime();
  if (note === undefined && created === undefined) return undefined;
  return { ...(note === undefined ? {} : { note }), ...(created === undefined ? {} : { created }) };
}

function patternsOf({ exclude = [], excludeFrom = [] }: Options): string[] {
  const files = excludeFrom.map((path) => {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      throw fromSystemError(error, "read", path);
    }
  });
  return [...exclude, ...files];
}

/** A dry run refuses what the real one would refuse. */
function checkDryRun(output: string, options: Options): void {
  if (options.dryRun !== true || options.force === true || output === STDOUT) return;
  if (lstatSync(output, { throwIfNoEntry: false }) === undefined) return;
  throw new HexzError("output_exists", `${output} exists already`, { hint: "--force replaces it" });
}

/** Sockets and what this machine cannot keep are notes; anything else was to be in the archive and is not. */
function isLoss({ code }: Warning): boolean {
  return code !== "unsupported";
}

/** What `auto:DIR` has chosen, and why. */
function chosenLines(chosen: readonly ChosenBase[]): string[] {
  if (chosen.length === 0) return ["base: none, no archive there has enough of the chunks by its sketch"];
  return chosen.map(({ path, gain }, at) => {
    const share = `${at === 0 ? "" : "another "}${Math.round(gain * 100)} % of the chunks`;
    return `base: ${printable(path)}, which has ${share} by its sketch`;
  });
}

function chosenDocument({ path, gain }: ChosenBase): object {
  return { path, estimated_share: Math.round(gain * 1000) / 1000 };
}

async function run(paths: readonly string[], options: Options, calling: Calling): Promise<void> {
  checkAvailable(options);
  const plan = planOf(paths, options);
  const { output } = plan;
  const carriesData = output === STDOUT && options.dryRun !== true;
  if (carriesData) calling.claimStdout();
  if (carriesData && isTerminal("stdout")) {
    throw new HexzError("usage", "an archive is not for a terminal", { hint: "redirect standard output" });
  }
  checkDryRun(output, options);
  const quiet = options.quiet === true || options.silent === true;
  const metadata = metadataOf(options);
  const exclude = patternsOf(options);
  const { pack: packPaths } = await import("../../node/pack.ts");
  const progress = createProgress(options.progress, quiet, "packing");
  const start = performance.now();
  const { compression, level, chunking, blockSize, minChunk, avgChunk, maxChunk, workers, engine } = options;
  const { base: bases, parentDir: parentDirs } = options;
  const sizes = defined({
    blockSize,
    chunking,
    level,
    minChunk,
    avgChunk,
    maxChunk,
    workers,
    metadata,
    bases,
    parentDirs,
  });
  let result: PackResult;
  try {
    result = await packPaths({
      ...plan,
      ...sizes,
      compression,
      engine,
      force: options.force === true,
      dryRun: options.dryRun === true,
      walk: {
        exclude,
        oneFileSystem: options.oneFileSystem === true,
        dereference: options.dereference === true,
      },
      onTotal: progress.expect,
      onProgress: progress.add,
    });
  } catch (error) {
    throw asUsage(error);
  } finally {
    progress.end();
  }
  const seconds = (performance.now() - start) / 1000;
  const { warnings, chosenBases } = result;
  const told = {
    output,
    written: result,
    seconds,
    warnings,
    ...(chosenBases && { extra: { chosen_bases: chosenBases.map(chosenDocument) }, lines: chosenLines(chosenBases) }),
  };
  await tellWritten(told, { json: options.json === true, quiet, onStdout: carriesData });
  calling.finish(warnings.some(isLoss) ? EXIT.outside : EXIT.done);
}

function defined<T extends object>(values: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}

export const pack: CommandSpec = {
  create: (calling) => define().action((paths, options) => run(paths, options, calling)),
  example: "hexz pack photos notes.txt backup.hxz --compression zstd --exclude '*.tmp'",
};
