// Small archives of format 1 for tests that alter every byte, and what comes of reading an altered one.

import { createHash } from "node:crypto";
import { HexzError } from "../../src/core/errors.ts";
import { displayName } from "../../src/core/format/path.ts";
import { Archive } from "../../src/core/read/archive.ts";
import { checkArchive } from "../../src/core/read/check.ts";
import { createMemorySource } from "../../src/core/source/memory.ts";
import { ParentChunks } from "../../src/core/write/v1/parent-chunks.ts";
import { nodeCiphers } from "../../src/node/ciphers.ts";
import { signerOfSeed } from "../../src/node/ed25519.ts";
import { entriesOf, type Plan, packPlan } from "./archives.ts";
import { sampleDictionary } from "./dictionary-sample.ts";
import { bytesOfKept } from "./format1.ts";
import { codeOf, machinery } from "./outcomes.ts";
import { randomBytes, randomFrom, text } from "./random.ts";
import { entryOf } from "./trees.ts";

export const PASSWORD = "correct horse";

/** PBKDF2 is meant to take its time; here a hash of the same stands for it. */
export const quickCiphers: typeof nodeCiphers = {
  ...nodeCiphers,
  async pbkdf2Sha256(password, salt, iterations) {
    const name = `${Buffer.from(password).toString("hex")} ${Buffer.from(salt).toString("hex")} ${iterations}`;
    return new Uint8Array(createHash("sha256").update(name).digest());
  },
};

export interface Format1Sample {
  readonly bytes: Uint8Array;
  readonly parent: Uint8Array | undefined;
  /** By "stream:" or "file:" and name. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
  readonly entries: string;
  readonly warnings: number;
}

export function openSample(bytes: Uint8Array, parent: Uint8Array | undefined): Promise<Archive> {
  const secrets = { passwords: [PASSWORD] };
  const findParent = () =>
    parent === undefined ? [] : [{ ...createMemorySource(parent, "base.hxz"), path: "base.hxz" }];
  return Archive.open(
    createMemorySource(bytes, "the archive"),
    { ...machinery, ciphers: quickCiphers },
    { secrets, findParent },
  );
}

/** Names, places, modes, times: what `inspect --entries` shows. */
const shownEntries = async (archive: Archive) => JSON.stringify(await entriesOf(archive));

async function namesOf(archive: Archive): Promise<string[]> {
  const files = (await entriesOf(archive)).filter(({ type }) => type === "file");
  return [...archive.streams.map(({ name }) => `stream:${name}`), ...files.map(({ path }) => `file:${path}`)];
}

async function read(archive: Archive, name: string): Promise<Uint8Array> {
  const path = name.slice(name.indexOf(":") + 1);
  return (await archive.file(name.startsWith("file:") ? `./${displayName(path as never)}` : path)).read();
}

async function sampleOf(bytes: Uint8Array, parent?: Uint8Array): Promise<Format1Sample> {
  const archive = await openSample(bytes, parent);
  const contents = new Map<string, Uint8Array>();
  for (const name of await namesOf(archive)) contents.set(name, await read(archive, name));
  const { problems, warnings = [] } = await checkArchive(archive);
  if (problems.length > 0) throw new Error(problems[0]!.message);
  return { bytes, parent, contents, entries: await shownEntries(archive), warnings: warnings.length };
}

/** Archives of all kinds, made here and by the originals. */
export async function format1Samples(): Promise<Map<string, Format1Sample>> {
  const random = randomFrom(4);
  const options = { chunking: "fixed", blockSize: 4096 } as const;
  const [a, b] = [new Uint8Array(4096).fill(65), randomBytes(40, random)];
  for (let at = 0; at < 4096; at += 500) a.set(text(20, random), at);
  const disk = new Uint8Array(Buffer.concat([a, new Uint8Array(4096), a, b]));
  const streams = [{ name: "disk", content: disk }] as const;
  const tree = [
    { entry: entryOf("directory", "") },
    { entry: entryOf("file", "a"), content: text(60, random) },
    { entry: entryOf("directory", "d") },
    { entry: entryOf("file", "d/b"), content: b },
    { entry: entryOf("file", "d/empty"), content: new Uint8Array(0) },
  ];
  const pack = (plan: Plan, format1 = {}) =>
    packPlan({ ...plan, options: { ...options, ...plan.options, format1 } as NonNullable<Plan["options"]> });
  const encryption = { password: PASSWORD, ciphers: quickCiphers };
  const cdc = { chunking: "cdc", minChunk: 64, avgChunk: 256, maxChunk: 1024 } as const;
  const base = await pack({ streams });
  const chunks = new ParentChunks();
  const opened = await openSample(base, undefined);
  const { pages } = opened.format1!.lineage.members[0]!;
  for (const entry of (await opened.run(pages.page("main", 0))).entries) chunks.add("main", entry);
  const parent = { path: "base.hxz", chunks };
  const thin = [{ name: "disk", content: new Uint8Array(Buffer.concat([disk, text(50, random)])) }] as const;
  const two = [...streams, { name: "memory", content: b }] as const;
  const plain: Record<string, Uint8Array> = {
    lz4: base,
    zstd: await pack({ streams, options: { compression: "zstd" } }),
    cdc: await pack({ streams: [{ name: "disk", content: text(1200, random) }], options: cdc }),
    "two streams": await pack({ streams: two }),
    directory: await pack({ items: tree }),
    dictionary: await pack({
      streams: [{ name: "disk", content: text(500, random) }],
      options: { compression: "zstd", dictionary: sampleDictionary().slice(0, 400) },
    }),
    encrypted: await pack({ streams: two }, { encryption }),
    "encrypted directory": await pack({ items: tree, options: cdc }, { encryption }),
    signed: await pack({ items: tree, options: { signers: [signerOfSeed(new Uint8Array(32).fill(3))] } }),
    "0.5.5, short": bytesOfKept("055-pack-short.hxz"),
    "0.5.5, empty": bytesOfKept("055-pack-empty.hxz"),
    "0.5.5, zeros": bytesOfKept("055-pack-zeros.hxz"),
    "0.8.2, a file called memory": bytesOfKept("082-directory-memory.hxz"),
  };
  const samples = new Map<string, Format1Sample>();
  for (const [name, bytes] of Object.entries(plain)) samples.set(name, await sampleOf(bytes));
  samples.set("thin", await sampleOf(await pack({ streams: thin }, { parent }), base));
  return samples;
}

/** What reading an altered archive came to, and what check says of it. */
export interface Outcome1 {
  /** `error`: some of it is refused, and nothing is wrong; `wrong`: other bytes, names or modes come out. */
  readonly reading: "right" | "error" | "wrong";
  readonly check: "good" | "warns" | "tells";
}

async function checkOf(archive: Archive, usual: number): Promise<Outcome1["check"]> {
  try {
    const { problems, warnings = [] } = await checkArchive(archive);
    for (const { code } of [...problems, ...warnings]) codeOf(new HexzError(code, ""));
    return problems.length > 0 ? "tells" : warnings.length > usual ? "warns" : "good";
  } catch (error) {
    // Without the right password nothing can be checked.
    if (codeOf(error) !== "password_wrong") throw error;
    return "tells";
  }
}

/** @throws WrongOutcome when something else than a HexzError of the closed list is thrown */
export async function outcomeOfSample(bytes: Uint8Array, sample: Format1Sample): Promise<Outcome1> {
  let archive: Archive;
  try {
    archive = await openSample(bytes, sample.parent);
  } catch (error) {
    codeOf(error);
    return { reading: "error", check: "tells" };
  }
  const readings = new Set<Outcome1["reading"]>();
  const attempt = async (isRight: () => Promise<boolean>) => {
    try {
      readings.add((await isRight()) ? "right" : "wrong");
    } catch (error) {
      // A path that is gone is no answer of a good archive.
      readings.add(codeOf(error) === "no_such_path" ? "wrong" : "error");
    }
  };
  await attempt(async () => (await shownEntries(archive)) === sample.entries);
  for (const [name, content] of sample.contents) {
    await attempt(async () => Buffer.compare(await read(archive, name), content) === 0);
  }
  const reading = (["wrong", "error", "right"] as const).find((one) => readings.has(one))!;
  return { reading, check: await checkOf(archive, sample.warnings) };
}
