// Where blocks come from: this archive or a base, with or without a dictionary. What is used becomes part of the root,
// numbered in the order of first use (docs/format.md, "Parents").

import { hexOf } from "../bytes.ts";
import type { DictionaryRef, Parent } from "../format/root.ts";
import { checkLimit, LIMITS } from "../limits.ts";

/** A dictionary as the archive that holds it names it. */
export type DictionaryPage = DictionaryRef["ref"];

interface Origin {
  readonly parent: Parent | undefined;
  readonly page: DictionaryPage | undefined;
  used: { readonly archive: number; readonly dictionary: number | undefined } | undefined;
}

/** Origins have 16 bits in the table of blocks. */
const MOST_ORIGINS = 65_535;

export class Origins {
  /** Number 0 is this archive without a dictionary. */
  readonly #origins: Origin[] = [{ parent: undefined, page: undefined, used: { archive: 0, dictionary: undefined } }];
  readonly parents: Parent[] = [];
  readonly dictionaries: DictionaryRef[] = [];

  /** @param parent undefined: this archive @returns the number of the origin */
  add(parent: Parent | undefined, page: DictionaryPage | undefined): number {
    checkLimit("the number of places that blocks come from", this.#origins.length, MOST_ORIGINS);
    return this.#origins.push({ parent, page, used: undefined }) - 1;
  }

  /** What the index calls an origin. */
  use(number: number): { readonly archive: number; readonly dictionary: number | undefined } {
    const origin = this.#origins[number]!;
    if (origin.used === undefined) {
      const archive = origin.parent === undefined ? 0 : this.#parentNumber(origin.parent);
      const dictionary = origin.page === undefined ? undefined : this.dictionaries.length;
      if (origin.page !== undefined) this.dictionaries.push({ archive, ref: origin.page });
      checkLimit("the number of dictionaries", this.dictionaries.length, LIMITS.dictionaries);
      origin.used = { archive, dictionary };
    }
    return origin.used;
  }

  #parentNumber(parent: Parent): number {
    const id = hexOf(parent.id);
    const known = this.parents.findIndex((one) => hexOf(one.id) === id);
    if (known >= 0) return known + 1;
    checkLimit("the number of parents", this.parents.length + 1, LIMITS.parents);
    return this.parents.push(parent);
  }
}
