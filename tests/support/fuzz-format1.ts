// Fuzzing of format 1: archives changed at random where their index, header and manifest are, which nothing protects;
// and blocks whose checksums are set right again, so that the changes reach what is behind them.

import { crc32 } from "node:zlib";
import { HexzError } from "../../src/core/errors.ts";
import { decodeHeader, HEADER_LENGTH } from "../../src/core/format/v1/header.ts";
import {
  type BlockEntry,
  decodeIndexPage,
  decodeMasterIndex,
  encodeIndexPage,
  encodeMasterIndex,
  masterIndexLength,
} from "../../src/core/format/v1/index-page.ts";
import { decodeManifest, decodeMetadata, encodeMetadata } from "../../src/core/format/v1/manifest.ts";
import type { FindParent } from "../../src/core/index.ts";
import { Archive } from "../../src/core/read/archive.ts";
import { checkArchive } from "../../src/core/read/check.ts";
import { createMemorySource } from "../../src/core/source/memory.ts";
import { bytesOfCrafted, bytesOfKept, parentsAmong } from "./format1.ts";
import { change, mangle } from "./fuzz.ts";
import { changeJson, type Decoder } from "./fuzz-records.ts";
import { codeOf, machinery, WrongOutcome } from "./outcomes.ts";

type Random = (below: number) => number;

interface Seed1 {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Stretches that are worth changing: header, pages, what follows the blocks. */
  readonly regions: readonly { readonly start: number; readonly end: number }[];
  readonly pages: readonly { readonly start: number; readonly end: number }[];
  readonly records: readonly Decoder[];
}

const KEPT = [
  "055-pack-lz4-4k-two-streams",
  "055-commit-thin-8k",
  "055-python-two-parents",
  "055-checkpoint-1",
  "070-checkpoint-2",
  "070-safetensors-1",
  "082-directory-memory",
  "082-thin-moved",
  "055-convert-webdataset",
  "055-convert-tar",
];
const CRAFTED = ["dictionary-trained", "sparse", "tail-beyond-blocks", "thin", "two-streams"];
/** The header's fields end before it does. */
const FIELDS_LENGTH = 200;

export async function loadFormat1Seeds(): Promise<Seed1[]> {
  const seeds: Seed1[] = [];
  const all = [
    ...KEPT.map((name) => bytesOfKept(`${name}.hxz`)),
    ...CRAFTED.map((name) => bytesOfCrafted(`${name}.hxz`)),
  ];
  for (const [number, bytes] of all.entries()) {
    const { format1 } = await open(bytes);
    const { master, header } = format1!.opened;
    const pages = [...master.main.pages, ...master.auxiliary.pages].map(({ offset, length }) => {
      return { start: offset, end: offset + length };
    });
    const regions = [{ start: 8, end: FIELDS_LENGTH }, { start: header.indexOffset, end: bytes.length }, ...pages];
    const records = recordsOf(bytes, format1!.opened, pages);
    seeds.push({ name: [...KEPT, ...CRAFTED][number]!, bytes, regions, pages, records });
  }
  return seeds;
}

/** What is in an archive but its blocks, and what decodes it. */
function recordsOf(
  bytes: Uint8Array,
  { master, header }: NonNullable<Archive["format1"]>["opened"],
  pages: Seed1["pages"],
): Decoder[] {
  const records: Decoder[] = [
    { name: "header", input: bytes.slice(0, FIELDS_LENGTH), decode: decodePaddedHeader },
    { name: "master index", input: encodeMasterIndex(master), decode: decodeWholeMaster },
  ];
  for (const { start, end } of pages) {
    const input = encodeIndexPage(decodeIndexPage(bytes.subarray(start, end), "a page").slice(0, MOST_ENTRIES));
    records.push({ name: "index page", input, decode: (page) => decodeIndexPage(page, "a page") });
  }
  const { metadata } = header;
  const manifest = metadata && decodeMetadata(bytes.subarray(metadata.offset, metadata.offset + metadata.length));
  if (manifest !== undefined) {
    records.push({ name: "manifest", input: encodeMetadata(manifest), decode: decodeBoth, changed: changeJson });
  }
  return records;
}

/** A page's entries are alike: the first ones do. */
const MOST_ENTRIES = 20;

function decodePaddedHeader(fields: Uint8Array): void {
  const header = new Uint8Array(HEADER_LENGTH);
  header.set(fields.subarray(0, HEADER_LENGTH));
  decodeHeader(header, "x");
}

function decodeWholeMaster(bytes: Uint8Array): void {
  masterIndexLength(bytes, "x");
  decodeMasterIndex(bytes, "x");
}

function decodeBoth(bytes: Uint8Array): void {
  const metadata = decodeMetadata(bytes);
  if (metadata !== undefined) decodeManifest(metadata, "x");
}

const archives = parentsAmong("archives");
const crafted = parentsAmong("crafted");
/** Parents by their hints: reading their files would take most of the time. */
const found = new Map<string, ReturnType<FindParent>>();
const findParent: FindParent = (parent, child) => {
  const known = found.get(parent.hint);
  if (known !== undefined) return known;
  const sources = [...archives(parent, child), ...crafted(parent, child)];
  if (sources.some((source) => typeof source !== "string")) found.set(parent.hint, sources);
  return sources;
};

function open(bytes: Uint8Array): Promise<Archive> {
  return Archive.open(createMemorySource(bytes, "the archive"), machinery, {
    findParent,
    secrets: { passwords: ["x"] },
  });
}

/** Changes a stored block and says so in its checksum. */
function changeBlock(bytes: Uint8Array, { start, end }: { start: number; end: number }, random: Random): void {
  let entries: BlockEntry[];
  try {
    entries = decodeIndexPage(bytes.subarray(start, end), "a page");
  } catch (error) {
    // It was changed before.
    codeOf(error);
    return;
  }
  const number = random(entries.length);
  const entry = entries[number]!;
  if (entry.kind !== "data") return;
  change(bytes, entry.offset, entry.offset + entry.storedLength, random);
  const stored = bytes.subarray(entry.offset, entry.offset + entry.storedLength);
  entries[number] = { ...entry, checksum: crc32(stored), ...(random(2) === 0 ? { digest: undefined } : {}) };
  bytes.set(encodeIndexPage(entries), start);
}

function changed({ bytes, regions, pages }: Seed1, random: Random): Uint8Array {
  const how = random(8);
  if (how === 0) return mangle(bytes, random);
  const copy = bytes.slice();
  for (let times = 1 + random(2); times > 0; times--) {
    const region = regions[random(regions.length)]!;
    if (how === 1 && pages.length > 0) changeBlock(copy, pages[random(pages.length)]!, random);
    else change(copy, region.start, region.end, random);
  }
  return copy;
}

/** Bytes at which two ways of reading are compared. */
const COMPARED = 50_000;

/** Opens, lists, reads and checks. @returns what came of it @throws WrongOutcome */
async function read(bytes: Uint8Array): Promise<string> {
  const archive = await open(bytes);
  let outcome = "right";
  for await (const parts of archive.bulk([{ start: 0, end: archive.root.addressSpace }])) {
    for (const part of parts) {
      if ("error" in part) outcome = codeOf(part.error);
      else await compareReading(archive, part);
    }
  }
  try {
    for await (const entry of archive.entries()) {
      if (entry.type === "file" && entry.size! < COMPARED) await archive.fileOf(entry).read();
    }
  } catch (error) {
    outcome = codeOf(error);
  }
  const { problems } = await checkArchive(archive);
  for (const { code } of problems) codeOf(new HexzError(code, ""));
  if (outcome !== "right" && problems.length === 0) throw new WrongOutcome(`check does not tell of ${outcome}`);
  await archive.close();
  return outcome;
}

async function compareReading(
  archive: Archive,
  part: { start: number; end: number; bytes?: Uint8Array; fill?: number },
) {
  const end = Math.min(part.end, part.start + COMPARED);
  const expected = part.bytes?.slice(0, end - part.start) ?? new Uint8Array(end - part.start).fill(part.fill!);
  const found = await archive.run(archive.random.read(part.start, end));
  if (Buffer.compare(found, expected) !== 0) throw new WrongOutcome(`two readings of address ${part.start} differ`);
}

/** One changed archive. Returns its outcome. @throws WrongOutcome */
export async function fuzzFormat1(
  seeds: readonly Seed1[],
  random: Random,
  keep: (bytes: Uint8Array) => void,
): Promise<string> {
  const bytes = changed(seeds[random(seeds.length)]!, random);
  keep(bytes);
  return outcomeOfFormat1(bytes);
}

export async function outcomeOfFormat1(bytes: Uint8Array): Promise<string> {
  try {
    return await read(bytes);
  } catch (error) {
    if (error instanceof WrongOutcome) throw error;
    return codeOf(error);
  }
}
