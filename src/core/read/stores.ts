// The archives that blocks are read from: this one, and its parents, each found when it is first needed and known by
// its id (docs/format.md, "Parents").

import { equalBytes, hexOf } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import { PAGE_KIND, type PageRef } from "../format/page.ts";
import { decodeRoot, type Parent, type Root } from "../format/root.ts";
import type { RangeSource } from "../source/source.ts";
import type { Unlocking } from "./envelope.ts";
import type { Io } from "./io.ts";
import { type Opened, openIo } from "./open.ts";
import { type PageContext, readPage } from "./pages.ts";
import type { BlockStore, Stores } from "./parts.ts";

/**
 * Where a parent of `child` may be: sources to try, one by one, and names of places where nothing is. Each source is
 * opened when it is asked for; those that are not the parent are closed. A parent of format 1 has an empty
 * id: it is known by its name, and by the digests of what is used of it.
 */
export type FindParent = (parent: Parent, child: RangeSource) => Iterable<RangeSource | string>;

export class BlockStores implements Stores {
  readonly #context: PageContext;
  readonly #parents: readonly Parent[];
  readonly #find: FindParent;
  readonly #unlocking: Unlocking | undefined;
  readonly #found: (BlockStore | HexzError)[];

  /** @param unlocking of an encrypted archive: others have no encrypted parents */
  constructor(context: PageContext, root: Root, unlocking: Unlocking | undefined, find: FindParent = () => []) {
    this.#context = context;
    this.#unlocking = unlocking;
    this.#parents = root.parents;
    this.#find = find;
    this.#found = [{ source: context.source, root }];
  }

  /** @param archive as in a BlockRef @throws HexzError `parent_missing` */
  *store(archive: number): Io<BlockStore> {
    const known = this.#found[archive];
    const found = known ?? (yield* this.#search(this.#parents[archive - 1]!));
    const other = this.#found[archive];
    if (other === undefined) this.#found[archive] = found;
    // Two reads have searched at the same time.
    else if (other !== found && !(found instanceof HexzError)) found.source.close?.();
    const store = other ?? found;
    if (store instanceof HexzError) throw store;
    return store;
  }

  /** All that can be found; those that are missing are told of when their blocks are needed. */
  *all(): Io<BlockStore[]> {
    const stores: BlockStore[] = [];
    for (let archive = 0; archive <= this.#parents.length; archive++) {
      const store = yield* this.tryStore(archive);
      if (store !== undefined) stores.push(store);
    }
    return stores;
  }

  /** What `all` has found out of an archive. */
  known(archive: number): BlockStore | HexzError {
    return this.#found[archive]!;
  }

  *tryStore(archive: number): Io<BlockStore | undefined> {
    try {
      return yield* this.store(archive);
    } catch (error) {
      if (error instanceof HexzError && error.code === "parent_missing") return undefined;
      throw error;
    }
  }

  *#search(parent: Parent): Io<BlockStore | HexzError> {
    const { name } = this.#context.source;
    const looked: string[] = [];
    for (const candidate of this.#find(parent, this.#context.source)) {
      if (typeof candidate === "string") {
        looked.push(candidate);
        continue;
      }
      const found = yield* this.#accept(candidate, parent);
      if (typeof found !== "string") return found;
      looked.push(`${candidate.name} (${found})`);
      candidate.close?.();
    }
    const id = hexOf(parent.id);
    const where = looked.length === 0 ? "" : `; looked at ${looked.join(", ")}`;
    return new HexzError("parent_missing", `the parent "${parent.hint}" (id ${id}) of ${name} was not found${where}`, {
      data: { id, parent_hint: parent.hint, looked },
      hint: "pass --parent-dir DIR",
    });
  }

  /** The state of the candidate that has the parent's id; or, in words, what it is instead. */
  *#accept(candidate: RangeSource, { id }: Parent): Io<BlockStore | string> {
    const { engine, digestOf } = this.#context;
    try {
      const { source, endMark, root }: Opened = yield* openIo(candidate, engine, digestOf, this.#unlocking);
      let ref: PageRef | undefined = endMark.root;
      for (let state = root; ; state = yield* this.#state(source, ref)) {
        if (equalBytes(ref.digest, id)) return { source, root: state };
        if (state.previous === undefined || state.previous.offset >= ref.offset) break;
        ref = state.previous;
      }
      return `another archive, id ${hexOf(endMark.root.digest).slice(0, 16)}…`;
    } catch (error) {
      if (error instanceof HexzError && error.code !== "interrupted") return error.message;
      throw error;
    }
  }

  *#state(source: RangeSource, ref: PageRef): Io<Root> {
    return decodeRoot(yield* readPage({ ...this.#context, source }, ref, PAGE_KIND.root, "a root"), source.name);
  }

  /** Closes the parents that were opened. */
  async close(): Promise<void> {
    for (const found of this.#found.slice(1)) {
      if (found !== undefined && !(found instanceof HexzError)) await found.source.close?.();
    }
  }
}
