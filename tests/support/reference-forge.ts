// Assembles small archives by hand, from docs/format.md alone: one index leaf and one tree leaf a state (and an inner
// page above each when asked). It trusts its plan, so it makes broken archives with right digests as well.

import { ascii, concat, hash } from "./reference-bytes.ts";

export const u8 = (value: number): Uint8Array => Uint8Array.of(value);
const integer = (length: number) => (value: number | bigint) =>
  Uint8Array.from({ length }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 255n));
export const u16 = integer(2);
export const u32 = integer(4);
export const u64 = integer(8);

export function varint(value: number): Uint8Array {
  return value < 128 ? u8(value) : concat(u8((value % 128) + 128), varint(Math.floor(value / 128)));
}
export const svarint = (n: number): Uint8Array => varint(n >= 0 ? 2 * n : -2 * n - 1);
export const sized = (bytes: Uint8Array | string): Uint8Array => {
  const raw = typeof bytes === "string" ? ascii(bytes) : bytes;
  return concat(varint(raw.length), raw);
};

export const head = (): Uint8Array => {
  const bytes = concat(ascii("HEXZ"), u32(2), u32(0));
  return concat(bytes, hash(bytes).subarray(0, 4));
};

export interface ForgedPage {
  offset: number;
  body: Uint8Array;
  bytes: Uint8Array;
}

export function page(offset: number, kind: number, payload: Uint8Array, coded?: Uint8Array): ForgedPage {
  const body = concat(u8(kind), u8(coded ? 1 : 0), u16(0), u32(payload.length), coded ?? payload);
  const frame = concat(ascii("HXPG"), u32(body.length), u64(offset));
  return { offset, body, bytes: concat(frame, hash(frame, hash(body)).subarray(0, 8), body) };
}

/** A list with one reference. */
export const ref = ({ offset, body }: ForgedPage, previousEnd = 0): Uint8Array =>
  concat(svarint(offset - previousEnd), varint(body.length), hash(body));

export interface Place {
  offset: number;
  length: number;
}

export function endMark(offset: number, root: ForgedPage, signatures?: ForgedPage, parity?: Place): Uint8Array {
  const fields = concat(
    u64(offset),
    u64(root.offset),
    u32(root.body.length),
    u32(signatures?.body.length ?? 0),
    u64(signatures?.offset ?? 0),
    u64(parity?.offset ?? 0),
    u64(parity?.length ?? 0),
    hash(root.body),
  );
  return concat(fields, hash(fields).subarray(0, 8), ascii("HEXZEND"), u8(2));
}

export interface ForgedBlock {
  plain: Uint8Array;
  /** As coded; the plain bytes when absent. */
  stored?: Uint8Array;
  codec?: number;
  dictionary?: number;
  recipe?: Uint8Array;
  /** In a parent, or in an earlier state: where. */
  archive?: number;
  offset?: number;
}

export type ForgedChunk =
  | { fill: number; length: number }
  | { block: number; from: number; to: number; follows?: boolean };

export interface ForgedEntry {
  directory: string;
  name: string;
  record: Uint8Array;
}

export interface Plan {
  blocks?: ForgedBlock[];
  chunks?: ForgedChunk[];
  entries?: ForgedEntry[];
  streams?: { name: string; start: number; size: number; flags?: number }[];
  dictionaries?: Uint8Array[];
  parents?: { id: Uint8Array; hint: string }[];
  metadata?: Uint8Array;
  /** The smallest values, as they are to be written. */
  sketch?: bigint[];
  salt?: Uint8Array;
  previous?: ForgedPage;
  state?: number;
  originalSize?: number;
  deep?: boolean;
  codeTree?: (payload: Uint8Array) => Uint8Array;
  features?: number;
  append?: number;
  /** Sections to add or to replace, by type. */
  sections?: Map<number, Uint8Array>;
  /** Changes payloads before they are hashed, by kind of page. */
  edit?: (kind: number, payload: Uint8Array) => Uint8Array;
  gap?: Uint8Array;
}

export interface Forged {
  file: Uint8Array;
  root: ForgedPage;
  blockOffsets: number[];
}

const RECORD_TYPES = { file: 1, directory: 2, symlink: 3, fifo: 4, char: 5, block: 6 };

/** A record of fields in the order given. */
export function record(type: keyof typeof RECORD_TYPES, ...fields: [tag: number, value: Uint8Array][]): Uint8Array {
  return concat(u8(RECORD_TYPES[type]), ...fields.map(([tag, value]) => concat(u8(tag), sized(value))), u8(0));
}

/** Writes a state behind `before` (the head for a new archive). */
export function forge(plan: Plan, before: Uint8Array = head()): Forged {
  const { blocks = [], chunks = [], entries = [], edit = (_kind, payload) => payload } = plan;
  let file = before;
  const put = (kind: number, payload: Uint8Array, coded?: Uint8Array): ForgedPage => {
    const made = page(file.length, kind, payload, coded);
    file = concat(file, made.bytes);
    return made;
  };
  for (const dictionary of plan.dictionaries ?? []) put(5, dictionary);
  const blockOffsets = blocks.map((block) => {
    const offset = block.offset ?? file.length;
    if (block.offset === undefined) file = concat(file, block.stored ?? block.plain);
    return offset;
  });
  if (plan.gap) file = concat(file, plan.gap);
  const size = chunks.reduce((sum, chunk) => sum + ("fill" in chunk ? chunk.length : chunk.to - chunk.from), 0);
  const leaf = edit(1, indexLeaf(plan, blockOffsets));
  const treePayload = edit(3, treeLeaf(entries));
  const coded = plan.codeTree?.(treePayload);
  if (size > 0) put(1, leaf);
  if (entries.length > 0) put(3, treePayload, coded);

  let treeChildren: Uint8Array = new Uint8Array();
  let treePages = 0;
  if (entries.length > 0) {
    const key = concat(sized(entries[0]!.directory), sized(entries[0]!.name), varint(entries.length));
    treeChildren = concat(key, ref(put(3, treePayload, coded)));
    treePages = 1;
    if (plan.deep) {
      treeChildren = concat(key, ref(put(4, edit(4, concat(u32(1), treeChildren)))));
      treePages = 2;
    }
  }
  let indexChildren: Uint8Array = new Uint8Array();
  let indexPages = 0;
  if (size > 0) {
    indexChildren = concat(varint(size), ref(put(1, leaf)));
    indexPages = 1;
    if (plan.deep) {
      indexChildren = concat(varint(size), ref(put(2, edit(2, concat(u64(0), u32(1), indexChildren)))));
      indexPages = 2;
    }
  }
  const dictionaries = (plan.dictionaries ?? []).map((dictionary) => put(5, dictionary));
  const metadata = plan.metadata && put(6, plan.metadata);
  const depth = (pages: number): Uint8Array => u8(Math.max(0, pages - 1));
  const section = (pages: number, children: Uint8Array): Uint8Array =>
    concat(depth(pages), varint(pages), varint(Math.min(1, pages)), children);
  const streams = concat(
    varint(plan.streams?.length ?? 0),
    ...(plan.streams ?? []).map((s) => concat(sized(s.name), varint(s.start), varint(s.size), u8(s.flags ?? 0))),
  );
  const sections = new Map<number, Uint8Array>([
    [1, section(indexPages, indexChildren)],
    [2, section(treePages, treeChildren)],
    [3, streams],
    [4, concat(u8(1), u32(16384), u32(65536), u32(262144), u32(1048576), u8(0), u8(0), sized("by hand"))],
    [5, countsOf(plan)],
    [10, contentId(plan, streams)],
  ]);
  if (plan.parents) {
    const list = plan.parents.map(({ id, hint }) => concat(id, sized(hint)));
    sections.set(6, concat(varint(list.length), ...list));
  }
  if (dictionaries.length > 0) {
    const list = dictionaries.map((made, i) => {
      const last = dictionaries[i - 1];
      return concat(varint(0), ref(made, last && last.offset + last.bytes.length));
    });
    sections.set(7, concat(varint(list.length), ...list));
  }
  if (metadata) sections.set(8, ref(metadata));
  if (plan.sketch) sections.set(9, concat(u8(1), u32(65536), u32(plan.sketch.length), ...plan.sketch.map(u64)));
  if (plan.previous) {
    sections.set(11, concat(u64(plan.previous.offset), u32(plan.previous.body.length), hash(plan.previous.body)));
  }
  if (plan.salt) sections.set(12, plan.salt);
  for (const [type, payload] of plan.sections ?? []) sections.set(type, payload);
  const root = edit(
    7,
    concat(
      u32(2),
      u32(0),
      u64(plan.features ?? featuresOf(blocks)),
      u64(plan.append ?? 0),
      u64(0),
      u64(size),
      u64(plan.state ?? 1),
      ...[...sections].sort(([a], [b]) => a - b).map(([type, p]) => concat(u16(type), u16(0), u32(p.length), p)),
    ),
  );
  if (plan.salt) {
    const after = file.length + 24 + 8 + root.length + 96;
    file = concat(file, new Uint8Array((65536 - (after % 65536)) % 65536));
  }
  const made = put(7, root);
  file = concat(file, endMark(file.length, made));
  return { file, root: made, blockOffsets };
}

function featuresOf(blocks: ForgedBlock[]): number {
  const any = (test: (block: ForgedBlock) => boolean): number => (blocks.some(test) ? 1 : 0);
  return (
    any((block) => block.archive !== undefined) +
    2 * any((block) => block.codec === 3) +
    4 * any((block) => !!block.recipe)
  );
}

const storedOf = (block: ForgedBlock): Uint8Array => block.stored ?? block.plain;

function indexLeaf({ blocks = [], chunks = [] }: Plan, offsets: number[]): Uint8Array {
  const ends = new Map<number, number>();
  const table = blocks.map((block, i) => {
    const archive = block.archive ?? 0;
    const flags = (archive ? 0x10 : 0) + (block.dictionary === undefined ? 0 : 0x20) + (block.recipe ? 0x40 : 0);
    const delta = offsets[i]! - (ends.get(archive) ?? 0);
    ends.set(archive, offsets[i]! + storedOf(block).length);
    return concat(
      u8((block.codec ?? 0) + flags),
      archive ? varint(archive) : u8(0).subarray(1),
      block.dictionary === undefined ? u8(0).subarray(1) : varint(block.dictionary),
      block.recipe ? sized(block.recipe) : u8(0).subarray(1),
      svarint(delta),
      varint(storedOf(block).length),
      varint(block.plain.length),
    );
  });
  const records = chunks.map((chunk) => {
    if ("fill" in chunk) return concat(varint(chunk.length), varint(0), u8(chunk.fill));
    const length = varint(chunk.to - chunk.from);
    return chunk.follows ? concat(length, varint(1)) : concat(length, varint(chunk.block + 2), varint(chunk.from));
  });
  const digests = chunks.map((chunk) => ("fill" in chunk ? new Uint8Array() : digestOf(chunk, blocks)));
  return concat(u64(0), u32(blocks.length), u32(chunks.length), ...table, ...records, ...digests);
}

const digestOf = (chunk: { block: number; from: number; to: number }, blocks: ForgedBlock[]): Uint8Array =>
  hash(blocks[chunk.block]!.plain.subarray(chunk.from, chunk.to));

function treeLeaf(entries: ForgedEntry[]): Uint8Array {
  const list = entries.map(({ directory, name, record }, i) => {
    const same = i > 0 && entries[i - 1]!.directory === directory;
    return concat(same ? u8(1) : concat(u8(0), sized(directory)), sized(name), record);
  });
  return concat(u32(entries.length), ...list);
}

function countsOf({ blocks = [], chunks = [], entries = [], originalSize }: Plan): Uint8Array {
  const ofType = (...types: number[]): number => entries.filter(({ record }) => types.includes(record[0]!)).length;
  const seen = new Set<string>();
  const [here, duplicate, parent, fill] = [
    [0, 0],
    [0, 0],
    [0, 0],
    [0, 0],
  ] as [number, number][];
  let size = 0;
  for (const chunk of chunks) {
    const length = "fill" in chunk ? chunk.length : chunk.to - chunk.from;
    const key = "fill" in chunk ? "" : digestOf(chunk, blocks).join();
    const kind = "fill" in chunk ? fill : seen.has(key) ? duplicate : blocks[chunk.block]!.archive ? parent : here;
    kind![0]++;
    kind![1] += length;
    size += length;
    if (key) seen.add(key);
  }
  const local = blocks.filter((block) => !block.archive);
  const codecs = [0, 1, 2, 3].filter((codec) => local.some((block) => (block.codec ?? 0) === codec));
  const perCodec = codecs.map((codec) => {
    const own = local.filter((block) => (block.codec ?? 0) === codec);
    const sum = (of: (block: ForgedBlock) => Uint8Array): number => own.reduce((n, block) => n + of(block).length, 0);
    return [codec, own.length, sum(storedOf), sum((block) => block.plain)];
  });
  const numbers = [ofType(1), ofType(2), ofType(3), ofType(4, 5, 6), originalSize ?? size];
  const all = [...numbers, ...here!, ...duplicate!, ...parent!, ...fill!, codecs.length, ...perCodec.flat()];
  return concat(...all.map(varint));
}

function contentId({ blocks = [], chunks = [], entries = [] }: Plan, streams: Uint8Array): Uint8Array {
  const a = chunks.map((chunk) =>
    "fill" in chunk
      ? concat(u64(chunk.length), u8(0), u8(chunk.fill))
      : concat(u64(chunk.to - chunk.from), u8(1), digestOf(chunk, blocks)),
  );
  const b = entries.map(({ directory, name, record }) => {
    return concat(sized(directory === "" ? name : `${directory}/${name}`), record);
  });
  return hash(hash(...a), hash(...b), hash(streams));
}
