// The tree of an archive of format 1: what its manifest lists, with the directories that follow from the paths
// (docs/format-1.md, "Manifests").

import { HexzError } from "../../errors.ts";
import type { Entry } from "../../format/entry.ts";
import {
  type ByteString,
  byteStringFromText,
  displayName,
  nameProblem,
  sortKeyOf,
  splitPath,
} from "../../format/path.ts";
import type { Manifest, Member } from "../../format/v1/manifest.ts";
import { LIMITS } from "../../limits.ts";
import type { Io } from "../io.ts";
import type { ContentView, Tree } from "../parts.ts";
import type { Opened1 } from "./open.ts";

/** Of the original's modes only what everybody may have: who owned a file that set its user is not known. */
const PERMISSIONS = 0o777;
const ROOT = "" as ByteString;
/** At the root of a directory, this one lies in the auxiliary stream. */
const MEMORY = "memory";

/** Restores a member that is stored as a difference. */
export type OpenDelta = (member: Member, name: string) => ContentView;

export class Tree1 implements Tree {
  readonly #opened: Opened1;
  readonly #manifest: Manifest | HexzError | undefined;
  readonly #openDelta: OpenDelta;
  readonly #entries = new Map<ByteString, Entry>();
  readonly #views = new Map<ByteString, ContentView>();
  #problem: HexzError | undefined;
  /** What was added last with all that is above it. */
  #directory: ByteString | undefined;
  #sorted: readonly Entry[] | undefined;

  /** @param manifest or why there is none that could be used */
  constructor(opened: Opened1, manifest: Manifest | HexzError | undefined, openDelta: OpenDelta) {
    this.#opened = opened;
    this.#manifest = manifest;
    this.#openDelta = openDelta;
    if (manifest instanceof HexzError) this.#problem = manifest;
    else for (const member of manifest?.members ?? []) this.#add(member);
  }

  get counts(): { files: number; directories: number } {
    if (this.#problem !== undefined) return { files: 0, directories: 0 };
    let files = 0;
    for (const { type } of this.#entries.values()) if (type === "file") files++;
    return { files, directories: this.#entries.size - files };
  }

  #add(member: Member): void {
    const path = byteStringFromText(member.path);
    const before = this.#entries.get(path);
    const { name } = this.#opened.source;
    if (before !== undefined || path === ROOT) {
      const how = before?.type === "file" ? "twice" : "as a file and as a directory";
      this.#problem ??= new HexzError("invalid", `${name} lists the path "${displayName(path)}" ${how}`);
      return;
    }
    if (path.length > LIMITS.path) {
      this.#problem ??= new HexzError("limit_exceeded", `${name} lists a path of ${path.length} bytes`);
      return;
    }
    const { directory } = splitPath(path);
    if (directory !== this.#directory) this.#addAbove(path);
    this.#entries.set(path, this.#entryOf(path, member));
  }
  #addAbove(path: ByteString): void {
    const components = path.split("/");
    // Names that are no paths are refused where they are used; there is nothing above them.
    if (components.some((component) => nameProblem(component) !== undefined)) return;
    this.#directory = splitPath(path).directory;
    for (let count = 0; count < components.length; count++) {
      const path = components.slice(0, count).join("/") as ByteString;
      const before = this.#entries.get(path);
      if (before === undefined) this.#entries.set(path, { path, type: "directory" });
      else if (before.type === "file") {
        const what = `${this.#opened.source.name} lists the path "${displayName(path)}" as a file and as a directory`;
        this.#problem ??= new HexzError("invalid", what);
      }
    }
  }

  #entryOf(path: ByteString, member: Member): Entry {
    const { size, mode, mtime, facts } = member;
    const about = {
      ...(mode === undefined ? {} : { mode: mode & PERMISSIONS }),
      ...(mtime === undefined ? {} : { mtime: { seconds: mtime, nanoseconds: 0 } }),
      ...(facts === undefined ? {} : { metadata: facts }),
    };
    const view = this.#viewOf(path, member);
    if (view !== undefined) {
      this.#views.set(path, view);
      return { path, type: "file", start: 0, size, computed: true, ...about };
    }
    const { main } = this.#opened.master;
    const base = this.#isInMemory(member) ? main.size : 0;
    return { path, type: "file", start: size === 0 ? 0 : base + member.offset, size, sparse: true, ...about };
  }

  #isInMemory({ path, offset, size }: Member): boolean {
    const { kind } = this.#manifest as Manifest;
    const { auxiliary } = this.#opened.master;
    return kind === "directory" && path === MEMORY && offset === 0 && size > 0 && auxiliary.size > 0;
  }

  #viewOf(path: ByteString, member: Member): ContentView | undefined {
    const { offset, size, delta } = member;
    const { master, source } = this.#opened;
    const stream = this.#isInMemory(member) ? master.auxiliary : master.main;
    if (offset + size > stream.size && size > 0) {
      const text = `"${displayName(path)}" of ${source.name} would be bytes ${offset} to ${offset + size} of a stream that has ${stream.size}`;
      return brokenView(size, new HexzError("invalid", text));
    }
    if (delta === undefined) return undefined;
    return this.#openDelta(member, displayName(path));
  }

  /** What is computed when it is read; undefined for what lies in the address space. */
  view(path: ByteString): ContentView | undefined {
    return this.#views.get(path);
  }

  /** All entries in tree order. @throws HexzError `invalid` when the manifest contradicts itself */
  list(): readonly Entry[] {
    if (this.#problem !== undefined) throw this.#problem;
    this.#sorted ??= sorted([...this.#entries.values()]);
    return this.#sorted;
  }

  // biome-ignore lint/correctness/useYield: all of it is known when the archive is open
  *find(path: ByteString): Io<Entry | undefined> {
    if (this.#problem !== undefined) throw this.#problem;
    return this.#entries.get(path);
  }
}

function sorted(entries: readonly Entry[]): Entry[] {
  const keyed = entries.map((entry) => ({ entry, key: sortKeyOf(entry.path) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  return keyed.map(({ entry }) => entry);
}

function brokenView(size: number, error: HexzError): ContentView {
  return {
    size,
    // biome-ignore lint/correctness/useYield: there is nothing to be read
    *read() {
      throw error;
    },
  };
}
