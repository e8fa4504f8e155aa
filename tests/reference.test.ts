// The reference decoder on archives that are assembled by hand from docs/format.md: it reads them, and refuses them
// after every change of a byte and after every broken rule that a right digest hides.

import { describe, expect, test } from "vitest";
import { hexdump } from "./support/hexdump.ts";
import { decodeReference } from "./support/reference.ts";
import { ascii, concat, hash, hex } from "./support/reference-bytes.ts";
import { referenceChunks, referenceCuts } from "./support/reference-chunking.ts";
import {
  type ForgedEntry,
  forge,
  type Plan,
  page,
  record,
  ref,
  sized,
  u8,
  u16,
  u32,
  varint,
} from "./support/reference-forge.ts";
import {
  changed,
  childOf,
  codedPlan,
  dictionaryPlan,
  entry,
  file,
  palettePlain,
  rootEntry,
  signed,
  streamPlan,
  text,
  treePlan,
  twoStates,
  withParity,
  words,
} from "./support/reference-samples.ts";

const codeOf = (bytes: Uint8Array, options?: Parameters<typeof decodeReference>[1]): string => {
  try {
    decodeReference(bytes, options);
    return "accepted";
  } catch (error) {
    return (error as Error).message;
  }
};

const CODES = /^(truncated|not_an_archive|version_unknown|feature_unknown|damaged|invalid|limit_exceeded): /;

describe("decodeReference()", () => {
  test("reads an empty archive with no content", () => {
    const archive = decodeReference(forge({}).file);
    expect(archive).toMatchObject({ state: 1, addressSpace: 0, entries: [], streams: [], chunks: [], metadata: {} });
  });

  test("reads a stream of a stored chunk and a fill", () => {
    const { file: bytes, root } = forge(streamPlan);
    const archive = decodeReference(bytes);
    expect(archive.id).toBe(hex(hash(root.body)));
    expect(archive.streams).toEqual([{ name: "disk", start: 0, size: text.length + 1000, sparse: true }]);
    expect(archive.chunks[0]).toMatchObject({ start: 0, length: text.length, archive: 0, blockOffset: 16, codec: 0 });
    expect(archive.chunks[1]).toEqual({ start: text.length, length: 1000, fill: 0, archive: 0 });
    expect(archive.read(text.length - 2, text.length + 2)).toEqual(concat(ascii("g."), new Uint8Array(2)));
  });

  test("reads a tree of files, a symlink, a device and a hard link", () => {
    const archive = decodeReference(forge({ ...treePlan, originalSize: text.length + 60 }).file);
    expect(archive.entries.map(({ path }) => path)).toEqual(["", "a", "d", "l", "n", "d/b", "d/c", "d/nested"]);
    expect(archive.content("a")).toEqual(text.subarray(0, 60));
    expect(archive.content("d/b")).toEqual(concat(text.subarray(60), text.subarray(0, 60)));
    expect(archive.entries[1]).toMatchObject({ mode: 0o644, mtime: { seconds: -1, nanoseconds: 5 } });
    expect(new TextDecoder().decode(archive.entries[3]!.target)).toBe("d/b");
    expect(archive.entries[5]!.others).toHaveLength(1);
    expect(archive.counts).toMatchObject({
      files: 4,
      directories: 2,
      symlinks: 1,
      others: 1,
      chunks: 2,
      duplicates: 1,
    });
    expect(archive.metadata).toEqual({ note: "by hand" });
  });

  test("reads zstd, all filters but rotate, and inner pages", () => {
    const archive = decodeReference(forge(codedPlan).file);
    expect(archive.content("all")).toEqual(concat(text, text, text, words, palettePlain, changed, changed));
    expect(archive.chunks.map(({ filter }) => filter?.join() ?? "")).toEqual([
      "",
      "planes",
      "palette",
      "xor",
      "subtract",
    ]);
  });

  test("reads LZ4 blocks and the filter rotate", () => {
    // Four literals, then a match of 4 + 15 + 73 = 92 bytes at distance 4, then the last literals.
    const plain = concat(...Array.from({ length: 24 }, () => u32(0x80000001)), ascii("z"));
    const stored = concat(Uint8Array.of(0x4f), u32(3), u16(4), u8(73), Uint8Array.of(0x10), ascii("z"));
    const plan: Plan = {
      blocks: [{ plain, codec: 1, recipe: Uint8Array.of(2, 4), stored }],
      chunks: [{ block: 0, from: 0, to: plain.length }],
      streams: [{ name: "disk", start: 0, size: plain.length }],
    };
    expect(decodeReference(forge(plan).file).read(0, plain.length)).toEqual(plain);
  });

  test("reads an LZ4 tree leaf", () => {
    const name = "n".repeat(200);
    const plan: Plan = {
      entries: [rootEntry, entry("", name, record("fifo"))],
      codeTree(payload) {
        const at = payload.indexOf(0x6e);
        // Literals to the first n, a match of 199 at distance 1, the record.
        const literals = payload.subarray(0, at + 1);
        const rest = payload.subarray(at + 200);
        const run = concat(u8(0xff), u8(literals.length - 15), literals, u16(1), u8(199 - 19));
        return concat(run, u8(rest.length << 4), rest);
      },
    };
    expect(decodeReference(forge(plan).file).entries[1]!.path).toBe(name);
  });

  test("reads a block with a dictionary", () => {
    const archive = decodeReference(forge(dictionaryPlan()).file);
    expect(archive.chunks[0]).toMatchObject({ codec: 3, dictionary: 0 });
  });

  test("reads a chunk in a parent, and refuses without it", () => {
    const parent = forge(streamPlan);
    const child = forge(childOf(parent)).file;
    const parents = new Map([[hex(hash(parent.root.body)), parent.file]]);
    const archive = decodeReference(child, { parents });
    expect(archive.read(0, text.length)).toEqual(text);
    expect(archive.counts).toMatchObject({ chunks: 0, parentChunks: 1, parentChunkBytes: text.length });
    expect(codeOf(child)).toMatch(/^parent_missing: /);
  });

  test("reads two states, appended signatures and a parity section", () => {
    expect(decodeReference(twoStates())).toMatchObject({ state: 2 });
    expect(decodeReference(twoStates()).states).toHaveLength(2);
    expect(decodeReference(signed(forge(streamPlan)))).toMatchObject({ state: 1 });
    expect(decodeReference(withParity(forge(streamPlan), 2, 2))).toMatchObject({ state: 1 });
  });

  test("reads a salted archive whose padding ends the state at a segment's end, and refuses it outside an envelope", () => {
    const bytes = forge({ ...streamPlan, salt: hash(text) }).file;
    expect(bytes.length).toBe(65_536);
    expect(codeOf(bytes)).toMatch(/^invalid: only what is encrypted/);
  });
});

describe("decodeReference() refuses", () => {
  const archives: [string, () => Uint8Array, number][] = [
    ["nothing", () => forge({}).file, 1],
    ["a stream", () => forge(streamPlan).file, 1],
    ["a tree", () => forge(treePlan).file, 1],
    ["filters", () => forge(codedPlan).file, 3],
    ["a dictionary", () => forge(dictionaryPlan()).file, 3],
    ["two states", twoStates, 7],
    ["signatures", () => signed(forge(streamPlan)), 1],
    ["parity", () => withParity(forge(streamPlan), 2, 2), 83],
  ];

  test.each(archives)("every changed byte in an archive of %s", (_, make, step) => {
    const bytes = make();
    expect(codeOf(bytes)).toBe("accepted");
    for (let i = 0; i < bytes.length; i += step) {
      for (const bit of [1, 0x80]) {
        const flipped = bytes.slice();
        flipped[i]! ^= bit;
        expect(codeOf(flipped), `byte ${i}`).toMatch(CODES);
      }
    }
  });

  test.each(archives)("every shorter and every longer archive of %s", (name, make) => {
    const bytes = make();
    // An appendix and a later state can be cut off: what is left is an archive again.
    const whole = ["two states", "signatures", "parity"].includes(name) ? 1 : 0;
    let accepted = 0;
    for (let length = 0; length < bytes.length; length++) {
      if (bytes.length > 4096 && length % 64 !== 0) continue;
      const code = codeOf(bytes.subarray(0, length));
      if (code === "accepted") accepted++;
      else expect(code).toMatch(length < 16 ? /^not_an_archive/ : /^truncated/);
    }
    expect(accepted).toBeLessThanOrEqual(whole);
    expect(codeOf(concat(bytes, u8(0)))).toMatch(/^truncated/);
  });

  const edit =
    (kind: number, change: (payload: Uint8Array) => void): Plan["edit"] =>
    (of, payload) => {
      const copy = payload.slice();
      if (of === kind) change(copy);
      return copy;
    };
  const entries = (...list: ForgedEntry[]): Plan => ({ entries: [rootEntry, ...list] });
  const section = (type: number, payload: Uint8Array): Plan => ({
    ...streamPlan,
    sections: new Map([[type, payload]]),
  });
  const disk = streamPlan.streams!;
  const broken: [string, Plan, RegExp][] = [
    ["unexplained bytes", { ...streamPlan, gap: u8(7) }, /^invalid: nothing explains/],
    ["a wrong original size", { ...streamPlan, originalSize: 1 }, /^invalid: the count of originalSize/],
    ["another sketch", { ...streamPlan, sketch: [1n] }, /^invalid: the sketch/],
    ["another content id", section(10, new Uint8Array(32)), /^invalid: the content id/],
    ["a short content id", section(10, new Uint8Array(31)), /^invalid: section 10/],
    ["a long content id", section(10, new Uint8Array(33)), /^invalid: section 10/],
    ["an unneeded feature", { ...streamPlan, features: 2 }, /^invalid: the feature `dictionaries`/],
    ["an unknown feature", { ...streamPlan, features: 8 }, /^feature_unknown: /],
    ["a feature's high half", { ...streamPlan, features: 2 ** 32 }, /^invalid: /],
    ["a first state with number 2", { ...streamPlan, state: 2 }, /^invalid: state 1/],
    ["a salt and no segment's end", section(12, new Uint8Array(32)), /^invalid: a state in an envelope/],
    ["an unknown stream", { ...streamPlan, streams: [{ ...disk[0]!, name: "tape" }] }, /^invalid: a stream/],
    ["a twofold stream", { ...streamPlan, streams: [...disk, ...disk] }, /^invalid: two streams/],
    ["a stream outside", { ...streamPlan, streams: [{ ...disk[0]!, size: 5000 }] }, /^invalid: the stream/],
    [
      "neighbouring fills",
      { chunks: [...streamPlan.chunks!.slice(1), ...streamPlan.chunks!.slice(1)] },
      /^invalid: the fills/,
    ],
    ["a chunk of one value", { blocks: [{ plain: u32(0) }], chunks: [{ block: 0, from: 0, to: 4 }] }, /one value/],
    [
      "a block that no chunk uses",
      { ...streamPlan, blocks: [{ plain: text }, { plain: words }] },
      /^invalid: .*no chunk uses/,
    ],
    ["a rest of a block", { ...streamPlan, chunks: [{ block: 0, from: 0, to: 50 }] }, /^invalid: the block 0:16 holds/],
    ["a chunk over a border", { ...streamPlan, streams: [{ ...disk[0]!, size: 5 }] }, /^invalid: a chunk crosses/],
    ["another first address", { ...streamPlan, edit: edit(1, (p) => p.fill(1, 0, 1)) }, /^invalid: .*begins at 1/],
    ["another number of chunks", { ...streamPlan, edit: edit(1, (p) => p.fill(1, 12, 13)) }, /^invalid: /],
    ["a block head with 0x80", { ...streamPlan, edit: edit(1, (p) => p.fill(0x80, 16, 17)) }, /^invalid: .*head/],
    ["codec 9", { ...streamPlan, edit: edit(1, (p) => p.fill(9, 16, 17)) }, /^feature_unknown: codec 9/],
    ["another digest", { ...streamPlan, edit: edit(1, (p) => p.fill(9, p.length - 1)) }, /^damaged: the chunk/],
    ["bytes behind the entries", { ...treePlan, edit: (k, p) => (k === 3 ? concat(p, u8(0)) : p) }, /^invalid: /],
    ["no root directory", { entries: [entry("", "a", record("fifo"))] }, /^invalid: the root directory/],
    ["a root that is a file", { entries: [entry("", "", file(0, 0))] }, /^invalid: the root directory/],
    ["unordered entries", entries(entry("", "b", record("fifo")), entry("", "a", record("fifo"))), /^invalid: .*place/],
    ["equal entries", entries(entry("", "a", record("fifo")), entry("", "a", record("fifo"))), /^invalid: .*place/],
    [
      "directories in byte order",
      entries(entry("a.b", "x", record("fifo")), entry("a/b", "x", record("fifo"))),
      /place/,
    ],
    ["the name ..", entries(entry("", "..", record("fifo"))), /^invalid: the path/],
    ["an empty component", entries(entry("a//b", "c", record("fifo"))), /^invalid: the path/],
    ["an absolute directory", entries(entry("/a", "c", record("fifo"))), /^invalid: the path/],
    ["a slash in a name", entries(entry("", "a/b", record("fifo"))), /^invalid: the name/],
    ["a NUL in a name", entries(entry("", "a\0", record("fifo"))), /^invalid: the path/],
    ["a long component", entries(entry("", "a".repeat(4097), record("fifo"))), /^limit_exceeded: /],
    ["a deep path", entries(entry("a/".repeat(255).concat("a"), "b", record("fifo"))), /^limit_exceeded: /],
    ["a file without a size", entries(entry("", "a", record("file", [1, varint(0)]))), /^invalid: .*start and size/],
    ["an empty file at an address", entries(entry("", "a", file(1, 0))), /^invalid: .*is empty/],
    ["a file outside", entries(entry("", "a", file(0, 1))), /^invalid: .*address space/],
    ["a fifo with a target", entries(entry("", "a", record("fifo", [9, ascii("x")]))), /^invalid: .*target/],
    ["field 16", entries(entry("", "a", record("fifo", [16, ascii("x")]))), /^feature_unknown: /],
    ["unordered fields", entries(entry("", "a", record("fifo", [4, u8(0)], [3, u8(0)]))), /^invalid: .*follows/],
    ["twofold fields", entries(entry("", "a", record("fifo", [4, u8(0)], [4, u8(0)]))), /^invalid: .*follows/],
    ["a long varint", entries(entry("", "a", record("fifo", [4, Uint8Array.of(0x80, 0)]))), /^invalid: .*varint/],
    [
      "a huge varint",
      entries(entry("", "a", record("fifo", [4, new Uint8Array(8).fill(255, 0, 7).fill(31, 7)]))),
      /^limit/,
    ],
    ["a mode of 5 digits", entries(entry("", "a", record("fifo", [3, varint(0o10000)]))), /^invalid: /],
    ["a hard link to nothing", entries(entry("", "a", file(0, 0, [10, ascii("b")]))), /^invalid: .*hard link/],
    ["metadata that is no object", { metadata: ascii("[]") }, /^invalid: .*JSON object/],
  ];

  test.each(broken)("%s", (_, plan, code) => {
    expect(codeOf(forge(plan).file)).toMatch(code);
  });

  test("a later state that refers to the copy of a page in an earlier body", () => {
    const first = forge(treePlan);
    const second = (offset: number): string => {
      const leaf = page(
        offset,
        3,
        first.file.subarray(at + 32, at + 24 + new DataView(first.file.buffer).getUint32(at + 4, true)),
      );
      const key = concat(sized(""), sized(""), varint(treePlan.entries!.length));
      const children = concat(u8(0), u8(1), u8(1), key, ref(leaf));
      const { edit: _, ...plan }: Plan = { ...treePlan, state: 2, previous: first.root };
      const old = { plain: text, offset: first.blockOffsets[0]! };
      return codeOf(forge({ ...plan, blocks: [old], sections: new Map([[2, children]]) }, first.file).file);
    };
    const leaves: number[] = [];
    for (let i = 16; i < first.file.length - 32; i++) {
      if (new TextDecoder().decode(first.file.subarray(i, i + 4)) === "HXPG" && first.file[i + 24] === 3)
        leaves.push(i);
    }
    expect(leaves).toHaveLength(2);
    const at = leaves[0]!;
    expect(second(leaves[0]!)).toMatch(/^invalid: the page at \d+ is no page of an earlier state's end/);
    // The other one may be referred to; the leaf that the forge writes all the same is then unexplained.
    expect(second(leaves[1]!)).toMatch(/^invalid: the page at \d+ is no copy/);
  });

  test("a state that no longer has its end mark, and marks that name other places", () => {
    const { file: bytes, root } = forge(streamPlan);
    const appendix = signed({ file: bytes, root, blockOffsets: [] });
    const without = concat(bytes, appendix.subarray(bytes.length, appendix.length - 96));
    expect(codeOf(without)).toMatch(/^truncated/);
    expect(codeOf(concat(appendix, bytes.subarray(-96)))).toMatch(/^truncated/);
  });
});

describe("referenceChunks()", () => {
  test("finds no cut in zeros before max", () => {
    const cuts = referenceCuts(new Uint8Array(10_240), { chunking: "fastcdc", min: 64, avg: 256, max: 1024 });
    expect(cuts).toEqual(Array.from({ length: 10 }, () => 1024));
  });

  test("cuts between min and max, and covers the content", () => {
    const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => (i * i * 31 + (i >> 3)) & 255);
    bytes.fill(0, 9000, 14_000);
    const chunks = referenceChunks(bytes, { chunking: "fastcdc", min: 256, avg: 1024, max: 2048 });
    expect(chunks.reduce((sum, { length }) => sum + length, 0)).toBe(bytes.length);
    expect(chunks.some(({ fill }) => fill === 0)).toBe(true);
    for (const { length, fill } of chunks.slice(0, -1)) {
      if (fill === undefined) expect(length >= 256 && length <= 2048).toBe(true);
    }
  });
});

describe("hexdump()", () => {
  test("prints 16 bytes a line with offsets and text", () => {
    expect(hexdump(ascii("HEXZ, format 2.\nOK"))).toEqual([
      "0000  48 45 58 5a 2c 20 66 6f  72 6d 61 74 20 32 2e 0a  HEXZ, format 2..",
      `0010  4f 4b${" ".repeat(18)}  ${" ".repeat(23)}  OK`,
    ]);
  });
});
