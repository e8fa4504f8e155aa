// The conductor of `hexz repair`: finds out what is wrong with an archive, and writes one of what is left. An archive that
// is whole, or is whole up to an append that tore, is copied as it is; of any other one the pages are looked for all over
// the file, and what they lead to is copied.

import { equalBytes } from "../bytes.ts";
import { type DigestOf, digestWith } from "../digest.ts";
import { HexzError } from "../errors.ts";
import { decodeEndMark, END_MARK_LENGTH } from "../format/end-mark.ts";
import { decodeEnvelopeHead, ENVELOPE_HEAD_LENGTH, SEALED_LENGTH, segmentsStart } from "../format/envelope.ts";
import { decodeHead, HEAD_LENGTH, type HeadKind } from "../format/head.ts";
import type { IndexLeaf } from "../format/index-page.ts";
import { VERSION as FORMAT1_VERSION } from "../format/v1/header.ts";
import { Archive, type Machinery } from "../read/archive.ts";
import { openEnvelopeIo } from "../read/envelope.ts";
import { runAsync } from "../read/io.ts";
import { requireSigners } from "../read/signatures.ts";
import { storedBlocks } from "../read/stored-blocks.ts";
import type { RangeSource } from "../source/source.ts";
import { loadBases } from "../write/bases.ts";
import { copyArchive } from "../write/copier.ts";
import type { Scratch } from "../write/scratch.ts";
import { type Inventory, takeInventory } from "./inventory.ts";
import { findLost } from "./lost-content.ts";
import { SalvagePlan } from "./plan.ts";
import { rebuild } from "./rebuild.ts";
import { createSalvageSource } from "./salvage-source.ts";
import { copyIfGood, copyUpToEnd, orAbort, validSignatures } from "./whole.ts";
import type { OpenSink, Salvaged, SalvageOptions, Work } from "./work.ts";

/**
 * Writes what is left of an archive into a sink.
 * @param openScratch for the second copies of pages
 * @throws HexzError `not_an_archive`, `version_unknown`, `truncated` when nothing is left; then nothing is written
 */
export async function salvageArchive(
  source: RangeSource,
  machinery: Machinery,
  openSink: OpenSink,
  openScratch: () => Scratch,
  options: SalvageOptions = {},
): Promise<Salvaged> {
  const { engine } = machinery;
  const digestOf = digestWith(engine);
  const file = createSalvageSource(source, 0);
  const kind = await kindOf(file, digestOf);
  const { onProgress, signal } = options;
  const opened = kind === "encrypted" ? await openEnvelope(file, digestOf, machinery, options) : undefined;
  const inside = opened?.source ?? source;
  const missing = kind === "encrypted" ? 0 : await missingInFront(file, digestOf);
  const readable = createSalvageSource(inside, missing);
  const context = { source: readable, engine, digestOf };
  const work = { file, source: readable, envelope: opened?.envelope, context, machinery, options, openSink };
  const whole = missing > 0 ? undefined : await copyIfGood(work, file, 0);
  if (whole !== undefined) return whole;
  options.onPhase?.("looking for pages", readable.size);
  const inventory = await takeInventory(context, { onProgress, signal });
  if (inventory.pages === 0) throw nothingLeft(source, kind !== undefined);
  return (await copyUpToEnd(work, inventory)) ?? (await copyLeft(work, inventory, openScratch));
}

/** What the file says that it is; undefined: nothing that is ours. @throws HexzError `version_unknown` */
async function kindOf(file: RangeSource, digestOf: DigestOf): Promise<HeadKind | undefined> {
  const head = await file.read(0, Math.min(HEAD_LENGTH, file.size));
  try {
    return decodeHead(head, file.name, digestOf);
  } catch (error) {
    if (!(error instanceof HexzError)) throw error;
    if (error.code === "version_unknown" && error.data.found === FORMAT1_VERSION) throw error;
    return undefined;
  }
}

/** The archive inside an envelope, as far as whole segments go. */
async function openEnvelope(
  file: RangeSource,
  digestOf: DigestOf,
  { ciphers }: Machinery,
  { secrets = {}, signal }: SalvageOptions,
) {
  const head = decodeEnvelopeHead(await file.read(0, Math.min(ENVELOPE_HEAD_LENGTH, file.size)), file.name, digestOf);
  const start = segmentsStart(head.areaLength);
  const count = Math.max(0, Math.floor((file.size - start) / SEALED_LENGTH));
  const whole = { ...file, size: Math.min(file.size, start + count * SEALED_LENGTH) };
  return runAsync(openEnvelopeIo(whole, digestOf, { ciphers, secrets }), signal);
}

function nothingLeft({ name, size }: RangeSource, isOurs: boolean): HexzError {
  if (!isOurs) return new HexzError("not_an_archive", `${name} is no Hexz archive: it has no page of one`);
  return new HexzError(
    "truncated",
    `nothing of ${name} can be saved: its ${size} bytes have no page that leads to content`,
  );
}

/** How many bytes the file has lost at its beginning: its end mark says where it was. */
async function missingInFront(source: RangeSource, digestOf: DigestOf): Promise<number> {
  const at = source.size - END_MARK_LENGTH;
  if (at < 0) return 0;
  const bytes = await source.read(at, source.size);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const offset = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (offset <= at || !Number.isSafeInteger(offset)) return 0;
  try {
    return decodeEndMark(bytes, offset, digestOf) === undefined ? 0 : offset - at;
  } catch {
    return 0;
  }
}

/** Looks for what is left, and copies it. */
async function copyLeft(work: Work, inventory: Inventory, openScratch: () => Scratch): Promise<Salvaged> {
  const { source, context, machinery, options, envelope } = work;
  const { root: found } = inventory;
  const rebuilt = await rebuild(context, inventory);
  const signatures = found ? await validSignatures(inventory.signatures, found.ref.digest, machinery) : [];
  const { requireSignedBy = [], bases = [], keepPartial = false, onProgress, signal } = options;
  if (requireSignedBy.length > 0) {
    requireSigners(signatures, requireSignedBy, source.name);
    if (!rebuilt.proven) {
      throw new HexzError(
        "untrusted",
        `pages of ${source.name} that are needed are not tied to its signed root any more`,
      );
    }
  }
  const { requireSignedBy: _, ...reading } = options;
  const archive = await Archive.open(rebuilt.source, machinery, reading);
  const { addressSpace } = archive.root;
  options.onPhase?.("reading", addressSpace);
  const sink = await work.openSink(envelope);
  const plan = await orAbort(sink, async () => {
    const elsewhere = bases.length === 0 ? undefined : (await loadBases(bases, sink)).dedup;
    const lost = await findLost(archive, rebuilt, { elsewhere, knowsParents: found !== undefined, onProgress });
    const made = new SalvagePlan(archive, lost, keepPartial);
    if (isOfEarlierState(inventory)) {
      const message = `the last state is lost with its root; this is state ${found!.root.state}`;
      made.lose({ code: "damaged", where: "root", message });
    }
    await made.make(rebuilt, found !== undefined);
    if (found === undefined && isEmpty(made)) throw nothingLeft(source, true);
    return made;
  });
  const { root } = archive;
  options.onPhase?.("writing", addressSpace);
  const copied = await copyArchive(
    {
      contentId: undefined,
      isStored: () => true,
      root: { ...root, streams: plan.streams, counts: plan.counts! },
      metadata: plan.metadata,
      leaves: () => wantedLeaves(archive, plan),
      entries: () => plan.entries(),
      ...storedBlocks(archive, signal),
      isBorder: (address) => plan.isBorder(address),
    },
    sink,
    context.engine,
    openScratch,
    {
      bases,
      keepParents: found !== undefined,
      signers: options.signers ?? [],
      ...(onProgress === undefined ? {} : { onProgress }),
      ...(signal === undefined ? {} : { signal }),
    },
  );
  const from = { id: found?.ref.digest, proven: rebuilt.proven, signatures };
  return { ...copied, verbatim: false, cutBytes: 0, losses: plan.losses, nameless: plan.namelessCount, from };
}

/** Whether an end mark behind the root that was found names another one. */
function isOfEarlierState({ root, mark }: Inventory): boolean {
  if (root === undefined || mark === undefined || mark.offset < root.ref.offset) return false;
  return !equalBytes(mark.endMark.root.digest, root.ref.digest);
}

function isEmpty({ streams, counts }: SalvagePlan): boolean {
  const { files, directories, symlinks, other } = counts!;
  return streams.length + files + directories + symlinks + other === 0;
}

/** The index with fills in place of what is not kept. */
async function* wantedLeaves(archive: Archive, plan: SalvagePlan): AsyncGenerator<IndexLeaf> {
  for await (const leaf of archive.leaves()) {
    const { starts } = leaf;
    const fills = leaf.fills.map((fill, chunk) => (plan.wants(starts[chunk]!, starts[chunk + 1]!) ? fill : 0));
    yield { ...leaf, fills };
  }
}
