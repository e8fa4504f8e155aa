// `hexz commit`: an archive and the overlay on its disk become a new archive.

import { Command, Option } from "@commander-js/extra-typings";
import { HexzError } from "../../core/errors.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { withCopyingOptions, writeCopy } from "../copying.ts";
import { countParser, sizeParser } from "../options.ts";
import { formatSize } from "../sizes.ts";
import { metadataOf } from "../writing-options.ts";

function define() {
  const commit = new Command("hexz commit")
    .summary("make an archive of a base and the overlay on its disk")
    .description(
      "Makes an archive of a base and the overlay on its disk. Blocks that the overlay did not touch are copied as they " +
        "are coded, or, with --thin, referred to.",
    )
    .argument("<base>", "the archive that was mounted")
    .argument("<overlay>", "the data file of the overlay; its log has the same name with the ending meta")
    .argument("<output>", "the new archive; - is standard output")
    .option("--thin", "refer to what the base and its parents store")
    .option("--message <text>", "the note of the new archive")
    .addOption(new Option("--keep-overlay", "do not delete the overlay; the default").conflicts("deleteOverlay"))
    .option("--delete-overlay", "delete the overlay and its log when the new archive is on the disk")
    // The original's word for an archive without parents.
    .addOption(new Option("--flatten").conflicts("thin").hideHelp())
    .addOption(
      new Option("--compression <codec>", "how new blocks are coded (default: as those of the base)").choices([
        "lz4",
        "zstd",
        "none",
      ] as const),
    )
    .addOption(new Option("--level <number>", "of zstd: 1 to 19 (default: the base's)").argParser(countParser(1)))
    .addOption(
      new Option("--block-size <size>", "of new blocks, 4K to 16M (default: the base's)").argParser(sizeParser),
    );
  return withCopyingOptions(commit);
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

async function run(
  paths: { base: string; overlay: string; output: string },
  options: Options,
  calling: Calling,
): Promise<void> {
  const { base, overlay, output } = paths;
  if ([base, overlay].includes("-")) throw new HexzError("usage", "base and overlay are files, not standard input");
  const { compression, level, blockSize, message, deleteOverlay = false, thin = false } = options;
  await writeCopy({
    output,
    inputs: [base, overlay],
    options,
    calling,
    async make(copying) {
      const { commit } = await import("../../node/commit.ts");
      const written = await commit({
        ...copying,
        base,
        overlay,
        thin,
        deleteOverlay,
        metadata: metadataOf({ note: message }),
        ...(compression === undefined ? {} : { compression }),
        ...(level === undefined ? {} : { level }),
        ...(blockSize === undefined ? {} : { blockSize }),
      });
      const { modified, recut } = written;
      const lines = [`overlay: ${modified.blocks} blocks (${formatSize(modified.bytes)})`];
      const extra = { modified_blocks: modified.blocks, modified_bytes: modified.bytes, recut_bytes: recut };
      return { written, extra: { ...extra, overlay_deleted: deleteOverlay }, lines };
    },
  });
}

export const commit: CommandSpec = {
  create: (calling) =>
    define().action((base, overlay, output, options) => run({ base, overlay, output }, options, calling)),
  example: "hexz commit monday.hxz vm.overlay tuesday.hxz --thin --message 'after the update'",
};
