// What the metadata of format 1 says about contents (docs/format-1.md, "Manifests"): JSON in one of several forms, by
// what wrote it. Each lists members, which are ranges of the main stream. Paths and ranges are passed on as they are:
// who uses them checks them.

import { HexzError } from "../../errors.ts";
import { checkLimit, LIMITS } from "../../limits.ts";

export type ManifestKind = "directory" | "tar" | "hdf5" | "webdataset" | "checkpoint" | "safetensors";

/** Key of a manifest that we write of one file that was packed alone: it is extracted as a file. */
export const LONE_FILE = "lone_file";

/** Stored as difference to bytes of the first parent's main stream. */
export interface Delta {
  readonly baseOffset: number;
  readonly baseLength: number;
  /** Bytes of an element whose bytes were gathered by their place in it; 1: as they come. */
  readonly elementSize: number;
}

export interface Member {
  readonly path: string;
  /** In the main stream. */
  readonly offset: number;
  readonly size: number;
  /** With the type of the file. */
  readonly mode?: number;
  /** Seconds since 1970. */
  readonly mtime?: number;
  readonly delta?: Delta;
  /** What else is known: `dtype`, `shape`, `sample`, `extension`. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

export interface Manifest {
  readonly kind: ManifestKind;
  readonly members: readonly Member[];
  /** The other keys, of the whole: `scalars`, `safetensors_header`, `original_path` … */
  readonly facts: Readonly<Record<string, unknown>>;
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The JSON object in metadata, or undefined when it is text of another kind: a message, as a rule. */
export function decodeMetadata(bytes: Uint8Array): Json | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function encodeMetadata(metadata: Json): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(metadata));
}

/** Reads fields of members, and says which one is wrong where. */
class Fields {
  readonly #from: Json;
  readonly #what: string;

  constructor(from: unknown, what: string) {
    this.#what = what;
    if (!isObject(from)) throw this.#fail("is not an object");
    this.#from = from;
  }

  #fail(message: string): HexzError {
    return new HexzError("invalid", `${this.#what} ${message}`);
  }

  text(key: string): string {
    const value = this.#from[key];
    if (typeof value !== "string") throw this.#fail(`has no text "${key}"`);
    return value;
  }

  number(key: string): number {
    const value = this.#from[key];
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      throw this.#fail(`has no whole number "${key}": ${JSON.stringify(value)?.slice(0, 40)}`);
    }
    return value as number;
  }

  optional(key: string): number | undefined {
    return this.#from[key] === undefined || this.#from[key] === null ? undefined : this.number(key);
  }

  facts(...without: readonly string[]): Json {
    // As a rule there are none, of very many members.
    const keys = Object.keys(this.#from).filter((key) => !without.includes(key));
    return Object.fromEntries(keys.map((key) => [key, this.#from[key]]));
  }
}

/**
 * The manifest in metadata, or undefined when there is none: any JSON may be metadata.
 * @param what for messages @throws HexzError `invalid` when it is one and lacks what it needs, `limit_exceeded`
 */
export function decodeManifest(metadata: Json, what: string): Manifest | undefined {
  const { files, source, tensors } = metadata;
  if (Array.isArray(files)) return directory(metadata, files, what);
  if (metadata.hexz_checkpoint !== undefined && isObject(tensors)) return tensorStore("checkpoint", metadata, what);
  if (metadata.format === "safetensors" && isObject(tensors)) return tensorStore("safetensors", metadata, what);
  if (isObject(source)) return conversion(source, what);
  return undefined;
}

function directory(metadata: Json, files: unknown[], what: string): Manifest {
  checkLimit(`the number of members in ${what}`, files.length, LIMITS.format1.members);
  const members = files.map((file, number): Member => {
    const fields = new Fields(file, `member ${number} of ${what}`);
    const facts = fields.facts("path", "offset", "size", "mode", "mtime");
    const place = { path: fields.text("path"), offset: fields.number("offset"), size: fields.number("size") };
    return { ...place, mode: fields.number("mode"), mtime: fields.number("mtime"), ...some(facts) };
  });
  const { files: _, ...facts } = metadata;
  return { kind: "directory", members, facts };
}

function some(facts: Json): { facts?: Json } {
  return Object.keys(facts).length === 0 ? {} : { facts };
}

function tensorStore(kind: "checkpoint" | "safetensors", metadata: Json, what: string): Manifest {
  const { tensors, ...facts } = metadata;
  const named = Object.entries(tensors as Json);
  checkLimit(`the number of members in ${what}`, named.length, LIMITS.format1.members);
  const members = named.map(([path, tensor]): Member => {
    const fields = new Fields(tensor, `tensor ${JSON.stringify(path)} of ${what}`);
    const place = { path, offset: fields.number("offset"), size: fields.number("length") };
    const about = fields.facts("offset", "length", "storage", "base_offset", "base_length", "element_size");
    const { storage = "raw" } = tensor as Json;
    if (storage === "raw") return { ...place, facts: about };
    if (storage !== "xor_delta") {
      throw new HexzError("feature_unknown", `tensor ${JSON.stringify(path)} of ${what} is stored as "${storage}"`);
    }
    const delta = {
      baseOffset: fields.number("base_offset"),
      baseLength: fields.number("base_length"),
      elementSize: fields.optional("element_size") ?? 1,
    };
    return { ...place, delta, facts: about };
  });
  return { kind, members, facts };
}

function conversion(source: Json, what: string): Manifest | undefined {
  const { format } = source;
  if (format === "tar" && Array.isArray(source.source_files)) {
    return ranges("tar", source, "source_files", "name", what);
  }
  if (format === "hdf5" && Array.isArray(source.datasets)) return ranges("hdf5", source, "datasets", "path", what);
  if (format === "webdataset" && isObject(source.samples)) return webdataset(source, source.samples, what);
  return undefined;
}

function ranges(kind: "tar" | "hdf5", source: Json, list: string, name: string, what: string): Manifest {
  const { [list]: items, ...facts } = source;
  checkLimit(`the number of members in ${what}`, (items as unknown[]).length, LIMITS.format1.members);
  const members = (items as unknown[]).map((item, number): Member => {
    const fields = new Fields(item, `member ${number} of ${what}`);
    const place = { path: fields.text(name), offset: fields.number("offset"), size: fields.number("size") };
    return { ...place, ...some(fields.facts(name, "offset", "size")) };
  });
  return { kind, members, facts };
}

function webdataset(source: Json, samples: Json, what: string): Manifest {
  const { samples: _, ...facts } = source;
  const members: Member[] = [];
  for (const [sample, files] of Object.entries(samples)) {
    if (!Array.isArray(files)) throw new HexzError("invalid", `sample ${JSON.stringify(sample)} of ${what} is no list`);
    checkLimit(`the number of members in ${what}`, members.length + files.length, LIMITS.format1.members);
    for (const file of files) {
      const fields = new Fields(file, `a member of sample ${JSON.stringify(sample)} of ${what}`);
      const place = { path: fields.text("name"), offset: fields.number("offset"), size: fields.number("size") };
      members.push({ ...place, facts: { sample, ...fields.facts("name", "offset", "size") } });
    }
  }
  return { kind: "webdataset", members, facts };
}

/** The other way: the JSON object that the manifest is read from. */
export function encodeManifest({ kind, members, facts }: Manifest): Json {
  if (kind === "directory") {
    const files = members.map(({ path, offset, size, mode = 0o644, mtime = 0, facts: more }) => {
      return { path, offset, size, mode, mtime, ...more };
    });
    return { files, ...facts };
  }
  if (kind === "checkpoint" || kind === "safetensors") {
    return { ...facts, tensors: Object.fromEntries(members.map((member) => [member.path, tensorInfo(member, kind)])) };
  }
  if (kind === "webdataset") {
    const samples = new Map<string, Json[]>();
    for (const { path, offset, size, facts: more = {} } of members) {
      const { sample, ...about } = more;
      const list = samples.get(String(sample)) ?? [];
      samples.set(String(sample), list);
      list.push({ name: path, ...about, size, offset });
    }
    return { source: { ...facts, samples: Object.fromEntries(samples) } };
  }
  const [list, name] = kind === "tar" ? ["source_files", "name"] : ["datasets", "path"];
  const items = members.map(({ path, offset, size, facts: more }) => ({ [name]: path, ...more, offset, size }));
  return { source: { ...facts, [list]: items } };
}

function tensorInfo({ offset, size, delta, facts }: Member, kind: ManifestKind): Json {
  const place = { offset, length: size, ...facts };
  if (delta === undefined) return { ...place, storage: "raw" };
  const { baseOffset, baseLength, elementSize } = delta;
  return {
    ...place,
    storage: "xor_delta",
    base_offset: baseOffset,
    base_length: baseLength,
    ...(kind === "checkpoint" ? { element_size: elementSize } : {}),
  };
}
