// What is in an HDF5 file: groups, datasets, links and attributes, each object once, in the order of names.

import { type ErrorCode, HexzError } from "../../core/errors.ts";
import type { Hdf5File } from "./library.ts";
import { type Datatype, dtypeOf, isVariable, jsonValues } from "./types.ts";
import { type Dataset, describeDataset } from "./values.ts";

/** An attribute's value beyond this stays in the file only. */
const LONGEST_ATTRIBUTE = 64 * 1024;
const DEEPEST = 128;

export type Hdf5Object = {
  /** Absolute, from the root group "/". */
  readonly path: string;
} & (
  | { readonly kind: "group"; readonly attributes: Attributes }
  | { readonly kind: "dataset"; readonly attributes: Attributes; readonly dataset: Dataset; readonly address: number }
  /** Another name of a dataset. */
  | { readonly kind: "hard-link"; readonly first: string }
  /** Another name of a group, or a soft link: to an absolute path or one relative to the link's group. */
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "external-link"; readonly file: string; readonly target: string }
  | { readonly kind: "datatype" }
  | { readonly kind: "unreadable"; readonly code: ErrorCode; readonly message: string }
);

export type Attributes = Readonly<Record<string, unknown>>;

/** All objects; a group comes before what is in it. @throws HexzError what reading the file throws */
export function* objectsOf(file: Hdf5File): Generator<Hdf5Object> {
  /** Objects by their address: the path that came first. */
  const seen = new Map<number, string>([[addressOf(file, "/"), "/"]]);
  yield { path: "/", kind: "group", attributes: attributesOf(file, "/") };
  yield* membersOf(file, "/", seen, 1);
}

function* membersOf(file: Hdf5File, group: string, seen: Map<number, string>, depth: number): Generator<Hdf5Object> {
  if (depth > DEEPEST) {
    throw new HexzError(
      "limit_exceeded",
      `"${group}" of ${file.source.name} is over the limit of ${DEEPEST} groups deep`,
    );
  }
  for (const name of namesIn(file, group)) {
    const path = group === "/" ? `/${name}` : `${group}/${name}`;
    let object: Hdf5Object;
    try {
      object = objectAt(file, path, seen);
    } catch (error) {
      if (!(error instanceof HexzError) || error.code === "io") throw error;
      object = { path, kind: "unreadable", code: error.code, message: error.message };
    }
    yield object;
    if (object.kind === "group") yield* membersOf(file, path, seen, depth + 1);
  }
}

function namesIn(file: Hdf5File, group: string): string[] {
  return file.call(`list "${group}"`, (library) => library.get_names(file.id, group, false));
}

function objectAt(file: Hdf5File, path: string, seen: Map<number, string>): Hdf5Object {
  const { library, id } = file;
  const what = `look at "${path}"`;
  const link: string | null = file.call(what, () => library.get_symbolic_link(id, path));
  if (link !== null) return { path, kind: "symlink", target: link };
  const type = file.call(what, () => library.get_type(id, path));
  if (type === library.H5G_UDLINK) {
    const { filename, obj_path } = file.call(what, () => library.get_external_link(id, path));
    return { path, kind: "external-link", file: filename, target: obj_path };
  }
  if (type === library.H5G_TYPE) return { path, kind: "datatype" };
  const address = addressOf(file, path);
  const first = seen.get(address);
  if (type === library.H5G_GROUP) {
    if (first !== undefined) return { path, kind: "symlink", target: first };
    seen.set(address, path);
    return { path, kind: "group", attributes: attributesOf(file, path) };
  }
  if (first !== undefined) return { path, kind: "hard-link", first };
  const dataset = describeDataset(file, path);
  seen.set(address, path);
  return { path, kind: "dataset", attributes: attributesOf(file, path), dataset, address };
}

/** The address of an object's header: what a reference to it holds. */
function addressOf(file: Hdf5File, path: string): number {
  const reference = file.call(`refer to "${path}"`, (library) => library.create_object_reference(file.id, path));
  return Number(new DataView(Uint8Array.from(reference).buffer).getBigUint64(0, true));
}

/** Values nested by the attribute's shape; what cannot be read or is long is said instead of shown. */
function attributesOf(file: Hdf5File, path: string): Attributes {
  const names = file.call(`list the attributes of "${path}"`, (library) => library.get_attribute_names(file.id, path));
  return Object.fromEntries(names.map((name) => [name, attributeOf(file, path, name)]));
}

function attributeOf(file: Hdf5File, path: string, name: string): unknown {
  const { library, id } = file;
  const what = `read the attribute "${name}" of "${path}"`;
  try {
    const described = file.call(what, () => library.get_attribute_metadata(id, path, name));
    const { shape, size, total_size: count } = described;
    const type: Datatype = described;
    if (shape === null) return null;
    if (size * count > LONGEST_ATTRIBUTE) return { dtype: dtypeOf(type), shape, omitted: size * count };
    const memory = library._malloc(Math.max(1, size * count));
    try {
      file.call(what, () => library.get_attribute_data(id, path, name, BigInt(memory)));
      const elements = library.HEAPU8.slice(memory, memory + size * count);
      const values = jsonValues(type, elements, { bytes: library.HEAPU8 });
      if (isVariable(type)) library.reclaim_vlen_memory(id, path, name, BigInt(memory));
      return nested(values, shape);
    } finally {
      library._free(memory);
    }
  } catch (error) {
    if (error instanceof HexzError && error.code !== "damaged" && error.code !== "unsupported") throw error;
    return { unreadable: (error as Error).message };
  }
}

function nested(values: unknown[], shape: readonly number[]): unknown {
  const [rows, ...inner] = shape;
  if (rows === undefined) return values[0];
  if (inner.length === 0) return values;
  const length = values.length / rows;
  return Array.from({ length: rows }, (_, row) => nested(values.slice(row * length, (row + 1) * length), inner));
}
