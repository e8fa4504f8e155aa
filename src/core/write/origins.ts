// Where blocks come from: this archive or a base, with or without a dictionary. What is used becomes part of the root,
// numbered in the order of first use (docs/format.md, "Parents").

import { hexOf } from "../bytes.ts";
import type { DictionaryRef, Parent } from "../format/root.ts";
import { checkLimit, LIMITS } from "../limits.ts";

/** A dictionary as the archive that holds it names it. */
export type DictionaryPage = DictionaryRef["ref"];

/** A dictionary of this archive, whose place is known at the end. */
const OWN = "own";

interface Origin {
  readonly parent: Parent | undefined;
  readonly page: DictionaryPage | typeof OWN | undefined;
  used: { readonly archive: number; readonly dictionary: number | undefined } | undefined;
}

/** Origins have 16 bits in the table of blocks. */
const MOST_ORIGINS = 65_535;

export class Origins {
  /** Number 0 is this archive without a dictionary. */
  readonly #origins: Origin[] = [{ parent: undefined, page: undefined, used: { archive: 0, dictionary: undefined } }];
  readonly parents: Parent[] = [];
  /** Those of this archive, by origin, have no place until the end. */
  readonly #dictionaries: (DictionaryRef | { readonly origin: number; ref?: DictionaryPage })[] = [];

  /** @returns the number of the origin */
  add(parent: Parent, page: DictionaryPage | undefined): number {
    return this.#add({ parent, page, used: undefined });
  }

  /** This archive, with a dictionary of its own. */
  addOwn(): number {
    return this.#add({ parent: undefined, page: OWN, used: undefined });
  }

  #add(origin: Origin): number {
    checkLimit("the number of places that blocks come from", this.#origins.length, MOST_ORIGINS);
    return this.#origins.push(origin) - 1;
  }

  /** Gives the dictionaries of this archive their places, in the order of their numbers. */
  placeOwn(place: (origin: number) => DictionaryPage): void {
    for (const dictionary of this.#dictionaries) {
      if ("origin" in dictionary) dictionary.ref = place(dictionary.origin);
    }
  }

  /** Section 7 of the root; after `placeOwn`. */
  get dictionaries(): DictionaryRef[] {
    return this.#dictionaries.map((one) => ("origin" in one ? { archive: 0, ref: one.ref! } : one));
  }

  /** What the index calls an origin. */
  use(number: number): { readonly archive: number; readonly dictionary: number | undefined } {
    const origin = this.#origins[number]!;
    if (origin.used === undefined) {
      const archive = origin.parent === undefined ? 0 : this.#parentNumber(origin.parent);
      const dictionary = origin.page === undefined ? undefined : this.#dictionaries.length;
      if (origin.page === OWN) this.#dictionaries.push({ origin: number });
      else if (origin.page !== undefined) this.#dictionaries.push({ archive, ref: origin.page });
      checkLimit("the number of dictionaries", this.#dictionaries.length, LIMITS.dictionaries);
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
