// What a command that has written an archive tells: one document, or a few lines.

import { hexOf } from "../core/bytes.ts";
import type { Warning } from "../core/errors.ts";
import type { WrittenArchive } from "../core/write/state-end.ts";
import { blockFigures, chunkFigures, ratioOf } from "./figures.ts";
import { formatSize } from "./sizes.ts";
import { printDocument, printNote, printText, printWarnings } from "./terminal.ts";
import { printable, warningDocument } from "./text.ts";

export interface Written {
  readonly output: string;
  readonly written: WrittenArchive;
  readonly seconds: number;
  readonly warnings: readonly Warning[];
  /** Keys of this command's own. */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** Lines of this command's own, before the others. */
  readonly lines?: readonly string[];
}

function documentOf({ output, written, seconds, warnings, extra = {} }: Written): object {
  const { counts, size, parents, id } = written;
  return {
    path: output,
    archive_id: id.length === 0 ? null : hexOf(id),
    original_size: counts.originalSize,
    compressed_size: size,
    compression_ratio: ratioOf(counts.originalSize, size),
    chunks: chunkFigures(counts),
    blocks: blockFigures(counts),
    seconds: Math.round(seconds * 1000) / 1000,
    ...(parents.length === 0 ? {} : { parents: parents.map(({ id, hint }) => ({ id: hexOf(id), hint })) }),
    ...extra,
    warnings: warnings.map(warningDocument),
  };
}

function linesOf({ output, written, seconds, lines = [] }: Written): string[] {
  const { counts, size, id } = written;
  const { originalSize, unique, duplicate, parent, fill } = counts;
  const ratio = ratioOf(originalSize, size).toFixed(2);
  const inParents = parent.count === 0 ? "" : `, ${parent.count} in parents (${formatSize(parent.bytes)})`;
  return [
    ...lines,
    `${printable(output)}: ${formatSize(originalSize)} in ${formatSize(size)} (${ratio} to 1), ${seconds.toFixed(2)} s`,
    `chunks: ${unique.count} stored, ${duplicate.count} duplicate (${formatSize(duplicate.bytes)}), ` +
      `${fill.count} empty (${formatSize(fill.bytes)})${inParents}`,
    ...(id.length === 0 ? [] : [`archive id: ${hexOf(id)}`]),
  ];
}

/** @param onStdout the archive itself went to standard output */
export async function tellWritten(
  told: Written,
  { json, quiet, onStdout }: { json: boolean; quiet: boolean; onStdout: boolean },
): Promise<void> {
  printWarnings(told.warnings);
  if (json) return printDocument(documentOf(told));
  if (quiet) return;
  if (onStdout) for (const line of linesOf(told)) printNote(line);
  else printText(`${linesOf(told).join("\n")}\n`);
}
