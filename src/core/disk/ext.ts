// Walks an ext2, ext3 or ext4 file system from its root and says who owns which bytes. Every block of metadata is read
// once at most, so a file system that points at itself ends.

import { HexzError } from "../errors.ts";
import type { ByteString } from "../format/path.ts";
import { LIMITS } from "../limits.ts";
import {
  decodeBlockNumbers,
  decodeDescriptor,
  decodeDirectory,
  decodeExtentNode,
  decodeInode,
  decodeSuperblock,
  type ExtInode,
  type ExtSuperblock,
  type GroupDescriptor,
  SUPERBLOCK_AT,
  SUPERBLOCK_LENGTH,
} from "./ext-structures.ts";
import type { ByteRange } from "./overlay.ts";
import type { ChangedFile, Claims, FileOwner, FilePart } from "./owners.ts";
import { type DiskPart, type Fields, NumberSet } from "./paged.ts";

const ROOT_INODE = 2;
/** Bytes of group descriptors: enough for 128 TiB in groups of 128 MiB. */
const MOST_DESCRIPTORS = 64 * 1024 * 1024;
const DIRECT_BLOCKS = 12;

export interface WalkedFileSystem {
  readonly kind: string;
  readonly label: string;
  /** What somebody who trusts the result has to know. */
  readonly notes: readonly string[];
}

/** @throws HexzError when structures are broken: what was claimed until then holds */
export async function walkExt(part: DiskPart, claims: Claims): Promise<WalkedFileSystem> {
  const fields = await part.read(SUPERBLOCK_AT, SUPERBLOCK_LENGTH);
  const superblock = decodeSuperblock(fields, part.size);
  const walker = new ExtWalker(part, superblock, claims);
  await walker.run();
  const notes = superblock.needsRecovery ? ["its journal holds changes that are not in their places yet"] : [];
  return { kind: superblock.kind, label: superblock.label, notes };
}

class ExtWalker {
  readonly #part: DiskPart;
  readonly #super: ExtSuperblock;
  readonly #claims: Claims;
  readonly #groups: GroupDescriptor[] = [];
  readonly #seenBlocks = new NumberSet();
  readonly #seenInodes = new NumberSet();
  /** Changed files by inode, for further names. */
  readonly #changed = new Map<number, ChangedFile>();

  constructor(part: DiskPart, superblock: ExtSuperblock, claims: Claims) {
    this.#part = part;
    this.#super = superblock;
    this.#claims = claims;
  }

  async run(): Promise<void> {
    await this.#readGroups();
    for (let group = 0; group < this.#super.groups; group++) this.#claimGroup(group);
    for (const { inode, area } of this.#super.special)
      await this.#claimInode(inode, (_, start, end) => this.#claims.area(area, start, end));
    await this.#walk();
    await this.#claimRest();
  }

  #groupStart(group: number): number {
    return this.#super.firstBlock + group * this.#super.blocksPerGroup;
  }

  async #readGroups(): Promise<void> {
    const { groups, descriptorSize, blockSize, firstBlock, firstMetaGroup } = this.#super;
    if (groups * descriptorSize > MOST_DESCRIPTORS) {
      throw new HexzError("limit_exceeded", `the file system has ${groups} groups`);
    }
    const perBlock = Math.floor(blockSize / descriptorSize);
    for (let number = 0; number * perBlock < groups; number++) {
      const owner = number * perBlock;
      const withGroup = firstMetaGroup !== undefined && number >= firstMetaGroup;
      const at = withGroup ? this.#groupStart(owner) + (this.#super.hasSuper(owner) ? 1 : 0) : firstBlock + 1 + number;
      const block = await this.#block(at);
      for (let entry = 0; entry < perBlock && owner + entry < groups; entry++) {
        this.#groups.push(decodeDescriptor(block.part(entry * descriptorSize, (entry + 1) * descriptorSize)));
      }
    }
  }

  #claimGroup(group: number): void {
    const {
      hasSuper,
      blockSize,
      inodesPerGroup,
      inodeSize,
      descriptorSize,
      groups,
      firstMetaGroup,
      reservedDescriptors,
    } = this.#super;
    const start = this.#groupStart(group);
    const perBlock = Math.floor(blockSize / descriptorSize);
    const all = Math.ceil(groups / perBlock);
    const together = Math.min(all, firstMetaGroup ?? all);
    if (hasSuper(group)) {
      const isFirst = group === 0 && this.#super.firstBlock === 0;
      // With large blocks the first one has the superblock, behind room for a boot loader.
      this.#area(isFirst ? "boot block and superblock" : "superblock", start, 1);
      this.#area("group descriptors", start + 1, together + reservedDescriptors);
    }
    const inMeta = group % perBlock;
    if (firstMetaGroup !== undefined && group >= firstMetaGroup * perBlock && [0, 1, perBlock - 1].includes(inMeta)) {
      this.#area("group descriptors", start + (hasSuper(group) ? 1 : 0), 1);
    }
    if (group === 0 && this.#super.firstBlock === 1) this.#area("boot block", 0, 1);
    const { blockBitmap, inodeBitmap, inodeTable } = this.#groups[group]!;
    this.#area("block bitmaps", blockBitmap, 1);
    this.#area("inode bitmaps", inodeBitmap, 1);
    this.#area("inode tables", inodeTable, Math.ceil((inodesPerGroup * inodeSize) / blockSize));
  }

  #area(area: string, block: number, count: number): void {
    const [start, end] = this.#bytes(block, count);
    this.#claims.area(area, start, end);
  }

  /** On the disk. */
  #bytes(block: number, count: number): [number, number] {
    const { start, size } = this.#part;
    const { blockSize } = this.#super;
    return [start + Math.min(block * blockSize, size), start + Math.min((block + count) * blockSize, size)];
  }

  /** A block of metadata, which may be asked for once. */
  #block(number: number): Promise<Fields> {
    const { blocks, blockSize } = this.#super;
    if (number >= blocks) throw new HexzError("invalid", `block ${number} is named, of ${blocks}`);
    if (!this.#seenBlocks.add(number)) throw new HexzError("invalid", `block ${number} is used twice for metadata`);
    return this.#part.read(number * blockSize, blockSize);
  }

  async #inode(number: number): Promise<ExtInode> {
    const { inodes, inodesPerGroup, inodeSize, blockSize } = this.#super;
    if (number < 1 || number > inodes) throw new HexzError("invalid", `inode ${number} is named, of ${inodes}`);
    const { inodeTable } = this.#groups[Math.floor((number - 1) / inodesPerGroup)]!;
    const at = inodeTable * blockSize + ((number - 1) % inodesPerGroup) * inodeSize;
    return decodeInode(await this.#part.read(at, inodeSize));
  }

  /** Directories from the root on. */
  async #walk(): Promise<void> {
    const open: { inode: number; path: ByteString }[] = [];
    const visit = async (number: number, path: () => ByteString): Promise<void> => {
      const known = this.#changed.get(number);
      if (known !== undefined) known.otherPaths.push(path());
      if (!this.#seenInodes.add(number)) return;
      const inode = await this.#inode(number);
      if (inode.type === "directory") open.push({ inode: number, path: path() });
      else await this.#claimFile(number, inode, path);
    };
    await visit(ROOT_INODE, () => "" as ByteString);
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { inode: number, path } = next;
      const inode = await this.#inode(number);
      const runs = await this.#claimFile(number, inode, () => path);
      for await (const block of this.#directory(inode, runs)) {
        for (const { inode: child, name } of decodeDirectory(block)) {
          if (path.length + name.length + 1 > LIMITS.path) throw new HexzError("limit_exceeded", "a path is too long");
          await visit(child, () => (path === "" ? name : `${path}/${name}`) as ByteString);
        }
      }
    }
  }

  async *#directory(inode: ExtInode, runs: readonly { block: number; count: number }[]): AsyncGenerator<Fields> {
    if (inode.isInline) {
      // The parent's number comes first.
      yield inode.block.part(4, Math.min(60, Math.max(4, inode.size)));
      if (inode.inlineRest !== undefined) yield inode.inlineRest;
      return;
    }
    for (const { block, count } of runs) {
      for (let number = 0; number < count; number++) yield await this.#block(block + number);
    }
  }

  async #claimFile(number: number, inode: ExtInode, path: () => ByteString) {
    const owner: FileOwner = { type: inode.type, path };
    const claim = (part: FilePart, start: number, end: number) => {
      const file = this.#claims.file(owner, part, start, end);
      if (file !== undefined && inode.links > 1) this.#changed.set(number, file);
    };
    return this.#claimContent(inode, claim);
  }

  async #claimInode(number: number, claim: (part: FilePart, start: number, end: number) => void): Promise<void> {
    if (this.#seenInodes.add(number)) await this.#claimContent(await this.#inode(number), claim);
  }

  /** @returns where the content is */
  async #claimContent(
    inode: ExtInode,
    claim: (part: FilePart, start: number, end: number) => void,
  ): Promise<{ block: number; count: number }[]> {
    const runs: { block: number; count: number }[] = [];
    const add = (block: number, count: number) => {
      claim("content", ...this.#bytes(block, count));
      if (inode.type === "directory") runs.push({ block, count });
    };
    const below = (block: number) => {
      claim("metadata", ...this.#bytes(block, 1));
      return this.#block(block);
    };
    if (inode.attributeBlock !== 0) claim("metadata", ...this.#bytes(inode.attributeBlock, 1));
    const isShort = inode.type === "symlink" && inode.size < 60;
    if (inode.type === "other" || inode.isInline || (isShort && !inode.hasExtents)) return runs;
    if (inode.hasExtents) await this.#extents(inode.block, 5, add, below);
    else await this.#numbers(inode.block, add, below);
    return runs;
  }

  async #extents(
    fields: Fields,
    most: number,
    add: (block: number, count: number) => void,
    below: (block: number) => Promise<Fields>,
  ): Promise<void> {
    const { depth, runs, children } = decodeExtentNode(fields);
    if (depth > most) throw new HexzError("invalid", "a node of extents is deeper than the one above");
    for (const { block, count } of runs) add(block, count);
    for (const child of children) await this.#extents(await below(child), depth - 1, add, below);
  }

  /** Twelve blocks, then one, two and three levels of blocks of numbers. */
  async #numbers(
    fields: Fields,
    add: (block: number, count: number) => void,
    below: (block: number) => Promise<Fields>,
  ): Promise<void> {
    for (const block of decodeBlockNumbers(fields, 0, DIRECT_BLOCKS * 4)) add(block, 1);
    const descend = async (block: number, depth: number): Promise<void> => {
      const numbers = decodeBlockNumbers(await below(block));
      for (const number of numbers) {
        if (depth === 1) add(number, 1);
        else await descend(number, depth - 1);
      }
    };
    for (let depth = 1; depth <= 3; depth++) {
      const block = fields.u32((DIRECT_BLOCKS - 1 + depth) * 4);
      if (block !== 0) await descend(block, depth);
    }
  }

  /** What nobody has named is free, or used by something that has no name. */
  async #claimRest(): Promise<void> {
    const { start } = this.#part;
    const { blockSize, blocks } = this.#super;
    for (const range of this.#claims.unclaimed(start, start + blocks * blockSize)) {
      for (let at = range.start; at < range.end; ) {
        const block = Math.floor((at - start) / blockSize);
        const end = Math.min(range.end, start + (block + 1) * blockSize);
        this.#claims.area((await this.#isUsed(block)) ? "used, but by no file that has a name" : "free space", at, end);
        at = end;
      }
    }
    this.#claimBehind({ start: start + blocks * blockSize, end: start + this.#part.size });
  }

  #claimBehind({ start, end }: ByteRange): void {
    if (end > start) this.#claims.area("behind the file system", start, end);
  }

  async #isUsed(block: number): Promise<boolean> {
    const { firstBlock, blocksPerGroup, clusterBlocks, blockSize } = this.#super;
    if (block < firstBlock) return false;
    const { blockBitmap, isBitmapUnset } = this.#groups[Math.floor((block - firstBlock) / blocksPerGroup)]!;
    if (isBitmapUnset) return false;
    const bit = Math.floor(((block - firstBlock) % blocksPerGroup) / clusterBlocks);
    const byte = await this.#part.read(blockBitmap * blockSize + Math.floor(bit / 8), 1);
    return ((byte.u8(0) >> (bit % 8)) & 1) === 1;
  }
}
