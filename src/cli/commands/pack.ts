// `hexz pack`: inputs and images into one archive.

import { readFileSync } from "node:fs";
import { Argument, Command, Option } from "@commander-js/extra-typings";
import { HexzError } from "../../core/errors.ts";
import { fromSystemError } from "../../node/errors.ts";
import type { PackOptions } from "../../node/pack.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { EXIT } from "../exit-codes.ts";
import { refuseUrl } from "../open.ts";
import { ALLOW_BACKING, collect, LATER_WRITING, refuseLater } from "../options.ts";
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
    )
    .option("--disk <image>", "pack a disk image as the stream disk, as it is")
    .option("--memory <dump>", "pack a memory dump as the stream memory");
  const walking = withCodingOptions(pack)
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
    .option("--dereference", "pack what symlinks point to");
  const command = withOutputOptions(walking);
  refuseLater(command, LATER_WRITING);
  return command;
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

/** What is packed, and where to: the last path is the output in both spellings. */
function planOf(
  paths: readonly string[],
  { disk, memory, diskFormat }: Options,
): Pick<PackOptions, "inputs" | "streams" | "output"> {
  const streams = [
    ...(disk === undefined ? [] : [{ name: "disk" as const, path: disk, format: diskFormat }]),
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

async function run(paths: readonly string[], options: Options, calling: Calling): Promise<void> {
  const { output, ...plan } = planOf(paths, options);
  const exclude = patternsOf(options);
  const { oneFileSystem = false, dereference = false } = options;
  await writeArchive({
    output,
    options,
    calling,
    doing: "packing",
    async make(making, progress) {
      const { pack: packPaths } = await import("../../node/pack.ts");
      const walk = { exclude, oneFileSystem, dereference };
      const allowBacking = options.allowBacking === true;
      return packPaths({ ...making, ...plan, allowBacking, walk, onTotal: progress.expect });
    },
    // Sockets and what this machine cannot keep are notes; anything else was to be in the archive and is not.
    exitCode: ({ code }) => (code === "unsupported" ? EXIT.done : code === "damaged" ? EXIT.bad : EXIT.outside),
  });
}

export const pack: CommandSpec = {
  create: (calling) => define().action((paths, options) => run(paths, options, calling)),
  example: "hexz pack photos notes.txt backup.hxz --compression zstd --exclude '*.tmp'",
};
