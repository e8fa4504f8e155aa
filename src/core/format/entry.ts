// An entry: one path with its metadata. Names are bytes; see path.ts.

import type { ByteString } from "./path.ts";

export type EntryType = "file" | "directory" | "symlink" | "fifo" | "char" | "block";

/** Seconds since 1970 (may be negative) and nanoseconds, 0 to 999 999 999. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface Xattr {
  readonly name: ByteString;
  readonly value: Uint8Array;
}

/** How a content is computed: docs/format.md, "Derived contents". */
export interface Derived {
  /** "hdf5" */
  readonly method: string;
  /** Which content of those that the method computes from these bytes. */
  readonly parameter: ByteString;
  /** The addresses of what it is computed from. */
  readonly from: { readonly start: number; readonly size: number };
}

/** Everything the archive keeps of one path. What is absent was not known. */
export interface Entry {
  /** Components joined by "/", no leading one; "" is the root directory. */
  readonly path: ByteString;
  readonly type: EntryType;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly userName?: ByteString;
  readonly groupName?: ByteString;
  readonly mtime?: Timestamp;
  /** Files: the first logical address of the content. */
  readonly start?: number;
  /** Files: the content lies at no address; its bytes are computed when they are read (`Archive.fileOf`). */
  readonly computed?: boolean;
  /** Files: length of the content in bytes. */
  readonly size?: number;
  /** Files: how the computed content is. */
  readonly derived?: Derived;
  /** Files: had holes when it was packed. */
  readonly sparse?: boolean;
  /** Files: the earlier path that this is another name of; it has the same content. */
  readonly hardLink?: ByteString;
  /** Symlinks: where it points. */
  readonly target?: ByteString;
  /** Devices. */
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs?: readonly Xattr[];
  /** What a conversion knows about this entry: a JSON object. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** An entry that is still being filled in. */
export type EntryDraft = { -readonly [Key in keyof Entry]: Entry[Key] };
