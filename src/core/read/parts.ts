// What the formats give the conductor: an index, a tree and the archives that hold blocks. What is above knows one shape
// of each and not which format is open.

import type { HexzError } from "../errors.ts";
import type { Derived, Entry } from "../format/entry.ts";
import type { BlockRef, IndexLeaf } from "../format/index-page.ts";
import type { ByteString } from "../format/path.ts";
import type { Root } from "../format/root.ts";
import type { RangeSource } from "../source/source.ts";
import type { ArchiveFile } from "./archive-file.ts";
import type { Io } from "./io.ts";

/**
 * The leaf of an address and what it covers; or why it cannot be had, and up to which address that holds. What the bytes
 * are may be known all the same, when they are one chunk of that digest.
 */
export type FoundLeaf = { readonly start: number; readonly end: number } & (
  | { readonly leaf: IndexLeaf }
  | { readonly error: HexzError; readonly digest?: Uint8Array }
);

export interface Index {
  /** The leaf that covers an address of the address space. @throws HexzError `io`; what is broken is returned */
  find(address: number): Io<FoundLeaf>;
}

export interface Tree {
  /** The entry of that path, or undefined. */
  find(path: ByteString): Io<Entry | undefined>;
}

/** An archive that holds blocks. */
export interface BlockStore {
  readonly source: RangeSource;
  readonly root: Root;
  /**
   * Opens a block that is encrypted; absent where blocks are not.
   * @throws HexzError `damaged`, `password_missing`, `password_wrong`
   */
  open?(block: BlockRef, stored: Uint8Array): Io<Uint8Array>;
}

/** The dictionaries of blocks. */
export interface DictionaryOf {
  /** The dictionary of a block, the same object as long as it is kept; undefined when the block needs none. */
  of(block: BlockRef): Io<Uint8Array | undefined>;
  /** Bytes of all dictionaries together, at most. */
  mostBytes(): number;
}

export interface Stores {
  /** @param archive as in a BlockRef @throws HexzError `parent_missing` */
  store(archive: number): Io<BlockStore>;
  /** All that can be found; those that are missing are told of when their blocks are needed. */
  all(): Io<BlockStore[]>;
  /** What `all` has found out of an archive. */
  known(archive: number): BlockStore | HexzError;
  tryStore(archive: number): Io<BlockStore | undefined>;
  /** Closes the parents that were opened. */
  close(): Promise<void>;
}

/** Bytes that are computed when they are read, and lie nowhere in the address space. */
export interface ContentView {
  /** In bytes. */
  readonly size: number;
  read(start: number, end: number): Io<Uint8Array>;
}

/** What computes derived contents, for one archive. */
export interface Derivation {
  /** By name; `from` is what a content of `size` bytes is computed from. */
  readonly methods: Readonly<Record<string, (from: ArchiveFile, derived: Derived, size: number) => ContentView>>;
  /** Ends what computing needed; called when the archive is closed. */
  close(): void;
}
