// The dictionaries that blocks of an archive need, each fetched when the first of its blocks is (docs/format.md,
// "Dictionaries").

import { HexzError } from "../errors.ts";
import { checkDictionary, dictionaryLength } from "../format/dictionary.ts";
import type { BlockRef } from "../format/index-page.ts";
import { PAGE_KIND } from "../format/page.ts";
import type { DictionaryRef } from "../format/root.ts";
import { Cache } from "./cache.ts";
import type { Io } from "./io.ts";
import { type PageContext, readPage } from "./pages.ts";
import type { DictionaryOf, Stores } from "./parts.ts";

const CACHE_BYTES = 32 * 1024 * 1024;

export class Dictionaries implements DictionaryOf {
  readonly #context: PageContext;
  readonly #refs: readonly DictionaryRef[];
  readonly #stores: Stores;
  readonly #loaded = new Cache<number, Uint8Array>(CACHE_BYTES);

  constructor(context: PageContext, refs: readonly DictionaryRef[], stores: Stores) {
    this.#context = context;
    this.#refs = refs;
    this.#stores = stores;
  }

  /** Where the dictionary of a block is. @throws HexzError `invalid` when that is not where the block is */
  #refOf(block: BlockRef): DictionaryRef | undefined {
    if (block.dictionary === undefined) return undefined;
    const ref = this.#refs[block.dictionary]!;
    if (ref.archive === block.archive) return ref;
    const { name } = this.#context.source;
    throw new HexzError("invalid", `the block at ${block.offset} of ${name} needs a dictionary of another archive`);
  }

  /** Bytes of all dictionaries together, each page once and no more than its archive has, as far as that was found. */
  mostBytes(): number {
    let sum = 0;
    for (const archive of new Set(this.#refs.map((ref) => ref.archive))) {
      const store = this.#stores.known(archive);
      if (store === undefined || store instanceof HexzError) continue;
      const pages = new Map(this.#refs.filter((ref) => ref.archive === archive).map(({ ref }) => [ref.offset, ref]));
      const length = [...pages.values()].reduce((total, ref) => total + dictionaryLength(ref), 0);
      sum += Math.min(length, store.source.size);
    }
    return sum;
  }

  /** The dictionary of a block, the same object as long as it is kept; undefined when the block needs none. */
  *of(block: BlockRef): Io<Uint8Array | undefined> {
    const found = this.#refOf(block);
    if (found === undefined) return undefined;
    const number = block.dictionary!;
    const known = this.#loaded.get(number);
    if (known !== undefined) return known;
    const { source } = yield* this.#stores.store(found.archive);
    const what = "a dictionary";
    const dictionary = yield* readPage({ ...this.#context, source }, found.ref, PAGE_KIND.dictionary, what);
    checkDictionary(dictionary, `${what} of ${source.name}`);
    this.#loaded.set(number, dictionary, dictionary.length);
    return dictionary;
  }
}
