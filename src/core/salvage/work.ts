// Salvage: what the steps are given, and what comes out.

import type { Signer } from "../crypto/ed25519.ts";
import type { Machinery, ReadOptions } from "../read/archive.ts";
import type { Envelope } from "../read/envelope.ts";
import type { PageContext } from "../read/pages.ts";
import type { CheckedSignature } from "../read/signatures.ts";
import type { RangeSource } from "../source/source.ts";
import type { Base } from "../write/bases.ts";
import type { CopiedArchive } from "../write/copier.ts";
import type { Sink } from "../write/sink.ts";
import type { Loss } from "./plan.ts";

export type SalvagePhase = "checking" | "looking for pages" | "reading" | "writing";

export interface SalvageOptions extends Omit<ReadOptions, "verify" | "signal"> {
  /** Keep what is lost in part, with zeros where bytes are lost. */
  readonly keepPartial?: boolean;
  /** Archives that may have what is lost. */
  readonly bases?: readonly Base[];
  /** Who signs the new archive. */
  readonly signers?: readonly Signer[];
  /** Told what is being done next and of how many bytes, and of every stretch of them. */
  readonly onPhase?: (phase: SalvagePhase, bytes: number) => void;
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface Salvaged extends CopiedArchive {
  /** The archive is a copy, byte for byte, of the file or its beginning. */
  readonly verbatim: boolean;
  /** Bytes behind the archive's end that were left out: an append that did not finish. */
  readonly cutBytes: number;
  /** What is lost; empty: nothing. */
  readonly losses: readonly Loss[];
  /** Contents whose names are lost and that were given new ones. */
  readonly nameless: number;
  /** What is known of the damaged archive. */
  readonly from: {
    /** Its id; undefined when its root is lost. */
    readonly id: Uint8Array | undefined;
    /** Every page that was used is the one that its root names. */
    readonly proven: boolean;
    readonly signatures: readonly CheckedSignature[];
  };
}

/** Opens the sink for what comes out. @param envelope of what goes in: who could read that can read the other */
export type OpenSink = (envelope: Envelope | undefined) => Promise<Sink>;

/** What the steps need. */
export interface Work {
  /** The file; and what is in its envelope, if it has one. */
  readonly file: RangeSource;
  readonly source: RangeSource;
  readonly envelope: Envelope | undefined;
  readonly context: PageContext;
  readonly machinery: Machinery;
  readonly options: SalvageOptions;
  readonly openSink: OpenSink;
}
