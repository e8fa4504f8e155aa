// The structures of FAT12, FAT16 and FAT32: boot sector, file allocation table, directory entries with long names.
// Fields in, values out. (Microsoft's FAT32 File System Specification, 1.03.)

import { HexzError } from "../errors.ts";
import { type ByteString, byteStringFromText } from "../format/path.ts";
import type { Fields } from "./paged.ts";

export const ENTRY_LENGTH = 32;

export interface FatLayout {
  readonly kind: "FAT12" | "FAT16" | "FAT32";
  readonly label: string;
  readonly clusterSize: number;
  /** Clusters of data; they are numbered from 2. */
  readonly clusters: number;
  /** In bytes, from the beginning of the partition. */
  readonly fatStart: number;
  readonly fatLength: number;
  readonly fats: number;
  /** The root directory where it has a place of its own; empty in FAT32. */
  readonly rootStart: number;
  readonly rootLength: number;
  /** In FAT32, where the root directory begins. */
  readonly rootCluster: number;
  readonly dataStart: number;
  readonly end: number;
}

const isPower = (value: number) => value > 0 && (value & (value - 1)) === 0;

/** @returns nothing when the boot sector is of no FAT */
export function decodeBootSector(sector: Fields, size: number): FatLayout | undefined {
  const sectorSize = sector.u16(11);
  const perCluster = sector.u8(13);
  const [reserved, fats, rootEntries] = [sector.u16(14), sector.u8(16), sector.u16(17)];
  const jumps = sector.u8(0) === 0xeb || sector.u8(0) === 0xe9;
  if (!jumps || sector.u16(510) !== 0xaa55 || !isPower(sectorSize) || sectorSize < 512 || sectorSize > 4096)
    return undefined;
  if (!isPower(perCluster) || reserved === 0 || fats === 0 || fats > 4 || sector.u8(21) < 0xf0) return undefined;
  const total = sector.u16(19) || sector.u32(32);
  const isLarge = sector.u16(22) === 0;
  const fatSectors = isLarge ? sector.u32(36) : sector.u16(22);
  const rootSectors = Math.ceil((rootEntries * ENTRY_LENGTH) / sectorSize);
  const dataSector = reserved + fats * fatSectors + rootSectors;
  if (fatSectors === 0 || dataSector >= total || total * sectorSize > size) return undefined;
  const clusters = Math.floor((total - dataSector) / perCluster);
  const kind = isLarge || clusters >= 65_525 ? "FAT32" : clusters < 4085 ? "FAT12" : "FAT16";
  const fatLength = fatSectors * sectorSize;
  if (Math.ceil(((clusters + 2) * FAT_BITS[kind]) / 8) > fatLength) return undefined;
  return {
    kind,
    label: sector.text(kind === "FAT32" ? 71 : 43, kind === "FAT32" ? 82 : 54).trimEnd(),
    clusterSize: perCluster * sectorSize,
    clusters,
    fatStart: reserved * sectorSize,
    fatLength,
    fats,
    rootStart: (reserved + fats * fatSectors) * sectorSize,
    rootLength: rootSectors * sectorSize,
    rootCluster: kind === "FAT32" ? sector.u32(44) : 0,
    dataStart: dataSector * sectorSize,
    end: total * sectorSize,
  };
}

/** Of an entry of the table. */
export const FAT_BITS = { FAT12: 12, FAT16: 16, FAT32: 32 } as const;

/** Where the entry of a cluster is in the table, and how many bytes hold it. */
export function fatEntryPlace(kind: FatLayout["kind"], cluster: number): { at: number; length: number } {
  if (kind === "FAT12") return { at: Math.floor(cluster * 1.5), length: 2 };
  return kind === "FAT16" ? { at: cluster * 2, length: 2 } : { at: cluster * 4, length: 4 };
}

/** The next cluster; 0: free; undefined: the last one, or a bad one. */
export function decodeFatEntry(kind: FatLayout["kind"], cluster: number, fields: Fields): number | undefined {
  if (kind === "FAT32") return endOr(fields.u32(0) & 0x0fff_ffff, 0x0fff_fff7);
  if (kind === "FAT16") return endOr(fields.u16(0), 0xfff7);
  return endOr(cluster % 2 === 0 ? fields.u16(0) & 0xfff : fields.u16(0) >> 4, 0xff7);
}

function endOr(value: number, end: number): number | undefined {
  return value >= end ? undefined : value;
}

export interface FatEntry {
  readonly name: ByteString;
  readonly isDirectory: boolean;
  /** 0: no content. */
  readonly cluster: number;
}

const ATTRIBUTE = { volume: 0x08, directory: 0x10, long: 0x0f } as const;

/** Reads the entries of a directory in order; long names stand before the entry that they are of. */
export class FatDirectoryReader {
  #long: { order: number; checksum: number; text: string } | undefined;
  /** An entry said that no other follows. */
  ended = false;

  /** @returns nothing when it is no entry of a file or directory */
  next(entry: Fields, kind: FatLayout["kind"]): FatEntry | undefined {
    const first = entry.u8(0);
    if (first === 0) this.ended = true;
    const attributes = entry.u8(11);
    if (first === 0 || first === 0xe5) {
      this.#long = undefined;
      return undefined;
    }
    if ((attributes & 0x3f) === ATTRIBUTE.long) {
      this.#addLong(entry);
      return undefined;
    }
    const long = this.#long;
    this.#long = undefined;
    if ((attributes & ATTRIBUTE.volume) !== 0 || first === 0x2e) return undefined;
    const high = kind === "FAT32" ? entry.u16(20) * 65_536 : 0;
    const isWhole = long !== undefined && long.order === 1 && long.checksum === checksumOf(entry);
    return {
      name: isWhole ? byteStringFromText(long.text) : shortName(entry),
      isDirectory: (attributes & ATTRIBUTE.directory) !== 0,
      cluster: high + entry.u16(26),
    };
  }

  /** The pieces come from the last to the first. */
  #addLong(entry: Fields): void {
    const order = entry.u8(0) & 0x3f;
    const checksum = entry.u8(13);
    const isLast = (entry.u8(0) & 0x40) !== 0;
    const before = this.#long;
    if (!isLast && (before === undefined || before.order !== order + 1 || before.checksum !== checksum)) {
      this.#long = undefined;
      return;
    }
    this.#long = { order, checksum, text: longPiece(entry) + (isLast ? "" : before!.text) };
  }
}

function longPiece(entry: Fields): string {
  let text = "";
  for (const [start, end] of [
    [1, 11],
    [14, 26],
    [28, 32],
  ] as const) {
    for (let at = start; at < end; at += 2) {
      const unit = entry.u16(at);
      if (unit === 0) return text;
      text += String.fromCharCode(unit);
    }
  }
  return text;
}

function checksumOf(entry: Fields): number {
  let sum = 0;
  for (let at = 0; at < 11; at++) sum = ((((sum & 1) << 7) | (sum >> 1)) + entry.u8(at)) & 0xff;
  return sum;
}

/** "README.TXT"; two bits tell what Windows keeps in lower case. */
function shortName(entry: Fields): ByteString {
  const first = entry.u8(0) === 0x05 ? "\xe5" : String.fromCharCode(entry.u8(0));
  const lower = entry.u8(12);
  const base = cased(first + String.fromCharCode(...entry.bytes.subarray(1, 8)), (lower & 0x08) !== 0);
  const extension = cased(String.fromCharCode(...entry.bytes.subarray(8, 11)), (lower & 0x10) !== 0);
  return (extension === "" ? base : `${base}.${extension}`) as ByteString;
}

function cased(text: string, lower: boolean): string {
  const trimmed = text.trimEnd();
  return lower ? trimmed.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : trimmed;
}

/** @throws HexzError `invalid` */
export function checkCluster({ clusters }: FatLayout, cluster: number): void {
  if (cluster >= 2 && cluster < clusters + 2) return;
  throw new HexzError("invalid", `cluster ${cluster} is named, of ${clusters}`);
}
