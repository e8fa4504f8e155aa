// Tensors that are stored as differences to those of a parent, to any depth (docs/format-1.md, "Deltas"). A range of a
// tensor is restored from the same range of every archive of the chain, so memory is that of the range.

import { HexzError } from "../../errors.ts";
import { unshuffle, xorInto } from "../../format/v1/delta.ts";
import { decodeManifest, decodeMetadata, type Manifest, type Member } from "../../format/v1/manifest.ts";
import { LIMITS } from "../../limits.ts";
import type { Io } from "../io.ts";
import type { ContentView } from "../parts.ts";
import type { Lineage, Member1 } from "./lineage.ts";
import { METADATA_LIMIT, type Opened1, readSectionIo } from "./open.ts";

/** Bytes of the main stream of an archive of the lineage. */
export type ReadMain = (archive: Member1, start: number, end: number) => Io<Uint8Array>;

/** The bytes of the metadata section, if there is one. @throws HexzError `invalid`, `limit_exceeded`, `io` */
export function* readMetadataIo({ source, header }: Opened1): Io<Uint8Array | undefined> {
  if (header.metadata === undefined) return undefined;
  return yield* readSectionIo(source, header.metadata, "the metadata", METADATA_LIMIT);
}

/** The manifest of an archive, if it has one; or why it cannot be used. */
export function manifestOf(bytes: Uint8Array | undefined, name: string): Manifest | HexzError | undefined {
  const json = bytes && decodeMetadata(bytes);
  try {
    return json && decodeManifest(json, `the manifest of ${name}`);
  } catch (error) {
    if (error instanceof HexzError) return error;
    throw error;
  }
}

export class Deltas {
  readonly #lineage: Lineage;
  readonly #read: ReadMain;
  /** By archive: its members that are differences, by where they are stored. */
  readonly #members = new Map<number, ReadonlyMap<number, Member>>();

  constructor(lineage: Lineage, read: ReadMain) {
    this.#lineage = lineage;
    this.#read = read;
  }

  /** The bytes of a member of the archive that was opened. */
  view(manifest: Manifest, member: Member, name: string): ContentView {
    // In a store of safetensors the difference is with what the parent stores, whatever that is.
    const restored = manifest.kind === "checkpoint";
    return {
      size: member.size,
      read: (start, end) => this.#restore(this.#lineage.members[0]!, { member, name, restored }, { start, end }, []),
    };
  }

  *#restore(
    archive: Member1,
    what: { member: Member; name: string; restored: boolean },
    { start, end }: { start: number; end: number },
    trail: readonly Member1[],
  ): Io<Uint8Array> {
    const { member, name, restored } = what;
    const { offset, size, delta } = member;
    const { source } = archive.opened;
    const fail = (why: string) => new HexzError("invalid", `"${name}" of ${source.name} cannot be restored: ${why}`);
    if (delta === undefined) return yield* this.#read(archive, offset + start, offset + end);
    if (delta.baseLength !== size) throw fail(`it has ${size} bytes and its base ${delta.baseLength}`);
    if (trail.includes(archive)) throw fail("the archive is its own ancestor");
    if (trail.length >= LIMITS.format1.depth)
      throw fail(`the chain of its bases is longer than ${LIMITS.format1.depth}`);
    if (start === end) return new Uint8Array(0);
    const [parent] = yield* this.#lineage.parents(archive);
    if (parent === undefined) throw fail("the archive has no parent");
    if (parent instanceof HexzError) throw parent;
    const bytes = yield* this.#difference(archive, member, start, end);
    const base = restored ? (yield* this.#deltasOf(parent)).get(delta.baseOffset) : undefined;
    if (base !== undefined && base.size !== size) throw fail(`its base has ${base.size} bytes`);
    const { size: parentSize } = parent.opened.master.main;
    if (delta.baseOffset + size > parentSize) throw fail(`its base would end behind the parent's ${parentSize} bytes`);
    const known = { member: base ?? { path: member.path, offset: delta.baseOffset, size }, name, restored };
    xorInto(bytes, yield* this.#restore(parent, known, { start, end }, [...trail, archive]));
    return bytes;
  }

  /** Bytes [start, end) of the difference, each at its place in the element. */
  *#difference(archive: Member1, { offset, size, delta }: Member, start: number, end: number): Io<Uint8Array> {
    const { elementSize } = delta!;
    const count = elementSize > 1 ? Math.floor(size / elementSize) : 0;
    if (count === 0) return (yield* this.#read(archive, offset + start, offset + end)).slice();
    const first = Math.min(count, Math.floor(start / elementSize));
    const last = Math.min(count, Math.ceil(end / elementSize));
    const length = last - first;
    const whole = count * elementSize;
    // The elements that the range touches, one plane of bytes behind the other; then what is left of the last one.
    const planes = new Uint8Array(length * elementSize);
    for (let place = 0; length > 0 && place < elementSize; place++) {
      const at = offset + place * count + first;
      planes.set(yield* this.#read(archive, at, at + length), place * length);
    }
    const out = new Uint8Array(end - start);
    const elements = unshuffle(planes, elementSize);
    const from = first * elementSize;
    const stop = Math.min(end, whole);
    if (stop > start) out.set(elements.subarray(start - from, stop - from));
    if (end > whole) {
      const rest = Math.max(start, whole);
      out.set(yield* this.#read(archive, offset + rest, offset + end), rest - start);
    }
    return out;
  }

  *#deltasOf(archive: Member1): Io<ReadonlyMap<number, Member>> {
    const known = this.#members.get(archive.number);
    if (known !== undefined) return known;
    const manifest = manifestOf(yield* readMetadataIo(archive.opened), archive.opened.source.name);
    if (manifest instanceof HexzError) throw manifest;
    const members = new Map<number, Member>();
    for (const member of manifest?.members ?? []) {
      if (member.delta !== undefined && member.size > 0) members.set(member.offset, member);
    }
    this.#members.set(archive.number, members);
    return members;
  }
}
