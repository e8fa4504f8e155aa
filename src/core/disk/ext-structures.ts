// The structures of ext2, ext3 and ext4 that say where things are: superblock, group descriptors, inodes, extents,
// directory entries. Fields in, values out. (The Linux kernel's Documentation/filesystems/ext4.)

import { HexzError } from "../errors.ts";
import type { Fields } from "./paged.ts";

export const SUPERBLOCK_AT = 1024;
export const SUPERBLOCK_LENGTH = 1024;
const MAGIC = 0xef53;

const COMPAT = { sparseSuper2: 0x200, orphanFile: 0x1000 } as const;
const INCOMPAT = {
  recover: 0x4,
  journalDevice: 0x8,
  metaGroups: 0x10,
  bits64: 0x80,
  flexGroups: 0x200,
} as const;
/** File types, recover, meta_bg, extents, 64bit, mmp, flex_bg, ea_inode, csum_seed, largedir, inline, encrypt, casefold. */
const INCOMPAT_KNOWN =
  0x2 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x20000;
const RO_COMPAT = { sparseSuper: 0x1, bigAlloc: 0x200 } as const;
const DEFAULT_INODE = 128;
const NO_BLOCK = 0;

export interface ExtSuperblock {
  readonly kind: "ext2" | "ext3" | "ext4";
  readonly label: string;
  readonly blockSize: number;
  readonly blocks: number;
  readonly inodes: number;
  readonly firstBlock: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly inodeSize: number;
  readonly descriptorSize: number;
  readonly groups: number;
  /** Blocks of a bit in the block bitmaps. */
  readonly clusterBlocks: number;
  /** Groups from here on, counted in blocks of descriptors, have theirs with them; undefined: none. */
  readonly firstMetaGroup: number | undefined;
  readonly reservedDescriptors: number;
  /** Groups that hold a copy of the superblock. */
  hasSuper(group: number): boolean;
  /** Inodes of the system, with what they are. */
  readonly special: readonly { readonly inode: number; readonly area: string }[];
  /** The journal holds what is not in place yet. */
  readonly needsRecovery: boolean;
}

export function looksLikeExt(superblock: Fields): boolean {
  return superblock.u16(56) === MAGIC;
}

function bad(what: string): HexzError {
  return new HexzError("invalid", `the superblock is broken: ${what}`);
}

/** @param size of the partition in bytes @throws HexzError `invalid`, `feature_unknown`, `limit_exceeded` */
export function decodeSuperblock(fields: Fields, size: number): ExtSuperblock {
  const [compat, incompat, readOnly] = [fields.u32(92), fields.u32(96), fields.u32(100)];
  const unknown = incompat & ~INCOMPAT_KNOWN;
  if (unknown !== 0) {
    throw new HexzError(
      "feature_unknown",
      `the file system has features 0x${(unknown >>> 0).toString(16)} that are not known`,
    );
  }
  const logBlock = fields.u32(24);
  if (logBlock > 6) throw bad(`blocks of 2^${10 + logBlock} bytes`);
  const blockSize = 1024 << logBlock;
  const is64 = (incompat & INCOMPAT.bits64) !== 0;
  const blocks = fields.u32(4) + (is64 ? fields.u32(336) * 2 ** 32 : 0);
  if (blocks === 0 || blocks * blockSize > size) throw bad(`${blocks} blocks of ${blockSize} bytes in ${size}`);
  const firstBlock = fields.u32(20);
  const blocksPerGroup = fields.u32(32);
  const inodesPerGroup = fields.u32(40);
  const inodeSize = fields.u32(76) === 0 ? DEFAULT_INODE : fields.u16(88);
  const descriptorSize = is64 ? fields.u16(254) : 32;
  if (firstBlock >= blocks || blocksPerGroup < 8 || inodesPerGroup === 0) throw bad("its groups are empty");
  if (inodeSize < 128 || inodeSize > blockSize) throw bad(`inodes of ${inodeSize} bytes`);
  if (descriptorSize < 32 || descriptorSize > blockSize) throw bad(`descriptors of ${descriptorSize} bytes`);
  const groups = Math.ceil((blocks - firstBlock) / blocksPerGroup);
  const inodes = fields.u32(0);
  if (inodes > groups * inodesPerGroup) throw bad(`${inodes} inodes in ${groups} groups of ${inodesPerGroup}`);
  const logCluster = (readOnly & RO_COMPAT.bigAlloc) !== 0 ? fields.u32(28) : logBlock;
  if (logCluster < logBlock || logCluster > 20) throw bad(`clusters of 2^${10 + logCluster} bytes`);
  return {
    kind: kindOf(compat, incompat),
    label: fields.text(120, 136),
    blockSize,
    blocks,
    inodes,
    firstBlock,
    blocksPerGroup,
    inodesPerGroup,
    inodeSize,
    descriptorSize,
    groups,
    clusterBlocks: 1 << (logCluster - logBlock),
    firstMetaGroup: (incompat & INCOMPAT.metaGroups) !== 0 ? fields.u32(260) : undefined,
    reservedDescriptors: fields.u16(206),
    hasSuper: superGroups(compat, readOnly, [fields.u32(0x24c), fields.u32(0x250)]),
    special: specialOf(fields, compat),
    needsRecovery: (incompat & INCOMPAT.recover) !== 0,
  };
}

function kindOf(compat: number, incompat: number): ExtSuperblock["kind"] {
  const onlyOf4 = 0x40 | INCOMPAT.bits64 | INCOMPAT.flexGroups;
  if ((incompat & onlyOf4) !== 0) return "ext4";
  return (compat & 0x4) !== 0 ? "ext3" : "ext2";
}

function superGroups(compat: number, readOnly: number, backups: readonly number[]): (group: number) => boolean {
  if ((compat & COMPAT.sparseSuper2) !== 0) return (group) => group === 0 || backups.includes(group);
  if ((readOnly & RO_COMPAT.sparseSuper) === 0) return () => true;
  return (group) => group <= 1 || [3, 5, 7].some((base) => isPower(group, base));
}

function isPower(number: number, base: number): boolean {
  let rest = number;
  while (rest > 1 && rest % base === 0) rest /= base;
  return rest === 1;
}

function specialOf(fields: Fields, compat: number): { inode: number; area: string }[] {
  const quota = [0x240, 0x244, 0x26c].map((at) => ({ inode: fields.u32(at), area: "quota" }));
  return [
    { inode: fields.u32(224), area: "journal" },
    ...quota,
    ...((compat & COMPAT.orphanFile) !== 0 ? [{ inode: fields.u32(0x280), area: "orphan file" }] : []),
  ].filter(({ inode }) => inode !== 0);
}

export interface GroupDescriptor {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  /** The block bitmap was never written: nothing but metadata is used. */
  readonly isBitmapUnset: boolean;
}

export function decodeDescriptor(fields: Fields): GroupDescriptor {
  const high = (at: number) => (fields.length >= 64 ? fields.u32(at) * 2 ** 32 : 0);
  return {
    blockBitmap: fields.u32(0) + high(32),
    inodeBitmap: fields.u32(4) + high(36),
    inodeTable: fields.u32(8) + high(40),
    isBitmapUnset: (fields.u16(18) & 2) !== 0,
  };
}

export interface ExtInode {
  readonly type: "file" | "directory" | "symlink" | "other";
  readonly links: number;
  readonly size: number;
  readonly hasExtents: boolean;
  readonly isInline: boolean;
  /** The 60 bytes that hold block numbers, the root of the extents, or content. */
  readonly block: Fields;
  /** Of extended attributes; 0: none. */
  readonly attributeBlock: number;
  /** Content behind the first 60 bytes, where it is inline. */
  readonly inlineRest: Fields | undefined;
}

const TYPES: Readonly<Record<number, ExtInode["type"]>> = { 8: "file", 4: "directory", 10: "symlink" };
const FLAG = { extents: 0x80000, inline: 0x1000_0000 } as const;

export function decodeInode(fields: Fields): ExtInode {
  const flags = fields.u32(32);
  const isInline = (flags & FLAG.inline) !== 0;
  return {
    type: TYPES[fields.u16(0) >> 12] ?? "other",
    links: fields.u16(26),
    size: fields.u32(4) + fields.u32(108) * 2 ** 32,
    hasExtents: (flags & FLAG.extents) !== 0,
    isInline,
    block: fields.part(40, 100),
    attributeBlock: fields.u32(104) + fields.u16(118) * 2 ** 32,
    inlineRest: isInline ? inlineData(fields) : undefined,
  };
}

/** The attribute system.data behind the inode's fixed part. */
function inlineData(inode: Fields): Fields | undefined {
  if (inode.length < 132) return undefined;
  const start = 128 + inode.u16(128);
  if (start + 4 > inode.length || inode.u32(start) !== 0xea02_0000) return undefined;
  const first = start + 4;
  for (let at = first; at + 16 <= inode.length && inode.u32(at) !== 0; ) {
    const nameLength = inode.u8(at);
    const isData = inode.u8(at + 1) === 7 && inode.text(at + 16, at + 16 + nameLength) === "data";
    const from = first + inode.u16(at + 2);
    const length = inode.u32(at + 8);
    if (isData) return from + length <= inode.length ? inode.part(from, from + length) : undefined;
    at += 16 + Math.ceil(nameLength / 4) * 4;
  }
  return undefined;
}

/** A node of a tree of extents. */
export interface ExtentNode {
  readonly depth: number;
  /** Of a leaf: runs of blocks. */
  readonly runs: readonly { readonly block: number; readonly count: number }[];
  /** Of another node: blocks of the nodes below. */
  readonly children: readonly number[];
}

/** @throws HexzError `invalid` */
export function decodeExtentNode(fields: Fields): ExtentNode {
  const [count, most, depth] = [fields.u16(2), fields.u16(4), fields.u16(6)];
  if (fields.u16(0) !== 0xf30a || depth > 5 || count > most || 12 + count * 12 > fields.length) {
    throw new HexzError("invalid", "a node of extents is broken");
  }
  const runs: { block: number; count: number }[] = [];
  const children: number[] = [];
  for (let entry = 0; entry < count; entry++) {
    const at = 12 + entry * 12;
    if (depth > 0) children.push(fields.u32(at + 4) + fields.u16(at + 8) * 2 ** 32);
    else {
      // Longer ones are room that was never written.
      const length = fields.u16(at + 4);
      runs.push({
        block: fields.u32(at + 8) + fields.u16(at + 6) * 2 ** 32,
        count: length > 32_768 ? length - 32_768 : length,
      });
    }
  }
  return { depth, runs, children };
}

/** The numbers of a block of block numbers; holes left out. */
export function decodeBlockNumbers(fields: Fields, start = 0, end = fields.length): number[] {
  const numbers: number[] = [];
  for (let at = start; at + 4 <= end; at += 4) if (fields.u32(at) !== NO_BLOCK) numbers.push(fields.u32(at));
  return numbers;
}

export interface DirectoryEntry {
  readonly inode: number;
  /** One character a byte. */
  readonly name: string;
}

/** Entries in a row; those of hashed directories are, too, and their index looks like empty ones. @throws HexzError */
export function* decodeDirectory(fields: Fields): Generator<DirectoryEntry> {
  for (let at = 0; at + 8 <= fields.length; ) {
    const inode = fields.u32(at);
    const raw = fields.u16(at + 4);
    const length = raw === 0xffff || raw === 0 ? 65_536 : (raw & 0xfffc) | ((raw & 3) << 16);
    const nameLength = fields.u8(at + 6);
    if (at + length > fields.length || 8 + nameLength > length) {
      throw new HexzError("invalid", `an entry of ${length} bytes does not fit into its directory`);
    }
    const name = inode === 0 ? "" : String.fromCharCode(...fields.bytes.subarray(at + 8, at + 8 + nameLength));
    if (inode !== 0 && name !== "." && name !== "..") yield { inode, name };
    at += length;
  }
}
