// Writing format 1: the bytes that the specification gives, and archives of every kind taken apart by the reference
// decoder.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { CODEC } from "../src/core/engine.ts";
import type { Warning } from "../src/core/errors.ts";
import type { ByteString } from "../src/core/format/path.ts";
import type { Coding } from "../src/core/format/root.ts";
import { createPortableEngine } from "../src/core/portable-engine.ts";
import { createInlineCrew } from "../src/core/work/crew.ts";
import { Appender } from "../src/core/write/appender.ts";
import { createContentInput } from "../src/core/write/bytes-input.ts";
import { Intake } from "../src/core/write/intake.ts";
import { createMemorySink } from "../src/core/write/memory-sink.ts";
import { Pipeline } from "../src/core/write/pipeline.ts";
import { SketchBuilder } from "../src/core/write/sketch.ts";
import { Totals } from "../src/core/write/totals.ts";
import { createFormat1Writer, type Format1Options } from "../src/core/write/v1/format1-writer.ts";
import { ParentChunks } from "../src/core/write/v1/parent-chunks.ts";
import { nodeCiphers } from "../src/node/ciphers.ts";
import { signerOfSeed } from "../src/node/ed25519.ts";
import { expectBytes, type Plan, packPlan } from "./support/archives.ts";
import { dictionaryText, sampleDictionary } from "./support/dictionary-sample.ts";
import { randomBytes, randomFrom, SEED, text, zeroRidden } from "./support/random.ts";
import { concat } from "./support/reference-bytes.ts";
import { referenceCuts } from "./support/reference-chunking.ts";
import { decodeReferenceFormat1, type ReferenceFormat1 } from "./support/reference-format1.ts";
import { entryOf } from "./support/trees.ts";

const KIB = 1024;
const SMALL = { minChunk: 256, avgChunk: 1024, maxChunk: 4096 };
const random = randomFrom(SEED);

const pack = (plan: Plan, format1: Format1Options = {}) => packPlan({ ...plan, options: { ...plan.options, format1 } });
const fileItem = (path: string, content: Uint8Array) => ({
  entry: entryOf("file", path, { mode: 0o640, mtime: { seconds: 1_700_000_000, nanoseconds: 5 } }),
  content,
});
/** Where each file is, by the manifest. */
const filesOf = ({ main, metadata }: ReferenceFormat1) =>
  Object.fromEntries(
    metadata.files.map(({ path, offset, size }: { path: string; offset: number; size: number }) => [
      path,
      main.bytes.subarray(offset, offset + size),
    ]),
  );

test("the bytes of an archive are those that the original writes", async () => {
  const engine = await createPortableEngine({ memoryBytes: 64 * 2 ** 20 });
  const crew = createInlineCrew({ engine, gather: engine.allocate(64) });
  const sink = createMemorySink();
  // Blocks of 16 bytes are too short for the options of people.
  const sizes = { min: 16, avg: 16, max: 16 };
  const coding: Coding = { chunking: "fixed", sizes, blockSize: 16, codec: CODEC.lz4, level: 0, encoder: "" };
  const appender = new Appender(sink);
  const totals = new Totals();
  const format = await createFormat1Writer({ sink, appender, crew, coding, totals, signers: [] }, {});
  const pipeline = new Pipeline({ crew, coding, appender, format, totals, signal: undefined });
  const intake = new Intake({ crew, coding, layout: format.layout, pipeline, onProgress: undefined });
  const plain = new Uint8Array(32);
  plain.set(new TextEncoder().encode("hello hexz world"));
  await intake.content(createContentInput(plain, "main"));
  await intake.finish();
  await format.finish({ streams: [], containers: [], metadata: undefined, sketch: new SketchBuilder() });
  const bytes = sink.bytes();
  const words = [
    "4845585a",
    "01000000",
    "10000000",
    "8610000000000000",
    "0000000000000000",
    "00000000000000",
    "00000000",
  ];
  expect(Buffer.from(bytes.subarray(0, 42)).toString("hex")).toBe([...words, "010000"].join(""));
  expect(bytes.length).toBe(4290);
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(
    "84561e74fd76d4f6d8df523a62c8e4b9dbc1b99eac24af446296d55d9034bbd4",
  );
});

describe("streams", () => {
  const contents = {
    nothing: new Uint8Array(0),
    "one byte": Uint8Array.of(7),
    zeros: new Uint8Array(300 * KIB),
    "bytes of one other value": new Uint8Array(300 * KIB).fill(255),
    "text and zeros": concat(text(200 * KIB, random), new Uint8Array(100 * KIB), text(50 * KIB, random)),
    "zero-ridden": zeroRidden(200 * KIB, random),
    "random bytes": randomBytes(150 * KIB, random),
  };
  const codings = {
    "lz4, cdc": {},
    "zstd, cdc, small": { compression: "zstd", ...SMALL },
    "lz4, fixed": { chunking: "fixed", blockSize: 4 * KIB },
    "zstd, fixed": { chunking: "fixed", compression: "zstd", level: 1 },
  } as const;
  const named = Object.entries(codings).flatMap(([coding, options]) =>
    Object.entries(contents).map(([name, content]) => [`${coding}: ${name}`, options, content] as const),
  );

  test.each(named)("%s", async (_, options, content) => {
    const memory = concat(content, text(10 * KIB, random));
    const streams = [
      { name: "disk", content },
      { name: "memory", content: memory },
    ] as const;
    const decoded = decodeReferenceFormat1(await pack({ streams, options }));
    expectBytes(decoded.main.bytes, content, `main, seed ${SEED}`);
    expectBytes(decoded.auxiliary.bytes, memory, `auxiliary, seed ${SEED}`);
    const small = { chunking: "fastcdc", min: SMALL.minChunk, avg: SMALL.avgChunk, max: SMALL.maxChunk } as const;
    const max = "blockSize" in options ? options.blockSize : 64 * KIB;
    const coding =
      "chunking" in options
        ? ({ chunking: "fixed", min: max, avg: max, max } as const)
        : "minChunk" in options
          ? small
          : ({ chunking: "fastcdc", min: 16 * KIB, avg: 64 * KIB, max: 256 * KIB } as const);
    expect(decoded.main.blocks.map(({ length }) => length)).toEqual(referenceCuts(content, coding));
    // What both streams have is stored once.
    const unique = new Set([...decoded.main.blocks, ...decoded.auxiliary.blocks].map(({ digest }) => String(digest)));
    unique.delete(String(new Uint8Array(32)));
    expect(decoded.stored).toBe(unique.size);
  });

  test("pages end after 4096 blocks, and with their stream", async () => {
    const content = new Uint8Array(4097 * 4 * KIB);
    // A stored block here and there, the last of a page and the first of the next among them.
    for (const block of [0, 17, 4095, 4096]) content.set(randomBytes(4 * KIB, random), block * 4 * KIB);
    const options = { chunking: "fixed", blockSize: 4 * KIB } as const;
    const streams = [
      { name: "memory", content: content.subarray(0, 4096 * 4 * KIB) },
      { name: "disk", content },
    ] as const;
    const decoded = decodeReferenceFormat1(await pack({ streams, options }));
    expect(decoded.main.pageCounts).toEqual([4096, 1]);
    expect(decoded.auxiliary.pageCounts).toEqual([4096]);
    expect(decoded.stored).toBe(4);
    expectBytes(decoded.main.bytes, content, `main, seed ${SEED}`);
  });

  test("encrypted: nothing is stored twice under one number, zeros stay zeros", async () => {
    const content = concat(text(100 * KIB, random), new Uint8Array(40 * KIB), text(20 * KIB, random));
    const streams = [
      { name: "disk", content: concat(content, content) },
      { name: "memory", content },
    ] as const;
    const format1 = { encryption: { password: "correct horse", ciphers: nodeCiphers } };
    const options = { chunking: "fixed", blockSize: 4 * KIB } as const;
    const bytes = await pack({ streams, options }, format1);
    const decoded = decodeReferenceFormat1(bytes, { password: "correct horse" });
    expect(decoded.encrypted).toBe(true);
    expectBytes(decoded.main.bytes, concat(content, content), `main, seed ${SEED}`);
    expectBytes(decoded.auxiliary.bytes, content, `auxiliary, seed ${SEED}`);
    expect(decoded.stored).toBe(3 * 30);
    expect(() => decodeReferenceFormat1(bytes, { password: "wrong" })).toThrow();
    // The same again is other bytes: a fresh salt.
    expect(Buffer.compare(await pack({ streams, options }, format1), bytes)).not.toBe(0);
  });
});

test("a dictionary stands behind the header and codes every block; not where it would tell what is encrypted", async () => {
  const content = dictionaryText();
  const options = { compression: "zstd", chunking: "fixed", blockSize: 4 * KIB } as const;
  const streams = [{ name: "disk", content }] as const;
  const dictionary = sampleDictionary();
  const bytes = await pack({ streams, options: { ...options, dictionary } });
  const decoded = decodeReferenceFormat1(bytes);
  expectBytes(decoded.main.bytes, content, "main");
  expect(decoded.dictionaryLength).toBe(dictionary.length);
  expectBytes(bytes.subarray(4096, 4096 + dictionary.length), dictionary, "the dictionary");
  expect(bytes.length).toBeLessThan((await pack({ streams, options })).length);
  const encryption = { password: "x", ciphers: nodeCiphers };
  const refused = pack({ streams, options: { ...options, dictionary } }, { encryption });
  await expect(refused).rejects.toMatchObject({ code: "usage" });
});

test("signed: the original's signature over index and manifest, one at most", async () => {
  const signer = signerOfSeed(randomBytes(32, random));
  const items = [fileItem("a", text(1000, random))];
  const bytes = await pack({ items, options: { signers: [signer] } });
  const { publicKey } = signer;
  expectBytes(filesOf(decodeReferenceFormat1(bytes, { publicKey })).a, items[0]!.content, "a");
  bytes[bytes.length - 65]! ^= 1;
  expect(() => decodeReferenceFormat1(bytes, { publicKey })).toThrow("the signature is wrong");
  const signers = [signer, signerOfSeed(randomBytes(32, random))];
  await expect(pack({ items, options: { signers } })).rejects.toMatchObject({ code: "usage" });
});

describe("files", () => {
  test("each begins with a page, and is listed with its place", async () => {
    const shared = randomBytes(100 * KIB, random);
    const contents = { a: shared, b: new Uint8Array(0), memory: text(50 * KIB, random), "dir/c": shared };
    const items = [
      { entry: entryOf("directory", "", { mode: 0o750 }) },
      ...["a", "b"].map((path) => fileItem(path, contents[path as "a"])),
      { entry: entryOf("directory", "dir") },
      fileItem("memory", contents.memory),
      fileItem("dir/c", contents["dir/c"]),
    ];
    const metadata = { note: "kept" };
    const decoded = decodeReferenceFormat1(await pack({ items, options: { metadata } }));
    for (const [path, bytes] of Object.entries(filesOf(decoded))) {
      expectBytes(bytes as Uint8Array, contents[path as "a"], `${path}, seed ${SEED}`);
    }
    expect(decoded.metadata.files.map(({ path }: { path: string }) => path)).toEqual(["a", "b", "memory", "dir/c"]);
    expect(decoded.metadata.files[0]).toEqual({
      path: "a",
      offset: 0,
      size: shared.length,
      mode: 0o100_640,
      mtime: 1_700_000_000,
    });
    expect(decoded.metadata.note).toBe("kept");
    expect(decoded.main.pageCounts.length).toBe(3);
    const places = decoded.main.blocks.map(({ start }) => start);
    for (const { offset, size } of decoded.metadata.files) if (size > 0) expect(places).toContain(offset);
  });

  test("an empty directory is an empty manifest, a stream alone has none", async () => {
    expect(decodeReferenceFormat1(await pack({ items: [{ entry: entryOf("directory", "") }] })).metadata).toEqual({
      files: [],
    });
    const streams = [{ name: "disk", content: text(100, random) }] as const;
    expect(decodeReferenceFormat1(await pack({ streams })).metadata).toBeUndefined();
    expect(decodeReferenceFormat1(await pack({ streams, options: { metadata: { note: "x" } } })).metadata).toEqual({
      note: "x",
    });
  });

  test("beside a memory stream files keep their places", async () => {
    const [memory, file] = [text(70 * KIB, random), text(30 * KIB, random)];
    const streams = [{ name: "memory", content: memory }] as const;
    const decoded = decodeReferenceFormat1(
      await pack({ streams, items: [fileItem("a", file), fileItem("b", memory)] }),
    );
    expectBytes(decoded.auxiliary.bytes, memory, "memory");
    expectBytes(filesOf(decoded).a, file, "a");
    expectBytes(filesOf(decoded).b, memory, "b");
    await expect(pack({ streams, items: [fileItem("memory", file)] })).rejects.toMatchObject({ code: "usage" });
  });

  test("a container and its parts lie where the manifest says", async () => {
    const content = concat(text(20 * KIB, random), randomBytes(20 * KIB, random));
    const parts = [
      { entry: entryOf("file", "x"), start: 1000, end: 30_000 },
      { entry: entryOf("file", "y"), start: 30_000, end: 30_000 },
    ];
    const streams = [{ name: "memory", content: text(5000, random) }] as const;
    const containers = [{ name: "c", content, parts }];
    const decoded = decodeReferenceFormat1(await pack({ streams, containers }));
    expectBytes(filesOf(decoded).x, content.subarray(1000, 30_000), "x");
    expect(decoded.metadata.containers).toEqual([{ format: "sample", name: "c", size: content.length, start: 0 }]);
  });
});

describe("what format 1 does not keep", () => {
  const value = Uint8Array.of(1);
  const lost: Record<string, Plan["items"]> = {
    "a symlink": [{ entry: entryOf("symlink", "x", { target: "a" as ByteString }) }],
    "a FIFO": [{ entry: entryOf("fifo", "x") }],
    "a device": [{ entry: entryOf("char", "x", { device: { major: 1, minor: 3 } }) }],
    "extended attributes": [
      { entry: entryOf("file", "x", { xattrs: [{ name: "user.a" as ByteString, value }] }), content: value },
    ],
    "those of a directory": [
      { entry: entryOf("directory", "", { xattrs: [{ name: "user.a" as ByteString, value }] }) },
    ],
    "an empty directory": [{ entry: entryOf("directory", "x") }],
    "a name that is not UTF-8": [{ entry: entryOf("file", "x\xff"), content: value }],
    "a time before 1970": [{ entry: entryOf("file", "x", { mtime: { seconds: -1, nanoseconds: 0 } }), content: value }],
    "a hard link": [fileItem("w", value), { entry: entryOf("file", "x", { hardLink: "w" as ByteString }) }],
  };

  test.each(Object.entries(lost))("%s is refused, or left out and told", async (_, items) => {
    await expect(pack({ items: items! })).rejects.toMatchObject({
      code: "usage",
      hint: expect.stringContaining("--lossy"),
    });
    const warnings: Warning[] = [];
    const bytes = await pack({ items: items! }, { lossy: true, warn: (warning) => warnings.push(warning) });
    expect(warnings).toMatchObject([{ code: "unsupported", path: items!.at(-1)!.entry.path }]);
    const { metadata, main } = decodeReferenceFormat1(bytes);
    for (const { offset, size } of metadata.files) expect([...main.bytes.subarray(offset, offset + size)]).toEqual([1]);
  });

  test("of empty directories inside each other the innermost is told", async () => {
    const warnings: Warning[] = [];
    const items = ["", "a", "a/b", "a/c", "a/b/d"].map((path) => ({ entry: entryOf("directory", path) }));
    await pack({ items }, { lossy: true, warn: (warning) => warnings.push(warning) });
    expect(warnings.map(({ path }) => path).sort()).toEqual(["a/b/d", "a/c"]);
  });

  test.each<[string, Plan]>([
    ["a disk and files", { streams: [{ name: "disk", content: value }], items: [fileItem("a", value)] }],
    ["metadata that looks like a manifest", { options: { metadata: { files: [] } } }],
    ["no compression", { options: { compression: "none" } }],
    ["chunk sizes that do not ascend", { options: { minChunk: 64 * KIB, avgChunk: 64 * KIB } }],
    ["a minimum over 1 MiB", { options: { minChunk: 1025 * KIB, avgChunk: 2048 * KIB, maxChunk: 4096 * KIB } }],
  ])("%s is refused, lossy or not", async (_, plan) => {
    await expect(pack(plan, { lossy: true })).rejects.toMatchObject({ code: "usage" });
  });
});

describe("thin archives", () => {
  const options = { chunking: "fixed", blockSize: 4 * KIB } as const;
  const onParent = (parent: ReferenceFormat1): Format1Options => {
    const chunks = new ParentChunks();
    for (const name of ["main", "auxiliary"] as const) {
      for (const block of parent[name].blocks) {
        const { kind, length: plainLength, digest } = block;
        const place = { offset: 4096, storedLength: 1, checksum: 0 };
        chunks.add(name, kind === "data" ? { kind, plainLength, digest, ...place } : { kind, plainLength, digest });
      }
    }
    return { parent: { path: "base.hxz", chunks } };
  };

  test("a reference means the same by place and by digest", async () => {
    const block = (seed: number) => randomBytes(4 * KIB, randomFrom(seed));
    const [a, b, c, d, zeros] = [block(1), block(2), block(3), block(4), new Uint8Array(4 * KIB)];
    const disk = concat(a, b, c, zeros, a);
    const streams = (content: Uint8Array, memory: Uint8Array) =>
      [
        { name: "disk", content },
        { name: "memory", content: memory },
      ] as const;
    const parent = decodeReferenceFormat1(await pack({ streams: streams(disk, d), options }));
    // At its place, moved, at its place, zeros, another block of the other stream, and behind the end.
    const child = concat(a, c, c, zeros, d, a);
    const bytes = await pack({ streams: streams(child, concat(d, a)), options }, onParent(parent));
    const decoded = decodeReferenceFormat1(bytes, { parent });
    expectBytes(decoded.main.bytes, child, "main");
    expectBytes(decoded.auxiliary.bytes, concat(d, a), "auxiliary");
    expect(decoded.main.blocks.map(({ kind }) => kind)).toEqual([
      "reference",
      "data",
      "reference",
      "zeros",
      "data",
      "data",
    ]);
    expect(decoded.auxiliary.blocks.map(({ kind }) => kind)).toEqual(["reference", "data"]);
    expect(decoded.parentPaths).toEqual(["base.hxz"]);
    // What the parent has from its own parent is stored again.
    const grandchild = await pack({ streams: streams(child, d), options }, onParent(decoded));
    const kinds = decodeReferenceFormat1(grandchild, { parent: decoded }).main.blocks.map(({ kind }) => kind);
    expect(kinds).toEqual(["data", "reference", "data", "zeros", "reference", "reference"]);
  });

  test("a path that the header has no room for, and encryption, are refused", async () => {
    const { parent } = onParent(decodeReferenceFormat1(await pack({})));
    const streams = [{ name: "disk", content: text(100, random) }] as const;
    // 42 bytes of other fields, and the path's length.
    const longest = { ...parent!, path: "x".repeat(4096 - 42 - 8) };
    await pack({ streams, options }, { parent: longest });
    const long = { parent: { ...longest, path: `${longest.path}x` } };
    await expect(pack({ streams, options }, long)).rejects.toMatchObject({ code: "limit_exceeded" });
    const encryption = { password: "", ciphers: nodeCiphers };
    await expect(pack({ streams, options }, { parent, encryption })).rejects.toMatchObject({ code: "usage" });
  });
});
