// HDF5 datatypes: their NumPy names, and their values in libhdf5's memory as raw bytes or as JSON.
//
// libhdf5 hands over elements as they are in the file but for two things, which are undone here: where all numbers of a
// type are big endian they have been swapped, and what has a variable length is a pointer.

import type { Metadata } from "h5wasm";
import { HexzError } from "../../core/errors.ts";

/** As libhdf5 numbers them. */
const CLASS = {
  integer: 0,
  float: 1,
  time: 2,
  string: 3,
  bitfield: 4,
  opaque: 5,
  compound: 6,
  reference: 7,
  enum: 8,
  variable: 9,
  array: 10,
} as const;

const NUMBERS: ReadonlySet<number> = new Set([CLASS.integer, CLASS.float, CLASS.bitfield, CLASS.enum]);
/** A reference to an object is an address; the references of HDF5 1.12 are of another length in memory. */
const REFERENCE_SIZES: ReadonlySet<number> = new Set([8, 12]);

/** What h5wasm says of a type, without the space of a dataset. */
export type Datatype = Pick<
  Metadata,
  "type" | "size" | "signed" | "littleEndian" | "vlen" | "cset" | "array_type" | "compound_type" | "enum_type"
> & { readonly vlen_type?: Datatype; readonly ref_type?: string };

const membersOf = (type: Datatype) => type.compound_type?.members ?? [];
const countOf = (array: { shape: number[] | null }): number => (array.shape ?? []).reduce((a, b) => a * b, 1);

/** Whether elements have parts whose length is not that of the type. */
export function isVariable(type: Datatype): boolean {
  return (
    type.vlen ||
    type.type === CLASS.variable ||
    (type.array_type !== undefined && isVariable(type.array_type)) ||
    membersOf(type).some(isVariable)
  );
}

/** The byte orders of all numbers in a type. */
function ordersOf(type: Datatype): ("little" | "big")[] {
  if (NUMBERS.has(type.type)) return [type.littleEndian ? "little" : "big"];
  if (type.array_type !== undefined) return ordersOf(type.array_type);
  if (type.vlen_type !== undefined) return ordersOf(type.vlen_type);
  return membersOf(type).flatMap(ordersOf);
}

/** Whether libhdf5 has swapped the numbers: it does when all of them are big endian. */
function isSwapped(type: Datatype): boolean {
  const orders = ordersOf(type);
  return orders.length > 0 && orders.every((order) => order === "big");
}

/** @throws HexzError `unsupported` for a type whose bytes in memory are not those of the file */
export function checkType(type: Datatype, name: string): void {
  if (type.type === CLASS.reference && !REFERENCE_SIZES.has(type.size)) {
    throw new HexzError("unsupported", `${name} holds references of ${type.size} bytes, which have no raw form`);
  }
  for (const part of [type.array_type, type.vlen_type, ...membersOf(type)]) {
    if (part !== undefined) checkType(part, name);
  }
}

/** A NumPy dtype: "<f4", "|S5", "|b1"; "str" and {vlen} for variable lengths, [[name, dtype], …] for compounds. */
export function dtypeOf(type: Datatype): unknown {
  const order = type.size === 1 ? "|" : type.littleEndian ? "<" : ">";
  switch (type.type) {
    case CLASS.integer:
      return `${order}${type.signed ? "i" : "u"}${type.size}`;
    case CLASS.float:
      return `${order}f${type.size}`;
    case CLASS.string:
      return type.vlen ? "str" : `|S${type.size}`;
    case CLASS.bitfield:
      return `${order}u${type.size}`;
    case CLASS.compound:
      return complexOf(type) ?? membersOf(type).map((member) => [member.name, dtypeOf(member)]);
    case CLASS.reference:
      return { reference: type.ref_type ?? "object" };
    case CLASS.enum: {
      const { members } = type.enum_type!;
      if (isBoolean(members)) return "|b1";
      return { enum: members, base: `${order}${type.signed ? "i" : "u"}${type.size}` };
    }
    case CLASS.variable:
      return { vlen: dtypeOf(type.vlen_type!) };
    case CLASS.array:
      return [dtypeOf(type.array_type!), type.array_type!.shape];
    default:
      return `|V${type.size}`;
  }
}

/** h5py's booleans. */
function isBoolean(members: Record<string, number>): boolean {
  return Object.keys(members).length === 2 && members.FALSE === 0 && members.TRUE === 1;
}

/** h5py's complex numbers. */
function complexOf(type: Datatype): string | undefined {
  const [real, imaginary, ...others] = membersOf(type);
  if (others.length > 0 || real?.name !== "r" || imaginary?.name !== "i" || real.type !== CLASS.float) return undefined;
  return `${real.littleEndian ? "<" : ">"}c${type.size}`;
}

/** libhdf5's memory, in which variable lengths are pointers of 4 bytes. */
export interface Heap {
  readonly bytes: Uint8Array;
}

/** Elements of a type, as `convert hdf5` gives them: docs/format.md, "Derived contents". Changes `elements`. */
export function rawValues(type: Datatype, elements: Uint8Array, heap: Heap): Uint8Array {
  const swapped = isSwapped(type);
  if (!isVariable(type)) {
    if (swapped) for (let at = 0; at < elements.length; at += type.size) swapNumbers(type, elements, at);
    return elements;
  }
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < elements.length; at += type.size) expand(type, elements, at, { heap, swapped, pieces });
  return Buffer.concat(pieces);
}

function swapNumbers(type: Datatype, bytes: Uint8Array, at: number): void {
  if (NUMBERS.has(type.type)) {
    bytes.subarray(at, at + type.size).reverse();
  } else if (type.array_type !== undefined) {
    const { array_type: item } = type;
    for (let number = 0; number < countOf(item); number++) swapNumbers(item, bytes, at + number * item.size);
  } else {
    for (const member of membersOf(type)) swapNumbers(member, bytes, at + member.offset);
  }
}

interface Expansion {
  readonly heap: Heap;
  readonly swapped: boolean;
  readonly pieces: Uint8Array[];
}

/** Parts of a fixed length as they are, of a variable one as their count in 32 bits and their items. */
function expand(type: Datatype, bytes: Uint8Array, at: number, into: Expansion): void {
  const { heap, pieces } = into;
  if (type.vlen) {
    const text = stringAt(heap, uint32(bytes, at));
    pieces.push(count32(text.length), text);
  } else if (type.type === CLASS.variable) {
    const item = type.vlen_type!;
    const [count, start] = [uint32(bytes, at), uint32(bytes, at + 4)];
    pieces.push(count32(count));
    checkHeap(heap, start, count * item.size);
    for (let number = 0; number < count; number++) expand(item, heap.bytes, start + number * item.size, into);
  } else if (type.array_type !== undefined) {
    const { array_type: item } = type;
    for (let number = 0; number < countOf(item); number++) expand(item, bytes, at + number * item.size, into);
  } else if (type.compound_type !== undefined) {
    for (const member of membersOf(type)) expand(member, bytes, at + member.offset, into);
  } else {
    const value = bytes.slice(at, at + type.size);
    if (into.swapped) swapNumbers(type, value, 0);
    pieces.push(value);
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

function count32(count: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, count, true);
  return bytes;
}

function checkHeap({ bytes }: Heap, start: number, length: number): void {
  if (start + length > bytes.length) throw new HexzError("damaged", "libhdf5 points behind its memory");
}

function stringAt(heap: Heap, start: number): Uint8Array {
  if (start === 0) return new Uint8Array(0);
  checkHeap(heap, start, 1);
  return heap.bytes.slice(start, heap.bytes.indexOf(0, start));
}

/** Numbers that JSON does not have become texts: 64-bit integers beyond 2^53, NaN, infinities. */
export function jsonValues(type: Datatype, elements: Uint8Array, heap: Heap): unknown[] {
  const little = !isSwapped(type);
  const values: unknown[] = [];
  for (let at = 0; at < elements.length; at += type.size) values.push(jsonAt(type, elements, at, { heap, little }));
  return values;
}

/** @param little the numbers of this type are not swapped, so each has the order of its type */
function jsonAt(type: Datatype, bytes: Uint8Array, at: number, context: { heap: Heap; little: boolean }): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, type.size);
  const text = (raw: Uint8Array) => new TextDecoder(type.cset === 1 ? "utf-8" : "latin1").decode(raw);
  const order = context.little ? type.littleEndian : true;
  switch (type.type) {
    case CLASS.integer:
    case CLASS.bitfield:
      return integerAt(view, type, order);
    case CLASS.enum: {
      const value = integerAt(view, type, order);
      const { members } = type.enum_type!;
      return isBoolean(members) ? value === 1 : value;
    }
    case CLASS.float:
      return floatAt(view, type, order);
    case CLASS.string: {
      if (type.vlen) return text(stringAt(context.heap, view.getUint32(0, true)));
      const raw = bytes.subarray(at, at + type.size);
      const end = raw.indexOf(0);
      return text(end < 0 ? raw : raw.subarray(0, end));
    }
    case CLASS.compound:
      return Object.fromEntries(membersOf(type).map((m) => [m.name, jsonAt(m, bytes, at + m.offset, context)]));
    case CLASS.variable: {
      const item = type.vlen_type!;
      const [count, start] = [view.getUint32(0, true), view.getUint32(4, true)];
      checkHeap(context.heap, start, count * item.size);
      return Array.from({ length: count }, (_, number) =>
        jsonAt(item, context.heap.bytes, start + number * item.size, context),
      );
    }
    case CLASS.array: {
      const item = type.array_type!;
      return Array.from({ length: countOf(item) }, (_, number) =>
        jsonAt(item, bytes, at + number * item.size, context),
      );
    }
    default:
      return { hex: Buffer.from(bytes.subarray(at, at + type.size)).toString("hex") };
  }
}

function integerAt(view: DataView, { size, signed }: Datatype, little: boolean): number | string {
  let value = 0n;
  for (let number = 0; number < size; number++) {
    value = (value << 8n) | BigInt(view.getUint8(little ? size - 1 - number : number));
  }
  if (signed) value = BigInt.asIntN(size * 8, value);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function floatAt(view: DataView, { size }: Datatype, little: boolean): number | string | { hex: string } {
  const value = size === 8 ? view.getFloat64(0, little) : size === 4 ? view.getFloat32(0, little) : undefined;
  const found = value ?? (size === 2 ? halfOf(view.getUint16(0, little)) : undefined);
  if (found === undefined) return { hex: Buffer.from(view.buffer, view.byteOffset, size).toString("hex") };
  return Number.isFinite(found) ? found : String(found);
}

/** IEEE 754 binary16. */
function halfOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
