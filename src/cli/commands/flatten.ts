// `hexz flatten` and `hexz rebase`: the same content with no parents, or with other ones.

import { Command } from "@commander-js/extra-typings";
import { HexzError } from "../../core/errors.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { type CopyingOptions, withCopyingOptions, writeCopy } from "../copying.ts";

function run(
  paths: { archive: string; bases: readonly string[]; output: string },
  options: CopyingOptions,
  calling: Calling,
): Promise<void> {
  const { archive, bases, output } = paths;
  return writeCopy({
    output,
    inputs: [archive, ...bases],
    options,
    calling,
    async make(copying) {
      const { copyArchiveFile } = await import("../../node/copy.ts");
      return { written: await copyArchiveFile({ ...copying, archive, bases }) };
    },
  });
}

export const flatten: CommandSpec = {
  create: (calling) =>
    withCopyingOptions(
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
    withCopyingOptions(
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
