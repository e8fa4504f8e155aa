// `hexz overlay`: what an overlay has changed, by block and by file.

import { Command } from "@commander-js/extra-typings";
import type { MappedPartition } from "../../core/disk/map-changes.ts";
import { type ByteRange, OVERLAY_BLOCK } from "../../core/disk/overlay.ts";
import type { ChangedFile } from "../../core/disk/owners.ts";
import { HexzError, type Warning } from "../../core/errors.ts";
import { type ByteString, byteStringOf } from "../../core/format/path.ts";
import type { InspectedOverlay } from "../../node/inspect-overlay.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { asUsage, EXIT } from "../exit-codes.ts";
import { refuseUrl } from "../open.ts";
import { withRunOptions } from "../options.ts";
import { createProgress } from "../progress.ts";
import { readingOptions, withReadingOptions } from "../reading-options.ts";
import { formatSize } from "../sizes.ts";
import { createLinePrinter, printDocument, printWarnings } from "../terminal.ts";
import { nameFields, shownName, warningDocument } from "../text.ts";

function define() {
  const overlay = new Command("hexz overlay")
    .summary("what an overlay has changed, by block and by file")
    .description("Shows which blocks a copy-on-write overlay has changed and, with the archive below it, which files.")
    .argument("<file>", "the data file of the overlay; its log has the same name with the ending meta")
    .option("--base <archive>", "the archive that the overlay lies on")
    .option("--blocks", "list the numbers of the blocks")
    .option("--files", "list the files; needs --base");
  return withRunOptions(withReadingOptions(overlay));
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

const sum = (ranges: readonly ByteRange[]) => ranges.reduce((total, { start, end }) => total + end - start, 0);
const pair = ({ start, end }: ByteRange) => [start, end];

/** A file of a disk begins with its root; an entry has its name. */
function pathOf(file: ChangedFile, isDisk: boolean): ByteString {
  return (isDisk ? `/${file.path}` : file.path) as ByteString;
}

function fileDocument(file: ChangedFile, isDisk: boolean): object {
  return {
    ...nameFields("path", pathOf(file, isDisk)),
    type: file.type,
    partition: file.partition ?? null,
    bytes: file.bytes,
    metadata_bytes: file.metadataBytes,
    ranges: file.ranges.map(pair),
    other_paths: file.otherPaths.map((path) => shownName((isDisk ? `/${path}` : path) as ByteString)),
  };
}

function partitionDocument({ number, start, end, type, fileSystem, label, isMapped, notes }: MappedPartition): object {
  return {
    number: number ?? null,
    start,
    size: end - start,
    type: type ?? null,
    file_system: fileSystem ?? null,
    label: shownName(label as ByteString),
    mapped: isMapped,
    notes,
  };
}

function documentOf(path: string, inspected: InspectedOverlay, warnings: readonly Warning[]): object {
  const { blocks, ranges, below } = inspected;
  const isDisk = below?.content === "disk";
  return {
    path,
    block_size: OVERLAY_BLOCK,
    modified_blocks: blocks.length - (below?.outside ?? 0),
    modified_bytes: sum(ranges),
    ranges: ranges.map(pair),
    blocks: [...blocks],
    disk_size: below?.size ?? null,
    partition_table: below?.scheme ?? null,
    partitions: below?.partitions?.map(partitionDocument) ?? null,
    files: below?.files.map((file) => fileDocument(file, isDisk)) ?? null,
    areas: below?.areas.map(({ partition, area, bytes }) => ({ partition: partition ?? null, area, bytes })) ?? null,
    warnings: warnings.map(warningDocument),
  };
}

/** What somebody who trusts the result has to know. */
function warningsOf(path: string, { torn, below }: InspectedOverlay): Warning[] {
  const name = byteStringOf(Buffer.from(path));
  const tell = (message: string): Warning => ({ path: name, code: "unsupported", message: `${path}: ${message}` });
  const warnings: Warning[] = [];
  if (torn > 0) warnings.push(tell(`${torn} bytes at the end of its log are no whole entry`));
  if (below === undefined) return warnings;
  if (below.outside > 0) warnings.push(tell(`${below.outside} blocks of its log lie behind the end of the disk`));
  for (const { number, fileSystem, isMapped, notes } of below.partitions ?? []) {
    const what = `${number === undefined ? "the disk" : `partition ${number}`} (${fileSystem ?? "no known file system"})`;
    for (const note of notes) warnings.push(tell(`${what}: ${note}`));
    if (!isMapped && fileSystem !== undefined) warnings.push(tell(`${what} is not mapped to files`));
  }
  return warnings;
}

function* linesOf(path: string, inspected: InspectedOverlay, options: Options): Generator<string> {
  const { blocks, ranges, below } = inspected;
  const count = blocks.length - (below?.outside ?? 0);
  yield `${shownName(byteStringOf(Buffer.from(path)))}: ${count} blocks of 4 KiB (${formatSize(sum(ranges))}) in ${ranges.length} ranges`;
  if (below !== undefined) yield* belowLines(below, options);
  if (options.blocks === true) {
    yield "blocks:";
    for (const block of blocks) yield `  ${block}`;
  }
}

function* belowLines(below: NonNullable<InspectedOverlay["below"]>, options: Options): Generator<string> {
  const { files, areas, partitions = [], content } = below;
  const isDisk = content === "disk";
  for (const { number, start, end, fileSystem, label } of partitions) {
    const name = number === undefined ? "disk" : `partition ${number}`;
    const system = `${fileSystem ?? "no known file system"}${label === "" ? "" : ` "${shownName(label as ByteString)}"`}`;
    yield `${name}: ${system}, ${formatSize(end - start)} at ${start}`;
  }
  yield `changed files: ${files.length} (${formatSize(files.reduce((total, file) => total + file.bytes, 0))})`;
  const where = (partition: number | undefined) => (partition === undefined ? "" : `partition ${partition} `);
  if (options.files === true) {
    for (const file of files) {
      const size = formatSize(file.bytes + file.metadataBytes).padStart(12);
      yield `  ${size}  ${where(file.partition)}${shownName(pathOf(file, isDisk))}${file.type === "directory" && file.path !== "" ? "/" : ""}`;
    }
  }
  if (areas.length > 0) yield "changed besides:";
  for (const { partition, area, bytes } of areas)
    yield `  ${formatSize(bytes).padStart(12)}  ${where(partition)}${area}`;
}

async function run(path: string, options: Options, calling: Calling): Promise<void> {
  const { base, json, files } = options;
  if (files === true && base === undefined) {
    throw new HexzError("usage", "--files needs --base: only the archive below knows the files", {
      hint: `hexz overlay ${path} --files --base ARCHIVE`,
    });
  }
  for (const input of [path, ...(base === undefined ? [] : [base])]) {
    refuseUrl(input);
    if (input === "-") throw new HexzError("usage", "overlay and base are files, not standard input");
  }
  const { inspectOverlay } = await import("../../node/inspect-overlay.ts");
  const quiet = options.quiet === true || options.silent === true;
  const progress = createProgress(options.progress, quiet, "reading");
  let inspected: InspectedOverlay;
  try {
    inspected = await inspectOverlay(path, { ...readingOptions(options), base, onProgress: progress.add });
  } catch (error) {
    throw asUsage(error);
  } finally {
    progress.end();
  }
  const warnings = warningsOf(path, inspected);
  printWarnings(warnings);
  if (json === true) await printDocument(documentOf(path, inspected, warnings));
  else if (!quiet) {
    const { line, end } = createLinePrinter();
    for (const text of linesOf(path, inspected, options)) await line(text);
    await end();
  }
  calling.finish(EXIT.done);
}

export const overlay: CommandSpec = {
  create: (calling) => define().action((file, options) => run(file, options, calling)),
  example: "hexz overlay vm.overlay --base monday.hxz --files",
};
