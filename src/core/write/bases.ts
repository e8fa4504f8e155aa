// The chunks of other archives that the one being written may refer to (docs/format.md, "Parents"). Only the pages of
// their indexes are read. Every archive of a base's lineage is a base of its own, so each contributes what it stores
// itself, and what the archive becomes needs nothing but the archives that store.

import { HexzError } from "../errors.ts";
import { type BlockRef, blockKey, type IndexLeaf } from "../format/index-page.ts";
import type { Root } from "../format/root.ts";
import { BlockTable } from "./block-table.ts";
import { DedupTable } from "./dedup.ts";
import { Origins } from "./origins.ts";
import type { Sink } from "./sink.ts";

/** An archive whose chunks need not be stored again. An open `Archive` is one, with a hint. */
export interface Base {
  /** Archive id. */
  readonly id: Uint8Array;
  /** Where a reader may look for it: a relative path with `/`, from where the new archive will be. */
  readonly hint: string;
  /** For messages. */
  readonly name: string;
  readonly root: Root;
  /** The pages of its index, in order. */
  leaves(): AsyncIterable<IndexLeaf>;
}

/** What is stored already, in bases and in the archive being written. */
export interface KnownChunks {
  readonly dedup: DedupTable;
  readonly blocks: BlockTable;
  readonly origins: Origins;
}

/**
 * Where two bases store the same chunk, the first one counts.
 * @param sink of the archive that will refer to them
 * @throws HexzError `usage` when one of them is encrypted and the archive will not be
 */
export async function loadBases(bases: readonly Base[], sink: Sink): Promise<KnownChunks> {
  const encrypted = bases.find(({ root }) => root.salt !== undefined);
  if (encrypted !== undefined && sink.envelope === undefined) {
    throw new HexzError(
      "usage",
      `the base ${encrypted.name} is encrypted, so what refers to it must be encrypted, too`,
      {
        hint: "--encrypt or --recipient",
      },
    );
  }
  const origins = new Origins();
  const known = { dedup: new DedupTable(), blocks: new BlockTable(origins), origins };
  for (const base of bases) await loadBase(base, known);
  return known;
}

async function loadBase(base: Base, known: KnownChunks): Promise<void> {
  const { dedup } = known;
  const blocks = new BaseBlocks(base, known.blocks, known.origins);
  for await (const leaf of base.leaves()) {
    const { digests, fills, blockNumbers, blockOffsets } = leaf;
    const words = new Uint32Array(digests.buffer, digests.byteOffset, digests.length / 4);
    const numbers = new Map<number, number>();
    for (let chunk = 0; chunk < fills.length; chunk++) {
      const inLeaf = blockNumbers[chunk]!;
      if (fills[chunk]! >= 0 || leaf.blocks[inLeaf]!.archive !== 0) continue;
      const digest = words.subarray(chunk * 8, chunk * 8 + 8);
      if (dedup.find(digest) !== undefined) continue;
      let block = numbers.get(inLeaf);
      if (block === undefined) {
        block = blocks.numberOf(leaf.blocks[inLeaf]!);
        numbers.set(inLeaf, block);
      }
      dedup.add(digest, { block, offset: blockOffsets[chunk]! });
    }
  }
}

/** Makes known what an archive has in its parents, from its own index: chunks that stay where they are. */
export async function loadReferences(
  { parents, dictionaries }: Pick<Root, "parents" | "dictionaries">,
  leaves: AsyncIterable<IndexLeaf>,
  { dedup, blocks, origins }: KnownChunks,
): Promise<void> {
  const numbers = new Map<number | string, number>();
  const originNumbers = new Map<string, number>();
  const originOf = ({ archive, dictionary }: BlockRef): number => {
    const key = `${archive} ${dictionary}`;
    let number = originNumbers.get(key);
    if (number === undefined) {
      const page = dictionary === undefined ? undefined : dictionaries[dictionary]!.ref;
      number = origins.add(parents[archive - 1]!, page);
      originNumbers.set(key, number);
    }
    return number;
  };
  for await (const { digests, fills, blockNumbers, blockOffsets, blocks: named } of leaves) {
    const words = new Uint32Array(digests.buffer, digests.byteOffset, digests.length / 4);
    for (let chunk = 0; chunk < fills.length; chunk++) {
      const block = named[blockNumbers[chunk]!];
      if (fills[chunk]! >= 0 || block === undefined || block.archive === 0) continue;
      const digest = words.subarray(chunk * 8, chunk * 8 + 8);
      if (dedup.find(digest) !== undefined) continue;
      let number = numbers.get(blockKey(block));
      if (number === undefined) {
        number = blocks.count;
        const { archive: _, dictionary: __, ...place } = block;
        blocks.append({ ...place, origin: originOf(block) });
        numbers.set(blockKey(block), number);
      }
      dedup.add(digest, { block: number, offset: blockOffsets[chunk]! });
    }
  }
}

/** The blocks of one base. Its writer appended them in the order in which its chunks name them first. */
class BaseBlocks {
  readonly #base: Base;
  readonly #blocks: BlockTable;
  readonly #first: number;
  readonly #plain: number;
  readonly #dictionaries: number[];
  readonly #most: number;

  constructor(base: Base, blocks: BlockTable, origins: Origins) {
    const { id, hint, root } = base;
    const { blockSize, sizes } = root.coding;
    this.#base = base;
    this.#blocks = blocks;
    this.#first = blocks.count;
    this.#plain = origins.add({ id, hint }, undefined);
    this.#dictionaries = root.dictionaries.map(({ archive, ref }) =>
      archive === 0 ? origins.add({ id, hint }, ref) : 0,
    );
    this.#most = Math.max(blockSize, sizes.max);
  }

  numberOf(block: BlockRef): number {
    const { count } = this.#blocks;
    let low = this.#first;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#blocks.offsetOf(middle) < block.offset) low = middle + 1;
      else high = middle;
    }
    if (low < count) {
      if (this.#blocks.offsetOf(low) === block.offset) return low;
      throw this.#invalid(block, "comes after one that stands behind it");
    }
    if (block.plainLength > this.#most)
      throw this.#invalid(block, `has ${block.plainLength} bytes, over ${this.#most}`);
    const { archive: _, dictionary, ...place } = block;
    const origin = dictionary === undefined ? this.#plain : this.#dictionaries[dictionary]!;
    if (origin === 0) throw this.#invalid(block, "needs a dictionary of another archive");
    this.#blocks.append({ ...place, origin });
    return count;
  }

  #invalid({ offset }: BlockRef, what: string): HexzError {
    return new HexzError("invalid", `the index of ${this.#base.name} is broken: the block at ${offset} ${what}`);
  }
}
