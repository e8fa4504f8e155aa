// Which files of a disk image its changed ranges belong to: partitions, then the file system of each.

import { HexzError } from "../errors.ts";
import { type WalkedFileSystem, walkExt } from "./ext.ts";
import { looksLikeExt, SUPERBLOCK_AT, SUPERBLOCK_LENGTH } from "./ext-structures.ts";
import { walkFat } from "./fat.ts";
import { decodeBootSector } from "./fat-structures.ts";
import type { Overlaid } from "./overlay.ts";
import { type ChangedArea, type ChangedFile, Claims } from "./owners.ts";
import { type DiskPart, PagedDisk } from "./paged.ts";
import { type PartitionTable, readPartitions } from "./partitions.ts";

export interface MappedPartition {
  /** Undefined: the whole disk. */
  readonly number: number | undefined;
  readonly start: number;
  readonly end: number;
  readonly type: string | undefined;
  /** "ext4", "FAT32", … ; what is not read is named all the same where it is known. */
  readonly fileSystem: string | undefined;
  readonly label: string;
  /** Whether its files were looked for, to the end. */
  readonly isMapped: boolean;
  readonly notes: readonly string[];
}

export interface ChangeMap {
  readonly scheme: PartitionTable["scheme"];
  readonly partitions: readonly MappedPartition[];
  /** By partition and path. */
  readonly files: readonly ChangedFile[];
  readonly areas: readonly ChangedArea[];
}

/** Others that are known by sight: where, what stands there, and what they are called. */
const BY_SIGHT: readonly [number, string, string][] = [
  [3, "NTFS    ", "NTFS"],
  [3, "EXFAT   ", "exFAT"],
  [0, "XFSB", "XFS"],
  [0x10040, "_BHRfS_M", "btrfs"],
  [0x218, "LVM2 001", "LVM"],
  [0, "LUKS\xba\xbe", "LUKS"],
  [0, "hsqs", "squashfs"],
  [0x8001, "CD001", "ISO 9660"],
  [4086, "SWAPSPACE2", "swap"],
];
const UNMAPPED = "not mapped";

/** @param disk with the changes on it */
export async function mapChanges(disk: Overlaid): Promise<ChangeMap> {
  const paged = new PagedDisk(disk);
  const whole = paged.part(0, disk.size);
  const claims = [new Claims(disk.changed, undefined)];
  const [outside] = claims as [Claims];
  const alone = await sightOf(whole);
  const table: PartitionTable =
    alone === undefined ? await readPartitions(whole) : { scheme: "none", partitions: [], areas: [] };
  const partitions: MappedPartition[] = [];
  if (table.scheme === "none") {
    partitions.push(
      await mapPartition(whole, { start: 0, end: disk.size, number: undefined, type: undefined }, outside),
    );
  }
  for (const partition of table.partitions) {
    const own = new Claims(disk.changed, partition.number);
    claims.push(own);
    partitions.push(await mapPartition(paged.part(partition.start, partition.end), partition, own));
    outside.area("", partition.start, partition.end);
  }
  for (const { start, end } of table.areas) outside.area("partition table", start, end);
  for (const { start, end } of outside.unclaimed(0, disk.size)) {
    outside.area(table.scheme === "none" ? UNMAPPED : "outside of partitions", start, end);
  }
  const files = claims.flatMap((one) => one.files.sort((a, b) => (a.path < b.path ? -1 : 1)));
  const areas = claims.flatMap((one) => one.areas).filter(({ area }) => area !== "");
  return { scheme: table.scheme, partitions, files, areas };
}

/** What is not claimed in the end is not mapped. */
async function mapPartition(
  part: DiskPart,
  place: Pick<MappedPartition, "number" | "start" | "end" | "type">,
  claims: Claims,
): Promise<MappedPartition> {
  const { number, start, end, type } = place;
  const partition = { number, start, end, type };
  const mapped = await mapFileSystem(part, claims);
  if (number !== undefined)
    for (const range of claims.unclaimed(start, end)) claims.area(UNMAPPED, range.start, range.end);
  return { ...partition, ...mapped };
}

async function mapFileSystem(
  part: DiskPart,
  claims: Claims,
): Promise<Pick<MappedPartition, "fileSystem" | "label" | "isMapped" | "notes">> {
  const sight = await sightOf(part);
  const unknown = { fileSystem: undefined, label: "", isMapped: false, notes: [] };
  if (sight === undefined) return unknown;
  if (sight.walk === undefined) return { ...unknown, fileSystem: sight.kind };
  try {
    const { kind, label, notes } = await sight.walk(claims);
    return { fileSystem: kind, label, isMapped: true, notes };
  } catch (error) {
    if (!(error instanceof HexzError) || !STRUCTURAL.has(error.code)) throw error;
    return { ...unknown, fileSystem: sight.kind, notes: [error.message] };
  }
}

/** What a broken file system throws; anything else is of what the disk is read from. */
const STRUCTURAL: ReadonlySet<string> = new Set(["invalid", "limit_exceeded", "feature_unknown"]);

interface Sight {
  readonly kind: string;
  /** Undefined: known by sight only. */
  readonly walk: ((claims: Claims) => Promise<WalkedFileSystem>) | undefined;
}

async function sightOf(part: DiskPart): Promise<Sight | undefined> {
  for (const [at, text, kind] of BY_SIGHT) {
    if (at + text.length > part.size) continue;
    const found = await part.read(at, text.length);
    if (String.fromCharCode(...found.bytes) === text) return { kind, walk: undefined };
  }
  if (part.size >= SUPERBLOCK_AT + SUPERBLOCK_LENGTH) {
    if (looksLikeExt(await part.read(SUPERBLOCK_AT, SUPERBLOCK_LENGTH))) {
      return { kind: "ext", walk: (claims) => walkExt(part, claims) };
    }
  }
  if (part.size < 512) return undefined;
  const layout = decodeBootSector(await part.read(0, 512), part.size);
  return layout && { kind: layout.kind, walk: (claims) => walkFat(part, layout, claims) };
}
