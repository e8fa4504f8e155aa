// `hexz flatten` and `hexz rebase`: the same content with no parents, or with other ones.

import { Command } from "@commander-js/extra-typings";
import { HexzError } from "../../core/errors.ts";
import { readPrivateKey } from "../../node/keys.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { asUsage, EXIT } from "../exit-codes.ts";
import { refuseUrl } from "../open.ts";
import {
  ENGINE,
  FORCE,
  JSON_OPTION,
  LATER_READING,
  LATER_WRITING,
  PROGRESS,
  QUIET,
  refuseLater,
  SIGN,
  SILENT,
} from "../options.ts";
import { createProgress } from "../progress.ts";
import { readingOptions, withReadingOptions } from "../reading-options.ts";
import { isTerminal } from "../terminal.ts";
import { tellWritten } from "../written.ts";

const STDOUT = "-";

function withOptions(command: Command) {
  const complete = withReadingOptions(command)
    .addOption(SIGN)
    .addOption(FORCE)
    .addOption(ENGINE)
    .addOption(PROGRESS)
    .addOption(QUIET)
    .addOption(SILENT)
    .addOption(JSON_OPTION);
  refuseLater(complete, [...new Set([...LATER_READING, ...LATER_WRITING])]);
  return complete;
}

type Options = ReturnType<ReturnType<typeof withOptions>["opts"]>;

async function run(
  paths: { archive: string; bases: readonly string[]; output: string },
  options: Options,
  calling: Calling,
): Promise<void> {
  const { archive, bases, output } = paths;
  for (const path of [archive, ...bases, output]) refuseUrl(path);
  const onStdout = output === STDOUT;
  if (onStdout) calling.claimStdout();
  if (onStdout && isTerminal("stdout")) {
    throw new HexzError("usage", "an archive is not for a terminal", { hint: "redirect standard output" });
  }
  const quiet = options.quiet === true || options.silent === true;
  const { copyArchiveFile } = await import("../../node/copy.ts");
  const progress = createProgress(options.progress, quiet, "copying");
  const start = performance.now();
  try {
    const written = await copyArchiveFile({
      ...readingOptions(options),
      ...paths,
      signers: (options.sign ?? []).map(readPrivateKey),
      force: options.force === true,
      onTotal: progress.expect,
      onProgress: progress.add,
    });
    progress.end();
    const { count, storedBytes } = written.copied;
    const seconds = (performance.now() - start) / 1000;
    const extra = { copied_blocks: { count, stored_bytes: storedBytes } };
    const told = { output, written, seconds, warnings: [], extra };
    await tellWritten(told, { json: options.json === true, quiet, onStdout });
  } catch (error) {
    throw asUsage(error);
  } finally {
    progress.end();
  }
  calling.finish(EXIT.done);
}

export const flatten: CommandSpec = {
  create: (calling) =>
    withOptions(
      new Command("hexz flatten")
        .summary("the same archive without parents")
        .description("Copies an archive with all that its parents store for it. Blocks are copied as they are coded."),
    )
      .argument("<archive>", "the archive")
      .argument("<output>", "the new archive; - is standard output")
      .action((archive, output, options) => run({ archive, bases: [], output }, options, calling)),
  example: "hexz flatten monday.hxz full.hxz",
};

export const rebase: CommandSpec = {
  create: (calling) =>
    withOptions(
      new Command("hexz rebase")
        .summary("the same archive with other parents")
        .description(
          "Copies an archive so that it refers to the new bases, and to nothing else. What they do not have is stored. " +
            "Old parents are needed only for what the new bases do not have.",
        )
        .usage("[options] ARCHIVE NEWBASE... OUTPUT"),
    )
      .argument("<archive>", "the archive")
      .argument("<path...>", "the new bases and, last, the new archive; - is standard output")
      .action((archive, paths, options) => {
        const bases = paths.slice(0, -1);
        if (bases.length === 0) throw new HexzError("usage", "a new base and an output are needed");
        return run({ archive, bases, output: paths.at(-1)! }, options, calling);
      }),
  example: "hexz rebase tuesday.hxz sunday.hxz tuesday-on-sunday.hxz",
};
