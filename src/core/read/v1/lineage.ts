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
import { bestParent, type Search, searchBlocks } from "./parent-search.ts";

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
  readonly #searches = new Map<number, Search>();

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
  *parents(child: Member1): Io<readonly Parent1[]> {
    const { number, opened } = child;
    const known = this.#parents[number];
    if (known !== undefined) return known;
    const parents: Parent1[] = [];
    for (const path of opened.header.parentPaths) parents.push(yield* this.#search(path, child));
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

  /** The archive of the recorded name; of several, that which the child's references speak for. */
  *#search(path: string, { opened: { source: child }, pages }: Member1): Io<Parent1> {
    const looked: string[] = [];
    const named: Member1[] = [];
    for (const candidate of this.#find({ hint: path, id: NO_ID }, child)) {
      if (typeof candidate === "string") {
        looked.push(candidate);
        continue;
      }
      if (!hasName(candidate, path)) {
        candidate.close?.();
        // Those of the recorded name come first.
        break;
      }
      try {
        const member = this.#add(yield* openFormat1Io(candidate));
        if (member.opened.source !== candidate) candidate.close?.();
        if (!named.includes(member)) named.push(member);
      } catch (error) {
        candidate.close?.();
        if (!(error instanceof HexzError) || error.code === "interrupted" || error.code === "io") throw error;
        looked.push(`${candidate.name} (${error.message})`);
      }
    }
    if (named.length > 0) return yield* bestParent(pages, named);
    const where = looked.length === 0 ? "" : `; looked at ${looked.join(", ")}`;
    return new HexzError("parent_missing", `the parent "${path}" of ${child.name} was not found${where}`, {
      data: { parent_hint: path, looked },
      hint: "pass --parent-dir DIR",
    });
  }

  /** Looks for blocks that an archive's references name, in archives of any name where its parents are looked for. */
  *searchBlocks(child: Member1): Io<Search> {
    const known = this.#searches.get(child.number);
    if (known !== undefined) return known;
    const search = yield* searchBlocks(child.pages, this.#candidates(child), {
      isChild: (opened) => this.#byIdentity.get(this.#identityOf(opened)) === child,
      adopt: (opened) => this.#add(opened),
    });
    this.#searches.set(child.number, search);
    return search;
  }

  /** Archives of other names that blocks were found in. */
  get found(): readonly string[] {
    return [...this.#searches.values()].flatMap(({ found }) => found);
  }

  *#candidates({ opened: { header, source } }: Member1): Generator<RangeSource> {
    const seen = new Set<string | undefined>();
    for (const hint of header.parentPaths) {
      for (const candidate of this.#find({ hint, id: NO_ID }, source)) {
        if (typeof candidate === "string") continue;
        if (candidate.path !== undefined && seen.has(candidate.path)) candidate.close?.();
        else yield candidate;
        seen.add(candidate.path);
      }
    }
  }

  async close(): Promise<void> {
    for (const { opened } of this.members.slice(1)) await opened.source.close?.();
  }
}

/** Whether a source may be meant by a path. Memory has no name. */
function hasName({ path: found }: RangeSource, path: string): boolean {
  return found === undefined || nameOf(found) === nameOf(path);
}

/** The last component of a path of any system. */
export function nameOf(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}
