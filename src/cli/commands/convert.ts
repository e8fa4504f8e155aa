// `hexz convert`: an archive of a file of another format, or the other way round.

import { fstatSync, statSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { Argument, Command } from "@commander-js/extra-typings";
import { HexzError, type Warning } from "../../core/errors.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { asUsage, EXIT, EXIT_CODES } from "../exit-codes.ts";
import { openArgument, refuseUrl } from "../open.ts";
import { ALLOW_BACKING } from "../options.ts";
import { createProgress } from "../progress.ts";
import { readingOptions } from "../reading-options.ts";
import { formatSize } from "../sizes.ts";
import { isTerminal, printDocument, printNote, printText, printWarnings } from "../terminal.ts";
import { printable, warningDocument } from "../text.ts";
import { withCodingOptions, withOutputOptions, writeArchive } from "../writing-options.ts";

const STDIO = "-";
/** A member of a tar is a hundred small functions: V8 shall optimise fewer of them, and less of each (docs/design.md). */
const V8_FLAGS = ["--interrupt-budget=800000", "--max-inlined-bytecode-size-cumulative=100"];
/**
 * Bytes that are read before V8 is told. A thread that starts takes Node's own code from a cache, which is good only for
 * the flags that it was made with; by then the threads have started.
 */
const TUNE_V8_AFTER = 32 * 1024 * 1024;
/** What is made is an archive again: with all that goes for those. */
const TO_FORMAT1 = "hexz1";

function define() {
  const convert = new Command("hexz convert")
    .summary("make an archive of another format's files, or the other way round")
    .description("Makes an archive of a file of another format, or such a file of an archive.")
    .usage("[options] FORMAT INPUT... OUTPUT\n       hexz convert [options] --to FORMAT ARCHIVE OUTPUT")
    .addArgument(
      new Argument(
        "<argument...>",
        "FORMAT (tar, also compressed; webdataset; hdf5; qcow2; hexz1: an archive of format 1; auto: what the input looks like), INPUTs and OUTPUT; with --to, ARCHIVE and OUTPUT. " +
          "- is standard input or output",
      ),
    )
    .option("--to <format>", "turn an archive into this: raw, tar, original, qcow2, or hexz1: an archive of format 1")
    .addOption(ALLOW_BACKING)
    .option("--path <path>", "with --to: which file, stream or container, where there are several");
  const command = withOutputOptions(withCodingOptions(convert));
  return command;
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

/** What a warning is: something that is not in the result, or a remark. */
function exitCodeOf({ code }: Warning): number {
  if (code === "unsupported") return EXIT.done;
  return EXIT_CODES[code] === EXIT.usage ? EXIT.done : EXIT_CODES[code];
}

async function importFiles(args: readonly string[], options: Options, calling: Calling): Promise<void> {
  const [format, ...paths] = args;
  const inputs = paths.slice(0, -1);
  const output = paths.at(-1);
  if (format === undefined || output === undefined || inputs.length === 0) {
    throw new HexzError("usage", "a format, inputs and an output are needed", {
      hint: "hexz convert FORMAT INPUT... OUTPUT",
    });
  }
  await makeArchive(format, inputs, output, options, calling);
}

/** @param format "hexz1" with --to: an archive of format 1 of any archive */
async function makeArchive(
  format: string,
  inputs: readonly string[],
  output: string,
  options: Options,
  calling: Calling,
): Promise<void> {
  const toFormat1 = options.to === TO_FORMAT1;
  if (options.path !== undefined) throw new HexzError("usage", "--path says which content becomes a file of its own");
  for (const path of [...inputs, output]) refuseUrl(path);
  await writeArchive({
    output,
    options,
    calling,
    doing: "converting",
    async make(making, progress) {
      const { convert } = await import("../../node/convert/convert.ts");
      return convert({
        ...making,
        ...(toFormat1 ? { archiveFormat: 1 } : {}),
        format: toFormat1 ? (await import("../../node/convert/hexz1.ts")).anyArchive : format,
        inputs,
        allowBacking: options.allowBacking === true,
        onTotal: progress.expect,
        onProgress: tuningV8(progress.add),
      });
    },
    exitCode: exitCodeOf,
  });
}

/** Sets V8's flags once much was read. */
function tuningV8(onProgress: (bytes: number) => void): (bytes: number) => void {
  let left = TUNE_V8_AFTER;
  return (bytes) => {
    onProgress(bytes);
    if (left <= 0) return;
    left -= bytes;
    if (left <= 0) for (const flag of V8_FLAGS) setFlagsFromString(flag);
  };
}

async function exportArchive(to: string, args: readonly string[], options: Options, calling: Calling): Promise<void> {
  const [path, output] = args;
  if (path === undefined || output === undefined || args.length > 2) {
    throw new HexzError("usage", "an archive and an output are needed", {
      hint: `hexz convert --to ${to} ARCHIVE OUTPUT`,
    });
  }
  refuseUrl(output);
  if (to === TO_FORMAT1) return makeArchive(to, [path], output, options, calling);
  const { exportFormat } = await import("../../node/convert/registry.ts");
  const format = await exportFormat(to);
  const onStdout = output === STDIO;
  if (onStdout) calling.claimStdout();
  if (onStdout && (!format.stdout || isTerminal("stdout"))) {
    const why = format.stdout ? "data is not for a terminal" : `${to} is not written in order, so it needs a file`;
    throw new HexzError("usage", why);
  }
  const source = openArgument(path);
  const quiet = options.quiet === true || options.silent === true;
  const progress = createProgress(options.progress, quiet, "converting");
  const warnings: Warning[] = [];
  let bytes: number;
  try {
    const { openArchiveSource } = await import("../../node/archive.ts");
    const archive = await openArchiveSource(source, readingOptions(options));
    bytes = await format.write(archive, output, {
      ...(options.path === undefined ? {} : { path: options.path }),
      force: options.force === true,
      protect: path === STDIO ? fstatSync(0) : statSync(path),
      warn: (warning) => warnings.push(warning),
      onTotal: progress.expect,
      onProgress: progress.add,
    });
  } catch (error) {
    throw asUsage(error);
  } finally {
    progress.end();
    await source.close?.();
  }
  printWarnings(warnings);
  if (options.json === true) {
    await printDocument({ path: output, format: to, bytes, warnings: warnings.map(warningDocument) });
  } else if (!quiet) {
    const line = `${printable(output)}: ${formatSize(bytes)}`;
    if (onStdout) printNote(line);
    else printText(`${line}\n`);
  }
  calling.finish(Math.max(EXIT.done, ...warnings.map(exitCodeOf)));
}

async function run(args: readonly string[], options: Options, calling: Calling): Promise<void> {
  const { to } = options;
  if (to === undefined) await importFiles(args, options, calling);
  else await exportArchive(to, args, options, calling);
}

export const convert: CommandSpec = {
  create: (calling) => define().action((args, options) => run(args, options, calling)),
  example: "hexz convert --to raw backup.hxz disk.img",
};
