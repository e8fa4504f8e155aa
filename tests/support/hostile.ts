// Archives that were made to do harm: their digests are right and what they say is not.

import { compress } from "@bokuweb/zstd-wasm";
import { ascii, concat, hash } from "./reference-bytes.ts";
import "./reference-codecs.ts"; // starts the Zstandard module
import {
  endMark,
  type ForgedPage,
  forge,
  head,
  type Plan,
  page,
  record,
  ref,
  sized,
  svarint,
  u8,
  u16,
  u32,
  u64,
  varint,
} from "./reference-forge.ts";
import { entry, file, rootEntry, streamPlan, text, treePlan } from "./reference-samples.ts";

const edit =
  (kind: number, change: (payload: Uint8Array) => unknown): Plan["edit"] =>
  (of, payload) => {
    const copy = payload.slice();
    const made = of === kind ? change(copy) : copy;
    return made instanceof Uint8Array ? made : copy;
  };
const section = (type: number, payload: Uint8Array, plan: Plan = streamPlan): Plan => ({
  ...plan,
  sections: new Map([[type, payload]]),
});
const entries = (...list: ReturnType<typeof entry>[]): Plan => ({ entries: [rootEntry, ...list] });
const huge = 2 ** 53 - 1;
const fill = (length: number): Plan => ({
  chunks: [{ fill: 0, length }],
  streams: [{ name: "disk", start: 0, size: length }],
});
/** Sizes of chunks and blocks, for section 4. */
const coding = (blockSize: number, max = 65_536): Uint8Array =>
  concat(u8(1), u32(64), u32(1024), u32(max), u32(blockSize), u8(0), u8(0), sized("x"));
const oneBlock = (plain: Uint8Array, more: object = {}): Plan => ({
  blocks: [{ plain, ...more }],
  chunks: [{ block: 0, from: 0, to: plain.length }],
  streams: [{ name: "disk", start: 0, size: plain.length }],
});
const noise = (length: number) => Uint8Array.from({ length }, (_, at) => (at * at * 31 + (at >> 3)) & 255);

type Expected = Partial<Record<"open" | "list" | "read" | "bulk" | "check", string>>;
/** What they are, how to make them, and what must come of it. */
export const hostile: [string, () => Plan | Uint8Array, Expected][] = [
  ["more index children than bytes", () => section(1, concat(u8(0), varint(1), varint(2 ** 50))), { open: "invalid" }],
  ["more tree children than bytes", () => section(2, concat(u8(0), varint(1), varint(2 ** 32))), { open: "invalid" }],
  ["nine levels", () => section(1, concat(u8(9), varint(1), varint(0))), { open: "limit_exceeded" }],
  ["levels without a page", () => section(2, concat(u8(3), varint(0), varint(0))), { open: "invalid" }],
  [
    "a level that is a leaf",
    () => ({ ...treePlan, edit: (kind, p) => (kind === 7 ? deeper(p, 1) : p) }),
    { read: "invalid" },
  ],
  ["10^9 streams", () => section(3, varint(1e9)), { open: "limit_exceeded" }],
  [
    "10^9 codecs",
    () => ({ ...streamPlan, edit: edit(7, (p) => replaceSection(p, 5, concat(new Uint8Array(13), varint(1e9)))) }),
    { open: "invalid" },
  ],
  ["a section of 4 GiB", () => ({ ...streamPlan, edit: edit(7, (p) => p.fill(255, 52, 56)) }), { open: "invalid" }],
  [
    "10^9 chunks",
    () => ({ ...streamPlan, edit: edit(1, (p) => p.fill(255, 12, 16)) }),
    { open: "right", read: "invalid", bulk: "invalid", check: "invalid" },
  ],
  [
    "10^9 blocks",
    () => ({ ...streamPlan, edit: edit(1, (p) => p.fill(255, 8, 12)) }),
    { read: "invalid", bulk: "invalid" },
  ],
  [
    "10^9 entries",
    () => ({ ...treePlan, edit: edit(3, (p) => p.fill(255, 0, 4)) }),
    { list: "invalid", check: "invalid" },
  ],
  ["an address space over 2^52", () => fill(2 ** 52), { open: "limit_exceeded" }],
  [
    "a fill of 2^52 - 1",
    () => fill(2 ** 52 - 1),
    { open: "right", read: "limit_exceeded", bulk: "right", check: "right" },
  ],
  [
    "a number over 2^53",
    () => ({ ...streamPlan, edit: edit(1, (p) => p.fill(255, 0, 8)) }),
    { read: "limit_exceeded" },
  ],
  [
    "a file behind the address space",
    () => entries(entry("", "a", file(0, huge))),
    { list: "right", read: "invalid", check: "invalid" },
  ],
  ["a file whose end is over 2^53", () => entries(entry("", "a", file(huge, huge))), { list: "invalid" }],
  [
    "a block behind the end of the file",
    () => oneBlock(text, { offset: 2 ** 51 }),
    { open: "right", read: "invalid", bulk: "invalid", check: "invalid" },
  ],
  [
    "a block before the file",
    () => ({ ...streamPlan, edit: edit(1, (p) => p.fill(0x7f, 17, 18)) }),
    { read: "invalid" },
  ],
  ["a block in the root", () => inRoot(), { check: "damaged invalid" }],
  [
    "a block of 2^40 bytes",
    () => ({
      ...oneBlock(text),
      edit: edit(1, () =>
        leafOf([concat(u8(1), svarint(16), varint(96), varint(2 ** 40))], [chunkOf(96, 2, 0)], [text]),
      ),
    }),
    { read: "limit_exceeded" },
  ],
  [
    "a chunk of 2^40 bytes",
    () => ({ ...oneBlock(text), edit: edit(1, () => leafOf([blockOf(16, 96)], [chunkOf(2 ** 40, 2, 0)], [text])) }),
    { read: "limit_exceeded" },
  ],
  [
    "a chunk behind its block",
    () => ({ ...oneBlock(text), edit: edit(1, () => leafOf([blockOf(16, 96)], [chunkOf(96, 2, 50)], [text])) }),
    { read: "invalid", bulk: "invalid" },
  ],
  [
    "a block that no chunk uses",
    () => ({
      ...oneBlock(text),
      edit: edit(1, () => leafOf([blockOf(16, 96), blockOf(0, 1)], [chunkOf(96, 2, 0)], [text])),
    }),
    { read: "invalid" },
  ],
  ["a block longer than the root says", () => section(4, coding(4096), oneBlock(noise(70_000))), { check: "invalid" }],
  [
    "a block longer than the slots of bulk reading",
    () => section(4, coding(4096), oneBlock(noise(1_100_000))),
    { bulk: "invalid", check: "invalid" },
  ],
  [
    "a coded block that is a bomb",
    () => oneBlock(new Uint8Array(96).fill(1, 95), { codec: 2, stored: bomb() }),
    { read: "damaged", bulk: "damaged", check: "damaged" },
  ],
  ["a stored block with a codec", () => oneBlock(text, { codec: 1 }), { read: "invalid" }],
  [
    "codec 9",
    () => oneBlock(text, { codec: 9, stored: text.subarray(1) }),
    { read: "feature_unknown", check: "feature_unknown" },
  ],
  [
    "a parent that the root hides",
    () => ({ ...oneBlock(text, { archive: 1, offset: 16 }), features: 0 }),
    { read: "invalid" },
  ],
  ["two digests for one place", () => twoDigests(), { read: "damaged", bulk: "damaged", check: "damaged invalid" }],
  ["two lengths for one block", () => twoLengths(), { read: "damaged", bulk: "invalid" }],
  [
    "overlapping blocks",
    () => ({
      blocks: [{ plain: text }, { plain: text.subarray(40), offset: 56 }],
      chunks: [
        { block: 0, from: 0, to: 96 },
        { block: 1, from: 0, to: 56 },
      ],
      streams: [{ name: "disk", start: 0, size: 152 }],
    }),
    { read: "right", check: "invalid" },
  ],
  [
    "bytes of a block in no chunk",
    () => ({
      ...streamPlan,
      chunks: [
        { block: 0, from: 0, to: 50 },
        { fill: 0, length: 1046 },
      ],
    }),
    { read: "right", check: "invalid" },
  ],
  ["bytes that nothing explains", () => ({ ...streamPlan, gap: ascii("hidden") }), { read: "right", check: "invalid" }],
  ["one index page for two ranges", () => twiceTheLeaf(), { read: "invalid", bulk: "invalid", check: "invalid" }],
  ["one tree page for two places", () => twiceTheTree(), { list: "invalid" }],
  ["a listing without end", () => endlessTree(), { list: "invalid" }],
  ["wrong counts", () => ({ ...treePlan, originalSize: 5 }), { list: "right", check: "invalid" }],
  ["another content id", () => section(10, new Uint8Array(32)), { read: "right", check: "invalid" }],
  ["a hard link to nothing", () => entries(entry("", "a", file(0, 0, [10, ascii("b")]))), { check: "invalid" }],
  ["a name with a slash", () => entries(entry("", "a/b", record("fifo"))), { list: "invalid" }],
  ["the name ..", () => entries(entry("", "..", record("fifo"))), { list: "invalid" }],
  [
    "a path of 300 components",
    () => entries(entry("d/".repeat(299).slice(0, -1), "x", record("fifo"))),
    { list: "limit_exceeded" },
  ],
  [
    "a path of 70 000 bytes",
    () => entries(entry(Array(20).fill("d".repeat(4000)).join("/"), "x", record("fifo"))),
    { list: "limit_exceeded" },
  ],
  [
    "metadata of a hundred thousand brackets",
    () => ({ ...streamPlan, metadata: ascii(`{"a":${"[".repeat(100_000)}`) }),
    { check: "invalid" },
  ],
  [
    "an entry's metadata of brackets",
    () => entries(entry("", "a", record("fifo", [14, ascii("[".repeat(100_000))]))),
    { list: "invalid" },
  ],
  [
    "a tree page that is a bomb",
    () => ({ ...treePlan, codeTree: () => concat(u8(0x1f), u8(0), u16(1), new Uint8Array(4000).fill(255), u8(0)) }),
    { list: "invalid" },
  ],
  ["an end mark that points behind itself", () => markAt(2 ** 40), { open: "invalid" }],
  ["an end mark that points over 2^53", () => markAt(2 ** 53 + 2), { open: "limit_exceeded" }],
  ["an end mark that points at a leaf", () => leafAsRoot(), { open: "invalid" }],
];

const blockOf = (delta: number, length: number) => concat(u8(0), svarint(delta), varint(length), varint(length));
const chunkOf = (length: number, source: number, offset: number) =>
  concat(varint(length), varint(source), varint(offset));

function leafOf(blocks: Uint8Array[], chunks: Uint8Array[], digests: Uint8Array[], start = 0): Uint8Array {
  const all = [...blocks, ...chunks, ...digests.map((bytes) => hash(bytes))];
  return concat(u64(start), u32(blocks.length), u32(chunks.length), ...all);
}

/** The payload of a root with another section. */
function replaceSection(root: Uint8Array, type: number, payload: Uint8Array): Uint8Array {
  const view = new DataView(root.buffer, root.byteOffset);
  for (let at = 48; at < root.length; at += 8 + view.getUint32(at + 4, true)) {
    if (view.getUint16(at, true) !== type) continue;
    const end = at + 8 + view.getUint32(at + 4, true);
    return concat(root.subarray(0, at), u16(type), u16(0), u32(payload.length), payload, root.subarray(end));
  }
  throw new Error(`the root has no section ${type}`);
}

/** The payload of a root whose index claims more levels. */
function deeper(root: Uint8Array, by: number): Uint8Array {
  const copy = root.slice();
  copy[56]! += by;
  return copy;
}

/** A frame that declares 2^40 bytes. */
const bomb = () => concat(u32(0xfd2fb528), u8(0xe0), u64(2 ** 40), compress(new Uint8Array(1000), 1).subarray(8));

/** The second chunk of the leaf is the first one again, with the digest of other bytes. */
function twoDigests(): Plan {
  return {
    ...oneBlock(text),
    chunks: [
      { block: 0, from: 0, to: 96 },
      { block: 0, from: 0, to: 96 },
    ],
    streams: [{ name: "disk", start: 0, size: 192 }],
    edit: edit(1, (payload) => payload.set(hash(ascii("other bytes")), payload.length - 32)),
  };
}

/** Two records for the block at 16. The digest of the longer chunk is that of as many bytes as the shorter block has. */
function twoLengths(): Plan {
  return {
    ...oneBlock(text),
    chunks: [
      { block: 0, from: 0, to: 96 },
      { block: 0, from: 0, to: 50 },
    ],
    streams: [{ name: "disk", start: 0, size: 146 }],
    edit: edit(1, () =>
      leafOf(
        [blockOf(16, 50), blockOf(-50, 96)],
        [chunkOf(50, 2, 0), chunkOf(96, 3, 0)],
        [text.subarray(0, 50), text.subarray(0, 50)],
      ),
    ),
  };
}

/** The block lies over the root and has some other digest. */
function inRoot(): Plan {
  const { root } = forge(oneBlock(text));
  return { ...oneBlock(text), edit: edit(1, () => leafOf([blockOf(root.offset, 96)], [chunkOf(96, 2, 0)], [text])) };
}

/** Puts pages and a root with the given sections together. */
function assembled(make: (put: (kind: number, payload: Uint8Array) => ForgedPage) => Plan): Uint8Array {
  let bytes = head();
  const put = (kind: number, payload: Uint8Array) => {
    const made = page(bytes.length, kind, payload);
    bytes = concat(bytes, made.bytes);
    return made;
  };
  const plan = make(put);
  return forge(plan, bytes).file;
}

function twiceTheLeaf(): Uint8Array {
  return assembled((put) => {
    const leaf = put(1, leafOf([], [concat(varint(100), varint(0), u8(7))], []));
    const child = (end: number) => concat(varint(100), ref(leaf, end));
    const children = concat(child(0), child(leaf.offset + leaf.bytes.length));
    return { ...fill(200), sections: new Map([[1, concat(u8(0), varint(2), varint(2), children)]]) };
  });
}

const fifo = (name: string) => concat(u8(0), sized(""), sized(name), record("fifo"));
const treeKey = (name: string, count: number) => concat(sized(""), sized(name), varint(count));
const children = (...list: Uint8Array[]) => concat(varint(list.length), ...list);

function twiceTheTree(): Uint8Array {
  return assembled((put) => {
    const leaf = put(3, concat(u32(1), fifo("a")));
    const end = leaf.offset + leaf.bytes.length;
    const list = children(concat(treeKey("a", 1), ref(leaf)), concat(treeKey("b", 1), ref(leaf, end)));
    return { sections: new Map([[2, concat(u8(0), varint(2), list)]]) };
  });
}

/** Every page of a level names all later pages of the next one: a short file whose listing would have 10^12 entries. */
function endlessTree(): Uint8Array {
  const width = 60;
  const name = (number: number) => String(number).padStart(3, "0");
  return assembled((put) => {
    let level = Array.from({ length: width }, (_, number) => ({
      made: put(3, concat(u32(1), fifo(name(number)))),
      count: 1,
    }));
    const list = (from: number) => {
      let end = 0;
      let count = 0;
      const parts = level.slice(from).map(({ made, count: below }, at) => {
        const part = concat(treeKey(name(from + at), below), ref(made, end));
        end = made.offset + made.bytes.length;
        count += below;
        return part;
      });
      return { parts, count };
    };
    for (let depth = 0; depth < 7; depth++) {
      level = level.map((_, from) => {
        const { parts, count } = list(from);
        return { made: put(4, concat(u32(parts.length), ...parts)), count };
      });
    }
    return { sections: new Map([[2, concat(u8(7), varint(500), children(...list(0).parts))]]) };
  });
}

function markAt(rootOffset: number): Uint8Array {
  const { file: bytes, root } = forge(streamPlan);
  const mark = endMark(bytes.length - 96, { ...root, offset: rootOffset });
  return concat(bytes.subarray(0, -96), mark);
}

function leafAsRoot(): Uint8Array {
  const leaf = page(16, 1, leafOf([], [concat(varint(100), varint(0), u8(7))], []));
  const bytes = concat(head(), leaf.bytes);
  return concat(bytes, endMark(bytes.length, leaf));
}
