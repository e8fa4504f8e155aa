// Dictionaries in the memory of a crew, where the threads that decode see them.

import { HexzError } from "../errors.ts";
import type { BlockRef } from "../format/index-page.ts";
import type { Crew } from "../work/crew.ts";
import { runAsync } from "./io.ts";
import type { DictionaryOf } from "./parts.ts";

export interface CrewDictionaryParts {
  readonly crew: Crew;
  readonly dictionaries: DictionaryOf;
  /** What is set aside for them. */
  readonly plan: { readonly dictionaryBytes: number };
  readonly signal: AbortSignal | undefined;
}

export class CrewDictionaries {
  readonly #parts: CrewDictionaryParts;
  /** By number. */
  readonly #loaded = new Map<number, Uint8Array>();
  #bytes = 0;

  constructor(parts: CrewDictionaryParts) {
    this.#parts = parts;
  }

  /** The dictionary of a block that needs one; or why there is none. @throws HexzError `io` */
  async of(block: BlockRef): Promise<Uint8Array | HexzError> {
    const { crew, dictionaries, plan, signal } = this.#parts;
    try {
      let known = this.#loaded.get(block.dictionary!);
      if (known !== undefined) return known;
      const bytes = (await runAsync(dictionaries.of(block), signal))!;
      this.#bytes += bytes.length;
      if (this.#bytes > plan.dictionaryBytes) {
        throw new HexzError("invalid", `dictionary ${block.dictionary} lies in another one`);
      }
      known = crew.engine.allocate(bytes.length);
      known.set(bytes);
      this.#loaded.set(block.dictionary!, known);
      return known;
    } catch (error) {
      if (error instanceof HexzError && error.code !== "io" && error.code !== "interrupted") return error;
      throw error;
    }
  }
}
