// Small archives of every kind that the writer makes, for damage, fuzzing and the golden files. Always the same bytes.

import type { Entry } from "../../src/core/format/entry.ts";
import { type ByteString, byteStringFromText } from "../../src/core/format/path.ts";
import type { Plan } from "./archives.ts";
import { dictionaryText, sampleDictionary } from "./dictionary-sample.ts";
import { fixedSigner } from "./fixed-signer.ts";
import { randomBytes, randomFrom, text } from "./random.ts";
import { paxOf, tarOf } from "./tars.ts";

const entry = (type: Entry["type"], path: string, more: Partial<Entry> = {}): Entry => ({
  path: byteStringFromText(path),
  type,
  ...more,
});

const SMALL = { minChunk: 64, avgChunk: 256, maxChunk: 1024, blockSize: 4096 };
const mtime = { seconds: 1_700_000_000, nanoseconds: 123_456_789 };

/** Every kind of entry, every field. */
function treeItems(): NonNullable<Plan["items"]> {
  const random = randomFrom(7);
  const bytes = (value: string) => byteStringFromText(value);
  const owner = { mode: 0o644, uid: 1000, gid: 100, userName: bytes("ada"), groupName: bytes("users"), mtime };
  return [
    { entry: entry("directory", "", { ...owner, mode: 0o755 }) },
    { entry: entry("file", "a.txt", { ...owner, metadata: { kind: "text", lines: 12 } }), content: text(700, random) },
    { entry: entry("block", "block", { device: { major: 8, minor: 1 } }) },
    { entry: entry("char", "char", { device: { major: 1, minor: 3 }, mode: 0o666 }) },
    { entry: entry("directory", "d", { mode: 0o1777, mtime: { seconds: -5, nanoseconds: 1 } }) },
    { entry: entry("file", "empty"), content: new Uint8Array(0) },
    { entry: entry("fifo", "fifo", { mode: 0o600 }) },
    { entry: entry("symlink", "link", { target: bytes("d/../a.txt") }) },
    { entry: entry("file", "zeros", { sparse: true }), content: new Uint8Array(3000) },
    { entry: entry("file", "\u00e9\u0301 \\ name"), content: randomBytes(300, random) },
    {
      entry: entry("file", "d/attributes", {
        xattrs: [
          { name: bytes("security.x"), value: new Uint8Array(0) },
          { name: bytes("user.a"), value: Uint8Array.of(0, 255, 10) },
        ],
      }),
      content: text(900, random),
    },
    { entry: entry("file", "d/hard", { hardLink: bytes("a.txt") }) },
    { entry: { path: "d/\xff\x01" as ByteString, type: "file", mode: 0 }, content: text(64, random) },
  ];
}

/** Members of several kinds, one of them sparse, one left out, one there twice, and a remark of all. */
function sampleTar(): Uint8Array {
  const random = randomFrom(21);
  const words = text(300, random);
  return tarOf(
    paxOf({ comment: "of all" }, "g"),
    { name: "z/", type: "5" },
    { name: "z/words", content: words },
    paxOf({ mtime: "1700000000.5", "SCHILY.xattr.user.a": "b", "VENDOR.key": "value" }),
    { name: "z/again", content: words },
    { name: "a", type: "1", fields: { 157: "z/words" } },
    { name: "../out", content: "left out" },
    { name: "twice", content: new Uint8Array(700) },
    { name: "twice", content: randomBytes(100, random) },
    paxOf({ "GNU.sparse.name": "sparse", "GNU.sparse.map": "100,5,3000,3", "GNU.sparse.size": "5000" }),
    { content: "12345678" },
  );
}

/** By name. Contents repeat, have fills of several values, and do not compress, as the name says. */
export function samplePlans(): Record<string, Plan> {
  const random = randomFrom(11);
  const words = text(2200, random);
  const noise = randomBytes(2000, random);
  const ones = new Uint8Array(1500).fill(1);
  const mixed = new Uint8Array(Buffer.concat([words, new Uint8Array(3000), noise, ones, words, noise.subarray(100)]));
  const hello = new TextEncoder().encode("hello");
  const disk = (content: Uint8Array, options = {}): Plan => ({ streams: [{ name: "disk", content }], options });
  const base = disk(mixed, SMALL);
  const thin: Plan = {
    items: [
      { entry: entry("file", "moved"), content: new Uint8Array(Buffer.concat([mixed.subarray(4000), noise])) },
      { entry: entry("file", "new"), content: text(1500, random) },
    ],
    options: { ...SMALL, compression: "zstd" },
    bases: [base],
  };
  const grandchild: Plan = {
    items: [...thin.items!, { entry: entry("file", "newer"), content: randomBytes(600, random) }],
    options: SMALL,
    bases: [thin, base],
  };
  const known = dictionaryText().subarray(44_000, 48_000);
  const dictionary = disk(known.subarray(0, 2500), { ...SMALL, compression: "zstd", dictionary: sampleDictionary() });
  return {
    empty: {},
    "empty-file": { items: [{ entry: entry("file", "empty"), content: new Uint8Array(0) }] },
    "stream-hello": disk(hello, { compression: "none" }),
    "two-streams": {
      streams: [
        { name: "disk", content: words },
        { name: "memory", content: noise },
      ],
    },
    "tree-lz4": { items: treeItems(), options: { ...SMALL, metadata: { note: "a small tree" } } },
    "tree-none": { items: treeItems(), options: { ...SMALL, compression: "none" } },
    "mixed-lz4": base,
    "mixed-zstd": disk(mixed, { ...SMALL, compression: "zstd", level: 19 }),
    "mixed-none": disk(mixed, { ...SMALL, compression: "none" }),
    dictionary,
    "thin-dictionary": {
      items: [{ entry: entry("file", "words"), content: known.subarray(700) }],
      options: { ...SMALL, compression: "zstd", dictionary: sampleDictionary() },
      bases: [dictionary],
    },
    fixed: disk(mixed, { chunking: "fixed", blockSize: 4096 }),
    "tree-inner": {
      items: Array.from({ length: 2500 }, (_, number) => {
        return { entry: entry("fifo", `${"a long name ".repeat(17)}${String(number).padStart(4, "0")}`) };
      }),
    },
    fills: disk(new Uint8Array(Buffer.concat([new Uint8Array(70_000), new Uint8Array(3000).fill(255)])), SMALL),
    duplicates: {
      items: ["a", "b", "c"].map((path) => ({ entry: entry("file", path), content: words })),
      options: SMALL,
    },
    unordered: {
      items: [...treeItems()].reverse(),
      options: { ...SMALL, anyOrder: () => {} },
    },
    tar: { tars: { "sample.tar": sampleTar() }, options: { ...SMALL, anyOrder: () => {} } },
    container: {
      containers: [
        {
          name: "parts.bin",
          content: mixed,
          parts: [
            { entry: entry("file", "z", { metadata: { part: 1 } }), start: 10, end: 2210 },
            { entry: entry("file", "b/inner"), start: 512, end: 1024 },
            { entry: entry("file", "a"), start: 3000, end: mixed.length },
          ],
        },
      ],
      items: [{ entry: entry("file", "b/alone"), content: mixed.subarray(512, 1024) }],
      options: { ...SMALL, anyOrder: () => {} },
    },
    signed: {
      items: treeItems().slice(0, 3),
      options: { ...SMALL, metadata: { note: "signed" }, signers: [0, 1].map(fixedSigner) },
    },
    thin,
    "thin-grandchild": grandchild,
  };
}
