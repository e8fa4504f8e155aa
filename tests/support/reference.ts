// A second decoder of format 2 archives, written from docs/format.md alone: slow, readable, strict. It shares
// no line with src, reads the whole file from memory, and refuses every archive that breaks a rule of the text.
// What it does: end mark, root and states here and in reference-state.ts; pages, trees and blocks in the files that
// are named like them; at the end reference-layout.ts accounts for every byte.

import { fail, hex, rule } from "./reference-bytes.ts";
import { joinPieces } from "./reference-containers.ts";
import { isEnvelope, openReferenceEnvelope } from "./reference-envelope.ts";
import { checkLayout } from "./reference-layout.ts";
import { checkHead, lastEndMark, type Ref } from "./reference-pages.ts";
import type { ReferenceCoding, ReferenceCounts, ReferenceStream } from "./reference-root.ts";
import { type ReferenceOptions, readState, type State } from "./reference-state.ts";
import type { ReferenceEntry } from "./reference-tree.ts";

export type { ReferenceCoding, ReferenceCounts, ReferenceEntry, ReferenceOptions, ReferenceStream };

export interface ReferenceChunk {
  start: number;
  length: number;
  /** The value of a fill; all the fields below are absent then. */
  fill?: number;
  /** In hexadecimal, as all digests and ids here. */
  digest?: string;
  /** 0: this file; otherwise the number of the parent, from 1. */
  archive: number;
  blockOffset?: number;
  storedLength?: number;
  plainLength?: number;
  codec?: number;
  /** Where the chunk begins in its plain block. */
  offset?: number;
  dictionary?: number;
  /** Names of the filter's steps, in the writer's order. */
  filter?: string[];
}

export interface ReferenceArchive {
  id: string;
  state: number;
  addressSpace: number;
  contentId: string;
  entries: ReferenceEntry[];
  streams: ReferenceStream[];
  counts: ReferenceCounts;
  coding: ReferenceCoding;
  parents: { id: string; hint: string }[];
  sketch: bigint[] | undefined;
  chunks: ReferenceChunk[];
  metadata: Record<string, unknown>;
  /** Logical bytes [start, end) of the address space. */
  read(start: number, end: number): Uint8Array;
  /** The whole content of a file of the tree. */
  content(path: string): Uint8Array;
  /** The bytes of a container. */
  container(name: string): Uint8Array;
  /** Ids of all states in the file, the first one first. */
  states: string[];
}

/**
 * Decodes and verifies everything. @param bytes the whole file
 * @throws Error whose message begins with the code of docs/format.md, "Errors".
 */
export function decodeReference(bytes: Uint8Array, options: ReferenceOptions = {}): ReferenceArchive {
  // A Buffer's slices are no copies.
  const whole = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isEnvelope(whole) && options.key === undefined) fail("password_missing", "the archive is encrypted");
  const file = isEnvelope(whole) ? openReferenceEnvelope(whole, options.key!).plain : whole;
  const mark = lastEndMark(file);
  checkHead(file, mark !== undefined);
  if (mark === undefined) fail("truncated", "the file does not end with an end mark");
  const states: State[] = [];
  const behind = mark.offset;
  let ref: Ref | undefined = { offset: mark.rootOffset, bodyLength: mark.rootLength, digest: mark.id };
  let before = behind;
  while (ref !== undefined) {
    rule(ref.offset < before, `the root at ${ref.offset} is not before what names it`);
    before = ref.offset;
    const state = readState(file, ref, options);
    const after = states[0]?.root;
    rule(after === undefined || after.state === state.root.state + 1, "the state number does not grow by one");
    rule(after === undefined || after.addressSpace >= state.root.addressSpace, "the address space shrinks");
    states.unshift(state);
    ref = state.root.previous;
  }
  checkLayout(file, states);
  rule(
    states.every(({ root }) => (root.salt !== undefined) === isEnvelope(whole)),
    "only what is encrypted has a salt",
  );
  return describe(states);
}

function describe(states: State[]): ReferenceArchive {
  const state = states.at(-1)!;
  const { root, tree, index } = state;
  const { read } = state;
  return {
    id: hex(root.page.digest),
    state: root.state,
    addressSpace: root.addressSpace,
    contentId: hex(root.contentId),
    entries: tree.entries,
    streams: root.streams,
    counts: root.counts,
    coding: root.coding,
    parents: root.parents.map(({ id, hint }) => ({ id: hex(id), hint })),
    sketch: root.sketch?.values,
    chunks: index.chunks.map(({ start, length, ...rest }): ReferenceChunk => {
      if (rest.fill !== undefined) return { start, length, fill: rest.fill, archive: 0 };
      const { archive, offset, storedLength, plainLength, codec, dictionary, steps } = rest.block;
      return {
        start,
        length,
        digest: hex(rest.digest),
        archive,
        blockOffset: offset,
        storedLength,
        plainLength,
        codec,
        offset: rest.offset,
        ...(dictionary === undefined ? {} : { dictionary }),
        ...(steps.length === 0 ? {} : { filter: steps.map(({ step }) => step.name) }),
      };
    }),
    metadata: state.metadata,
    read(start, end) {
      if (start < 0 || end < start || end > root.addressSpace) throw new RangeError(`[${start}, ${end})`);
      return read(start, end);
    },
    content(path) {
      const entry = tree.entries.find((candidate) => candidate.path === path && candidate.type === "file");
      if (entry === undefined) throw new RangeError(`there is no file ${path}`);
      return read(entry.start!, entry.start! + entry.size!);
    },
    container(name) {
      const container = state.containers.find((candidate) => candidate.name === name);
      if (container === undefined) throw new RangeError(`there is no container ${name}`);
      return joinPieces(container.pieces, read);
    },
    states: states.map(({ root: { page } }) => hex(page.digest)),
  };
}
