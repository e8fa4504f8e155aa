// Checking where everything stands: the file is head, body, state end and end mark without a byte between them that
// nothing explains (docs/format.md, "Layers" and "The writer's order").

import { equalBytes } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import { checkDictionary } from "../format/dictionary.ts";
import { decodeEndMark, END_MARK_LENGTH } from "../format/end-mark.ts";
import { SEGMENT_LENGTH } from "../format/envelope.ts";
import { HEAD_LENGTH } from "../format/head.ts";
import { type BlockRef, blockKey, type IndexLeaf } from "../format/index-page.ts";
import { checkPage, PAGE_FRAME_LENGTH, PAGE_KIND, type PageRef, pageEnd } from "../format/page.ts";
import { LIMITS } from "../limits.ts";
import { type ByteRange, mergeRanges } from "../source/merge.ts";
import type { Archive } from "./archive.ts";
import { type Findings, noting } from "./findings.ts";
import type { WalkedPages } from "./page-groups.ts";
import { readPage } from "./pages.ts";
import { sameBlock } from "./random.ts";
import { openSignatures } from "./signatures.ts";

interface CodecTally {
  blocks: number;
  storedBytes: number;
  plainBytes: number;
}

/** References whose copies are expected, in order. */
class Copies {
  readonly #refs: readonly PageRef[];
  #next = 0;

  constructor(refs: readonly PageRef[]) {
    this.#refs = refs;
  }

  get next(): PageRef | undefined {
    return this.#refs[this.#next];
  }

  take(): void {
    this.#next++;
  }

  /** Whether that copy is still to come. */
  expects(ref: PageRef): boolean {
    return this.#refs.indexOf(ref) >= this.#next;
  }

  get left(): number {
    return this.#refs.length - this.#next;
  }
}

/** A block, and which of its plain bytes chunks have covered. */
interface OpenBlock {
  readonly block: BlockRef;
  /** Disjoint, ascending, none touching the next. */
  readonly covered: ByteRange[];
}

/**
 * The body: blocks in the order in which the chunks refer to them first, and copies of leaf pages between them. A
 * cursor goes along with the leaves; it knows the blocks that are not covered yet and where the next thing must begin.
 */
export class BodyCheck {
  readonly #archive: Archive;
  readonly #findings: Findings;
  readonly #trees: Copies;
  readonly #dictionaries: Copies;
  /** Numbers of the dictionaries that blocks name. */
  readonly #named = new Set<number>();
  #leaves = new Copies([]);
  #at = HEAD_LENGTH;
  /** By offset: blocks that chunks have not covered yet. As a rule that is one. */
  readonly #open = new Map<number, OpenBlock>();
  /** A leaf is missing: what stands where is not known any more. */
  #lost = false;
  /** Blocks of this file by codec. */
  readonly codecs = new Map<number, CodecTally>();

  /** @param treeLeaves in key order */
  constructor(archive: Archive, findings: Findings, treeLeaves: readonly PageRef[]) {
    this.#archive = archive;
    this.#findings = findings;
    this.#trees = new Copies(treeLeaves);
    this.#dictionaries = new Copies(localDictionaries(archive));
    this.#lost = archive.root.previous !== undefined;
  }

  /** Offset behind what is known of the body. */
  get end(): number {
    return this.#at;
  }

  get lost(): boolean {
    return this.#lost;
  }

  loseTrack(): void {
    this.#lost = true;
    this.#open.clear();
  }

  expectLeaves(refs: readonly PageRef[]): void {
    this.#leaves = new Copies(refs);
  }

  async leaf(leaf: IndexLeaf): Promise<void> {
    const { fills, blocks, blockNumbers, blockOffsets, starts } = leaf;
    const keys = new Set<number | string>();
    for (const block of blocks) {
      if (keys.has(blockKey(block))) this.#invalid(`a page of the index lists the block at ${block.offset} twice`);
      keys.add(blockKey(block));
      if (block.dictionary !== undefined) this.#named.add(block.dictionary);
    }
    for (let number = 0; number < fills.length; number++) {
      if (fills[number]! >= 0) continue;
      const block = blocks[blockNumbers[number]!]!;
      // What parents store stands there.
      if (block.archive !== 0) continue;
      const length = starts[number + 1]! - starts[number]!;
      if (block.offset >= this.#at) await this.#begin(block);
      const open = this.#open.get(block.offset);
      if (open !== undefined) this.#cover(open, block, blockOffsets[number]!, length);
    }
  }

  #invalid(message: string): void {
    this.#findings.invalid("layout", message);
  }

  async #begin(block: BlockRef): Promise<void> {
    await this.#copies(block.offset);
    const { coding } = this.#archive.root;
    const rootOffset = this.#archive.endMark.root.offset;
    const end = block.offset + block.storedLength;
    const dictionary = block.dictionary === undefined ? undefined : this.#archive.root.dictionaries[block.dictionary];
    if (dictionary !== undefined && this.#dictionaries.expects(dictionary.ref)) {
      this.#invalid(`the block at ${block.offset} comes before its dictionary`);
    }
    if (end > rootOffset) this.#invalid(`the block at ${block.offset} ends at ${end}, behind the root's beginning`);
    const most = Math.max(coding.blockSize, coding.sizes.max);
    if (block.plainLength > most)
      this.#invalid(`the block at ${block.offset} has ${block.plainLength} bytes, over ${most}`);
    this.#open.set(block.offset, { block, covered: [] });
    this.#at = end;
    const tally = this.codecs.get(block.codec) ?? { blocks: 0, storedBytes: 0, plainBytes: 0 };
    tally.blocks++;
    tally.storedBytes += block.storedLength;
    tally.plainBytes += block.plainLength;
    this.codecs.set(block.codec, tally);
  }

  /** A chunk of a block that is not covered yet. */
  #cover({ block: known, covered }: OpenBlock, block: BlockRef, offset: number, length: number): void {
    if (!sameBlock(block, known)) this.#invalid(`the index describes the block at ${block.offset} in two ways`);
    covered.splice(0, covered.length, ...mergeRanges([...covered, { start: offset, end: offset + length }], 0));
    if (covered[0]!.start === 0 && covered[0]!.end >= known.plainLength) this.#open.delete(known.offset);
  }

  /** Call when all leaves were given. */
  finish(): void {
    if (this.#lost) return;
    for (const { block, covered } of this.#open.values()) {
      let at = 0;
      for (const { start, end } of [...covered, { start: block.plainLength, end: block.plainLength }]) {
        if (start > at) this.#invalid(`bytes ${at} to ${start} of the block at ${block.offset} are in no chunk`);
        at = end;
      }
    }
  }

  /** What stands between the last block and the state's end. */
  async finishBody(end: number): Promise<void> {
    await this.#copies(end);
    if (this.#lost) return;
    const missing = this.#leaves.left + this.#trees.left + this.#dictionaries.left;
    if (missing > 0) this.#invalid(`${missing} pages have no copy between the blocks`);
    for (const number of this.#archive.root.dictionaries.keys()) {
      if (!this.#named.has(number)) this.#invalid(`no block needs dictionary ${number}`);
    }
  }

  /** The bytes from the cursor to `limit` are copies of leaf pages and dictionaries. */
  async #copies(limit: number): Promise<void> {
    // What would stand behind the root is told of elsewhere, and may be no place of the file.
    const end = Math.min(limit, this.#archive.endMark.root.offset);
    while (this.#at < end && !this.#lost) {
      const length = await this.#copy(end);
      if (length === undefined) {
        this.#invalid(`nothing explains bytes ${this.#at} to ${end}`);
        break;
      }
      this.#at += length;
    }
    this.#at = Math.max(this.#at, limit);
  }

  /** Checks the copy at the cursor. Returns its length, or undefined when there is none that fits. */
  async #copy(end: number): Promise<number | undefined> {
    const { source, context } = this.#archive;
    const at = this.#at;
    const damaged: { queue: Copies; length: number; error: HexzError }[] = [];
    for (const queue of [this.#leaves, this.#trees, this.#dictionaries]) {
      const { next } = queue;
      const length = PAGE_FRAME_LENGTH + (next?.bodyLength ?? 0);
      if (next === undefined || at + length > end) continue;
      const bytes = await source.read(at, at + length);
      try {
        checkPage(bytes, { ...next, offset: at }, `the copy of a page of ${source.name}`, context.digestOf);
        queue.take();
        return length;
      } catch (error) {
        if (!(error instanceof HexzError)) throw error;
        damaged.push({ queue, length, error });
      }
    }
    // None is as it must be: the one that is meant is the one behind which something else begins.
    const meant = await this.#ending(damaged, end);
    if (meant === undefined) return undefined;
    this.#findings.fail("layout", meant.error);
    meant.queue.take();
    return meant.length;
  }

  async #ending<T extends { length: number }>(candidates: readonly T[], end: number): Promise<T | undefined> {
    for (const candidate of candidates) {
      const behind = this.#at + candidate.length;
      if (behind === end) return candidate;
      if (behind + PAGE_FRAME_LENGTH > end) continue;
      const frame = await this.#archive.source.read(behind, behind + PAGE_FRAME_LENGTH);
      if (ownOffset(frame) === behind) return candidate;
    }
    return undefined;
  }
}

/** What a page's frame says of its place. */
function ownOffset(frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  return view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32;
}

/** The pages of dictionaries that this file holds. */
function localDictionaries({ root }: Archive): PageRef[] {
  return root.dictionaries.filter(({ archive }) => archive === 0).map(({ ref }) => ref);
}

/** The dictionaries themselves: blocks that need them may not be read. */
export async function checkDictionaries(archive: Archive, findings: Findings): Promise<void> {
  const { source, context } = archive;
  const what = "a dictionary";
  for (const ref of localDictionaries(archive)) {
    await noting(findings, "layout", async () => {
      const dictionary = await archive.run(readPage(context, ref, PAGE_KIND.dictionary, what));
      checkDictionary(dictionary, `${what} of ${source.name}`);
    });
  }
}

/** The pages of the state's end, one behind the other up to the root. Their bytes are checked where they are decoded. */
export async function checkStateEnd(
  archive: Archive,
  findings: Findings,
  { index, tree, body }: { index: WalkedPages; tree: WalkedPages; body: BodyCheck },
): Promise<void> {
  const { root, endMark, source, envelope } = archive;
  if (root.previous !== undefined) {
    const message = `${source.name} has earlier states, whose bytes this version cannot check`;
    findings.add({ code: "feature_unknown", where: "layout", message });
    return;
  }
  const metadata = root.metadata === undefined ? [] : [root.metadata];
  const refs = [...tree.refs, ...index.refs, ...localDictionaries(archive), ...metadata, endMark.root];
  // Where the root is the only page, padding may begin right behind the body.
  const start = refs.length === 1 && envelope !== undefined ? body.end : refs[0]!.offset;
  await body.finishBody(Math.max(start, body.end));
  if (body.end > start && !body.lost) {
    findings.invalid("layout", `what ends at ${body.end} reaches into the page at ${start}`);
  }
  if (!tree.complete || !index.complete) return;
  let at = start;
  for (const ref of refs) {
    const mayPad = ref === endMark.root && envelope !== undefined && ref.offset > at;
    if (mayPad) await checkZeros(archive, findings, at, ref.offset);
    else if (ref.offset !== at) {
      findings.invalid("layout", `a page stands at ${ref.offset} and not at ${at}, behind the one before it`);
    }
    at = pageEnd(ref);
  }
}

/** Padding, which is there inside an envelope only. */
async function checkZeros({ source }: Archive, findings: Findings, start: number, end: number): Promise<void> {
  for (let at = start; at < end; at += SEGMENT_LENGTH) {
    const bytes = await source.read(at, Math.min(end, at + SEGMENT_LENGTH));
    if (bytes.every((byte) => byte === 0)) continue;
    findings.invalid("layout", `bytes ${start} to ${end} are padding, and not all of them zero`);
    return;
  }
}

/** What stands behind the root: signatures pages and end marks. */
export async function checkEnd(archive: Archive, findings: Findings): Promise<void> {
  const { source, context, endMark } = archive;
  let signatures: { offset: number; bodyLength: number } | undefined;
  for (let at = pageEnd(endMark.root); at < source.size; ) {
    if (archive.envelope !== undefined && at % SEGMENT_LENGTH === 0) at = await skipPadding(archive, at);
    if (at + END_MARK_LENGTH > source.size) {
      findings.invalid("layout", `nothing explains bytes ${at} to ${source.size}`);
      return;
    }
    const bytes = await source.read(at, at + END_MARK_LENGTH);
    const mark = decodeEndMark(bytes, at, context.digestOf);
    if (mark !== undefined) {
      const same =
        mark.root.offset === endMark.root.offset &&
        mark.root.bodyLength === endMark.root.bodyLength &&
        equalBytes(mark.root.digest, endMark.root.digest) &&
        mark.signatures?.offset === signatures?.offset &&
        mark.signatures?.bodyLength === signatures?.bodyLength;
      if (!same) findings.invalid("layout", `the end mark at ${at} does not name what stands before it`);
      at += END_MARK_LENGTH;
      continue;
    }
    try {
      signatures = await signaturesPage(archive, at, bytes);
    } catch (error) {
      if (!(error instanceof HexzError) || error.code === "io") throw error;
      findings.fail("layout", error);
      return;
    }
    at += PAGE_FRAME_LENGTH + signatures.bodyLength;
  }
}

/** An appendix fills its segments: zeros stand before its page. */
async function skipPadding({ source }: Archive, start: number): Promise<number> {
  const bytes = await source.read(start, Math.min(source.size, start + SEGMENT_LENGTH));
  const length = bytes.findIndex((byte) => byte !== 0);
  return start + Math.max(0, length);
}

async function signaturesPage({ source, context }: Archive, offset: number, start: Uint8Array) {
  const bodyLength = new DataView(start.buffer, start.byteOffset).getUint32(4, true);
  const end = offset + PAGE_FRAME_LENGTH + bodyLength;
  if (bodyLength > LIMITS.pageBody || end > source.size) {
    throw new HexzError("damaged", `neither a page nor an end mark of ${source.name} stands at ${offset}`);
  }
  const bytes = await source.read(offset, end);
  if (bytes[PAGE_FRAME_LENGTH] === PAGE_KIND.parity) {
    throw new HexzError("feature_unknown", `${source.name} has a parity section, which this version cannot check`);
  }
  openSignatures(context, bytes, offset);
  return { offset, bodyLength };
}
