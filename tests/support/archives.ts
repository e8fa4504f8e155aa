// Small archives in memory: packed by the core library, read back, and compared with the reference decoder.

import { expect } from "vitest";
import { containersOf } from "../../src/core/format/containers.ts";
import {
  type Archive,
  type Base,
  byteStringFromText,
  type Content,
  type ContentInput,
  type CreateOptions,
  checkArchive,
  contentOf,
  createArchive,
  createMemorySink,
  createMemorySource,
  type Entry,
  type FindParent,
  hexOf,
  openArchive,
} from "../../src/core/index.ts";
import { piecesOfContainer } from "../../src/core/read/container.ts";
import { importTar } from "../../src/node/convert/tar-import.ts";
import { decodeReference, type ReferenceArchive, type ReferenceEntry } from "./reference.ts";
import { referenceChunks } from "./reference-chunking.ts";

export interface Plan {
  readonly streams?: readonly { readonly name: "disk" | "memory"; readonly content: Content }[];
  /** Stored whole; files are parts of them. */
  readonly containers?: readonly {
    readonly name: string;
    readonly content: Uint8Array;
    readonly parts: readonly Part[];
  }[];
  /** By name; read as `convert tar` does. */
  readonly tars?: Readonly<Record<string, Uint8Array>>;
  /** In tree order unless an option says otherwise; `content` for files that are no hard links. */
  readonly items?: readonly { readonly entry: Entry; readonly content?: Content; readonly linkable?: boolean }[];
  readonly options?: CreateOptions;
  /** Archives that it may refer to, with all that these refer to. */
  readonly bases?: readonly (Uint8Array | Plan)[];
}

interface Part {
  readonly entry: Entry;
  readonly start: number;
  readonly end: number;
}

/** A content that says where parts begin and end. */
function withBorders(content: Uint8Array, parts: readonly Part[]): ContentInput {
  const input = contentOf(content);
  let position = 0;
  return {
    ...input,
    border: () =>
      Math.min(...parts.flatMap(({ start, end }) => [start, end]).filter((at) => at > position), Infinity) - position,
    async read(into) {
      const length = await input.read(into);
      position += length;
      return length;
    },
  };
}

/** Parents are among these archives. */
export function findAmong(archives: readonly Uint8Array[]): FindParent {
  return () => archives.map((bytes, number) => createMemorySource(bytes, `archive ${number}`));
}

export async function packPlan(plan: Plan): Promise<Uint8Array> {
  const { streams = [], containers = [], tars = {}, items = [], options = {}, bases = [] } = plan;
  const opened = await Promise.all((await packBases(bases)).map((bytes) => openArchive(bytes)));
  const hinted = opened.map((archive, number) => basedOn(archive, `base-${number}.hxz`));
  const sink = createMemorySink();
  const writer = await createArchive(sink, { ...options, bases: hinted });
  for (const { name, content } of streams) await writer.addStream(name, contentOf(content));
  for (const { name, content, parts } of containers) {
    const { start, size } = await writer.addContent(withBorders(content, parts));
    writer.addContainer({ format: "sample", name, size, start });
    const derived = { method: "sample", parameter: byteStringFromText("all"), from: { start, size } };
    await writer.addEntry({ path: byteStringFromText(`${name}.values`), type: "file", start: 0, size: 77, derived });
    for (const part of parts) {
      await writer.addEntry(part.entry, { start: start + part.start, size: part.end - part.start, sparse: false });
    }
  }
  for (const [name, tar] of Object.entries(tars)) {
    const context = { writer, warn() {} };
    await importTar({ input: contentOf(tar, name), name, format: "tar" }, context);
  }
  for (const { entry, content, linkable = true } of items) {
    if (content === undefined) await writer.addEntry(entry);
    else await writer.addFile(entry, contentOf(content), { linkable });
  }
  await writer.finish();
  return sink.bytes();
}

export function packBases(bases: Plan["bases"] = []): Promise<Uint8Array[]> {
  return Promise.all(bases.map((base) => (base instanceof Uint8Array ? base : packPlan(base))));
}

function basedOn(archive: Archive, hint: string): Base {
  return { id: archive.id, hint, name: hint, root: archive.root, leaves: () => archive.leaves() };
}

export async function entriesOf(archive: Archive): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of archive.entries()) entries.push(entry);
  return entries;
}

/** Every content, by `stream:` or `file:` and its name. */
export async function contentsOf(archive: Archive): Promise<Map<string, Uint8Array>> {
  const contents = new Map<string, Uint8Array>();
  for (const { name } of archive.streams) contents.set(`stream:${name}`, await (await archive.file(name)).read());
  for (const entry of await entriesOf(archive)) {
    if (entry.type === "file" && !entry.computed)
      contents.set(`file:${entry.path}`, await archive.fileOf(entry).read());
  }
  return contents;
}

/** Archive id, in hexadecimal: it is in the end mark. */
export const idOf = (bytes: Uint8Array): string => hexOf(bytes.subarray(bytes.length - 48, bytes.length - 16));

/** An entry of the reference decoder as the reader shows it. */
function entryOfReference(entry: ReferenceEntry): Entry {
  const name = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
  const { pathBytes, type, userName, groupName, target, hardLink, xattrs, sparse } = entry;
  const { mode, uid, gid, mtime, device, metadata, derived } = entry;
  const place =
    derived === undefined
      ? { start: entry.start, size: entry.size }
      : {
          start: 0,
          size: derived.size,
          computed: true,
          derived: {
            method: derived.method,
            parameter: name(derived.parameter),
            from: { start: entry.start, size: entry.size },
          },
        };
  const shown = {
    path: name(pathBytes),
    type,
    ...defined({ ...place, mode, uid, gid, mtime, device, metadata }),
    ...(userName && { userName: name(userName) }),
    ...(groupName && { groupName: name(groupName) }),
    ...(target && { target: name(target) }),
    ...(hardLink && { hardLink: name(hardLink) }),
    ...(xattrs.length > 0 && {
      xattrs: xattrs.map((one) => ({ name: name(one.name), value: new Uint8Array(one.value) })),
    }),
    ...(sparse && { sparse }),
  };
  return shown as unknown as Entry;
}

const defined = (values: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/** Compares the bytes without printing all of them. */
export function expectBytes(found: Uint8Array, expected: Uint8Array, what: string): void {
  expect(found.length, `length of ${what}`).toBe(expected.length);
  expect(Buffer.compare(found, expected) === 0, `bytes of ${what}`).toBe(true);
}

/** Cuts in BigInt take their time. */
const MOST_CHUNKED = 4 * 1024 * 1024;

/**
 * The proof of one archive: the reader, the check and the reference decoder agree on everything that they can say, and
 * chunks are cut where the reference cuts them.
 * @param parents among which those of the archive are
 */
export async function expectAgreement(
  bytes: Uint8Array,
  parents: readonly Uint8Array[] = [],
): Promise<ReferenceArchive> {
  const reference = decodeReference(bytes, { parents: new Map(parents.map((parent) => [idOf(parent), parent])) });
  const archive = await openArchive(bytes, { findParent: findAmong(parents) });
  expect(await checkArchive(archive)).toEqual({ ok: true, checkedBytes: reference.addressSpace, problems: [] });
  expect(archive.idText).toBe(reference.id);
  expect(hexOf(archive.root.contentId)).toBe(reference.contentId);
  expect(archive.streams).toEqual(reference.streams);
  expect(await archive.metadata()).toEqual(reference.metadata);
  const entries = await entriesOf(archive);
  expect(entries).toEqual(reference.entries.map(entryOfReference));
  const byPath = new Map(entries.map((entry) => [entry.path as string, entry]));
  const { coding } = reference;
  let chunked = 0;
  for (const [name, content] of await contentsOf(archive)) {
    const range = name.startsWith("stream:")
      ? reference.streams.find((stream) => name === `stream:${stream.name}`)!
      : byPath.get(name.slice(5))!;
    const [start, end] = [range.start!, range.start! + range.size!];
    expectBytes(content, reference.read(start, end), name);
    chunked += content.length;
    if (chunked > MOST_CHUNKED) continue;
    const own = reference.chunks.filter((chunk) => chunk.start >= start && chunk.start < end);
    const shown = own.map(({ length, fill }) => (fill === undefined ? { length } : { length, fill }));
    // Other contents that lie inside cut it, too.
    const inner = entries.flatMap((entry) =>
      entry.size && !entry.computed ? [entry.start!, entry.start! + entry.size] : [],
    );
    const cuts = [...new Set([start, ...inner.filter((at) => at > start && at < end), end])].sort((a, b) => a - b);
    const parts = cuts.slice(1).map((to, number) => content.subarray(cuts[number]! - start, to - start));
    const expected = parts.flatMap((part) => referenceChunks(part, coding));
    expect(shown, `chunks of ${name}`).toEqual(expected);
  }
  for (const container of containersOf(reference.metadata, "the archive")) {
    const pieces: Uint8Array[] = [];
    for await (const piece of piecesOfContainer(archive, container)) {
      if ("bytes" in piece) pieces.push(piece.bytes);
      else pieces.push("zeros" in piece ? new Uint8Array(piece.zeros) : reference.read(piece.start, piece.end));
    }
    const { name } = container;
    expectBytes(new Uint8Array(Buffer.concat(pieces)), reference.container(name), `the container ${name}`);
  }
  await archive.close();
  return reference;
}
