// `hexz inspect`: what an archive is and holds. Everything but the lists is in the root, so it costs one or two reads.

import { Command } from "@commander-js/extra-typings";
import { hexOf } from "../../core/bytes.ts";
import { slotDocuments } from "../../core/crypto/keys.ts";
import type { SlotKind } from "../../core/crypto/secrets.ts";
import { HexzError } from "../../core/errors.ts";
import type { BlockRef } from "../../core/format/index-page.ts";
import type { Archive } from "../../core/read/archive.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { EXIT } from "../exit-codes.ts";
import { blockFigures, chunkFigures, codecName, compressionName, levelOf, ratioOf } from "../figures.ts";
import { format1Fields, surveyOf } from "../inspect-format1.ts";
import { entryDocument, entryLine, streamLine } from "../listing.ts";
import { openArgument, openToLook } from "../open.ts";
import { withRunOptions } from "../options.ts";
import { withReadingOptions } from "../reading-options.ts";
import { formatSize } from "../sizes.ts";
import { createLinePrinter, printDocument, printText } from "../terminal.ts";
import { printable, textOrNull } from "../text.ts";

function define() {
  return withRunOptions(
    withReadingOptions(
      new Command("hexz inspect")
        .alias("show")
        .summary("what is in an archive and how it is stored")
        .description("Shows what is in an archive and how it is stored.")
        .argument("<archive>", "the archive; - is standard input")
        .option("--entries", "list the entries too")
        .option("--blocks", "list the blocks too"),
    ),
  );
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

/** The document without the lists. @param path the archive as it was named */
async function documentOf(archive: Archive, path: string) {
  const { root, format1 } = archive;
  const survey = await surveyOf(archive);
  const { coding } = root;
  const counts = survey?.counts ?? root.counts;
  const metadata = await archive.metadata();
  const parents = [];
  for (const [number, { id, hint }] of root.parents.entries()) {
    const found = (await archive.run(archive.stores.tryStore(number + 1))) !== undefined;
    parents.push({ id: format1 === undefined ? hexOf(id) : null, hint, found });
  }
  return {
    path,
    version: archive.version,
    archive_id: archive.idText,
    content_id: format1 === undefined ? hexOf(root.contentId) : null,
    states: root.state,
    compression: compressionName(coding),
    engine: format1 === undefined ? coding.encoder : null,
    level: format1 === undefined ? levelOf(coding) : null,
    block_size: coding.blockSize,
    chunking: { method: coding.chunking, ...coding.sizes },
    variable_blocks: coding.chunking === "cdc",
    encrypted: archive.envelope !== undefined,
    key_slots: slotDocuments(archive.envelope?.kinds ?? []),
    signed: format1 === undefined && archive.endMark.signatures !== undefined,
    signatures: (await archive.signatures()).map(({ publicKey }) => ({ public_key: hexOf(publicKey) })),
    has_dictionary: root.dictionaries.length > 0,
    original_size: counts.originalSize,
    compressed_size: archive.fileLength,
    compression_ratio: ratioOf(counts.originalSize, archive.fileLength),
    entries: {
      files: counts.files,
      directories: counts.directories,
      symlinks: counts.symlinks,
      other: counts.other,
    },
    streams: root.streams.map(({ name, size }) => ({ name, size })),
    parents,
    parent_paths: root.parents.map(({ hint }) => hint),
    // the root page is the top of the index
    index: {
      pages: root.index.pageCount,
      depth: root.index.depth,
      offset: format1?.opened.header.indexOffset ?? archive.endMark.root.offset,
    },
    chunks: chunkFigures(counts),
    blocks: blockFigures(counts),
    metadata,
    note: textOrNull(metadata.note),
    created: textOrNull(metadata.created),
    ...format1Fields(archive, survey),
  };
}

type Document = Awaited<ReturnType<typeof documentOf>>;

/** All blocks in the order of the file; scattered duplicates make several pages name the same one. */
async function blocksOf(archive: Archive): Promise<BlockRef[]> {
  const blocks = new Map<string, BlockRef>();
  for (let address = 0; address < archive.root.addressSpace; ) {
    const found = await archive.run(archive.index.find(address));
    if ("error" in found) throw found.error;
    for (const block of found.leaf.blocks) blocks.set(`${block.archive}:${block.offset}`, block);
    address = found.end;
  }
  return [...blocks.values()].sort((a, b) => a.archive - b.archive || a.offset - b.offset);
}

function summaryLines(document: Document): string[] {
  const { chunks, blocks, chunking, entries, index } = document;
  const level = document.level === null ? "" : ` level ${document.level}`;
  const dictionary = document.has_dictionary ? " with a dictionary" : "";
  const rows: [string, string][] = [
    ["format", `version ${document.version}${document.version === 1 ? "" : `, state ${document.states}`}`],
    ["compression", `${document.compression}${level}${dictionary}, blocks of ${formatSize(document.block_size)}`],
    [
      "chunking",
      chunking.method === "fixed"
        ? `fixed, ${formatSize(chunking.avg)}`
        : `cdc, ${[chunking.min, chunking.avg, chunking.max].map(formatSize).join(" / ")}`,
    ],
    ["original size", `${formatSize(document.original_size)} (${document.original_size})`],
    [
      "archive size",
      `${formatSize(document.compressed_size)} (${document.compressed_size}), ${document.compression_ratio.toFixed(2)} to 1`,
    ],
  ];
  if (document.engine !== null) rows.splice(1, 0, ["engine", document.engine]);
  if (document.content_id !== null) rows.splice(1, 0, ["content id", document.content_id]);
  if (document.archive_id !== null) rows.splice(1, 0, ["archive id", document.archive_id]);
  for (const { name, size } of document.streams) rows.push([`stream ${name}`, `${formatSize(size)} (${size})`]);
  const kinds = Object.entries(entries).filter(([, count]) => count > 0);
  rows.push(["entries", kinds.map(([kind, count]) => `${count} ${kind}`).join(", ") || "none"]);
  rows.push(["chunks", `${chunks.total}`]);
  for (const kind of ["unique", "duplicate", "parent", "zero"] as const) {
    if (chunks[kind] > 0) rows.push([`  ${kind}`, `${chunks[kind]}, ${formatSize(chunks[`${kind}_bytes`])}`]);
  }
  rows.push(["blocks", `${blocks.count}, ${formatSize(blocks.stored_bytes)}`]);
  for (const [codec, tally] of Object.entries(blocks.by_codec)) {
    rows.push([
      `  ${codec}`,
      `${tally.count}, ${formatSize(tally.plain_bytes)} stored in ${formatSize(tally.stored_bytes)}`,
    ]);
  }
  rows.push(["index", `${index.pages} pages, ${index.depth} levels below the root`]);
  rows.push(["encrypted", encryptedText(document.key_slots)], ["signed", document.signed ? "yes" : "no"]);
  for (const { public_key: key } of document.signatures) rows.push(["  by", `${key} (hexz verify proves it)`]);
  for (const { id, hint } of document.parents) rows.push(["parent", id === null ? hint : `${hint} (${id})`]);
  if (document.note !== null) rows.push(["note", document.note]);
  if (document.created !== null) rows.push(["created", document.created]);
  return [`${document.path}`, ...rows.map(([key, value]) => `  ${key.padEnd(16)}${value}`)].map(printable);
}

async function printDocuments(archive: Archive, document: Document, options: Options): Promise<void> {
  const lists: { entry_list?: object[]; block_list?: object[] } = {};
  if (options.entries === true) {
    lists.entry_list = [];
    for await (const entry of archive.entries()) lists.entry_list.push(entryDocument(entry));
  }
  if (options.blocks === true) lists.block_list = (await blocksOf(archive)).map(blockDocument);
  await printDocument({ ...document, ...lists });
}

function blockDocument({ offset, storedLength, plainLength, codec, archive }: BlockRef): object {
  return { offset, stored: storedLength, plain: plainLength, codec: codecName(codec), parent: archive };
}

async function printLines(archive: Archive, document: Document, options: Options): Promise<void> {
  const { line, end } = createLinePrinter();
  for (const text of summaryLines(document)) await line(text);
  if (options.entries === true) {
    await line("");
    for (const stream of archive.streams) await line(streamLine(stream));
    for await (const entry of archive.entries()) await line(entryLine(entry));
  }
  if (options.blocks === true) {
    await line("");
    await line(`${"offset".padStart(16)} ${"stored".padStart(10)} ${"plain".padStart(10)} codec`);
    for (const { offset, storedLength, plainLength, codec } of await blocksOf(archive)) {
      const numbers = [
        String(offset).padStart(16),
        String(storedLength).padStart(10),
        String(plainLength).padStart(10),
      ];
      await line(`${numbers.join(" ")} ${codecName(codec)}`);
    }
  }
  await end();
}

/** What anybody can see of an encrypted archive. */
interface Locked {
  readonly encrypted: boolean;
  readonly key_slots: readonly { readonly slot: number; readonly kind: SlotKind }[];
}

async function printLocked(path: string, { encrypted, key_slots }: Locked, options: Options): Promise<void> {
  if (options.json === true) return printDocument({ path, version: 2, encrypted, key_slots });
  printText(`${printable(path)}\n  ${"encrypted".padEnd(16)}${printable(encryptedText(key_slots))}\n`);
}

function encryptedText(slots: Locked["key_slots"]): string {
  return slots.length === 0 ? "no" : `yes, key slots: ${slots.map(({ slot, kind }) => `${slot} ${kind}`).join(", ")}`;
}

async function run(path: string, options: Options, calling: Calling): Promise<void> {
  const source = openArgument(path);
  try {
    const archive = await openToLook(source, { ...options, prompt: false });
    const document = await documentOf(archive, path);
    if (options.json === true) await printDocuments(archive, document, options);
    else await printLines(archive, document, options);
  } catch (error) {
    if (!(error instanceof HexzError) || error.code !== "password_missing") throw error;
    await printLocked(path, error.data as unknown as Locked, options);
  } finally {
    await source.close?.();
  }
  calling.finish(EXIT.done);
}

export const inspect: CommandSpec = {
  create: (calling) => define().action((path, options) => run(path, options, calling)),
  example: "hexz inspect backup.hxz --entries",
};
