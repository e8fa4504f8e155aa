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

/** A content that is computed: `start` and `size` of its entry are what it is computed from. */
export interface Derived {
  /** "hdf5"; docs/format.md, "Derived contents". */
  readonly method: string;
  /** Length of the content in bytes. */
  readonly size: number;
  /** Which content of those that the method computes from these bytes. */
  readonly parameter: ByteString;
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
  /** Files: the content is not that range but is computed from it. */
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
