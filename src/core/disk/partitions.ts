// Where the partitions of a disk are: GPT, MBR with logical drives, or none.

import type { ByteRange } from "./overlay.ts";
import type { DiskPart, Fields } from "./paged.ts";

export interface Partition extends ByteRange {
  /** As Linux counts them. */
  readonly number: number;
  /** Of an MBR two hexadecimal digits, of a GPT a GUID. */
  readonly type: string;
}

export interface PartitionTable {
  readonly scheme: "gpt" | "mbr" | "none";
  readonly partitions: readonly Partition[];
  /** Where the table itself is. */
  readonly areas: readonly ByteRange[];
}

const SECTOR_SIZES = [512, 4096];
const GPT_ENTRIES = { most: 1024, shortest: 128, longest: 4096 };
const MBR_TABLE = 446;
const PROTECTIVE = 0xee;
const EXTENDED = new Set([0x05, 0x0f, 0x85]);
const MOST_LOGICAL = 256;

/** @returns "none" of a disk without a table that can be read */
export async function readPartitions(disk: DiskPart): Promise<PartitionTable> {
  const none: PartitionTable = { scheme: "none", partitions: [], areas: [] };
  if (disk.size < 512) return none;
  const first = await disk.read(0, 512);
  if (first.u16(510) !== 0xaa55) return none;
  const entries = [0, 1, 2, 3].map((number) => first.part(MBR_TABLE + number * 16, MBR_TABLE + number * 16 + 16));
  if (entries.some((entry) => entry.u8(4) === PROTECTIVE)) return (await readGpt(disk)) ?? none;
  // A boot sector without a table has code there.
  if (!entries.every((entry) => (entry.u8(0) & 0x7f) === 0)) return none;
  const mbr = await readMbr(disk, entries);
  return mbr.partitions.length === 0 ? none : mbr;
}

async function readMbr(disk: DiskPart, entries: readonly Fields[]): Promise<PartitionTable> {
  const partitions: Partition[] = [];
  const areas: ByteRange[] = [{ start: 0, end: 512 }];
  for (const [index, entry] of entries.entries()) {
    if (EXTENDED.has(entry.u8(4))) await readLogical(disk, entry.u32(8), partitions, areas);
    else addPartition(disk, entry, 0, index + 1, partitions);
  }
  return { scheme: "mbr", partitions: partitions.sort((a, b) => a.number - b.number), areas };
}

/** A chain of tables in the extended partition, each with one partition and the place of the next table. */
async function readLogical(
  disk: DiskPart,
  extended: number,
  partitions: Partition[],
  areas: ByteRange[],
): Promise<void> {
  const seen = new Set<number>();
  for (let sector = extended; seen.size < MOST_LOGICAL && !seen.has(sector); ) {
    seen.add(sector);
    const at = sector * 512;
    if (at + 512 > disk.size) return;
    const table = await disk.read(at, 512);
    if (table.u16(510) !== 0xaa55) return;
    areas.push({ start: at, end: at + 512 });
    addPartition(disk, table.part(MBR_TABLE, MBR_TABLE + 16), sector, 4 + seen.size, partitions);
    const next = table.part(MBR_TABLE + 16, MBR_TABLE + 32);
    if (!EXTENDED.has(next.u8(4))) return;
    sector = extended + next.u32(8);
  }
}

function addPartition(disk: DiskPart, entry: Fields, base: number, number: number, partitions: Partition[]): void {
  const start = (base + entry.u32(8)) * 512;
  const end = Math.min(disk.size, start + entry.u32(12) * 512);
  if (entry.u8(4) === 0 || start >= end) return;
  partitions.push({ number, start, end, type: entry.u8(4).toString(16).padStart(2, "0") });
}

async function readGpt(disk: DiskPart): Promise<PartitionTable | undefined> {
  for (const sector of SECTOR_SIZES) {
    if (disk.size < 3 * sector) continue;
    const header = await disk.read(sector, 92);
    if (header.text(0, 8) !== "EFI PART") continue;
    const [at, count, length] = [header.u64(72) * sector, header.u32(80), header.u32(84)];
    if (count > GPT_ENTRIES.most || length < GPT_ENTRIES.shortest || length > GPT_ENTRIES.longest) return undefined;
    if (at + count * length > disk.size) return undefined;
    const table = await disk.read(at, count * length);
    const partitions: Partition[] = [];
    for (let number = 0; number < count; number++) {
      const entry = table.part(number * length, (number + 1) * length);
      const start = entry.u64(32) * sector;
      const end = Math.min(disk.size, (entry.u64(40) + 1) * sector);
      if (entry.bytes.subarray(0, 16).every((byte) => byte === 0) || start >= end) continue;
      partitions.push({ number: number + 1, start, end, type: guidText(entry) });
    }
    const backup = header.u64(32) * sector;
    const tables = Math.ceil((count * length) / sector) * sector;
    return {
      scheme: "gpt",
      partitions,
      areas: [
        { start: 0, end: 2 * sector },
        { start: at, end: at + tables },
        // The backup's entries stand before its header.
        { start: Math.max(0, backup - tables), end: Math.min(disk.size, backup + sector) },
      ],
    };
  }
  return undefined;
}

function guidText(fields: Fields): string {
  const hex = (at: number, count: number, backwards: boolean) => {
    const bytes = [...fields.bytes.subarray(at, at + count)];
    return (backwards ? bytes.reverse() : bytes).map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };
  return [hex(0, 4, true), hex(4, 2, true), hex(6, 2, true), hex(8, 2, false), hex(10, 6, false)].join("-");
}
