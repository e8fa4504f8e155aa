// Fuzzing: archives and records changed at random, by a seed that repeats them. Part of the archives get their digests
// set right again up to the end mark, so that the changes reach the decoders behind the digests.

import { ByteReader, equalBytes } from "../../src/core/bytes.ts";
import { digestWith } from "../../src/core/digest.ts";
import type { CodecId, Engine } from "../../src/core/engine.ts";
import { HexzError } from "../../src/core/errors.ts";
import { decodeEndMark, END_MARK_LENGTH, encodeEndMark } from "../../src/core/format/end-mark.ts";
import { decodeHead } from "../../src/core/format/head.ts";
import { decodeIndexInner, decodeIndexLeaf } from "../../src/core/format/index-page.ts";
import { decodePageBody, encodePageFrame, PAGE_FRAME_LENGTH, PAGE_KIND } from "../../src/core/format/page.ts";
import type { ByteString } from "../../src/core/format/path.ts";
import { readRecord } from "../../src/core/format/record.ts";
import { decodeRoot } from "../../src/core/format/root.ts";
import { decodeSignatures } from "../../src/core/format/signatures.ts";
import { decodeTreeInner, decodeTreeLeaf } from "../../src/core/format/tree-page.ts";
import { createPortableEngine } from "../../src/core/portable-engine.ts";
import { checkArchive } from "../../src/core/read/check.ts";
import { entriesOf, idOf, packBases, packPlan } from "./archives.ts";
import type { Decoder } from "./fuzz-records.ts";
import { codeOf, isWhole, openQuickly, outcomeOf, type Truth, truthOf, WrongOutcome } from "./outcomes.ts";
import { randomFrom } from "./random.ts";
import { decodeReference, type ReferenceArchive } from "./reference.ts";
import { decodeLz4 } from "./reference-codecs.ts";
import { forge } from "./reference-forge.ts";
import { treePlan } from "./reference-samples.ts";
import { samplePlans } from "./samples.ts";

export type Random = (below: number) => number;

interface Page {
  readonly start: number;
  readonly end: number;
  readonly kind: number;
}

interface Seed {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly truth: Truth;
  /** In file order: what refers to a page stands behind it. */
  readonly pages: readonly Page[];
}

const engine: Engine = await createPortableEngine({ memoryBytes: 8 << 20 });
await engine.load(2);
const digestOf = digestWith(engine);

/** Every page by its magic and own offset. */
export function pagesOf(bytes: Uint8Array): Page[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const pages: Page[] = [];
  for (let at = 16; at + PAGE_FRAME_LENGTH < bytes.length; at++) {
    if (view.getUint32(at) !== 0x4858_5047 || view.getBigUint64(at + 8, true) !== BigInt(at)) continue;
    pages.push({ start: at, end: at + PAGE_FRAME_LENGTH + view.getUint32(at + 4, true), kind: bytes[at + 24]! });
  }
  return pages;
}

const SEEDS = [
  "empty-file",
  "stream-hello",
  "fills",
  "tree-lz4",
  "tree-none",
  "duplicates",
  "thin",
  "dictionary",
  "thin-dictionary",
  "signed",
  "tar",
];

async function seedOf(name: string, bytes: Uint8Array, parents: Uint8Array[]): Promise<Seed> {
  return { name, bytes, truth: await truthOf(bytes, parents), pages: pagesOf(bytes) };
}

export async function loadSeeds(): Promise<Seed[]> {
  const plans = samplePlans();
  const deep = forge({ ...treePlan, originalSize: 156, deep: true }).file;
  const seeds = [await seedOf("deep", deep, [])];
  for (const name of SEEDS) {
    const plan = plans[name]!;
    seeds.push(await seedOf(name, await packPlan(plan), await packBases(plan.bases)));
  }
  return seeds;
}

/** Values at which decoders err: ends of ranges, signs, flags. */
const LOADED = [0, 1, 2, 3, 0x10, 0x20, 0x40, 0x7f, 0x80, 0x81, 0xfe, 0xff];

/** Changes some bytes of [start, end) in place. */
export function change(bytes: Uint8Array, start: number, end: number, random: Random): void {
  for (let times = 1 + random(4); times > 0; times--) {
    const at = start + random(end - start);
    const how = random(5);
    if (how === 0) bytes[at]! ^= 1 << random(8);
    else if (how === 1) bytes[at] = random(256);
    else if (how === 2) bytes[at] = LOADED[random(LOADED.length)]!;
    else if (how === 3) bytes.fill(LOADED[random(LOADED.length)]!, at, Math.min(end, at + 1 + random(9)));
    else bytes.copyWithin(at, start + random(end - start), Math.min(end, at + 1 + random(40)));
  }
}

/** Changes bytes, or their number. */
export function mangle(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random(bytes.length + 1);
  const how = random(8);
  if (how === 0) return bytes.slice(0, at);
  if (how === 1) {
    const more = Uint8Array.from({ length: 1 + random(20) }, () => LOADED[random(LOADED.length)]!);
    return new Uint8Array(Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]));
  }
  if (how === 2) return new Uint8Array(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(20))]));
  const copy = bytes.slice();
  if (copy.length > 0) change(copy, 0, copy.length, random);
  return copy;
}

/** Sets digests and checksums right, from the leaves to the end mark. */
function reseal(bytes: Uint8Array, { bytes: original, pages }: Seed): void {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const { start, end, kind } of pages) {
    const body = bytes.subarray(start + PAGE_FRAME_LENGTH, end);
    const digest = digestOf(body);
    const old = digestOf(original.subarray(start + PAGE_FRAME_LENGTH, end));
    bytes.set(encodePageFrame({ body, digest }, start, digestOf), start);
    if (kind === PAGE_KIND.root) {
      const root = { offset: start, bodyLength: body.length, digest };
      const mark = original.length - END_MARK_LENGTH;
      const { signatures } = decodeEndMark(original.subarray(mark), mark, digestOf)!;
      bytes.set(encodeEndMark({ root, signatures, parity: undefined }, mark, digestOf), mark);
    } else if (!equalBytes(digest, old)) {
      for (let at = file.indexOf(old, end); at >= 0; at = file.indexOf(old, at + 1)) bytes.set(digest, at);
    }
  }
}

/** Changes the payload of a page, in both of its copies, and sets the digests right. */
export function changedAndSealed(seed: Seed, random: Random): Uint8Array {
  const bytes = seed.bytes.slice();
  for (let times = 1 + random(2); times > 0; times--) {
    const { start, end } = seed.pages[random(seed.pages.length)]!;
    const from = start + PAGE_FRAME_LENGTH + (random(8) === 0 ? 0 : 8);
    change(bytes, from, end, random);
    const body = seed.bytes.subarray(start + PAGE_FRAME_LENGTH, end);
    for (const other of seed.pages) {
      const same = seed.bytes.subarray(other.start + PAGE_FRAME_LENGTH, other.end);
      if (other.start !== start && equalBytes(body, same))
        bytes.copyWithin(other.start + PAGE_FRAME_LENGTH, start + PAGE_FRAME_LENGTH, end);
    }
  }
  reseal(bytes, seed);
  return bytes;
}

/** Opens, lists, reads and checks an archive that says what it likes: it must agree with itself and the reference. */
async function readSealed(bytes: Uint8Array, parents: readonly Uint8Array[], compared: boolean): Promise<string> {
  const archive = await openQuickly(bytes, parents);
  const bulk = new Map<number, Uint8Array | number>();
  const ends = new Map<number, number>();
  let whole = true;
  let at = 0;
  for await (const parts of archive.bulk([{ start: 0, end: archive.root.addressSpace }])) {
    for (const part of parts) {
      if (part.start !== at) throw new WrongOutcome(`a part begins at ${part.start} and not at ${at}`);
      at = part.end;
      ends.set(part.start, at);
      if ("error" in part) {
        codeOf(part.error);
        whole = false;
      } else bulk.set(part.start, "bytes" in part ? part.bytes.slice() : part.fill);
    }
  }
  for (const [start, value] of bulk) {
    const end = Math.min(ends.get(start)!, start + 100_000);
    let found: Uint8Array;
    try {
      found = await archive.run(archive.random.read(start, end));
    } catch (error) {
      // Read alone, a part may be told from one that contradicts it only later.
      codeOf(error);
      continue;
    }
    const expected =
      typeof value === "number" ? new Uint8Array(end - start).fill(value) : value.subarray(0, end - start);
    if (!equalBytes(found, expected)) throw new WrongOutcome(`two readings of address ${start} differ`);
  }
  const { problems } = await checkArchive(archive);
  for (const { code } of problems) codeOf(new HexzError(code as never, ""));
  if (compared) await compareWithReference(archive, bytes, parents, whole);
  await entriesOf(archive);
  return problems.length === 0 ? "right" : problems[0]!.code;
}

/** What the reference decoder accepts, the reader must read, alike. */
async function compareWithReference(
  archive: Awaited<ReturnType<typeof openQuickly>>,
  bytes: Uint8Array,
  parents: readonly Uint8Array[],
  whole: boolean,
): Promise<void> {
  let reference: ReferenceArchive;
  try {
    reference = decodeReference(bytes, { parents: new Map(parents.map((parent) => [idOf(parent), parent])) });
  } catch {
    return;
  }
  if (!whole) throw new WrongOutcome("the reference decoder reads what the reader does not");
  const paths = (await entriesOf(archive)).map(({ path }) => path);
  const expected = reference.entries.map(({ pathBytes }) => Buffer.from(pathBytes).toString("latin1"));
  if (paths.join("\n") !== expected.join("\n")) throw new WrongOutcome("the reference decoder lists other entries");
  const end = Math.min(archive.root.addressSpace, 200_000);
  if (!equalBytes(await archive.run(archive.random.read(0, end)), reference.read(0, end))) {
    throw new WrongOutcome("the reference decoder reads other bytes");
  }
}

/** One changed archive. Returns its outcome. @throws WrongOutcome */
export async function fuzzArchive(
  seeds: readonly Seed[],
  random: Random,
  keep: (bytes: Uint8Array) => void,
): Promise<string> {
  const seed = seeds[random(seeds.length)]!;
  const sealed = random(2) === 0;
  const bytes = sealed ? changedAndSealed(seed, random) : mangle(seed.bytes, random);
  keep(bytes);
  try {
    if (sealed) return await readSealed(bytes, seed.truth.parents, random(10) === 0);
    const outcome = await outcomeOf(bytes, seed.truth);
    return outcome.open !== "right" ? outcome.open : isWhole(outcome) ? "right" : "partly";
  } catch (error) {
    if (error instanceof WrongOutcome) throw error;
    return codeOf(error);
  }
}

/** Records of the seeds, and what decodes them. */
export function decodersOf(seeds: readonly Seed[]): Decoder[] {
  const decoders: Decoder[] = [];
  const add = (name: string, input: Uint8Array, decode: Decoder["decode"]) => decoders.push({ name, input, decode });
  for (const { bytes, pages, truth } of seeds) {
    for (const { start, end, kind } of pages) {
      const payload = decodePageBody(bytes.subarray(start + PAGE_FRAME_LENGTH, end), kind as 1, "a seed", engine);
      const expected = { start: 0, span: truth.addresses.length };
      const names = { parents: truth.parents.length, dictionaries: 2 };
      const place = { path: "" as ByteString, count: truth.entries.length };
      if (kind === PAGE_KIND.root) add("root", payload, (input) => decodeRoot(input, "x"));
      if (kind === PAGE_KIND.indexLeaf)
        add("index leaf", payload, (input) => decodeIndexLeaf(input, expected, names, "x"));
      if (kind === PAGE_KIND.indexInner) add("index inner", payload, (input) => decodeIndexInner(input, expected, "x"));
      if (kind === PAGE_KIND.treeLeaf) add("tree leaf", payload, (input) => decodeTreeLeaf(input, place, "x"));
      if (kind === PAGE_KIND.signatures) add("signatures", payload, (input) => decodeSignatures(input, "x"));
      if (kind === PAGE_KIND.treeInner) add("tree inner", payload, (input) => decodeTreeInner(input, place, "x"));
      if (kind === PAGE_KIND.treeLeaf) {
        add("record", payload.subarray(7, 200), (input) => readRecord(new ByteReader(input, "x"), "x" as ByteString));
      }
    }
    add("head", bytes.slice(0, 16), (input) => decodeHead(input, "x", digestOf));
    add("end mark", bytes.slice(-96), (input) => {
      const mark = input.slice(0, 96);
      if (mark.length === 96) mark.set(digestOf(mark.subarray(0, 80)).subarray(0, 8), 80);
      return decodeEndMark(mark, bytes.length - 96, digestOf);
    });
  }
  const plain = new TextEncoder().encode("the same words, and the same words again; ".repeat(20));
  for (const [name, codec] of [
    ["lz4", 1],
    ["zstd", 2],
  ] as [string, CodecId][]) {
    const out = new Uint8Array(plain.length);
    const stored = out.slice(0, engine.encode(codec, 3, plain, out));
    add(name, stored, (input) => {
      const room = new Uint8Array(plain.length);
      engine.decode(codec, input, room);
      if (codec === 1 && !equalBytes(room, decodeLz4(input, plain.length))) throw new WrongOutcome("lz4: other bytes");
    });
  }
  return decoders;
}

/** The random numbers of one input: those of all others do not matter. */
export function randomOf(seed: number, number: number): Random {
  const random = randomFrom((Math.imul(seed, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca6b)) | 0);
  for (let skip = 0; skip < 4; skip++) random(2);
  return random;
}
