// `hexz extract`: a tree into a directory, or a single stream or file into a file.

import { fstatSync, statSync } from "node:fs";
import { basename } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { HexzError } from "../../core/errors.ts";
import { LONE_FILE } from "../../core/format/v1/manifest.ts";
import type { Archive } from "../../core/read/archive.ts";
import type { RangeSource } from "../../core/source/source.ts";
import type { Extracted } from "../../node/extract.ts";
import type { ExtractFileOptions, FileContent } from "../../node/extract-file.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { asUsage, EXIT, EXIT_CODES } from "../exit-codes.ts";
import { openArgument, refuseUrl } from "../open.ts";
import { collect, countParser, FORCE, WORKERS, withRunOptions } from "../options.ts";
import { createProgress, type Progress } from "../progress.ts";
import { readingOptions, withReadingOptions } from "../reading-options.ts";
import { selectionOf } from "../selection.ts";
import { formatSize } from "../sizes.ts";
import { printDocument, printText, printWarnings } from "../terminal.ts";
import { printable, warningDocument } from "../text.ts";

const SUFFIX = ".hxz";
const STDIO = "-";

function define() {
  return withRunOptions(
    withReadingOptions(
      new Command("hexz extract")
        .summary("restore files, directories or images")
        .description("Restores a tree into a directory, or a single stream or file into a file.")
        .argument("<archive>", "the archive; - is standard input")
        .argument("[dest]", `default: the archive's name without ${SUFFIX}`)
        .argument("[path...]", "only these, and what is in them; DEST is a directory then")
        .addOption(
          new Option("--include <pattern>", "only what matches, as in gitignore; repeatable").argParser(collect),
        )
        .addOption(
          new Option("--exclude <pattern>", "not what matches, as in gitignore; repeatable").argParser(collect),
        )
        .addOption(
          new Option("--strip-components <count>", "remove leading directories of names")
            .argParser(countParser(0))
            .default(0),
        )
        .option("--no-owner", "do not restore owner and group (default: restored when run by root)")
        .option("--no-xattrs", "do not restore extended attributes")
        .option("--numeric-owner", "restore user and group by number, not by name")
        .addOption(
          new Option("--sparse <when>", "whether zeros become holes")
            .choices(["auto", "never"] as const)
            .default("auto" as const),
        )
        .option("--devices", "create device nodes")
        .option("--preserve-setuid", "restore setuid, setgid and sticky bits also when not run by root")
        .addOption(FORCE)
        .addOption(WORKERS),
    ),
  );
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

/** @throws HexzError `usage` when the archive's name gives none */
function defaultDestination(archive: string): string {
  const name = basename(archive);
  if (name.endsWith(SUFFIX) && name.length > SUFFIX.length) return name.slice(0, -SUFFIX.length);
  throw new HexzError("usage", `"${archive}" does not end in ${SUFFIX}: say where to extract it`, {
    hint: `hexz extract ${archive} DEST`,
  });
}

/** The content of an archive that was made of one stream or one file; undefined of one that holds a tree. */
async function loneContent(archive: Archive): Promise<FileContent | undefined> {
  const { files, directories, symlinks, other } = archive.root.counts;
  const [stream] = archive.ownStreams;
  if (stream !== undefined) {
    if (archive.ownStreams.length + files + directories + symlinks + other !== 1) return undefined;
    return { file: await archive.file(stream.name), sparse: stream.sparse };
  }
  // A manifest of format 1 is a directory's, with one file too, unless it says otherwise.
  const isTree = archive.version === 1 && archive.format1?.manifest?.facts[LONE_FILE] !== true;
  if (isTree || files !== 1 || directories > 1 || symlinks + other > 0) return undefined;
  for await (const entry of archive.entries()) {
    // the directory of a packed directory has its own metadata, the one around packed files has none
    if (entry.type === "directory" && entry.mode !== undefined) return undefined;
    if (entry.type === "file") {
      return { file: archive.fileOf(entry), sparse: entry.sparse === true, entry };
    }
  }
  return undefined;
}

/** What is to be done. */
interface Job {
  readonly archive: string;
  readonly destination: string;
  readonly paths: readonly string[];
  readonly options: Options;
  readonly progress: Progress;
}

/** Options that trees and single files have in common. */
function commonOptions({ archive, options, progress }: Job): ExtractFileOptions {
  return {
    // absent: root restores it
    ...(options.owner ? {} : { owner: false }),
    xattrs: options.xattrs,
    numericOwner: options.numericOwner === true,
    preserveSetuid: options.preserveSetuid === true,
    sparse: options.sparse,
    force: options.force === true,
    protect: archive === STDIO ? fstatSync(0) : statSync(archive),
    onProgress: progress.add,
  };
}

async function extractLone(archive: Archive, content: FileContent, job: Job): Promise<Extracted> {
  const { destination, progress } = job;
  if (statSync(destination, { throwIfNoEntry: false })?.isDirectory()) {
    throw new HexzError("output_exists", `${destination} is a directory, and the archive holds a single file`, {
      hint: "say the name of the file to write",
    });
  }
  const { extractFile } = await import("../../node/extract-file.ts");
  progress.expect(content.file.size);
  return extractFile(archive, content, destination, commonOptions(job));
}

async function extractSelected(archive: Archive, job: Job): Promise<Extracted> {
  const { destination, paths, options, progress } = job;
  const { include = [], exclude = [] } = options;
  const { streams, select } = await selectionOf(archive, { paths, include, exclude });
  for (const { name } of streams) {
    const entry = await archive.entry(`./${name}`);
    if (entry !== undefined && select(entry)) {
      throw new HexzError("collision", `the stream ${name} and a file of the archive would have the same name`, {
        hint: "extract one of them by its PATH: the file is ./disk or ./memory",
      });
    }
  }
  if (paths.length + include.length + exclude.length === 0) progress.expect(archive.root.counts.originalSize);
  const { extractTree } = await import("../../node/extract.ts");
  return extractTree(archive, destination, {
    ...commonOptions(job),
    streams,
    select,
    devices: options.devices === true,
    stripComponents: options.stripComponents,
  });
}

async function extractSource(source: RangeSource, job: Job): Promise<Extracted> {
  const { openArchiveSource } = await import("../../node/archive.ts");
  const { include, exclude, stripComponents } = job.options;
  const archive = await openArchiveSource(source, readingOptions(job.options));
  const whole = job.paths.length === 0 && include === undefined && exclude === undefined && stripComponents === 0;
  const content = whole ? await loneContent(archive) : undefined;
  return content === undefined ? extractSelected(archive, job) : extractLone(archive, content, job);
}

/** Bad entries make it 1; what could not be written, 3. Lost metadata alone is a warning. */
function exitCodeFor({ warnings, failed }: Extracted): number {
  if (warnings.some(({ code }) => EXIT_CODES[code] === EXIT.bad)) return EXIT.bad;
  return failed > 0 ? EXIT.outside : EXIT.done;
}

async function run(
  path: string,
  dest: string | undefined,
  paths: readonly string[],
  options: Options,
  calling: Calling,
): Promise<void> {
  const destination = dest ?? defaultDestination(path);
  refuseUrl(destination);
  if (destination === STDIO) {
    throw new HexzError("usage", "extract writes files, not standard output", { hint: "hexz cat does" });
  }
  const source = openArgument(path);
  const quiet = options.quiet === true || options.silent === true;
  const progress = createProgress(options.progress, quiet, "extracting");
  let result: Extracted;
  try {
    result = await extractSource(source, { archive: path, destination, paths, options, progress });
  } catch (error) {
    throw asUsage(error);
  } finally {
    progress.end();
    await source.close?.();
  }
  const { entries, bytes, warnings } = result;
  printWarnings(warnings);
  if (options.json === true) {
    await printDocument({ path: destination, entries, bytes, warnings: warnings.map(warningDocument) });
  } else if (!quiet) {
    printText(`${printable(destination)}: ${formatSize(bytes)} in ${entries} ${entries === 1 ? "entry" : "entries"}\n`);
  }
  calling.finish(exitCodeFor(result));
}

export const extract: CommandSpec = {
  create: (calling) => define().action((path, dest, paths, options) => run(path, dest, paths, options, calling)),
  example: "hexz extract backup.hxz restored photos/2024 --exclude '*.tmp'",
};
