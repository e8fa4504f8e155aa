// Checking the tree: every page, the rules between entries, what the root counts of them, the entries' part of the
// content id; and whose bytes lie in the lost parts of the address space.

import { ByteWriter } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import { type Container, contentIn } from "../format/containers.ts";
import type { Entry } from "../format/entry.ts";
import { type ByteString, bytesOf, comparePaths, displayName } from "../format/path.ts";
import type { Counts } from "../format/root.ts";
import { storedEntries, type TreeChild } from "../format/tree-page.ts";
import type { Archive } from "./archive.ts";
import { type Findings, noting } from "./findings.ts";
import { pagesOf, type WalkedPages } from "./page-groups.ts";

export interface WalkedTree extends WalkedPages {
  readonly leaves: readonly TreeChild[];
}

export async function walkTree(archive: Archive, findings: Findings): Promise<WalkedTree> {
  const { root } = archive;
  const { tree } = archive.format2;
  const levels: (readonly TreeChild[])[] = [];
  let complete = true;
  let level = tree.top;
  for (let depth = root.tree.depth; depth > 0; depth--) {
    levels.unshift(level);
    const below: TreeChild[] = [];
    for (const child of level) {
      const found = await noting(findings, "tree", async () => {
        const children = await archive.run(tree.below(child));
        tree.checkOrder(below.at(-1)?.path, children[0]!.path);
        return children;
      });
      if (found === undefined) complete = false;
      else for (const next of found) below.push(next);
    }
    level = below;
  }
  const pageCount = levels.reduce((sum, children) => sum + children.length, level.length);
  if (complete && pageCount !== root.tree.pageCount) {
    findings.invalid("tree", `the tree has ${pageCount} pages, its root says ${root.tree.pageCount}`);
  }
  const refs = [level, ...levels].flatMap((children) => children.map(({ ref }) => ref));
  return { leaves: level, refs, complete };
}

/** @returns the entries' part of the content id, when all pages are good */
export async function checkTree(
  archive: Archive,
  findings: Findings,
  tree: WalkedTree,
  containers: readonly Container[],
): Promise<Uint8Array | undefined> {
  const hasher = archive.context.engine.createHasher();
  const entries = new EntryCheck(archive, findings, containers);
  for (const { name, start, size } of archive.streams) entries.content(name, start, size, true);
  for (const container of containers) entries.container(container);
  let good = tree.complete;
  for await (const { child, bytes } of pagesOf(archive, tree.leaves, ({ ref }) => ref)) {
    const leaf = await noting(findings, "tree", async () => {
      if (bytes instanceof HexzError) throw bytes;
      return archive.format2.tree.decodeLeaf(child, bytes);
    });
    if (leaf === undefined) {
      good = false;
      continue;
    }
    const stored = new ByteWriter(leaf.payload.length * 2);
    for (const { path, record } of storedEntries(leaf.payload)) stored.bytes(bytesOf(path)).raw(record);
    hasher.update(stored.view());
    for (const entry of leaf.entries) await entries.entry(entry);
  }
  entries.finish(good);
  return good ? hasher.digest() : undefined;
}

class EntryCheck {
  readonly #archive: Archive;
  readonly #findings: Findings;
  readonly #containers: readonly Container[];
  #last: ByteString | undefined;
  #counts = { files: 0, directories: 0, symlinks: 0, other: 0 };
  #size = 0;
  /** Of files and streams, those that lie in others, too. */
  #sizeWithInner = 0;
  /** The last content that lies in no other one. Undefined when contents come in an order that hides which those are. */
  #outer: { start: number; end: number } | undefined = { start: 0, end: 0 };

  constructor(archive: Archive, findings: Findings, containers: readonly Container[]) {
    this.#containers = containers;
    this.#archive = archive;
    this.#findings = findings;
  }

  #invalid(message: string): void {
    this.#findings.invalid("tree", message);
  }

  async entry(entry: Entry): Promise<void> {
    const { path, type } = entry;
    if (this.#last === undefined ? path !== "" || type !== "directory" : comparePaths(this.#last, path) >= 0) {
      this.#invalid(`the entry "${displayName(path)}" is not in its place`);
    }
    this.#last = path;
    if (type === "directory") this.#counts.directories++;
    else if (type === "symlink") this.#counts.symlinks++;
    else if (type !== "file") this.#counts.other++;
    else {
      this.#counts.files++;
      if (entry.hardLink !== undefined) await this.#hardLink(entry, entry.hardLink);
      if (entry.derived !== undefined) {
        const { start, size } = entry.derived.from;
        this.#checkRange(`what "${displayName(path)}" is computed from`, start, size);
        return;
      }
      const range = { start: entry.start!, size: entry.size! };
      this.#checkRange(`"${displayName(path)}"`, range.start, range.size);
      const own = entry.hardLink === undefined && !contentIn(this.#containers, range);
      this.content(displayName(path), range.start, range.size, own);
    }
  }

  #checkRange(what: string, start: number, size: number): void {
    if (start + size > this.#archive.root.addressSpace) this.#invalid(`${what} ends behind the address space`);
  }

  /** Call before the first entry. */
  container(container: Container): void {
    const { name } = container;
    const { start, size } = "start" in container ? container : container.pieces;
    this.#checkRange(`the container "${name}"`, start, size);
    this.content(name, start, size, "start" in container);
  }

  async #hardLink(entry: Entry, link: ByteString): Promise<void> {
    // A page that is lost is told of where it is found.
    const target = await this.#archive.run(this.#archive.tree.find(link)).catch((error: unknown) => {
      if (error instanceof HexzError && error.code !== "io" && error.code !== "interrupted") return "lost";
      throw error;
    });
    if (target === "lost") return;
    const fits =
      typeof target === "object" &&
      target.type === "file" &&
      target.hardLink === undefined &&
      comparePaths(link, entry.path) < 0 &&
      target.start === entry.start &&
      target.size === entry.size;
    if (!fits) this.#invalid(`"${displayName(entry.path)}" is no other name of "${displayName(link)}"`);
  }

  /** Counts a content, and tells which of its bytes are lost. @param own it is not another name of one */
  content(path: string, start: number, size: number, own: boolean): void {
    if (size === 0) return;
    const end = start + size;
    if (own) this.#sizeWithInner += size;
    if (own && this.#outer !== undefined) {
      if (start >= this.#outer.end) {
        this.#outer = { start, end };
        this.#size += size;
      } else if (start < this.#outer.start || end > this.#outer.end) this.#outer = undefined;
    }
    this.#findings.tellLost(path, start, end);
  }

  finish(complete: boolean): void {
    this.#findings.tellRest();
    if (!complete) return;
    const counts: Counts = this.#archive.root.counts;
    const compare = (what: string, found: number, said: number) => {
      if (found !== said) this.#invalid(`there are ${found} ${what}, the root says ${said}`);
    };
    compare("files", this.#counts.files, counts.files);
    compare("directories", this.#counts.directories, counts.directories);
    compare("symlinks", this.#counts.symlinks, counts.symlinks);
    compare("other entries", this.#counts.other, counts.other);
    if (this.#outer !== undefined) compare("bytes of content", this.#size, counts.originalSize);
    else if (counts.originalSize > this.#sizeWithInner) {
      compare("bytes of content at most", this.#sizeWithInner, counts.originalSize);
    }
  }
}
