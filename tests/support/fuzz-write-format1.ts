// Random archives of format 1: contents of sizes around every limit, all options that the format has, on parents or
// alone. What was written is read back and compared byte for byte, and taken apart by the reference decoder.

import type { ByteString } from "../../src/core/format/path.ts";
import { displayName } from "../../src/core/format/path.ts";
import type { Archive } from "../../src/core/read/archive.ts";
import { checkArchive } from "../../src/core/read/check.ts";
import { FORMAT1_STREAMS, ParentChunks } from "../../src/core/write/v1/parent-chunks.ts";
import { signerOfSeed } from "../../src/node/ed25519.ts";
import { type Plan, packPlan } from "./archives.ts";
import { sampleDictionary } from "./dictionary-sample.ts";
import { openSample, PASSWORD, quickCiphers } from "./format1-samples.ts";
import type { Random } from "./fuzz.ts";
import type { Keep } from "./fuzz-run.ts";
import { WrongOutcome } from "./outcomes.ts";
import { randomBytes, text, zeroRidden } from "./random.ts";
import { decodeReferenceFormat1 } from "./reference-format1.ts";
import { entryOf } from "./trees.ts";

type Options = NonNullable<Plan["options"]>;
interface Sizes {
  readonly min: number;
  readonly max: number;
}

const oneOf = <T>(random: Random, ...choices: readonly T[]): T => choices[random(choices.length)]!;

function chunking(random: Random): { options: Options; sizes: Sizes } {
  if (random(3) === 0) {
    const blockSize = oneOf(random, 4096, 5000, 16_384, 65_536);
    return { options: { chunking: "fixed", blockSize }, sizes: { min: blockSize, max: blockSize } };
  }
  const avgChunk = 256 << random(5);
  const minChunk = Math.max(64, oneOf(random, avgChunk >> 2, (avgChunk >> 1) + 1, avgChunk - 1));
  const maxChunk = Math.max(1024, oneOf(random, avgChunk + 1, avgChunk * 2, avgChunk * 8));
  return { options: { chunking: "cdc", minChunk, avgChunk, maxChunk }, sizes: { min: minChunk, max: maxChunk } };
}

function contentOf(random: Random, { min, max }: Sizes, before: readonly Uint8Array[]): Uint8Array {
  const limits = [0, 1, min - 1, min, min + 1, max - 1, max, max + 1, 2 * max + 3, random(6 * max)];
  const length = Math.min(oneOf(random, ...limits), 150_000);
  const kind = random(6);
  if (kind === 0) return new Uint8Array(length);
  if (kind === 1) return new Uint8Array(length).fill(1 + random(255));
  if (kind === 2) return randomBytes(length, random);
  if (kind === 3) return zeroRidden(length, random);
  const old = before[random(before.length + 1)];
  if (kind === 5 && old !== undefined) {
    // A part of something that is there, at another place.
    const start = random(old.length + 1);
    return new Uint8Array([...randomBytes(random(50), random), ...old.subarray(start, start + length)]);
  }
  return text(length, random);
}

interface Input {
  readonly plan: Plan;
  /** By "disk", "memory" or path. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

function randomInput(random: Random, sizes: Sizes, known: readonly Uint8Array[]): Input {
  const contents = new Map<string, Uint8Array>();
  const next = (name: string) => {
    // Of a parent's contents many come again as they are.
    const again = known[random(known.length + 1)];
    const content = random(2) === 0 && again ? again : contentOf(random, sizes, [...known, ...contents.values()]);
    contents.set(name, content);
    return content;
  };
  const hasTree = random(2) === 0;
  const streams: { name: "disk" | "memory"; content: Uint8Array }[] = [];
  if (!hasTree && random(8) > 0) streams.push({ name: "disk", content: next("disk") });
  if (random(3) === 0) streams.push({ name: "memory", content: next("memory") });
  if (!hasTree) return { plan: { streams: random(2) === 0 ? streams : streams.reverse() }, contents };
  const names = ["a", "b b", "disk", "dir/c", 'dir/ü "\\ \n', "dir/x/y", "z".repeat(150)];
  if (streams.length === 0) names.push("memory");
  const paths = names.filter(() => random(2) === 0).map((name) => Buffer.from(name).toString("latin1"));
  const directories = new Set(["", ...paths.flatMap(parentsOf)]);
  const items = [...directories, ...paths].sort(byComponents).map((path) => {
    if (directories.has(path)) return { entry: entryOf("directory", path) };
    const mtime = { seconds: random(2 ** 31), nanoseconds: 0 };
    return { entry: entryOf("file", path, { mode: random(0o1000), mtime }), content: next(path) };
  });
  return { plan: { streams, items }, contents };
}

function parentsOf(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, number) => parts.slice(0, number + 1).join("/"));
}

/** The order of a tree: a directory's children are one run. */
function byComponents(a: string, b: string): number {
  const depth = (path: string) => (path === "" ? 0 : path.split("/").length);
  const parent = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf("/")));
  if (depth(a) !== depth(b)) return depth(a) - depth(b);
  if (parent(a) !== parent(b)) return parent(a) < parent(b) ? -1 : 1;
  return a < b ? -1 : 1;
}

interface Written {
  readonly bytes: Uint8Array;
  readonly input: Input;
}

async function chunksOf(base: Uint8Array): Promise<ParentChunks> {
  const archive = await openSample(base, undefined);
  const chunks = new ParentChunks();
  const { pages } = archive.format1!.lineage.members[0]!;
  for (const stream of FORMAT1_STREAMS) {
    for (let number = 0; number < pages.count(stream); number++) {
      for (const entry of (await archive.run(pages.page(stream, number))).entries) chunks.add(stream, entry);
    }
  }
  return chunks;
}

/** One archive, or one and a child of it. @returns what it was @throws WrongOutcome */
export async function fuzzWriteFormat1(random: Random, keep: Keep): Promise<string> {
  const { options, sizes } = chunking(random);
  const isEncrypted = random(4) === 0;
  const codec =
    random(2) === 0 ? { compression: "lz4" as const } : { compression: "zstd" as const, level: 1 + random(4) };
  const hasDictionary = codec.compression === "zstd" && !isEncrypted && random(3) === 0;
  const signed = random(4) === 0;
  const common: Options = {
    ...options,
    ...codec,
    ...(hasDictionary ? { dictionary: sampleDictionary() } : {}),
    ...(signed ? { signers: [signerOfSeed(randomBytes(32, random))] } : {}),
    ...(random(3) === 0 ? { metadata: { note: 'a "note" \\ ü' } } : {}),
  };
  const encryption = isEncrypted ? { password: PASSWORD, ciphers: quickCiphers } : undefined;
  const write = async (known: readonly Uint8Array[], parent?: Uint8Array): Promise<Written> => {
    const input = randomInput(random, sizes, known);
    const base = parent && { path: "base.hxz", chunks: await chunksOf(parent) };
    const format1 = { ...(encryption && { encryption }), ...(base && { parent: base }) };
    const bytes = await packPlan({ ...input.plan, options: { ...common, format1 } });
    keep(bytes);
    await compare(bytes, input, parent, random);
    if (!isEncrypted) compareReference(bytes, input, parent);
    return { bytes, input };
  };
  const first = await write([]);
  const isThin = !isEncrypted && random(2) === 0;
  if (isThin) await write([...first.input.contents.values()], first.bytes);
  const facts = [codec.compression, options.chunking, hasDictionary && "dictionary", isEncrypted && "encrypted"];
  return [...facts, isThin && "thin"].filter(Boolean).join(" ");
}

/** Everything through our own reader, whole and in parts, and the check. */
async function compare(bytes: Uint8Array, { contents, plan }: Input, parent: Uint8Array | undefined, random: Random) {
  const archive = await openSample(bytes, parent);
  const files = new Map<string, { mode?: number | undefined; seconds: number | undefined }>();
  for await (const { type, path, mode, mtime } of archive.entries()) {
    if (type === "file") files.set(path, { mode, seconds: mtime?.seconds });
  }
  const items = (plan.items ?? []).filter(({ entry }) => entry.type === "file");
  if (items.length !== files.size) throw new WrongOutcome(`${files.size} files, not ${items.length}`);
  for (const { entry } of items) {
    const { mode, seconds } = files.get(entry.path) ?? {};
    if (mode !== entry.mode || seconds !== entry.mtime?.seconds) throw new WrongOutcome(`"${entry.path}" is another`);
  }
  for (const [name, content] of contents) {
    const isStream = (plan.streams ?? []).some((stream) => stream.name === name);
    const file = await archive.file(isStream ? name : `./${displayName(name as ByteString)}`);
    if (Buffer.compare(await file.read(), content) !== 0) throw new WrongOutcome(`other bytes of "${name}"`);
    const start = random(content.length + 1);
    const end = start + random(content.length - start + 1);
    if (Buffer.compare(await file.read(start, end), content.subarray(start, end)) !== 0) {
      throw new WrongOutcome(`other bytes ${start} to ${end} of "${name}"`);
    }
    await compareBulk(archive, file, content, name);
  }
  const { problems, warnings = [] } = await checkArchive(archive);
  const others = warnings.filter(({ code }) => code !== "untrusted");
  for (const { message } of [...problems, ...others]) throw new WrongOutcome(message);
  await archive.close();
}

async function compareBulk(
  archive: Archive,
  file: Awaited<ReturnType<Archive["file"]>>,
  content: Uint8Array,
  name: string,
) {
  let at = 0;
  for await (const parts of archive.parts(file)) {
    for (const part of parts) {
      if ("error" in part) throw new WrongOutcome(`"${name}": ${part.error.message}`);
      const length = part.end - part.start;
      const expected = content.subarray(at, at + length);
      const isRight =
        "bytes" in part ? Buffer.compare(part.bytes, expected) === 0 : expected.every((byte) => byte === part.fill);
      if (!isRight) throw new WrongOutcome(`other bytes of "${name}" in bulk from ${at}`);
      at += length;
    }
  }
  if (at !== content.length) throw new WrongOutcome(`${at} bytes of "${name}" in bulk`);
}

/** The same by the reference decoder, which wants every rule of "Writing" kept. */
function compareReference(bytes: Uint8Array, { contents, plan }: Input, parent: Uint8Array | undefined): void {
  const decoded = decodeReferenceFormat1(bytes, parent === undefined ? {} : { parent: decodeReferenceFormat1(parent) });
  for (const { name } of plan.streams ?? []) {
    const { bytes: found } = name === "disk" ? decoded.main : decoded.auxiliary;
    if (Buffer.compare(found, contents.get(name)!) !== 0) throw new WrongOutcome(`the reference reads another ${name}`);
  }
  for (const { path, offset, size } of decoded.metadata?.files ?? []) {
    const content = contents.get(Buffer.from(path).toString("latin1"));
    if (content === undefined || Buffer.compare(decoded.main.bytes.subarray(offset, offset + size), content) !== 0) {
      throw new WrongOutcome(`the reference reads another "${path}"`);
    }
  }
}
