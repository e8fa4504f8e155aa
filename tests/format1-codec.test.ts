// Format 1 as bytes and values, both ways: golden vectors, and every archive that the original programs wrote.

import { createCipheriv, createHash, pbkdf2Sync } from "node:crypto";
import * as zlib from "node:zlib";
import { describe, expect, test } from "vitest";
import { hexOf } from "../src/core/bytes.ts";
import { CODEC } from "../src/core/engine.ts";
import { HexzError } from "../src/core/errors.ts";
import { shuffle, unshuffle, xorInto } from "../src/core/format/v1/delta.ts";
import { checkIterations, ITERATIONS, KEY_LENGTH, nonceOf, TAG_LENGTH } from "../src/core/format/v1/encryption.ts";
import { decodeHeader, encodeHeader, fitsPages, HEADER_LENGTH, type Header } from "../src/core/format/v1/header.ts";
import {
  type BlockEntry,
  decodeIndexPage,
  decodeMasterIndex,
  ENTRIES_PER_PAGE,
  encodeIndexPage,
  encodeMasterIndex,
  masterIndexLength,
} from "../src/core/format/v1/index-page.ts";
import { decodeManifest, decodeMetadata, encodeManifest, encodeMetadata } from "../src/core/format/v1/manifest.ts";
import { codedPart, encodeStoredBlock } from "../src/core/format/v1/stored-block.ts";
import { bytesOfCrafted, bytesOfKept, craftedArchives, keptArchives } from "./support/format1.ts";
import { randomBytes, randomFrom } from "./support/random.ts";

const unhex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const codeOf = (step: () => unknown): string => {
  try {
    step();
  } catch (error) {
    if (error instanceof HexzError) return error.code;
    throw error;
  }
  return "right";
};

/** Blocks of the golden file: "hello hexz world" and zeros, 16 bytes each. */
const STORED = "10000000f00168656c6c6f206865787a20776f726c64";
const GOLDEN_HEADER: Header = {
  layout: "list",
  blockSize: 16,
  indexOffset: 4230,
  parentPaths: [],
  compression: "lz4",
  hasMain: true,
  hasAuxiliary: false,
  variableBlocks: false,
};
const GOLDEN_ENTRIES: BlockEntry[] = [
  {
    kind: "data",
    offset: 4096,
    storedLength: 22,
    plainLength: 16,
    checksum: 0x2c3bccc3,
    digest: unhex("07b7b1b87f6c3886cc490e9cbefff07b3b6caa82c2cf570bc65a64a67fa3d21b"),
  },
  { kind: "zeros", plainLength: 16 },
];

test("encodeHeader() gives the golden header, decodeHeader() its value", () => {
  const bytes = encodeHeader(GOLDEN_HEADER);
  const golden = "4845585a 01000000 10000000 8610000000000000 0000000000000000 00000000000000 00000000 010000";
  expect(hexOf(bytes.subarray(0, 42))).toBe(golden.replaceAll(" ", ""));
  expect(bytes.length).toBe(HEADER_LENGTH);
  const [header] = decodeHeader(bytes, "golden");
  expect(header).toMatchObject(GOLDEN_HEADER);
});

test("header, block, page and master index give the golden file", () => {
  const master = encodeMasterIndex({
    main: { pages: [{ offset: 4118, length: 112, startBlock: 0, startLogical: 0 }], size: 32 },
    auxiliary: { pages: [], size: 0 },
  });
  const stored = encodeStoredBlock("lz4", unhex(STORED.slice(8)), 16);
  const parts = [encodeHeader(GOLDEN_HEADER), stored, encodeIndexPage(GOLDEN_ENTRIES), master];
  const file = new Uint8Array(Buffer.concat(parts));
  expect(file.length).toBe(4290);
  expect(createHash("sha256").update(file).digest("hex")).toBe(
    "84561e74fd76d4f6d8df523a62c8e4b9dbc1b99eac24af446296d55d9034bbd4",
  );
  expect(decodeIndexPage(file.subarray(4118, 4230), "a page")).toEqual(GOLDEN_ENTRIES);
});

test("an encrypted block is that of the golden vector", () => {
  const salt = unhex("00112233445566778899aabbccddeeff");
  const key = pbkdf2Sync("correct horse", salt, ITERATIONS, KEY_LENGTH, "sha256");
  expect(hexOf(nonceOf(5))).toBe("000000000000000000000005");
  const cipher = createCipheriv("aes-256-gcm", key, nonceOf(5));
  const stored = Buffer.concat([cipher.update(unhex(STORED)), cipher.final(), cipher.getAuthTag()]);
  expect(hexOf(stored)).toBe("5423a7ba1bd64b2771af65d142dd6379754abc1e00db672263ca59b5dcc2a004b4c870adcb29");
  expect(stored.length).toBe(STORED.length / 2 + TAG_LENGTH);
  expect(zlib.crc32(stored)).toBe(0xe2b50e9c);
});

test("codedPart() takes away what encodeStoredBlock() adds, and nothing of format 2", () => {
  const coded = unhex("0102030405");
  const seal = { checksum: 0, digest: undefined, number: undefined };
  const block = { archive: 0, dictionary: undefined, offset: 0, storedLength: 0, plainLength: 99 };
  for (const [compression, codec] of [["lz4", CODEC.lz4] as const, ["zstd", CODEC.zstd] as const]) {
    const stored = encodeStoredBlock(compression, coded, 99);
    expect(codedPart({ ...block, codec, seal }, stored)).toEqual(coded);
    expect(codedPart({ ...block, codec }, coded)).toEqual(coded);
  }
  expect(codedPart({ ...block, codec: CODEC.lz4, seal }, coded.subarray(0, 3))).toHaveLength(0);
});

test("checkIterations() refuses too few and too many", () => {
  const codes = [99_999, 100_000, 600_000, 10_000_000, 10_000_001, 0xffff_ffff].map((iterations) =>
    codeOf(() => checkIterations({ salt: new Uint8Array(16), iterations }, "x")),
  );
  expect(codes).toEqual(["limit_exceeded", "right", "right", "right", "limit_exceeded", "limit_exceeded"]);
});

test("shuffle() and unshuffle() undo one another at every size", () => {
  const bytes = randomBytes(67, randomFrom(2));
  expect([...shuffle(unhex("a0a1b0b1c0c1ff"), 2)]).toEqual([...unhex("a0b0c0a1b1c1ff")]);
  for (const size of [0, 1, 2, 4, 8, 66, 67, 68]) expect(unshuffle(shuffle(bytes, size), size)).toEqual(bytes);
  const other = randomBytes(67, randomFrom(3));
  const mixed = bytes.slice();
  xorInto(mixed, other);
  xorInto(mixed, other);
  expect(mixed).toEqual(bytes);
});

describe("encodeHeader()", () => {
  const full: Header = {
    ...GOLDEN_HEADER,
    parentPaths: ["a.hxz", "ordner/grün.hxz"],
    dictionary: { offset: 4096, length: 0 },
    metadata: { offset: 9000, length: 77 },
    signature: { offset: 9077, length: 64 },
    encryption: { salt: new Uint8Array(16).fill(7), iterations: 600_000 },
    compression: "zstd",
    hasAuxiliary: true,
    variableBlocks: true,
    cdc: { bits: 16, min: 16_384, max: 262_144 },
  };

  test("gives what decodeHeader() reads, with every option", () => {
    expect(decodeHeader(encodeHeader(full), "x")).toEqual([full]);
    const old: Header = { ...full, layout: "option", parentPaths: ["one"], cdc: undefined };
    expect(decodeHeader(encodeHeader(old), "x")).toEqual([old]);
  });

  test("takes paths up to the last byte and refuses one more", () => {
    const room = HEADER_LENGTH - encodeHeader({ ...full, parentPaths: [] }).lastIndexOf(1);
    const most = 3985 - 8;
    expect(room).toBeGreaterThan(0);
    expect(codeOf(() => encodeHeader({ ...full, parentPaths: ["x".repeat(most)] }))).toBe("right");
    expect(codeOf(() => encodeHeader({ ...full, parentPaths: ["x".repeat(most + 1)] }))).toBe("limit_exceeded");
  });
});

describe("what decodes a page of the index", () => {
  test("gives each kind of block back, in both lengths of entry", () => {
    const digest = new Uint8Array(32).fill(9);
    const data = { kind: "data", offset: 2 ** 40, storedLength: 5, plainLength: 9, checksum: 0xffff_ffff } as const;
    const entries: BlockEntry[] = [
      { ...data, digest },
      { kind: "reference", plainLength: 70, digest },
      { kind: "zeros", plainLength: 8 },
    ];
    expect(decodeIndexPage(encodeIndexPage(entries), "x")).toEqual(entries);
    const bare = entries.map((entry) => (entry.kind === "zeros" ? entry : { ...entry, digest: undefined }));
    expect(decodeIndexPage(encodeIndexPage(bare, 20), "x")).toEqual(bare);
  });

  test("takes blocks of no bytes where they can be, and nowhere else", () => {
    const nothing = Uint8Array.from(
      Buffer.from("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262", "hex"),
    );
    const data = { kind: "data", offset: 4096, storedLength: 64, plainLength: 0, checksum: 1 } as const;
    const zeros = (plainLength: number) => ({ kind: "zeros", plainLength }) as const;
    const good: BlockEntry[][] = [
      [zeros(5), zeros(0)],
      [{ ...data, digest: nothing }, zeros(5)],
      [{ ...data, digest: undefined }],
      [{ kind: "reference", plainLength: 0, digest: nothing }],
    ];
    for (const entries of good) expect(decodeIndexPage(encodeIndexPage(entries), "x")).toEqual(entries);
    const bad: BlockEntry[][] = [
      [zeros(0), zeros(5)],
      [{ ...data, digest: new Uint8Array(32).fill(9) }],
      [{ ...data, storedLength: 65, digest: undefined }],
      [{ kind: "reference", plainLength: 0, digest: new Uint8Array(32).fill(9) }],
    ];
    for (const entries of bad) expect(codeOf(() => decodeIndexPage(encodeIndexPage(entries), "x"))).toBe("invalid");
  });

  test("refuses a length that is not its count, and blocks over the limits", () => {
    const page = encodeIndexPage(GOLDEN_ENTRIES);
    const changed = (at: number, value: number) => {
      const copy = page.slice();
      new DataView(copy.buffer).setUint32(at, value, true);
      return codeOf(() => decodeIndexPage(copy, "x"));
    };
    expect(codeOf(() => decodeIndexPage(page.subarray(0, -1), "x"))).toBe("invalid");
    expect(changed(0, 3)).toBe("invalid");
    expect(changed(4, 1)).toBe("limit_exceeded");
    expect(changed(8 + 8, 0xffff_ffff)).toBe("limit_exceeded");
    expect(changed(8 + 12, 0xffff_ffff)).toBe("limit_exceeded");
    // a block without stored bytes at an offset
    expect(changed(8 + 8, 0)).toBe("invalid");
  });
});

test("masterIndexLength() finds the length in steps", () => {
  const page = { offset: 1, length: 2, startBlock: 3, startLogical: 4 };
  const bytes = encodeMasterIndex({
    main: { pages: [page, page], size: 5 },
    auxiliary: { pages: [page], size: 6 },
  });
  expect(masterIndexLength(bytes.subarray(0, 0), "x")).toBe(8);
  expect(masterIndexLength(bytes.subarray(0, 8), "x")).toBe(8 + 56 + 8);
  expect(masterIndexLength(bytes.subarray(0, 72), "x")).toBe(bytes.length);
  const hostile = bytes.slice();
  hostile[6] = 8;
  expect(codeOf(() => masterIndexLength(hostile, "x"))).toBe("limit_exceeded");
});

/** Header and index of an archive, by the rule that tells the layouts apart. */
function open(bytes: Uint8Array) {
  for (const header of decodeHeader(bytes.subarray(0, HEADER_LENGTH), "x")) {
    const tail = bytes.subarray(header.indexOffset);
    const master = decodeMasterIndex(tail, "x");
    if (!fitsPages(header, master.main.pages.length, master.auxiliary.pages.length)) continue;
    return { header, master, length: masterIndexLength(tail, "x") };
  }
  throw new Error("no layout fits");
}

describe.each(keptArchives)("$file", (kept) => {
  const bytes = bytesOfKept(kept.file);
  const { header, master, length } = open(bytes);

  test("has the header that is known of it, and encodes to the same bytes", () => {
    expect({
      layout: header.layout === "option" ? "0.1-0.5.1" : "0.5.2-0.8.2",
      block_size: header.blockSize,
      index_offset: header.indexOffset,
      compression: header.compression,
      encrypted: header.encryption !== undefined,
      variable_blocks: header.variableBlocks,
      cdc_params: header.cdc === undefined ? null : [header.cdc.bits, header.cdc.min, header.cdc.max],
      parent_paths: header.parentPaths,
      dictionary_bytes: header.dictionary?.length ?? null,
      signature: header.signature === undefined ? null : [header.signature.offset, header.signature.length],
    }).toEqual({
      layout: kept.layout,
      block_size: kept.block_size,
      index_offset: kept.index_offset,
      compression: kept.compression.toLowerCase(),
      encrypted: kept.encrypted,
      variable_blocks: kept.variable_blocks,
      cdc_params: kept.cdc_params,
      parent_paths: kept.parent_paths,
      dictionary_bytes: kept.dictionary_bytes,
      signature: kept.signature,
    });
    expect(encodeHeader(header)).toEqual(bytes.slice(0, HEADER_LENGTH));
  });

  test("has the index that is known of it, and encodes to the same bytes", () => {
    expect(encodeMasterIndex(master)).toEqual(bytes.slice(header.indexOffset, header.indexOffset + length));
    for (const name of ["main", "auxiliary"] as const) {
      const { pages, size } = master[name];
      const stream = kept.streams[name];
      expect([pages.length, size]).toEqual([stream.pages, stream.size]);
      const entries = pages.flatMap((page) => {
        const stored = bytes.slice(page.offset, page.offset + page.length);
        const decoded = decodeIndexPage(stored, "x");
        expect(decoded.length).toBeLessThanOrEqual(ENTRIES_PER_PAGE);
        expect(encodeIndexPage(decoded, kept.entry_bytes as 52 | 20)).toEqual(stored);
        return decoded;
      });
      const count = (kind: string) => entries.filter((entry) => entry.kind === kind).length;
      const { data, sparse, parent, repeated } = stream.blocks;
      expect([count("data"), count("zeros"), count("reference")]).toEqual([data + repeated, sparse, parent]);
      if (stream.chunk_lengths) expect(entries.map(({ plainLength }) => plainLength)).toEqual(stream.chunk_lengths);
      for (const entry of entries) {
        if (entry.kind !== "data") continue;
        expect(zlib.crc32(bytes.subarray(entry.offset, entry.offset + entry.storedLength))).toBe(entry.checksum);
      }
    }
  });

  test("has the manifest that is known of it, and encodes to the same value", () => {
    const { metadata } = header;
    const text = metadata && bytes.subarray(metadata.offset, metadata.offset + metadata.length);
    const json = text && decodeMetadata(text);
    const manifest = json && decodeManifest(json, "the manifest");
    if (kept.files) {
      const known = kept.files.map(({ path, size, mode, mtime }) => ({ path, size, mode, mtime }));
      expect(manifest?.members.map(({ path, size, mode, mtime }) => ({ path, size, mode, mtime }))).toEqual(known);
    }
    if (kept.tensors) expect(manifest?.members.length).toBe(Object.keys(kept.tensors).length);
    if (manifest === undefined) return;
    const encoded = encodeManifest(manifest);
    expect(decodeManifest(encoded, "x")).toEqual(manifest);
    const readBack: unknown = JSON.parse(new TextDecoder().decode(encodeMetadata(encoded)));
    // the release that wrote "storage" is not told from the one that did not
    const withStorage = JSON.parse(JSON.stringify(json), (_, value) =>
      value !== null && typeof value === "object" && "shape" in value && "length" in value
        ? { storage: "raw", ...value }
        : value,
    );
    expect(readBack).toEqual(withStorage);
  });
});

test("decodeManifest() refuses members that lack what they need, and leaves other JSON alone", () => {
  const decode = (value: object) => codeOf(() => decodeManifest(value as Record<string, unknown>, "x"));
  expect(decodeManifest({ step: 1 }, "x")).toBeUndefined();
  expect(decode({ files: [{ path: "a", offset: -1, size: 1, mode: 1, mtime: 1 }] })).toBe("invalid");
  expect(decode({ files: [{ path: "a", offset: 0, size: 1.5, mode: 1, mtime: 1 }] })).toBe("invalid");
  expect(decode({ files: [{ offset: 0, size: 1, mode: 1, mtime: 1 }] })).toBe("invalid");
  expect(decode({ files: [7] })).toBe("invalid");
  expect(decode({ format: "safetensors", tensors: { a: { offset: 0, length: 1, storage: "other" } } })).toBe(
    "feature_unknown",
  );
  expect(decodeMetadata(new TextEncoder().encode('Zweite "Fassung"'))).toBeUndefined();
  expect(decodeMetadata(Uint8Array.of(0xff))).toBeUndefined();
});

test.each(craftedArchives.filter(({ expect }) => expect === "read"))("decodeHeader() takes $file", ({ file }) => {
  const { header } = open(bytesOfCrafted(file));
  expect(header.layout).toBe("list");
});

test.each([
  ["header-magic", "not_an_archive"],
  ["header-version-2", "version_unknown"],
  ["header-version-0", "version_unknown"],
  ["header-parent-count", "limit_exceeded"],
  ["header-option-tag", "invalid"],
  ["header-compression-7", "feature_unknown"],
  ["short-file", "truncated"],
])("decodeHeader() refuses %s as %s", (name, code) => {
  expect(codeOf(() => decodeHeader(bytesOfCrafted(`${name}.hxz`).subarray(0, HEADER_LENGTH), name))).toBe(code);
});
