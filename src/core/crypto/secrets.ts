// What opens an encrypted archive, and how a reader comes by it: asked for when an archive turns out to be encrypted,
// never before (docs/format.md, "Encryption").

/** Of a key slot: `passphrase`, `x25519`, `post-quantum`, or the name of an age stanza that nothing here opens. */
export type SlotKind = string;

export interface Secrets {
  readonly passwords?: readonly string[];
  /** age identities, each `AGE-SECRET-KEY-1…` or `AGE-SECRET-KEY-PQ-1…`. */
  readonly identities?: readonly string[];
  /** Archive keys that were found before: tried first, because they cost nothing. */
  readonly archiveKeys?: readonly Uint8Array[];
  /** Told of the archive key that was found. */
  readonly onKey?: (key: Uint8Array) => void;
}

/** An encrypted archive that was found, before it is open. */
export interface LockedArchive {
  readonly name: string;
  readonly slots: readonly SlotKind[];
}

/** Asked once for each encrypted archive, parents included. */
export type AskSecrets = (archive: LockedArchive) => Secrets | Promise<Secrets>;

/** Whom a new archive is encrypted to. Any of them opens it. */
export interface NewKeys {
  /** At most 4. */
  readonly passwords?: readonly string[];
  /** age recipients, each `age1…` or `age1pq1…`. */
  readonly recipients?: readonly string[];
}
