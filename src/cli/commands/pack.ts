// `hexz pack`: inputs and images into one archive.

import { Argument, Command } from "@commander-js/extra-typings";
import { HexzError } from "../../core/errors.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { inputExitCode, inputsOf, withInputOptions } from "../input-options.ts";
import { refuseUrl } from "../open.ts";
import { withCodingOptions, withOutputOptions, writeArchive } from "../writing-options.ts";

function define() {
  const pack = new Command("hexz pack")
    .summary("pack files, directories or images into an archive")
    .description("Packs files, directories, images or standard input (-) into one archive.")
    .usage("[options] INPUT... OUTPUT\n       hexz pack [options] OUTPUT --disk IMAGE [--memory DUMP]")
    .addArgument(
      new Argument(
        "<path...>",
        "INPUTs and, last, the OUTPUT. The contents of a single directory go to the root of the archive; " +
          "several INPUTs go under their base names. - is standard input or output",
      ),
    );
  const command = withOutputOptions(withCodingOptions(withInputOptions(pack)));
  return command;
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

async function run(paths: readonly string[], options: Options, calling: Calling): Promise<void> {
  // the last path is the output in both spellings
  const output = paths.at(-1)!;
  const plan = inputsOf(paths.slice(0, -1), options);
  if (plan.inputs.length + plan.streams.length === 0) {
    throw new HexzError("usage", "there is nothing to pack", {
      hint: `hexz pack INPUT... OUTPUT, or hexz pack ${output} --disk IMAGE`,
    });
  }
  refuseUrl(output);
  await writeArchive({
    output,
    options,
    calling,
    doing: "packing",
    async make(making, progress) {
      const { pack: packPaths } = await import("../../node/pack.ts");
      return packPaths({ ...making, ...plan, onTotal: progress.expect });
    },
    exitCode: inputExitCode,
  });
}

export const pack: CommandSpec = {
  create: (calling) => define().action((paths, options) => run(paths, options, calling)),
  example: "hexz pack photos notes.txt backup.hxz --compression zstd --exclude '*.tmp'",
};
