// The reference decoder: containers, stored whole or put together from a list of pieces (docs/format.md, "Containers").

import { Cursor, concat, fail, rule } from "./reference-bytes.ts";

export interface ReferenceContainer {
  format: string;
  name: string;
  size: number;
  /** Addresses of it all, or of its list of pieces. */
  start: number;
  end: number;
  isList: boolean;
}

export type ReferencePiece = { bytes: Uint8Array } | { zeros: number } | { start: number; end: number };

const BLOCK = 512;

/** What the metadata says. */
export function readContainers(metadata: Record<string, unknown>, addressSpace: number): ReferenceContainer[] {
  const { containers = [] } = metadata;
  rule(Array.isArray(containers), "the containers are no list");
  // biome-ignore lint/suspicious/noExplicitAny: JSON, looked into field by field
  return (containers as any[]).map((container) => {
    const { format, name, size, start, pieces, metadata: more = {} } = container ?? {};
    rule(typeof format === "string" && typeof name === "string", "a container has no name");
    rule(name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name), `a container has the name ${name}`);
    rule(typeof more === "object" && more !== null, `the metadata of the container ${name} is no object`);
    const from = pieces === undefined ? start : pieces?.start;
    const length = pieces === undefined ? size : pieces?.size;
    for (const number of [size, from, length]) {
      rule(
        Number.isInteger(number) && number >= 0 && number < 2 ** 52,
        `a number of the container ${name} is ${number}`,
      );
    }
    rule(from + length <= addressSpace, `the container ${name} is not in the address space`);
    return { format, name, size, start: from, end: from + length, isList: pieces !== undefined };
  });
}

/** @param list its bytes @param size what it must give */
export function readPieces(list: Uint8Array, size: number, addressSpace: number): ReferencePiece[] {
  const cursor = new Cursor(list, "a list of pieces");
  const pieces: ReferencePiece[] = [];
  const blocks: Uint8Array[] = [];
  let position = 0;
  let rangeEnd = 0;
  let lastSize = 0;
  const give = (piece: ReferencePiece, length: number) => {
    pieces.push(piece);
    position += length;
    rule(position <= size, `a list of pieces gives more than ${size} bytes`);
  };
  while (cursor.left > 0) {
    const head = cursor.u8();
    const has = (bit: number) => (head & bit) !== 0;
    rule((head & 0x64) === 0, `a piece begins with ${head}`);
    const padding = (BLOCK - (position % BLOCK)) % BLOCK;
    if (has(0x80) && padding > 0) give({ zeros: padding }, padding);
    const kind = head & 3;
    if (kind === 0) {
      const bytes = cursor.sized();
      rule(bytes.length <= 65_536, "a piece has more than 65 536 bytes");
      give({ bytes }, bytes.length);
    } else if (kind === 1) {
      const zeros = cursor.varint();
      give({ zeros }, zeros);
    } else if (kind === 2) {
      const start = has(0x08) ? rangeEnd : rangeEnd + cursor.svarint();
      const length = has(0x10) ? lastSize : cursor.varint();
      rule(start >= 0 && start + length <= addressSpace, `the addresses from ${start} are not there`);
      rangeEnd = start + length;
      give({ start, end: rangeEnd }, length);
    } else {
      const back = cursor.varint();
      rule(back <= Math.min(64, blocks.length), `a block is like one ${back} back`);
      const block = back === 0 ? new Uint8Array(BLOCK) : blocks.at(-back)!.slice();
      if (has(0x08)) {
        lastSize = cursor.varint();
        rule(lastSize < 8 ** 11, `the size ${lastSize} is no 11 digits`);
        block.set(digits(lastSize, 11), 124);
      }
      let at = 0;
      for (let left = cursor.varint(); left > 0; left--) {
        at += cursor.varint();
        const bytes = cursor.sized();
        rule(bytes.length > 0 && at + bytes.length <= BLOCK, "an edit does not fit its block");
        block.set(bytes, at);
        at += bytes.length;
      }
      if (has(0x10)) {
        block.fill(0x20, 148, 156);
        let sum = 0;
        for (const byte of block) sum += byte;
        block.set([...digits(sum, 6), 0, 0x20], 148);
      }
      blocks.push(block);
      give({ bytes: block }, BLOCK);
    }
  }
  if (position !== size) fail("invalid", `a list of pieces gives ${position} bytes and not ${size}`);
  return pieces;
}

function digits(value: number, count: number): number[] {
  return [...value.toString(8).padStart(count, "0")].map((digit) => digit.charCodeAt(0));
}

/** @param read gives bytes of the address space */
export function joinPieces(pieces: ReferencePiece[], read: (start: number, end: number) => Uint8Array): Uint8Array {
  return concat(
    ...pieces.map((piece) => {
      if ("bytes" in piece) return piece.bytes;
      return "zeros" in piece ? new Uint8Array(piece.zeros) : read(piece.start, piece.end);
    }),
  );
}
