// The dictionaries of format 1: one an archive at most, in a section that its header names. BlockRefs name a dictionary by
// its archive.

import type { BlockRef } from "../../format/index-page.ts";
import { LIMITS } from "../../limits.ts";
import type { Io } from "../io.ts";
import type { DictionaryOf } from "../parts.ts";
import type { Lineage } from "./lineage.ts";
import { readSectionIo } from "./open.ts";

export class Dictionaries1 implements DictionaryOf {
  readonly #lineage: Lineage;
  readonly #loaded = new Map<number, Uint8Array>();

  constructor(lineage: Lineage) {
    this.#lineage = lineage;
  }

  *of({ dictionary: number }: BlockRef): Io<Uint8Array | undefined> {
    if (number === undefined) return undefined;
    const known = this.#loaded.get(number);
    if (known !== undefined) return known;
    const { source, header } = this.#lineage.members[number]!.opened;
    const bytes = yield* readSectionIo(source, header.dictionary!, "the dictionary", LIMITS.format1.dictionary);
    this.#loaded.set(number, bytes);
    return bytes;
  }

  mostBytes(): number {
    return this.#lineage.members.reduce((sum, { opened: { header, source } }) => {
      const length = Math.min(header.dictionary?.length ?? 0, LIMITS.format1.dictionary, source.size);
      return sum + length;
    }, 0);
  }
}
