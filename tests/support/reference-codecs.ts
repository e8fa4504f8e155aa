// The reference decoder: codecs and filters on bytes (docs/format.md, "Codecs" and "Filters").

import { createDCtx, decompress, decompressUsingDict, freeDCtx, init } from "@bokuweb/zstd-wasm";
import { Cursor, fail, limit, rule } from "./reference-bytes.ts";

await init();

/** Decodes one Zstandard frame to the given length, with a dictionary for codec 3. */
export type ZstdDecoder = (frame: Uint8Array, length: number, dictionary?: Uint8Array) => Uint8Array;

/** One LZ4 block: tokens of a literal run and a match, the last one without a match. */
export function decodeLz4(coded: Uint8Array, length: number): Uint8Array {
  const plain = new Uint8Array(length);
  let from = 0;
  let to = 0;
  const byte = (): number => coded[from++] ?? fail("damaged", "an LZ4 block ends too early");
  const run = (nibble: number): number => {
    let sum = nibble;
    if (nibble === 15) {
      for (let more = 255; more === 255; sum += more) more = byte();
    }
    return sum;
  };
  for (;;) {
    const token = byte();
    const literals = run(token >> 4);
    if (from + literals > coded.length || to + literals > length) fail("damaged", "an LZ4 block has too many literals");
    plain.set(coded.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === coded.length) break;
    const distance = byte() + 256 * byte();
    const match = 4 + run(token & 15);
    if (distance === 0 || distance > to) fail("damaged", `an LZ4 block has a match at distance ${distance}`);
    if (to + match > length) fail("damaged", "an LZ4 block is longer than its plain length");
    for (let i = 0; i < match; i++, to++) plain[to] = plain[to - distance]!;
  }
  if (to !== length) fail("damaged", `an LZ4 block yields ${to} bytes and not ${length}`);
  return plain;
}

/** One Zstandard frame that fills `frame`, with content size, without checksum (RFC 8878, section 3.1.1). */
function checkZstdFrame(frame: Uint8Array, length: number, dictionaryId: number): void {
  const at = (i: number): number => frame[i] ?? fail("damaged", "a Zstandard frame ends too early");
  const number = (i: number, size: number): number => {
    let value = 0;
    for (let k = size - 1; k >= 0; k--) value = value * 256 + at(i + k);
    return value;
  };
  if (number(0, 4) !== 0xfd2fb528) fail("damaged", "a block is no Zstandard frame");
  const descriptor = at(4);
  if ((descriptor & 8) !== 0) fail("damaged", "a Zstandard frame has a reserved bit");
  rule((descriptor & 4) === 0, "a Zstandard frame has a checksum");
  const single = (descriptor & 0x20) !== 0;
  const idLength = [0, 1, 2, 4][descriptor & 3]!;
  const sizeLength = [single ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  rule(sizeLength > 0, "a Zstandard frame has no content size");
  let next = 5 + (single ? 0 : 1);
  const named = number(next, idLength);
  rule(dictionaryId !== 0 || named === 0, "a Zstandard frame of codec 2 names a dictionary");
  if (named !== dictionaryId) fail("damaged", `a Zstandard frame names dictionary ${named} and not ${dictionaryId}`);
  next += idLength;
  const size = number(next, sizeLength) + (sizeLength === 2 ? 256 : 0);
  if (size !== length) fail("damaged", `a Zstandard frame has ${size} bytes and not ${length}`);
  next += sizeLength;
  for (let last = false; !last; ) {
    const header = number(next, 3);
    last = (header & 1) === 1;
    const type = (header >> 1) & 3;
    if (type === 3) fail("damaged", "a Zstandard block of the reserved type");
    next += 3 + (type === 1 ? 1 : header >> 3);
  }
  if (next !== frame.length) fail("damaged", `a Zstandard frame ends at ${next} of ${frame.length} bytes`);
}

/** RFC 8878, section 5: magic and id stand before everything else. */
function dictionaryIdOf(dictionary: Uint8Array): number {
  const cursor = new Cursor(dictionary, "a dictionary");
  rule(cursor.u32() === 0xec30a437, "a dictionary has another magic");
  const id = cursor.u32();
  rule(id !== 0, "a dictionary has no id");
  return id;
}

const zstdWasm: ZstdDecoder = (frame, _length, dictionary) => {
  if (dictionary === undefined) return decompress(frame);
  const context = createDCtx();
  try {
    return decompressUsingDict(context, frame, dictionary);
  } finally {
    freeDCtx(context);
  }
};

export function decodeCodec(
  codec: number,
  stored: Uint8Array,
  length: number,
  options: { zstd?: ZstdDecoder | undefined; dictionary?: Uint8Array | undefined },
): Uint8Array {
  if (codec === 0) {
    if (stored.length !== length) fail("damaged", `a stored block has ${stored.length} bytes and not ${length}`);
    return stored;
  }
  if (codec === 1) return decodeLz4(stored, length);
  rule((codec === 3) === (options.dictionary !== undefined), "codec 3 and a dictionary go together");
  checkZstdFrame(stored, length, options.dictionary === undefined ? 0 : dictionaryIdOf(options.dictionary));
  let plain: Uint8Array;
  try {
    plain = (options.zstd ?? zstdWasm)(stored, length, options.dictionary);
  } catch (error) {
    return fail("damaged", `a Zstandard frame does not decode: ${error}`);
  }
  if (plain.length !== length) fail("damaged", `a Zstandard frame yields ${plain.length} bytes and not ${length}`);
  return plain;
}

/** One step of a recipe. `blockNumber` counts in the table of the page that holds the recipe. */
export type Step =
  | { name: "planes" | "rotate"; width: number }
  | { name: "subtract" | "xor"; width: number; blockNumber: number; offset: number }
  | { name: "palette"; width: number; words: Uint8Array[] };

export function decodeRecipe(recipe: Uint8Array, what: string): Step[] {
  const cursor = new Cursor(recipe, `${what}: filter recipe`);
  const steps: Step[] = [];
  limit(recipe.length, 2048, cursor.what);
  rule(cursor.left > 0, `${cursor.what} is empty`);
  while (cursor.left > 0) {
    const opcode = cursor.u8();
    if (opcode < 1 || opcode > 5) fail("feature_unknown", `filter ${opcode}`);
    const widths = [[2, 4, 8], [2, 4, 8], [1, 2, 4, 8], [1], [2, 4]][opcode - 1]!;
    const width = opcode === 4 ? 1 : cursor.u8();
    rule(widths.includes(width), `${cursor.what}: filter ${opcode} of width ${width}`);
    if (opcode === 1) steps.push({ name: "planes", width });
    if (opcode === 2) steps.push({ name: "rotate", width });
    if (opcode === 3) steps.push({ name: "subtract", width, blockNumber: cursor.varint(), offset: cursor.varint() });
    if (opcode === 4) steps.push({ name: "xor", width, blockNumber: cursor.varint(), offset: cursor.varint() });
    if (opcode === 5) {
      const count = cursor.varint();
      rule(count >= 1 && count <= 256, `${cursor.what}: a palette of ${count} entries`);
      const words: Uint8Array[] = [];
      for (let i = 0; i < count; i++) {
        words.push(cursor.take(width));
        rule(i === 0 || little(words[i - 1]!) < little(words[i]!), `${cursor.what}: the palette does not ascend`);
      }
      steps.push({ name: "palette", width, words });
      rule(cursor.left === 0, `${cursor.what}: a step after the palette`);
    }
  }
  return steps;
}

const little = (word: Uint8Array): bigint => word.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n);

function bigToWord(value: bigint, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}

/** What the codec must yield: only the palette changes the length of a block. */
export function filteredLength(steps: Step[], plainLength: number): number {
  const last = steps.at(-1);
  if (last?.name !== "palette") return plainLength;
  const rest = plainLength % last.width;
  return (plainLength - rest) / last.width + rest;
}

/** Undoes one step; `base` is as many bytes as the block has. */
export function undoStep(step: Step, bytes: Uint8Array, plainLength: number, base?: Uint8Array): Uint8Array {
  const { width } = step;
  const rest = plainLength % width;
  const words = (plainLength - rest) / width;
  const plain = new Uint8Array(plainLength);
  plain.set(bytes.subarray(bytes.length - rest), plainLength - rest);
  for (let i = 0; i < words; i++) plain.set(word(i), i * width);
  if (step.name === "subtract") {
    for (let i = plainLength - rest; i < plainLength; i++) plain[i] = bytes[i]! + base![i]!;
  }
  return plain;

  function word(i: number): Uint8Array {
    const own = bytes.subarray(i * width, (i + 1) * width);
    switch (step.name) {
      case "planes":
        return Uint8Array.from({ length: width }, (_, k) => bytes[k * words + i]!);
      case "rotate":
        return bigToWord((little(own) >> 1n) | ((little(own) & 1n) << BigInt(8 * width - 1)), width);
      case "subtract": {
        const z = little(own);
        const difference = (z & 1n) === 0n ? z >> 1n : -((z + 1n) >> 1n);
        return bigToWord(
          BigInt.asUintN(8 * width, little(base!.subarray(i * width, (i + 1) * width)) + difference),
          width,
        );
      }
      case "xor":
        return Uint8Array.of(own[0]! ^ base![i]!);
      case "palette": {
        return step.words[bytes[i]!] ?? fail("damaged", `a block has the palette number ${bytes[i]}`);
      }
    }
  }
}
