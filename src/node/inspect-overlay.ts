// What an overlay has changed: its blocks, and with the archive below it, the files that these belong to.

import { type ChangeMap, mapChanges } from "../core/disk/map-changes.ts";
import { mapEntries } from "../core/disk/map-entries.ts";
import { type ByteRange, overlaid, rangesOf } from "../core/disk/overlay.ts";
import type { Archive } from "../core/read/archive.ts";
import { type OpenOptions, openArchiveFile } from "./archive.ts";
import { type OpenOverlay, openOverlay } from "./disk/open-overlay.ts";

export interface InspectedOverlay {
  /** Numbers, ascending. */
  readonly blocks: Float64Array;
  /** Bytes of the log that are no whole entry. */
  readonly torn: number;
  /** Of the disk; without the archive below, whole blocks. */
  readonly ranges: readonly ByteRange[];
  readonly below: Below | undefined;
}

/** What is known with the archive below. */
export interface Below extends Partial<Pick<ChangeMap, "scheme" | "partitions">>, Pick<ChangeMap, "files" | "areas"> {
  /** "disk": files of a file system; "tree": entries of the archive. */
  readonly content: "disk" | "tree";
  /** Of the disk with the overlay on it. */
  readonly size: number;
  /** Blocks that were logged and lie behind its end. */
  readonly outside: number;
}

export interface InspectOptions extends OpenOptions {
  /** The archive below; only it knows the files. */
  readonly base?: string | undefined;
  /** Told of every stretch of the disk that is read, in bytes. */
  readonly onProgress?: (bytes: number) => void;
}

export async function inspectOverlay(path: string, options: InspectOptions): Promise<InspectedOverlay> {
  const overlay = openOverlay(path);
  try {
    const { blocks, torn } = overlay;
    const { base } = options;
    if (base === undefined) {
      return { blocks, torn, ranges: rangesOf(blocks, Number.POSITIVE_INFINITY), below: undefined };
    }
    const archive = await openArchiveFile(base, options);
    try {
      return { blocks, torn, ...(await mapWith(archive, overlay, options)) };
    } finally {
      await archive.close();
    }
  } finally {
    overlay.close();
  }
}

async function mapWith(
  archive: Archive,
  overlay: OpenOverlay,
  { onProgress }: InspectOptions,
): Promise<Pick<InspectedOverlay, "ranges" | "below">> {
  const { root, source } = archive;
  const own = archive.ownStreams.find(({ name }) => name === "disk");
  // Without a disk of its own, what a mount shows is the content of the tree.
  const stream = own ?? archive.streams.find(({ name }) => name === "disk") ?? { start: 0, size: root.addressSpace };
  const { start, size } = stream;
  const read = (from: number, to: number) => {
    onProgress?.(to - from);
    return archive.run(archive.random.read(start + from, start + to));
  };
  const disk = overlaid({ name: source.name, size, read }, overlay);
  const map =
    own === undefined
      ? { content: "tree" as const, ...(await mapEntries(archive.entries(), disk.changed, { start, size: disk.size })) }
      : { content: "disk" as const, ...(await mapChanges(disk)) };
  return { ranges: disk.changed, below: { ...map, size: disk.size, outside: disk.outside } };
}
