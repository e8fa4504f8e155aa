// Copies what an archive holds into a writer. Contents go over in stretches of the address space, as they lie there, so
// what shares bytes goes on sharing them; entries and containers name the same bytes at their new addresses.

import { HexzError } from "../../core/errors.ts";
import { type Container, containersOf, type Stretch } from "../../core/format/containers.ts";
import type { Entry } from "../../core/format/entry.ts";
import { byteStringFromText, checkPath, displayName } from "../../core/format/path.ts";
import type { Stream } from "../../core/format/root.ts";
import { LONE_FILE } from "../../core/format/v1/manifest.ts";
import type { Archive } from "../../core/read/archive.ts";
import { lastAtMost } from "../../core/read/search.ts";
import type { ContentSink } from "../../core/write/writer.ts";
import type { Warn } from "../make-archive.ts";
import { archiveInput } from "./archive-input.ts";
import { endOf, joined, streamsToCopy } from "./copy-ranges.ts";

/** Bytes that were copied: from where, to where, and their digest. */
export interface Moved extends Stretch {
  readonly to: number;
  readonly digest: string;
  readonly stream: Stream["name"] | undefined;
}

/** What was copied, for reading it back. */
export interface Copied {
  readonly moved: readonly Moved[];
  /** Digests of files whose bytes lie nowhere, but are computed when they are read; by path. */
  readonly computed: ReadonlyMap<string, string>;
}

export async function copyContents(archive: Archive, writer: ContentSink, warn: Warn): Promise<Copied> {
  const { containers: _, ...metadata } = await archive.metadata();
  const containers = containersOf(await archive.metadata(), archive.source.name);
  if (archive.format1?.manifest?.kind === "directory") {
    // They say what the entries say.
    const { manifest: __, [LONE_FILE]: ___, ...others } = metadata;
    writer.addMetadata(others);
  } else writer.addMetadata(metadata);
  const named = [...containers.map(stretchOf), ...(await contentsOf(archive))];
  const borders = Float64Array.from(named.flatMap((stretch) => [stretch.start, endOf(stretch)])).sort();
  const moved: Moved[] = [];
  const move = async (stretch: Stretch, stream: Stream["name"] | undefined) => {
    const input = archiveInput(archive, stretch, borders);
    const { start: to } = stream === undefined ? await writer.addContent(input) : await writer.addStream(stream, input);
    moved.push({ start: stretch.start, size: stretch.size, to, digest: input.digest(), stream });
  };
  const streams = await streamsToCopy(archive, named);
  for (const stream of streams) await move(stream, stream.name);
  for (const stretch of joined(named, streams)) await move(stretch, undefined);

  moved.sort((a, b) => a.start - b.start);
  const starts = Float64Array.from(moved, ({ start }) => start);
  const place = (stretch: Stretch) => newStart(moved, starts, stretch);

  const isSame = moved.every(({ start, to }) => start === to);
  for (const container of containers) {
    if ("start" in container) writer.addContainer({ ...container, start: place(container) });
    // Its list of pieces names addresses.
    else if (isSame) writer.addContainer(container);
    else warn({ path: byteStringFromText(container.name), code: "unsupported", message: unrestorable(container) });
  }
  const computed = new Map<string, string>();
  for await (const entry of archive.entries()) {
    const problem = pathProblem(entry);
    if (problem !== undefined) warn({ path: entry.path, code: "unsafe_path", message: problem });
    else if (isComputed(entry)) computed.set(entry.path, await addComputed(archive, entry, writer));
    else await writer.addEntry(asDirectory(archive, entry), rangeOf(entry, place));
  }
  return { moved, computed };
}

/** In format 2 a file stands alone where nothing is known of the root: of a directory with one file something is. */
function asDirectory({ format1, root }: Archive, entry: Entry): Entry {
  const isOne = entry.path === "" && root.counts.files === 1 && format1?.manifest?.kind === "directory";
  return isOne && format1.manifest.facts[LONE_FILE] !== true ? { ...entry, mode: 0o755 } : entry;
}

/** Names that lead nowhere; only format 1 can have them. */
function pathProblem({ path }: Entry): string | undefined {
  try {
    checkPath(path);
    return undefined;
  } catch (error) {
    if (error instanceof HexzError) return `it is left out: ${error.message}`;
    throw error;
  }
}

const isComputed = ({ computed, derived }: Entry) => computed === true || derived !== undefined;
const stretchOf = (container: Container): Stretch => ("start" in container ? container : container.pieces);

/** Where the files lie that are in the address space. */
async function contentsOf(archive: Archive): Promise<Stretch[]> {
  const stretches: Stretch[] = [];
  for await (const entry of archive.entries()) {
    if (entry.type !== "file" || isComputed(entry) || entry.size === 0) continue;
    archive.checkRange(displayName(entry.path), entry.start!, entry.size!);
    stretches.push({ start: entry.start!, size: entry.size! });
  }
  return stretches;
}

/** Where bytes that were copied are now. @param starts of what was moved, ascending */
function newStart(moved: readonly Moved[], starts: Float64Array, stretch: Stretch): number {
  if (stretch.size === 0) return 0;
  const holds = ({ start, size }: Stretch) => start <= stretch.start && endOf(stretch) <= start + size;
  const nearest = moved[lastAtMost(starts, stretch.start)]!;
  const region = holds(nearest) ? nearest : moved.find(holds)!;
  return stretch.start - region.start + region.to;
}

function rangeOf(entry: Entry, place: (stretch: Stretch) => number) {
  if (entry.type !== "file" || entry.hardLink !== undefined) return undefined;
  const range = { start: entry.start!, size: entry.size! };
  return { start: place(range), size: range.size, sparse: entry.sparse === true };
}

function unrestorable({ format, name }: Container): string {
  return `the ${format} "${name}" cannot be restored any more, only what is in it: contents have got other places`;
}

async function addComputed(archive: Archive, entry: Entry, writer: ContentSink): Promise<string> {
  const file = archive.fileOf(entry);
  const input = archiveInput(archive, file, new Float64Array(0));
  const { computed: _, derived: __, start: ___, ...plain } = entry;
  await writer.addFile(plain, input);
  return input.digest();
}
