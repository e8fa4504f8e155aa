// `hexz diff`: what two archives have in common, by chunk and by file.

import { Command, Option } from "@commander-js/extra-typings";
import { type ArchiveDiff, diffArchives } from "../../core/diff/diff.ts";
import { HexzError } from "../../core/errors.ts";
import type { Archive } from "../../core/read/archive.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { diffDocument, diffLines, diffWarnings } from "../diff-output.ts";
import { EXIT, EXIT_CODES } from "../exit-codes.ts";
import { openArgument, openToLook } from "../open.ts";
import { withRunOptions } from "../options.ts";
import { withReadingOptions } from "../reading-options.ts";
import { createLinePrinter, printDocument, printWarnings } from "../terminal.ts";

const STDIN = "-";

function define() {
  return withRunOptions(
    withReadingOptions(
      new Command("hexz diff")
        .summary("what two archives have in common, by chunk and by file")
        .description(
          "Compares two archives by their indexes and trees; no block is read. What is not known is named, and the rest compared.",
        )
        .argument("<a>", "the older archive; - is standard input")
        .argument("<b>", "the newer archive; - is standard input")
        .option("--exit-code", "exit with 1 when they differ")
        .addOption(new Option("--chunks", "compare chunks only").conflicts("files"))
        .option("--files", "show what happened to streams and entries only, and all of it"),
    ),
  );
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

/** Whether anything differs, or might: with `--chunks`, of the chunks; else of streams and entries. */
function differs({ chunks, files }: ArchiveDiff): boolean {
  if (files === undefined) {
    return chunks.a.chunks !== chunks.shared.chunks || chunks.b.chunks !== chunks.shared.chunks;
  }
  const { added, removed, changed, renamed, metadataOnly, undecided } = files;
  return [added, removed, changed, renamed, metadataOnly, undecided].some((list) => list.length > 0);
}

async function openBoth(
  paths: readonly [string, string],
  options: Options,
  work: (a: Archive, b: Archive) => Promise<void>,
): Promise<void> {
  const [first, second] = paths;
  if (first === STDIN && second === STDIN) throw new HexzError("usage", "standard input can be one archive only");
  const a = openArgument(first);
  try {
    const b = openArgument(second);
    try {
      await work(await openToLook(a, options), await openToLook(b, options));
    } finally {
      await b.close?.();
    }
  } finally {
    await a.close?.();
  }
}

async function run(paths: readonly [string, string], options: Options, calling: Calling): Promise<void> {
  await openBoth(paths, options, async (a, b) => {
    const diff = await diffArchives(a, b, { chunksOnly: options.chunks === true });
    const different = differs(diff);
    const sides = { a: { path: paths[0], archive: a }, b: { path: paths[1], archive: b } };
    const shown = { chunks: options.files !== true, files: options.chunks !== true };
    printWarnings(diffWarnings(diff, sides));
    if (options.json === true) {
      await printDocument(diffDocument(diff, sides, shown, !different));
    } else if (options.quiet !== true && options.silent !== true) {
      const { line, end } = createLinePrinter();
      for (const text of diffLines(diff, sides, shown)) await line(text);
      await end();
    }
    const codes = [...diff.lost.a, ...diff.lost.b].map(({ code }) => EXIT_CODES[code]);
    if (options.exitCode === true && different) codes.push(EXIT.bad);
    calling.finish(codes.includes(EXIT.bad) ? EXIT.bad : Math.max(EXIT.done, ...codes));
  });
}

export const diff: CommandSpec = {
  create: (calling) => define().action((a, b, options) => run([a, b], options, calling)),
  example: "hexz diff monday.hxz tuesday.hxz",
};
