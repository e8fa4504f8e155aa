// The reference decoder: the index (docs/format.md, "Index"). A list of all chunks, and of all blocks they lie in.

import { Cursor, fail, hex, limit, MOST_BYTES, rule } from "./reference-bytes.ts";
import { decodeRecipe, type Step } from "./reference-codecs.ts";
import { KIND, type Page, readPage } from "./reference-pages.ts";
import { type IndexChild, list, type Root, readIndexChildren } from "./reference-root.ts";

/** A step with its base found in the page's table. */
export interface BlockStep {
  step: Step;
  base?: Block;
}

export interface Block {
  /** `archive:offset`, unique in a state. */
  key: string;
  archive: number;
  offset: number;
  storedLength: number;
  plainLength: number;
  codec: number;
  dictionary: number | undefined;
  steps: BlockStep[];
}

export type Chunk = { start: number; length: number } & (
  | { fill: number }
  | { fill?: undefined; block: Block; offset: number; digest: Uint8Array }
);

export interface Index {
  chunks: Chunk[];
  blocks: Map<string, Block>;
  /** Leaves with the blocks of their tables; inner pages with their level, 0 next to the leaves. */
  leaves: { page: Page; blocks: Block[] }[];
  inner: { page: Page; level: number }[];
}

export function readIndex(file: Uint8Array, root: Root): Index {
  const index: Index = { chunks: [], blocks: new Map(), leaves: [], inner: [] };
  const end = visit(root.index.children, 0, root.index.depth);
  rule(end === root.addressSpace, `the index describes ${end} of ${root.addressSpace} bytes`);
  const pages = index.leaves.length + index.inner.length;
  rule(pages === root.index.pages, `the index has ${pages} pages and not ${root.index.pages}`);
  return index;

  function visit(children: IndexChild[], start: number, depth: number): number {
    let at = start;
    for (const { span, ref } of children) {
      if (depth === 0) {
        const page = readPage(file, ref, KIND.indexLeaf);
        readLeaf(page, at, span, root, index);
      } else {
        const page = readPage(file, ref, KIND.indexInner);
        index.inner.push({ page, level: depth - 1 });
        const cursor = new Cursor(page.payload, `the inner page of the index at ${page.offset}`);
        checkFirst(cursor, at);
        const below = readIndexChildren(cursor, cursor.u32());
        cursor.end();
        rule(visit(below, at, depth - 1) === at + span, `${cursor.what}: the spans do not add up to ${span}`);
      }
      at += span;
      limit(at, MOST_BYTES, "the index's end");
    }
    return at;
  }
}

function checkFirst(cursor: Cursor, start: number): void {
  const first = cursor.u64();
  rule(first === start, `${cursor.what} begins at ${first} and not at ${start}`);
}

function readLeaf(page: Page, start: number, span: number, root: Root, index: Index): void {
  const cursor = new Cursor(page.payload, `the leaf of the index at ${page.offset}`);
  checkFirst(cursor, start);
  const blockCount = cursor.u32();
  const chunkCount = cursor.u32();
  const table = readTable(cursor, blockCount, root);
  for (const block of table) agree(index.blocks, block);
  const blocks = table.map((block) => index.blocks.get(block.key)!);
  const used = new Set<Block>();
  let at = start;
  // Where the previous chunk that is no fill ended; a chunk of source 1 begins there.
  let number = 0;
  let offset = 0;
  const chunks = list(cursor, chunkCount, (): Chunk => {
    const length = cursor.varint();
    rule(length > 0, `${cursor.what} has an empty chunk`);
    const place = { start: at, length };
    at += length;
    const source = cursor.varint();
    if (source === 0) return { ...place, fill: cursor.u8() };
    if (source >= 2) {
      number = source - 2;
      offset = cursor.varint();
    }
    const block = blocks[number] ?? fail("invalid", `${cursor.what}: a chunk in block ${number} of ${blocks.length}`);
    const chunk = { ...place, block, offset, digest: new Uint8Array() };
    used.add(block);
    limit(length, 2 ** 24, `${cursor.what}: length of a chunk`);
    offset += length;
    rule(offset <= block.plainLength, `${cursor.what}: a chunk ends at ${offset} in a block of ${block.plainLength}`);
    if (offset === block.plainLength) {
      number++;
      offset = 0;
    }
    return chunk;
  });
  for (const chunk of chunks) {
    if (chunk.fill === undefined) chunk.digest = cursor.take(32);
  }
  cursor.end();
  rule(at === start + span, `${cursor.what} describes ${at - start} bytes and not ${span}`);
  const useBases = (block: Block): void => {
    for (const { base } of block.steps) {
      if (base === undefined || used.has(base)) continue;
      used.add(base);
      useBases(base);
    }
  };
  for (const block of [...used]) useBases(block);
  for (const block of blocks) rule(used.has(block), `${cursor.what}: no chunk uses the block at ${block.key}`);
  for (const chunk of chunks) index.chunks.push(chunk);
  index.leaves.push({ page, blocks });
}

function readTable(cursor: Cursor, count: number, root: Root): Block[] {
  const ends = new Map<number, number>();
  const raw = list(cursor, count, () => {
    const head = cursor.u8();
    rule((head & 0x80) === 0, `${cursor.what}: a block's head ${head}`);
    const codec = head & 15;
    if (codec > 3) fail("feature_unknown", `codec ${codec}`);
    const archive = (head & 0x10) === 0 ? 0 : cursor.varint();
    rule((head & 0x10) === 0 || archive >= 1, `${cursor.what}: a block in parent 0`);
    rule(archive <= root.parents.length, `${cursor.what}: a block in the unknown parent ${archive}`);
    const dictionary = (head & 0x20) === 0 ? undefined : cursor.varint();
    rule((codec === 3) === (dictionary !== undefined), `${cursor.what}: codec 3 and a dictionary go together`);
    rule((dictionary ?? -1) < root.dictionaries.length, `${cursor.what}: the unknown dictionary ${dictionary}`);
    const steps = (head & 0x40) === 0 ? [] : decodeRecipe(cursor.sized(), cursor.what);
    const offset = (ends.get(archive) ?? 0) + cursor.svarint();
    const storedLength = cursor.varint();
    const plainLength = cursor.varint();
    rule(offset >= 0, `${cursor.what}: a block at ${offset}`);
    const end = offset + storedLength;
    ends.set(archive, end);
    limit(end, MOST_BYTES, `${cursor.what}: end of a block`);
    limit(plainLength, 2 ** 24, `${cursor.what}: plain length`);
    const most = Math.max(root.coding.blockSize, root.coding.max);
    rule(archive > 0 || plainLength <= most, `${cursor.what}: a block of ${plainLength} bytes, over ${most}`);
    rule(storedLength >= 1, `${cursor.what}: an empty block`);
    rule(storedLength <= plainLength, `${cursor.what}: a stored block is longer than the plain one`);
    rule(codec === 0 || storedLength < plainLength, `${cursor.what}: a coded block is not smaller`);
    rule(codec !== 0 || steps.length > 0 || storedLength === plainLength, `${cursor.what}: a stored block's lengths`);
    const last = root.page.offset;
    rule(archive > 0 || (offset >= 16 && end <= last), `${cursor.what}: a block at ${offset} is not before the root`);
    return { key: `${archive}:${offset}`, archive, offset, storedLength, plainLength, codec, dictionary, steps };
  });
  const blocks = raw.map((record): Block => ({ ...record, steps: [] }));
  for (const [i, record] of raw.entries()) {
    blocks[i]!.steps = record.steps.map((step) =>
      "blockNumber" in step ? { step, base: baseOf(step, record) } : { step },
    );
  }
  rule(new Set(blocks.map((block) => block.key)).size === count, `${cursor.what}: a block is listed twice`);
  for (const block of blocks) checkChain(block, 0);
  return blocks;

  function baseOf(
    step: Step & { blockNumber: number; offset: number },
    { plainLength }: { plainLength: number },
  ): Block {
    const base = blocks[step.blockNumber] ?? fail("invalid", `${cursor.what}: the base is block ${step.blockNumber}`);
    rule(step.offset + plainLength <= base.plainLength, `${cursor.what}: the base ends behind its block`);
    return base;
  }

  function checkChain(block: Block, bases: number): void {
    rule(bases <= 8, `${cursor.what}: a chain of more than 8 bases`);
    for (const { base } of block.steps) if (base !== undefined) checkChain(base, bases + 1);
  }
}

/** A block is described in the table of each page that needs it, always alike. */
function agree(blocks: Map<string, Block>, block: Block): void {
  const known = blocks.get(block.key);
  if (known === undefined) blocks.set(block.key, block);
  else rule(describe(known) === describe(block), `two pages describe the block ${block.key} differently`);
}

function describe(block: Block): string {
  const steps = block.steps.map(({ step, base }) => {
    if (step.name === "palette") return `${step.name} ${step.width} ${step.words.map(hex).join(" ")}`;
    return `${step.name} ${step.width} ${base?.key} ${"offset" in step ? step.offset : ""}`;
  });
  return JSON.stringify([block.codec, block.dictionary, block.storedLength, block.plainLength, steps]);
}
