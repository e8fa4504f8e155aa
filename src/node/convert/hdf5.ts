// `convert hdf5`: the file is stored whole, groups become directories and datasets files. Values that lie in the file as
// they are are ranges of it; others are decoded when they are read (docs/format.md, "Derived contents").

import { statSync } from "node:fs";
import { basename } from "node:path";
import { HexzError } from "../../core/errors.ts";
import type { Entry } from "../../core/format/entry.ts";
import { type ByteString, byteStringFromText, checkPath } from "../../core/format/path.ts";
import type { ContentRange } from "../../core/format/record.ts";
import type { ContentInput } from "../../core/write/content-input.ts";
import { type FileSource, openFileSource } from "../file-source.ts";
import { hasSignature, type Place, placeOfValues, readAddressing } from "../hdf5/layout.ts";
import { Hdf5Reader } from "../hdf5/reader.ts";
import type { Attributes, Hdf5Object } from "../hdf5/structure.ts";
import { dtypeOf, isVariable } from "../hdf5/types.ts";
import type { Dataset } from "../hdf5/values.ts";
import { openInput } from "../input-file.ts";
import type { Warn } from "../make-archive.ts";
import { withBorders } from "./borders.ts";
import type { ImportFormat } from "./format.ts";

/** Shorter values are not worth chunks of their own. */
const SHORTEST_PART = 4096;

export const hdf5: ImportFormat = {
  name: "hdf5",
  inputs: { several: false, stdin: false },
  detect: (start) => [0, 512, 1024, 2048, 4096, 8192, 16384, 32768].some((at) => hasSignature(start, at)),
  async convert([path], { writer, warn, expect }) {
    const expected = statSync(path!, { bigint: true });
    const source = openFileSource(path!);
    let input: ContentInput | undefined;
    try {
      expect(source.size);
      const reader = new Hdf5Reader(source);
      let parts: Part[];
      try {
        parts = [...partsOf(reader, source, warn)];
      } finally {
        reader.close();
      }
      input = openInput(path!, { expected, dereference: true });
      const places = parts.flatMap(({ place }) => (place !== undefined && place.size >= SHORTEST_PART ? [place] : []));
      const whole = await writer.addContent(withBorders(input, places));
      writer.addContainer({ format: "hdf5", name: basename(path!), start: whole.start, size: whole.size });
      for (const part of parts) await writer.addEntry(entryOf(part, whole), contentOf(part, whole));
    } finally {
      input?.close();
      source.close();
    }
  },
};

/** What becomes of an object: an entry, and where its content is in the file. */
type Part = { readonly entry: Entry } & Partial<Values>;

/** The values of a dataset: in the file as they are, or so many bytes to be decoded. */
type Values =
  | { readonly place: Place; readonly dataset?: never; readonly size?: never }
  | { readonly dataset: string; readonly size: number; readonly place?: never };

/** The entry, once it is known where the file went. */
function entryOf({ entry, dataset, size }: Part, { start, size: length }: ContentRange): Entry {
  if (dataset === undefined) return entry;
  const derived = { method: "hdf5", parameter: byteStringFromText(dataset), from: { start, size: length } };
  return { ...entry, start: 0, size: size!, derived };
}

function contentOf({ place }: Part, whole: ContentRange): ContentRange | undefined {
  if (place === undefined) return undefined;
  const { start, size } = place;
  return { start: size === 0 ? 0 : whole.start + start, size, sparse: false };
}

function* partsOf(reader: Hdf5Reader, source: FileSource, warn: Warn): Generator<Part> {
  const objects = reader.objects();
  const external = externalLinks(objects);
  const valuesAt = valuesFinder(reader, source);
  const decoded = new Map<string, Part>();
  for (const object of objects) {
    const path = pathOf(object, warn);
    if (path === undefined) continue;
    const leaveOut = ({ code, message }: Pick<HexzError, "code" | "message">) => warn({ path, code, message });
    switch (object.kind) {
      case "group": {
        const links = external.get(object.path);
        const metadata = metadataOf(object.attributes, links === undefined ? {} : { external_links: links });
        yield { entry: { path, type: "directory", ...metadata } };
        break;
      }
      case "dataset": {
        const { dataset, attributes, address } = object;
        try {
          const values = valuesAt(dataset, address, warn, path);
          const about = metadataOf(attributes, aboutDataset(dataset));
          const part: Part = { entry: { path, type: "file", ...about }, ...values };
          if (values.place === undefined) decoded.set(object.path, part);
          yield part;
        } catch (error) {
          if (!(error instanceof HexzError) || error.code === "io") throw error;
          leaveOut(error);
        }
        break;
      }
      case "hard-link": {
        const same = decoded.get(object.first);
        const hardLink = byteStringFromText(object.first.slice(1));
        yield same === undefined
          ? { entry: { path, type: "file", hardLink } }
          : { ...same, entry: { ...same.entry, path } };
        break;
      }
      case "symlink":
        yield {
          entry: { path, type: "symlink", target: byteStringFromText(relativeTarget(object.path, object.target)) },
        };
        break;
      case "external-link": {
        const message = `is a link to "${object.target}" in the file "${object.file}", which is noted and not followed`;
        warn({ path, code: "unsupported", message: `"${object.path}" ${message}` });
        break;
      }
      case "unreadable":
        leaveOut(object);
        break;
      case "datatype":
        break;
    }
  }
}

/** The path of an object as an entry; undefined, with a warning, when it cannot be one. */
function pathOf({ path }: Hdf5Object, warn: Warn): ByteString | undefined {
  const name = byteStringFromText(path.slice(1));
  try {
    checkPath(name);
    return name;
  } catch (error) {
    if (!(error instanceof HexzError)) throw error;
    warn({ path: name, code: "unsafe_path", message: `"${path}" is left out: ${error.message}` });
    return undefined;
  }
}

function externalLinks(objects: readonly Hdf5Object[]): Map<string, Record<string, object>> {
  const byGroup = new Map<string, Record<string, object>>();
  for (const object of objects) {
    if (object.kind !== "external-link") continue;
    const slash = object.path.lastIndexOf("/");
    const group = object.path.slice(0, slash) || "/";
    const links = byGroup.get(group) ?? {};
    links[object.path.slice(slash + 1)] = { file: object.file, path: object.target };
    byGroup.set(group, links);
  }
  return byGroup;
}

/** Of an absolute target: from the directory that the link is in. */
function relativeTarget(link: string, target: string): string {
  if (!target.startsWith("/")) return target;
  const from = link.split("/").slice(1, -1);
  const to = target.split("/").slice(1);
  let same = 0;
  while (same < from.length && same < to.length - 1 && from[same] === to[same]) same++;
  return [...from.slice(same).map(() => ".."), ...to.slice(same)].join("/") || ".";
}

function metadataOf(attributes: Attributes, about: object): Pick<Entry, "metadata"> {
  const metadata = { ...about, ...(Object.keys(attributes).length > 0 && { attributes }) };
  return Object.keys(metadata).length > 0 ? { metadata } : {};
}

function aboutDataset({ type, shape, maxShape, chunks, filters }: Dataset): object {
  const resizable = maxShape?.some((most, number) => most !== shape?.[number]) === true;
  return {
    shape: shape ?? null,
    dtype: dtypeOf(type),
    ...(chunks && { chunks }),
    ...(resizable && { max_shape: maxShape }),
    ...(filters.length > 0 && { filters: filters.map(({ id, name }) => ({ id, name })) }),
  };
}

/** Finds where the values of datasets are. */
function valuesFinder(reader: Hdf5Reader, source: FileSource) {
  const read = (start: number, end: number) => source.readSync(start, end);
  const addressing = readAddressing(read, source.size, source.name);
  return (dataset: Dataset, address: number, warn: Warn, path: ByteString): Values => {
    const { type, count, filters, name } = dataset;
    if (!isVariable(type)) {
      const size = count * type.size;
      if (size === 0) return { place: { start: 0, size } };
      const place = placeOfValues(read, addressing, address, source.name);
      if (place?.size === size && place.start + size <= source.size && filters.length === 0) return { place };
    }
    let size = count * type.size;
    try {
      if (isVariable(type)) size = reader.sizeOfValues(dataset.path);
      // The first element tells whether the values can be decoded at all.
      else reader.values(dataset.path, 0, type.size);
    } catch (error) {
      if (!(error instanceof HexzError) || error.code !== "unsupported" || isVariable(type)) throw error;
      warn({
        path,
        code: error.code,
        message: `${name} cannot be read here, only where its filter is: ${error.message}`,
      });
    }
    return { dataset: dataset.path, size };
  };
}
