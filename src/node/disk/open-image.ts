// Opens a qcow2 image of this machine with the backing files below it, as one disk to pack.

import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { createDiskInput } from "../../core/disk/disk-input.ts";
import { type DiskLayer, rawLayer } from "../../core/disk/layer.ts";
import { looksLikeQcow2, type Qcow2Header, type Snapshot } from "../../core/disk/qcow2.ts";
import { Qcow2Layer, readQcow2Header, readSnapshots } from "../../core/disk/qcow2-layer.ts";
import { HexzError } from "../../core/errors.ts";
import { byteStringOf } from "../../core/format/path.ts";
import { checkLimit, IMAGE_LIMITS } from "../../core/limits.ts";
import type { ContentInput } from "../../core/write/content-input.ts";
import { fromSystemError, shownPath } from "../errors.ts";
import { type FileSource, openFileSource } from "../file-source.ts";
import type { Warn } from "../make-archive.ts";
import type { EngineChoice } from "../pool.ts";
import { clusterDecoders } from "./cluster-codecs.ts";

export interface ImageOptions {
  /** Whether files that the image names may be opened. */
  readonly allowBacking?: boolean;
  readonly engine?: EngineChoice;
  readonly warn: Warn;
  /** Told of every file before it is read; throws when it may not be. */
  readonly onFile: (path: string) => void;
}

/** A file of the chain. */
interface Link {
  readonly path: string;
  readonly source: FileSource;
  /** Nothing of a raw image. */
  readonly header: Qcow2Header | undefined;
}

/** "nbd://host", "json:{…}": what QEMU takes for something other than a path. */
const PROTOCOL = /^[a-z][a-z0-9+.-]*:/i;
/** Snapshots that are named one by one. */
const MOST_NAMED = 100;

/**
 * Opens a qcow2 image. Snapshots inside of it are named as left out.
 * @throws HexzError `usage` when it needs a backing file and that is not allowed, `invalid`, `feature_unknown`, …
 */
export async function openQcow2(path: string, options: ImageOptions): Promise<ContentInput> {
  const links: Link[] = [];
  const close = () => {
    for (const { source } of links) source.close();
  };
  try {
    await openChain(path, options, links);
    const [top] = links as [Link & { header: Qcow2Header }];
    warnOf(path, top.header, await readSnapshots(top.source, top.header), options.warn);
    const compressions = links.map(({ header }) => header?.compression);
    const decode = await clusterDecoders(compressions, options.engine ?? "auto");
    let disk: DiskLayer | undefined;
    for (const { source, header } of links.toReversed()) {
      disk = header === undefined ? rawLayer(source) : new Qcow2Layer(source, header, decode[header.compression], disk);
    }
    return await createDiskInput(disk!, close);
  } catch (error) {
    close();
    throw error;
  }
}

/** The image, the file that it lies upon, and so on to the last. */
async function openChain(path: string, options: ImageOptions, links: Link[]): Promise<void> {
  const seen = new Set<string>();
  let next: { path: string; format: string | undefined } | undefined = { path, format: "qcow2" };
  while (next !== undefined) {
    const above: Link | undefined = links.at(-1);
    const { source, id } = openLink(next.path, above, options);
    links.push({ path: next.path, source, header: undefined });
    if (seen.has(id)) throw chainError(above!, `the chain of backing files comes back to ${shownPath(next.path)}`);
    seen.add(id);
    checkLimit(`the number of backing files of ${shownPath(path)}`, links.length - 1, IMAGE_LIMITS.backingFiles);
    if (!(await isQcow2(next.format, source, above))) return;
    const header = await readQcow2Header(source);
    links[links.length - 1] = { path: next.path, source, header };
    next = header.backing && backingOf(next.path, header.backing, options);
  }
}

function openLink(path: string, above: Link | undefined, { onFile }: ImageOptions): { source: FileSource; id: string } {
  try {
    onFile(path);
    const { dev, ino } = statSync(path);
    return { source: openFileSource(path), id: `${dev} ${ino}` };
  } catch (error) {
    const told = fromSystemError(error, "open", path);
    if (above === undefined || told.code !== "not_found") throw told;
    throw new HexzError("not_found", `${shownPath(above.path)} lies upon ${shownPath(path)}, which is not there`, {
      data: { ...told.data },
      cause: error,
    });
  }
}

/** A format that is not recorded is told by the beginning, as QEMU does. */
async function isQcow2(format: string | undefined, source: FileSource, above: Link | undefined): Promise<boolean> {
  if (format === "qcow2") return true;
  if (format === "raw") return false;
  if (format === undefined) return looksLikeQcow2(await source.read(0, Math.min(8, source.size)));
  throw new HexzError("feature_unknown", `${shownPath(above!.path)} lies upon an image of the format "${format}"`, {
    hint: "backing files may be raw or qcow2",
    data: { feature: format },
  });
}

function backingOf(
  path: string,
  { name, format }: NonNullable<Qcow2Header["backing"]>,
  { allowBacking }: ImageOptions,
): { path: string; format: string | undefined } {
  if (allowBacking !== true) {
    throw new HexzError("usage", `${shownPath(path)} lies upon the backing file "${name}", which is not read unasked`, {
      hint: "--allow-backing reads it",
      data: { path: shownPath(path), backing: name },
    });
  }
  const file = name.startsWith("file:") ? name.slice("file:".length) : name;
  if (PROTOCOL.test(file)) {
    throw new HexzError("feature_unknown", `${shownPath(path)} lies upon "${name}", which is no path of a file`, {
      data: { feature: name },
    });
  }
  return { path: resolve(dirname(path), file), format };
}

function chainError({ path }: Link, what: string): HexzError {
  return new HexzError("invalid", `${shownPath(path)} is not a valid qcow2 image: ${what}`);
}

function warnOf(path: string, { corrupt }: Qcow2Header, snapshots: readonly Snapshot[], warn: Warn): void {
  const name = byteStringOf(Buffer.from(path));
  const tell = (code: "damaged" | "unsupported", what: string) =>
    warn({ path: name, code, message: `${shownPath(path)}: ${what}` });
  if (corrupt) tell("damaged", "QEMU has marked the image as corrupt; it was read as it is");
  for (const snapshot of snapshots.slice(0, MOST_NAMED)) {
    tell("unsupported", `the internal snapshot "${snapshot.name}" (id ${snapshot.id}) is left out`);
  }
  if (snapshots.length > MOST_NAMED) {
    tell("unsupported", `${snapshots.length - MOST_NAMED} more internal snapshots are left out`);
  }
}
