// WebDataset: which members of a tar are one sample, as the package webdataset (1.0) groups them. A member's key is its
// path up to the first dot of the base name, its field what follows that dot, in lower case; neighbours with one key are
// a sample.

import type { Entry } from "../format/entry.ts";
import { type ByteString, displayName } from "../format/path.ts";
import type { TarMember } from "./parser.ts";

/** What is recorded of a member. */
export interface SampleField {
  /** The key; part of the path in the tar. */
  readonly sample: string;
  readonly field: string;
  /** Which sample of the shard it is, from 0. */
  readonly number: number;
}

const KEY_AND_FIELD = /^((?:[^\n]*\/|)[^.]+)[.]([^/]*)$/;
/** What the package takes for remarks about the data set. */
const META = /^__[^/]*__(?:$|\/)/;
/** Fields that are counted by name. */
const MOST_FIELDS = 1000;

/** Key and field of a path; undefined when it is of no sample. */
export function splitSamplePath(path: ByteString): { sample: string; field: string } | undefined {
  const match = META.test(path) ? null : KEY_AND_FIELD.exec(path);
  if (match === null) return undefined;
  return {
    sample: displayName(match[1] as ByteString),
    field: displayName(match[2] as ByteString).toLowerCase(),
  };
}

/** Groups the members of one shard, in their order. */
export class SampleGrouper {
  #current: { readonly sample: string; readonly fields: Set<string> } | undefined;
  #count = 0;
  readonly #fields = new Map<string, number>();

  /** @returns undefined for what is of no sample; `again` when its sample has that field already */
  take(member: TarMember, type: Entry["type"]): (SampleField & { readonly again: boolean }) | undefined {
    const split = type === "file" && member.header.type !== "1" ? splitSamplePath(member.path) : undefined;
    if (split === undefined) return undefined;
    const { sample, field } = split;
    if (this.#current?.sample !== sample) {
      this.#current = { sample, fields: new Set() };
      this.#count++;
    }
    const again = this.#current.fields.has(field);
    this.#current.fields.add(field);
    if (this.#fields.has(field) || this.#fields.size < MOST_FIELDS) {
      this.#fields.set(field, (this.#fields.get(field) ?? 0) + 1);
    }
    return { sample, field, number: this.#count - 1, again };
  }

  /** What the shard has. */
  summary(): { samples: number; fields: Record<string, number> } {
    return { samples: this.#count, fields: Object.fromEntries([...this.#fields].sort(([a], [b]) => (a < b ? -1 : 1))) };
  }
}
