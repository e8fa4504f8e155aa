// An archive of format 1 and its ancestors, each opened when it is first needed (docs/format-1.md, "Parents"). Numbers
// are those of BlockRef: 0 is the archive itself.

import { hexOf } from "../../bytes.ts";
import type { DigestOf } from "../../digest.ts";
import { HexzError } from "../../errors.ts";
import { checkLimit, LIMITS } from "../../limits.ts";
import type { RangeSource } from "../../source/source.ts";
import type { Io } from "../io.ts";
import type { FindParent } from "../stores.ts";
import { type Opened1, openFormat1Io } from "./open.ts";
import { Pages } from "./pages.ts";

export interface Member1 {
  readonly number: number;
  readonly opened: Opened1;
  readonly pages: Pages;
}

/** A parent that was not found, or what it was found to be. */
export type Parent1 = Member1 | HexzError;

const noParent: FindParent = () => [];
const NO_ID = new Uint8Array(0);

export class Lineage {
  readonly members: Member1[] = [];
  readonly #digestOf: DigestOf;
  readonly #find: FindParent;
  readonly #byIdentity = new Map<string, Member1>();
  readonly #parents: (readonly Parent1[] | undefined)[] = [];

  constructor(opened: Opened1, digestOf: DigestOf, find: FindParent | undefined) {
    this.#digestOf = digestOf;
    this.#find = find ?? noParent;
    this.#add(opened);
  }

  #add(opened: Opened1): Member1 {
    const identity = this.#identityOf(opened);
    const known = this.#byIdentity.get(identity);
    if (known !== undefined) return known;
    const member = { number: this.members.length, opened, pages: new Pages(opened) };
    checkLimit(
      `the number of ancestors of ${this.members[0]?.opened.source.name}`,
      member.number,
      LIMITS.format1.lineage,
    );
    this.members.push(member);
    this.#byIdentity.set(identity, member);
    return member;
  }

  #identityOf({ identity, source }: Opened1): string {
    return [source.size, ...identity.map((bytes) => hexOf(this.#digestOf(bytes)))].join(" ");
  }

  /** The direct parents of an archive, in its order. */
  *parents({ number, opened }: Member1): Io<readonly Parent1[]> {
    const known = this.#parents[number];
    if (known !== undefined) return known;
    const parents: Parent1[] = [];
    for (const path of opened.header.parentPaths) parents.push(yield* this.#search(path, opened.source));
    this.#parents[number] ??= parents;
    return this.#parents[number]!;
  }

  /** All ancestors that can be found, nearest first, and what the others are. */
  *ancestors(): Io<readonly Parent1[]> {
    const seen = new Set<Parent1>();
    let level: Parent1[] = [this.members[0]!];
    while (level.length > 0) {
      const next: Parent1[] = [];
      for (const member of level) {
        if (member instanceof HexzError) continue;
        for (const parent of yield* this.parents(member)) {
          if (seen.has(parent) || parent === this.members[0]) continue;
          seen.add(parent);
          next.push(parent);
        }
      }
      level = next;
    }
    return [...seen];
  }

  *#search(path: string, child: RangeSource): Io<Parent1> {
    const looked: string[] = [];
    for (const candidate of this.#find({ hint: path, id: NO_ID }, child)) {
      if (typeof candidate === "string") {
        looked.push(candidate);
        continue;
      }
      // Without an id, an archive of another name is another archive.
      if (candidate.path !== undefined && nameOf(candidate.path) !== nameOf(path)) {
        candidate.close?.();
        continue;
      }
      try {
        const member = this.#add(yield* openFormat1Io(candidate));
        if (member.opened.source !== candidate) candidate.close?.();
        return member;
      } catch (error) {
        candidate.close?.();
        if (!(error instanceof HexzError) || error.code === "interrupted" || error.code === "io") throw error;
        looked.push(`${candidate.name} (${error.message})`);
      }
    }
    const where = looked.length === 0 ? "" : `; looked at ${looked.join(", ")}`;
    return new HexzError("parent_missing", `the parent "${path}" of ${child.name} was not found${where}`, {
      data: { parent_hint: path, looked },
      hint: "pass --parent-dir DIR",
    });
  }

  async close(): Promise<void> {
    for (const { opened } of this.members.slice(1)) await opened.source.close?.();
  }
}

/** The last component of a path of any system. */
export function nameOf(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}
