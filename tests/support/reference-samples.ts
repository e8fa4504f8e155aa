// Plans of small archives for reference-forge.ts: every record of docs/format.md occurs in one of them.

import { generateKeyPairSync, sign } from "node:crypto";
import { compress, compressUsingDict, createCCtx, freeCCtx } from "@bokuweb/zstd-wasm";
import { dictionaryText, sampleDictionary } from "./dictionary-sample.ts";
import { ascii, concat, hash } from "./reference-bytes.ts";
import "./reference-codecs.ts"; // starts the Zstandard module
import {
  endMark,
  type Forged,
  type ForgedEntry,
  forge,
  type Plan,
  page,
  record,
  sized,
  svarint,
  u8,
  u32,
  u64,
  varint,
} from "./reference-forge.ts";
import { inverse, multiply } from "./reference-parity.ts";

export const text = ascii(
  "The quick brown fox jumps over the lazy dog, twice. The quick brown fox jumps over the lazy dog.",
);
const first8 = (bytes: Uint8Array): bigint => new DataView(hash(bytes).slice(0, 8).buffer).getBigUint64(0, true);
const smallest = (...chunks: Uint8Array[]): bigint[] => chunks.map(first8).sort((a, b) => (a < b ? -1 : 1));
export const file = (start: number, size: number, ...more: [number, Uint8Array][]): Uint8Array =>
  record("file", [1, varint(start)], [2, varint(size)], ...more);
export const entry = (directory: string, name: string, bytes: Uint8Array): ForgedEntry => ({
  directory,
  name,
  record: bytes,
});
export const rootEntry = entry("", "", record("directory", [3, varint(0o755)]));

export const streamPlan: Plan = {
  blocks: [{ plain: text }],
  chunks: [
    { block: 0, from: 0, to: text.length },
    { fill: 0, length: 1000 },
  ],
  streams: [{ name: "disk", start: 0, size: text.length + 1000, flags: 1 }],
  sketch: smallest(text),
};

export const treePlan: Plan = {
  blocks: [{ plain: text }],
  chunks: [
    { block: 0, from: 0, to: 60, follows: true },
    { block: 0, from: 60, to: text.length, follows: true },
    { block: 0, from: 0, to: 60 },
  ],
  entries: [
    rootEntry,
    entry(
      "",
      "a",
      file(0, 60, [3, varint(0o644)], [8, concat(svarint(-1), varint(5))], [12, concat(sized("user.x"), ascii("1"))]),
    ),
    entry("", "d", record("directory")),
    entry("", "l", record("symlink", [9, ascii("d/b")])),
    entry("", "n", record("char", [11, concat(varint(1), varint(3))])),
    entry("d", "b", file(60, text.length, [14, ascii("{}")], [200, ascii("unknown")])),
    entry("d", "c", file(0, 60, [10, ascii("a")])),
    entry("d", "nested", file(60, text.length - 60)),
  ],
  metadata: ascii('{"note":"by hand"}'),
};

const zstdBlock = compress(concat(text, text, text), 3);
export const words = Uint8Array.from({ length: 803 }, (_, i) => (i % 4 === 0 ? (i * 7) & 255 : i % 4));
const planes = (bytes: Uint8Array, width: number): Uint8Array => {
  const whole = bytes.length - (bytes.length % width);
  const order = Array.from({ length: width }, (_, k) => bytes.subarray(0, whole).filter((_, i) => i % width === k));
  return concat(...order, bytes.subarray(whole));
};
export const palettePlain = concat(
  ...Array.from({ length: 64 }, (_, i) => u32(i % 3 === 0 ? 7 : 1_000_000)),
  ascii("xy"),
);
const paletteStored = concat(
  Uint8Array.from({ length: 64 }, (_, i) => (i % 3 === 0 ? 0 : 1)),
  ascii("xy"),
);
export const changed = words.map((byte, i) => (i === 400 ? byte + 1 : byte));
const xored = changed.map((byte, i) => byte ^ words[i]!);
const zigzag = concat(
  ...Array.from({ length: 200 }, (_, i) => {
    const at = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getInt32(4 * i, true);
    const d = (at(changed) - at(words)) | 0;
    return u32(((d << 1) ^ (d >> 31)) >>> 0);
  }),
  changed.subarray(800).map((byte, i) => byte - words[800 + i]!),
);

export const codedPlan: Plan = {
  blocks: [
    { plain: concat(text, text, text), codec: 2, stored: zstdBlock },
    { plain: words, recipe: Uint8Array.of(1, 4), codec: 2, stored: compress(planes(words, 4), 3) },
    {
      plain: palettePlain,
      recipe: concat(u8(5), u8(4), varint(2), u32(7), u32(1_000_000)),
      stored: paletteStored,
    },
    { plain: changed, recipe: concat(u8(4), varint(1), varint(0)), codec: 2, stored: compress(xored, 3) },
    { plain: changed.map((byte) => byte), recipe: concat(u8(3), u8(4), varint(1), varint(0)), stored: zigzag },
  ],
  chunks: [
    { block: 0, from: 0, to: 3 * text.length, follows: true },
    { block: 1, from: 0, to: words.length, follows: true },
    { block: 2, from: 0, to: palettePlain.length, follows: true },
    { block: 3, from: 0, to: words.length, follows: true },
    { block: 4, from: 0, to: words.length, follows: true },
  ],
  entries: [rootEntry, entry("", "all", file(0, 3 * text.length + 3 * words.length + palettePlain.length))],
  deep: true,
};

export function dictionaryPlan(): Plan {
  const context = createCCtx();
  const dictionary = sampleDictionary();
  const plain = dictionaryText().subarray(44_000, 44_700);
  const stored = compressUsingDict(context, plain, dictionary, 3);
  freeCCtx(context);
  return {
    blocks: [{ plain, codec: 3, dictionary: 0, stored }],
    chunks: [{ block: 0, from: 0, to: plain.length, follows: true }],
    streams: [{ name: "memory", start: 0, size: plain.length }],
    dictionaries: [dictionary],
  };
}

export function childOf(parent: Forged): Plan {
  return {
    parents: [{ id: hash(parent.root.body), hint: "../base.hexz" }],
    blocks: [{ plain: text, archive: 1, offset: parent.blockOffsets[0]! }],
    chunks: [{ block: 0, from: 0, to: text.length, follows: true }],
    streams: [{ name: "disk", start: 0, size: text.length }],
  };
}

export function twoStates(): Uint8Array {
  const first = forge(treePlan);
  const second: Plan = {
    ...treePlan,
    blocks: [{ plain: text, offset: first.blockOffsets[0]! }, { plain: words }],
    chunks: [...treePlan.chunks!, { block: 1, from: 0, to: words.length }],
    entries: [...treePlan.entries!, entry("d", "new", file(text.length + 60, words.length))],
    state: 2,
    previous: first.root,
  };
  return forge(second, first.file).file;
}

export function signed(forged: Forged): Uint8Array {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const key = Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url");
  const signature = sign(null, concat(ascii("hexz archive v2\0"), hash(forged.root.body)), privateKey);
  const made = page(forged.file.length, 8, concat(u8(1), u8(1), key, signature));
  const all = concat(forged.file, made.bytes);
  return concat(all, endMark(all.length, forged.root, made));
}

export function withParity(forged: Forged, k: number, m: number): Uint8Array {
  const covered = forged.file.length;
  const count = Math.ceil(covered / 4096);
  const sectors = Array.from({ length: count }, (_, s) => {
    const sector = new Uint8Array(4096);
    sector.set(forged.file.subarray(4096 * s, 4096 * s + 4096));
    return sector;
  });
  const stripes = Math.ceil(count / k);
  const parity: Uint8Array[] = [];
  for (let stripe = 0; stripe < stripes; stripe++) {
    for (let j = 0; j < m; j++) {
      const sum = new Uint8Array(4096);
      for (const [s, sector] of sectors.entries()) {
        if (s % stripes !== stripe) continue;
        const factor = inverse((255 - j) ^ Math.floor(s / stripes));
        for (let b = 0; b < 4096; b++) sum[b]! ^= multiply(factor, sector[b]!);
      }
      parity.push(sum);
    }
  }
  const checksums = concat(...[...sectors, ...parity].map((sector) => hash(sector).subarray(0, 8)));
  const payload = concat(u64(covered), u32(k), u32(m), u32(forged.root.body.length), hash(checksums));
  const top = page(covered, 9, payload);
  const inner = concat(top.bytes, ...parity, checksums, forged.root.body, forged.file.subarray(-96));
  const section = concat(inner, page(covered + inner.length, 9, payload).bytes);
  const place = { offset: covered, length: section.length };
  const end = covered + section.length;
  return concat(forged.file, section, endMark(end, forged.root, undefined, place));
}
