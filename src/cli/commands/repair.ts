// `hexz repair`: what can be saved of a damaged archive, in a new one.

import { Command, Option } from "@commander-js/extra-typings";
import { hexOf } from "../../core/bytes.ts";
import { HexzError } from "../../core/errors.ts";
import type { Salvaged } from "../../core/salvage/work.ts";
import { readPrivateKey } from "../../node/keys.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { asUsage, EXIT } from "../exit-codes.ts";
import { refuseUrl } from "../open.ts";
import { collect, FORCE, SIGN, WORKERS, withRunOptions } from "../options.ts";
import { problemDocument, problemText } from "../problems.ts";
import { createProgress } from "../progress.ts";
import { readingOptions, withReadingOptions } from "../reading-options.ts";
import { isTerminal, printNote } from "../terminal.ts";
import { tellWritten } from "../written.ts";

const STDOUT = "-";
/** Losses that are told one by one where nobody asked for a document. */
const MOST_LINES = 1000;

function define() {
  return withRunOptions(
    withReadingOptions(
      new Command("hexz repair")
        .summary("save what is left of a damaged archive")
        .description("Writes a new archive of what is left of a damaged one, and lists what is lost.")
        .argument("<archive>", "the damaged archive, which stays as it is")
        .argument("<output>", "the new archive; - is standard output")
        .option("--keep-partial", "keep files and streams of which a part is lost, with zeros in its place")
        .addOption(
          new Option(
            "--base <archive>",
            "an archive that may have what is lost: the new one refers to it and its parents; repeatable",
          ).argParser(collect),
        )
        .addOption(SIGN)
        .addOption(FORCE)
        .addOption(WORKERS),
    ),
  );
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

function documentOf({ losses, nameless, verbatim, cutBytes, copied, from }: Salvaged): Record<string, unknown> {
  const { id, proven, signatures } = from;
  return {
    complete: losses.length === 0,
    verbatim,
    cut_bytes: cutBytes,
    source: {
      archive_id: id === undefined ? null : hexOf(id),
      proven,
      signatures: signatures.map(({ publicKey, valid }) => ({ public_key: hexOf(publicKey), valid })),
    },
    copied_blocks: { count: copied.count, stored_bytes: copied.storedBytes },
    nameless,
    lost: losses.map((loss) => ({ ...problemDocument(loss), kept: loss.kept })),
  };
}

/** What was found and done, in words. */
function linesOf({ losses, nameless, verbatim, cutBytes, from }: Salvaged): string[] {
  const lines: string[] = [];
  if (from.id === undefined) lines.push("the root is lost: pages were put together by what they say of themselves");
  else if (!from.proven) lines.push("some pages are not tied to the root any more");
  if (nameless > 0) lines.push(`${nameless} contents whose names are lost are in lost+found`);
  if (verbatim) lines.push("copied byte for byte: it is the archive that it was");
  if (cutBytes > 0) lines.push(`${cutBytes} bytes behind the archive's end were left out`);
  if (losses.length > 0 && losses.some(({ kept, path }) => !kept && path !== undefined)) {
    lines.push("what is lost in part was left out; --keep-partial keeps it, with zeros");
  }
  return lines;
}

function printLosses({ losses }: Salvaged): void {
  for (const loss of losses.slice(0, MOST_LINES)) printNote(`hexz: lost: ${problemText(loss)}`);
  const more = losses.length - MOST_LINES;
  if (more > 0) printNote(`hexz: lost: ${more} more; --json lists them`);
}

async function run(archive: string, output: string, options: Options, calling: Calling): Promise<void> {
  const { base: bases = [], keepPartial = false } = options;
  for (const path of [archive, output, ...bases]) refuseUrl(path);
  if (bases.some((base) => base.startsWith("auto:"))) {
    throw new HexzError("usage", "auto:DIR chooses by what is whole: name the archive that may have what is lost");
  }
  const onStdout = output === STDOUT;
  if (onStdout) calling.claimStdout();
  if (onStdout && isTerminal("stdout")) {
    throw new HexzError("usage", "an archive is not for a terminal", { hint: "redirect standard output" });
  }
  const quiet = options.quiet === true || options.silent === true;
  const { repairArchiveFile } = await import("../../node/repair.ts");
  let progress = createProgress(options.progress, quiet, "checking");
  const start = performance.now();
  let salvaged: Salvaged;
  try {
    salvaged = await repairArchiveFile({
      ...readingOptions(options),
      archive,
      output,
      bases,
      keepPartial,
      signers: (options.sign ?? []).map(readPrivateKey),
      force: options.force === true,
      onPhase(phase, bytes) {
        progress.end();
        progress = createProgress(options.progress, quiet, phase, bytes);
      },
      onProgress: (bytes) => progress.add(bytes),
    });
  } catch (error) {
    throw asUsage(error);
  } finally {
    progress.end();
  }
  const seconds = (performance.now() - start) / 1000;
  const json = options.json === true;
  if (!json) printLosses(salvaged);
  const told = {
    output,
    written: salvaged,
    seconds,
    warnings: [],
    extra: documentOf(salvaged),
    lines: linesOf(salvaged),
  };
  await tellWritten(told, { json, quiet, onStdout });
  calling.finish(salvaged.losses.length > 0 ? EXIT.bad : EXIT.done);
}

export const repair: CommandSpec = {
  create: (calling) => define().action((archive, output, options) => run(archive, output, options, calling)),
  example: "hexz repair damaged.hxz saved.hxz",
};
