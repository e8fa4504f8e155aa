// An archive of format 1, put together from its parts as the conductor wants them.

import type { Ciphers } from "../../crypto/ciphers.ts";
import type { AskSecrets, Secrets } from "../../crypto/secrets.ts";
import { HexzError } from "../../errors.ts";
import type { Root } from "../../format/root.ts";
import { decodeMetadata, type Manifest } from "../../format/v1/manifest.ts";
import type { Io } from "../io.ts";
import type { PageContext } from "../pages.ts";
import { RandomReader } from "../random.ts";
import type { FindParent } from "../stores.ts";
import { Deltas, manifestOf, readMetadataIo } from "./deltas.ts";
import { Dictionaries1 } from "./dictionaries.ts";
import { Index1 } from "./index.ts";
import { Lineage, type Member1 } from "./lineage.ts";
import { type Opened1, tailProblem } from "./open.ts";
import { References, type Stretch } from "./references.ts";
import { rootOf } from "./root.ts";
import { Stores1 } from "./stores.ts";
import { Tree1 } from "./tree.ts";

/** Of ancestors' blocks, as differences are restored from them. */
const CACHE_BYTES = 8 * 1024 * 1024;

export interface Format1Options {
  readonly context: PageContext;
  readonly ciphers: Ciphers;
  readonly findParent: FindParent | undefined;
  readonly secrets: Secrets | AskSecrets | undefined;
}

/** What only format 1 has, and the parts that both formats have. */
export interface Format1 {
  readonly opened: Opened1;
  readonly lineage: Lineage;
  readonly references: References;
  readonly root: Root;
  readonly index: Index1;
  readonly tree: Tree1;
  readonly stores: Stores1;
  readonly dictionaries: Dictionaries1;
  /** The manifest, if the metadata holds one. */
  readonly manifest: Manifest | undefined;
  /** The metadata as it is stored. */
  readonly metadataBytes: Uint8Array | undefined;
  /** Why the metadata cannot be read, or is no manifest although it looks like one. */
  readonly problem: HexzError | undefined;
}

/** @throws HexzError `io`; metadata that is wrong is told of when it is asked for */
export function* openParts(opened: Opened1, options: Format1Options): Io<Format1> {
  const { context, findParent } = options;
  const lineage = new Lineage(opened, context.digestOf, findParent);
  const stores = new Stores1({ ...options, lineage });
  const dictionaries = new Dictionaries1(lineage);
  const readers = new Map<number, RandomReader>();
  const readerOf = (member: Member1): RandomReader => {
    let reader = readers.get(member.number);
    if (reader === undefined) {
      const index = new Index1(member, references);
      reader = new RandomReader(context, { index, stores, dictionaries }, { cacheBytes: CACHE_BYTES, verify: true });
      readers.set(member.number, reader);
    }
    return reader;
  };
  const references: References = new References(lineage, context.digestOf, (stretches) =>
    readStretches(stretches, readerOf(lineage.members[0]!)),
  );
  const deltas = new Deltas(lineage, (member, start, end) => readerOf(member).read(start, end));

  const metadata = yield* metadataOf(opened);
  const found = metadata instanceof HexzError ? metadata : manifestOf(metadata, opened.source.name);
  const manifest = found instanceof HexzError ? undefined : found;
  const tree = new Tree1(opened, found, (member, name) => deltas.view(manifest!, member, name));
  return {
    opened,
    lineage,
    references,
    root: rootOf(opened, tree.counts),
    index: new Index1(lineage.members[0]!, references),
    tree,
    stores,
    dictionaries,
    manifest,
    metadataBytes: metadata instanceof HexzError ? undefined : metadata,
    problem: found instanceof HexzError ? found : undefined,
  };
}

function* metadataOf(opened: Opened1): Io<Uint8Array | HexzError | undefined> {
  const problem = tailProblem(opened);
  if (problem !== undefined) return problem;
  try {
    return yield* readMetadataIo(opened);
  } catch (error) {
    if (error instanceof HexzError && error.code !== "io" && error.code !== "interrupted") return error;
    throw error;
  }
}

function* readStretches(stretches: readonly Stretch[], reader: RandomReader): Io<Uint8Array> {
  const length = stretches.reduce((sum, stretch) => sum + stretch.length, 0);
  const out = new Uint8Array(length);
  let at = 0;
  for (const stretch of stretches) {
    if ("error" in stretch) throw stretch.error;
    if ("block" in stretch) out.set(yield* reader.piece(stretch.block, stretch.offset, stretch.length), at);
    at += stretch.length;
  }
  return out;
}

/** The metadata as an object: a manifest's facts without its members, any other JSON, or a text as the note it is. */
export function metadataObject({ metadataBytes, manifest, problem }: Format1): Record<string, unknown> {
  if (problem !== undefined) throw problem;
  if (metadataBytes === undefined) return {};
  if (manifest !== undefined) return { manifest: manifest.kind, ...manifest.facts };
  return decodeMetadata(metadataBytes) ?? { note: new TextDecoder().decode(metadataBytes) };
}
