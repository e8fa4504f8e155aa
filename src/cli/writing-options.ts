// What the commands that make archives have in common: options, what they say to the library, and the result.

import { lstatSync } from "node:fs";
import { type Command, Option, type OptionValues } from "@commander-js/extra-typings";
import { HexzError, type Warning } from "../core/errors.ts";
import type { CodingOptions } from "../core/write/coding.ts";
import type { ChosenBase } from "../node/auto-bases.ts";
import { readPrivateKey } from "../node/keys.ts";
import type { MadeArchive, MakeOptions } from "../node/make-archive.ts";
import type { Calling } from "./catalogue.ts";
import { encryptionOf, withEncryptionOptions } from "./encryption-options.ts";
import { asUsage, EXIT } from "./exit-codes.ts";
import { BASE, countParser, FORCE, SIGN, sizeParser, WORKERS, withRunOptions } from "./options.ts";
import { createProgress, type Progress } from "./progress.ts";
import { readingOptions, withReadingOptions } from "./reading-options.ts";
import { formatSize } from "./sizes.ts";
import { isTerminal } from "./terminal.ts";
import { printable } from "./text.ts";
import { tellWritten } from "./written.ts";

const STDOUT = "-";
/** The original's word. */
const TRAIN_DICT = new Option("--train-dict").hideHelp();

/** How blocks and chunks are made. */
export function withCodingOptions<Arguments extends unknown[], Options extends OptionValues>(
  command: Command<Arguments, Options>,
) {
  return withReadingOptions(command)
    .addOption(
      new Option("--compression <codec>", "how blocks are coded")
        .choices(["lz4", "zstd", "none"] as const)
        .default("lz4" as const),
    )
    .addOption(new Option("--level <number>", "of zstd: 1 to 19 (default: 3)").argParser(countParser(1)))
    .addOption(
      new Option(
        "--dictionary",
        "train a dictionary on a sample of the input, for zstd: pays for small blocks of files that are alike",
      ),
    )
    .addOption(TRAIN_DICT)
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
    .addOption(BASE);
}

/** What is kept of the archive as a whole, and how the work is done. */
export function withOutputOptions<Arguments extends unknown[], Options extends OptionValues>(
  command: Command<Arguments, Options>,
) {
  const complete = withEncryptionOptions(command)
    .option("--note <text>", "a text to keep in the metadata")
    .addOption(
      new Option("--format <number>", "of the archive; 1 is what the original 0.5.5 and 0.8.2 read")
        .choices(["1", "2"] as const)
        .default("2" as const),
    )
    .option("--lossy", "with --format 1: leave out what it cannot keep, and list it")
    .option("--dry-run", "do everything but write")
    .addOption(SIGN)
    .addOption(FORCE)
    .addOption(WORKERS);
  return withRunOptions(complete);
}

type OptionsOf<C> = C extends Command<infer _, infer Options> ? Options : never;
// biome-ignore lint/complexity/noBannedTypes: a command without options of its own
type Plain = Command<[], {}>;
export type WritingOptions = OptionsOf<ReturnType<typeof withCodingOptions<[], OptionsOf<Plain>>>> &
  OptionsOf<ReturnType<typeof withOutputOptions<[], OptionsOf<Plain>>>>;

/** The moment that SOURCE_DATE_EPOCH names; without it an archive does not tell when it was made. */
function createdTime(): string | undefined {
  const text = process.env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === "") return undefined;
  const time = new Date(Number(text) * 1000);
  if (/^\d+$/.test(text) && !Number.isNaN(time.getTime())) return time.toISOString();
  throw new HexzError("usage", `SOURCE_DATE_EPOCH is "${text}"; it must be a number of seconds since 1970`);
}

/** What an archive keeps of how it was made. */
export function metadataOf({ note }: { readonly note?: string | undefined }): Record<string, unknown> | undefined {
  const created = createdTime();
  if (note === undefined && created === undefined) return undefined;
  return { ...(note === undefined ? {} : { note }), ...(created === undefined ? {} : { created }) };
}

/** A dry run refuses what the real one would refuse. */
function checkDryRun(output: string, options: WritingOptions): void {
  if (options.dryRun !== true || options.force === true || output === STDOUT) return;
  if (lstatSync(output, { throwIfNoEntry: false }) === undefined) return;
  throw new HexzError("output_exists", `${output} exists already`, { hint: "--force replaces it" });
}

function defined<T extends object>(values: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}

/** What the options of withCodingOptions say to the library, bases aside. */
export function codingOptionsOf(
  options: OptionsOf<ReturnType<typeof withCodingOptions<[], OptionsOf<Plain>>>>,
): CodingOptions {
  const { compression, level, chunking, blockSize, minChunk, avgChunk, maxChunk } = options;
  return { compression, ...defined({ level, chunking, blockSize, minChunk, avgChunk, maxChunk }) };
}

function makeOptionsOf(output: string, options: WritingOptions, progress: Progress): MakeOptions {
  const { base: bases, sign } = options;
  return {
    ...readingOptions(options),
    ...codingOptionsOf(options),
    ...defined({ metadata: metadataOf(options), bases, signers: sign?.map(readPrivateKey) }),
    output,
    force: options.force === true,
    archiveFormat: options.format === "1" ? 1 : 2,
    lossy: options.lossy === true,
    dryRun: options.dryRun === true,
    trainDictionary: options.dictionary === true || options.trainDict === true,
    onProgress: progress.add,
  };
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

/** One archive to make. */
export interface WritingJob {
  readonly output: string;
  readonly options: WritingOptions;
  readonly calling: Calling;
  /** What progress is of: "packing". */
  readonly doing: string;
  /** Keys of the command's own in the document. */
  readonly extra?: Readonly<Record<string, unknown>>;
  make(options: MakeOptions, progress: Progress): Promise<MadeArchive>;
  /** What a warning makes of the exit code; the highest counts. */
  exitCode(warning: Warning): number;
}

/** Makes an archive and tells of it. */
export async function writeArchive(job: WritingJob): Promise<void> {
  const { output, options, calling, doing, make, exitCode } = job;
  const carriesData = output === STDOUT && options.dryRun !== true;
  if (carriesData) calling.claimStdout();
  if (carriesData && isTerminal("stdout")) {
    throw new HexzError("usage", "an archive is not for a terminal", { hint: "redirect standard output" });
  }
  checkDryRun(output, options);
  const encryption = await encryptionOf(options);
  const quiet = options.quiet === true || options.silent === true;
  const progress = createProgress(options.progress, quiet, doing);
  const start = performance.now();
  let written: MadeArchive;
  try {
    written = await make({ ...makeOptionsOf(output, options, progress), ...defined({ encryption }) }, progress);
  } catch (error) {
    throw asUsage(error);
  } finally {
    progress.end();
  }
  const seconds = (performance.now() - start) / 1000;
  const { warnings, chosenBases, dictionaryLength } = written;
  const extra = {
    ...job.extra,
    ...(chosenBases && { chosen_bases: chosenBases.map(chosenDocument) }),
    ...(dictionaryLength !== undefined && { dictionary_bytes: dictionaryLength }),
  };
  const lines = [
    ...(chosenBases ? chosenLines(chosenBases) : []),
    ...(dictionaryLength === undefined ? [] : [`dictionary: ${formatSize(dictionaryLength)}`]),
  ];
  const told = { output, written, seconds, warnings, extra, lines };
  await tellWritten(told, { json: options.json === true, quiet, onStdout: carriesData });
  calling.finish(Math.max(EXIT.done, ...warnings.map(exitCode)));
}
