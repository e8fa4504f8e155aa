// The dictionaries that the archive being written holds: each before the first block that needs it, and again at the
// end, where the root points (docs/format.md, "Dictionaries").

import type { DigestOf } from "../digest.ts";
import type { Engine } from "../engine.ts";
import { encodePageBody, PAGE_KIND, type PageBody, type PageRef } from "../format/page.ts";
import type { Appender } from "./appender.ts";
import { appendPage } from "./leaf-pages.ts";
import type { Origins } from "./origins.ts";

export class OwnDictionaries {
  readonly #parts: { engine: Engine; digestOf: DigestOf; appender: Appender; origins: Origins };
  /** By origin. What no block needs is not written. */
  readonly #pages = new Map<number, { readonly page: PageBody; written: boolean }>();

  constructor(parts: { engine: Engine; digestOf: DigestOf; appender: Appender; origins: Origins }) {
    this.#parts = parts;
  }

  /** @returns the origin of blocks that need it */
  add(dictionary: Uint8Array): number {
    const { engine, digestOf, origins } = this.#parts;
    const page = encodePageBody(PAGE_KIND.dictionary, dictionary, engine, digestOf);
    const origin = origins.addOwn();
    this.#pages.set(origin, { page, written: false });
    return origin;
  }

  /** To be called before a block of that origin is appended. */
  beforeBlock(origin: number): void {
    const own = this.#pages.get(origin);
    if (own === undefined || own.written) return;
    own.written = true;
    this.#append(own.page);
  }

  #append(page: PageBody): PageRef {
    return appendPage(this.#parts.appender, page, this.#parts.digestOf);
  }

  /** Appends the second copies, to which the root refers. */
  finish(): void {
    this.#parts.origins.placeOwn((origin) => this.#append(this.#pages.get(origin)!.page));
  }
}
