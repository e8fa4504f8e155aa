// Salvage, second step: what was found, by what it is. Copies of a page are one, by their digest.

import { hexOf } from "../bytes.ts";
import { CODEC } from "../engine.ts";
import { HexzError } from "../errors.ts";
import { type BlockNames, decodeIndexLeaf } from "../format/index-page.ts";
import { decodePageBody, PAGE_KIND, type PageKind, type PageRef } from "../format/page.ts";
import type { ByteString } from "../format/path.ts";
import { decodeRoot, type Root } from "../format/root.ts";
import { decodeSignatures, type Signature } from "../format/signatures.ts";
import { decodeTreeLeaf } from "../format/tree-page.ts";
import { LIMITS } from "../limits.ts";
import type { PageContext } from "../read/pages.ts";
import { type FoundEndMark, type FoundPage, scan } from "./scan.ts";

export interface FoundIndexLeaf {
  readonly ref: PageRef;
  /** Addresses that it describes. */
  readonly start: number;
  readonly end: number;
  /** How many parents and dictionaries its blocks presuppose. */
  readonly needs: BlockNames;
}

export interface FoundTreeLeaf {
  readonly ref: PageRef;
  readonly first: ByteString;
  readonly last: ByteString;
  readonly count: number;
  /** Address behind the contents of its entries. */
  readonly end: number;
}

export interface FoundRoot {
  readonly ref: PageRef;
  readonly root: Root;
}

/** What the blocks of all leaves have, for when no root says it. */
export interface BlockFacts {
  /** Plain bytes of the longest block. */
  longest: number;
  /** The highest numbers that blocks name. */
  parents: number;
  dictionaries: number;
  /** Blocks by codec. */
  readonly codecs: Map<number, number>;
}

/** Pages by their digest, in hexadecimal. */
type ByDigest<Page> = Map<string, Page>;

export class Inventory {
  readonly indexLeaves: ByDigest<FoundIndexLeaf> = new Map();
  readonly treeLeaves: ByDigest<FoundTreeLeaf> = new Map();
  /** Dictionaries, in the order in which they were found first. */
  readonly dictionaries: ByDigest<PageRef> = new Map();
  readonly signatures: Signature[] = [];
  readonly blocks: BlockFacts = { longest: 0, parents: 0, dictionaries: 0, codecs: new Map() };
  /** The last root page. */
  root: FoundRoot | undefined;
  /** The last end mark. */
  mark: FoundEndMark | undefined;
  pages = 0;

  #addPage(page: FoundPage, context: PageContext): void {
    this.pages++;
    const kind = page.body[0] as PageKind;
    const what = `the page at ${page.offset} of ${context.source.name}`;
    const ref = { offset: page.offset, bodyLength: page.bodyLength, digest: page.digest };
    const payload = () => decodePageBody(page.body, kind, what, context.engine);
    if (kind === PAGE_KIND.indexLeaf) this.#addIndexLeaf(ref, payload(), what);
    else if (kind === PAGE_KIND.treeLeaf) this.#addTreeLeaf(ref, payload(), what);
    else if (kind === PAGE_KIND.root) this.root = { ref, root: decodeRoot(payload().slice(), context.source.name) };
    else if (kind === PAGE_KIND.dictionary) {
      if (!this.dictionaries.has(hexOf(ref.digest))) this.dictionaries.set(hexOf(ref.digest), ref);
    } else if (kind === PAGE_KIND.signatures) {
      const room = LIMITS.signatures * 2 - this.signatures.length;
      this.signatures.push(...decodeSignatures(payload(), what).slice(0, room));
    }
  }

  #addIndexLeaf(ref: PageRef, payload: Uint8Array, what: string): void {
    const names = { parents: LIMITS.parents, dictionaries: LIMITS.dictionaries };
    const { starts, blocks } = decodeIndexLeaf(payload, undefined, names, what);
    const key = hexOf(ref.digest);
    const known = this.indexLeaves.has(key);
    const needs = {
      parents: blocks.reduce((most, { archive }) => Math.max(most, archive), 0),
      dictionaries: blocks.reduce((most, { dictionary = -1 }) => Math.max(most, dictionary + 1), 0),
    };
    // Later copies stand together at the end, which is nearer to each other to read.
    this.indexLeaves.set(key, { ref, start: starts[0]!, end: starts.at(-1)!, needs });
    if (known) return;
    const facts = this.blocks;
    facts.parents = Math.max(facts.parents, needs.parents);
    facts.dictionaries = Math.max(facts.dictionaries, needs.dictionaries);
    for (const { archive, codec, plainLength } of blocks) {
      facts.longest = Math.max(facts.longest, plainLength);
      if (archive === 0 && codec !== CODEC.stored) facts.codecs.set(codec, (facts.codecs.get(codec) ?? 0) + 1);
    }
  }

  #addTreeLeaf(ref: PageRef, payload: Uint8Array, what: string): void {
    const entries = decodeTreeLeaf(payload, undefined, what);
    const [first] = entries;
    if (first === undefined) return;
    const end = entries.reduce((most, { start = 0, size = 0, derived }) => {
      return Math.max(most, derived === undefined ? start + size : derived.from.start + derived.from.size);
    }, 0);
    const leaf = { ref, first: first.path, last: entries.at(-1)!.path, count: entries.length, end };
    this.treeLeaves.set(hexOf(ref.digest), leaf);
  }

  add(found: FoundPage | FoundEndMark, context: PageContext): void {
    if ("endMark" in found) {
      this.mark = found;
      return;
    }
    try {
      this.#addPage(found, context);
    } catch (error) {
      // A page that is whole and breaks a rule is no page that helps.
      if (!(error instanceof HexzError)) throw error;
    }
  }
}

export async function takeInventory(
  context: PageContext,
  options: { onProgress?: ((bytes: number) => void) | undefined; signal?: AbortSignal | undefined },
): Promise<Inventory> {
  const inventory = new Inventory();
  for await (const found of scan(context.source, context.digestOf, options)) inventory.add(found, context);
  return inventory;
}
