// The reference decoder of format 1, slow and from docs/format-1.md alone: every rule of "Writing" is checked, and a
// reference to the parent is resolved by place and by digest, as the two releases of the original do.

import { createDecipheriv, createHash, createPublicKey, pbkdf2Sync, verify } from "node:crypto";
import { crc32 } from "node:zlib";
import { Cursor, concat, equal, hash, isZero, rule, utf8 } from "./reference-bytes.ts";
import { decodeCodec } from "./reference-codecs.ts";

export interface ReferenceBlock {
  readonly kind: "data" | "zeros" | "reference";
  readonly start: number;
  readonly length: number;
  readonly digest: Uint8Array;
  readonly plain: Uint8Array;
}

export interface ReferenceStream {
  readonly bytes: Uint8Array;
  readonly blocks: readonly ReferenceBlock[];
  readonly pageCounts: readonly number[];
}

export interface ReferenceFormat1 {
  readonly parentPaths: readonly string[];
  readonly blockSize: number;
  readonly compression: "lz4" | "zstd";
  readonly cdc: readonly [number, number, number] | undefined;
  readonly encrypted: boolean;
  readonly dictionaryLength: number | undefined;
  readonly main: ReferenceStream;
  readonly auxiliary: ReferenceStream;
  // biome-ignore lint/suspicious/noExplicitAny: JSON that tests look into
  readonly metadata: any;
  /** Blocks that are stored, each counted once. */
  readonly stored: number;
}

export interface ReferenceOptions {
  readonly parent?: ReferenceFormat1;
  readonly password?: string;
  /** Raw; the archive must be signed by its private key. */
  readonly publicKey?: Uint8Array;
}

const HEADER = 4096;
const ED25519_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

function option<T>(cursor: Cursor, read: () => T): T | undefined {
  const tag = cursor.u8();
  rule(tag <= 1, "an option has another tag than 0 and 1");
  return tag === 1 ? read() : undefined;
}

export function decodeReferenceFormat1(file: Uint8Array, options: ReferenceOptions = {}): ReferenceFormat1 {
  const header = new Cursor(file.subarray(0, HEADER), "the header");
  rule(utf8(header.take(4), "the magic") === "HEXZ" && header.u32() === 1, "it is no archive of format 1");
  const blockSize = header.u32();
  const indexOffset = header.u64();
  const parentPaths = Array.from({ length: header.u64() }, () => utf8(header.take(header.u64()), "a path"));
  const section = () => {
    const offset = option(header, () => header.u64());
    const length = option(header, () => header.u32());
    rule((offset === undefined) === (length === undefined), "a section is there in part");
    return offset === undefined ? undefined : { offset, length: length! };
  };
  const [dictionary, metadataPlace, signature] = [section(), section(), section()];
  const encryption = option(header, () => ({ salt: header.take(16), iterations: header.u32() }));
  const codec = header.u32();
  rule(codec <= 1, "there is no such compression");
  const [hasMain, hasAuxiliary, variable] = [header.u8(), header.u8(), header.u8()];
  const cdc = option(header, () => [header.u32(), header.u32(), header.u32()] as const);
  rule((variable === 1) === (cdc !== undefined), "chunk sizes are there when blocks are cut by content");
  rule(isZero(file.subarray(header.at, HEADER)), "what follows the header is not zero");

  const master = new Cursor(file.subarray(indexOffset), "the master index");
  const pages = () =>
    Array.from({ length: master.u64() }, () => ({
      offset: master.u64(),
      length: master.u32(),
      startBlock: master.u64(),
      startLogical: master.u64(),
    }));
  const [mainPages, auxiliaryPages] = [pages(), pages()];
  const [mainSize, auxiliarySize] = [master.u64(), master.u64()];
  rule(hasMain === Number(mainPages.length > 0) && hasAuxiliary === Number(auxiliaryPages.length > 0), "features lie");
  let end = indexOffset + master.at;
  for (const place of [metadataPlace, signature]) {
    if (place === undefined) continue;
    rule(place.offset === end, "the sections behind the index do not follow each other");
    end += place.length;
  }
  rule(end === file.length, "there is something behind the end");
  rule(end - indexOffset <= 64 * 2 ** 20, "the original reads no such tail");
  checkSignature(file, indexOffset, signature, options.publicKey);

  let key: Uint8Array | undefined;
  if (encryption !== undefined) {
    rule(encryption.iterations === 600_000, "the original's number of iterations");
    key = pbkdf2Sync(options.password ?? "", encryption.salt, encryption.iterations, 32, "sha256");
  }
  const words =
    dictionary === undefined ? undefined : file.subarray(dictionary.offset, dictionary.offset + dictionary.length);
  const stored = new Map<number, number>();
  const numbers: number[] = [];

  const decodeStream = (name: "main" | "auxiliary", places: typeof mainPages, size: number): ReferenceStream => {
    const blocks: ReferenceBlock[] = [];
    const pageCounts: number[] = [];
    let position = 0;
    for (const place of places) {
      const page = new Cursor(file.subarray(place.offset, place.offset + place.length), "a page");
      const count = page.u64();
      rule(count >= 1 && count <= 4096 && place.length === 8 + 52 * count, "a page has another length");
      rule(place.startLogical === position, "a page does not begin where the one before ended");
      pageCounts.push(count);
      for (let number = place.startBlock; number < place.startBlock + count; number++) {
        const block = decodeBlock(page, number, name, position);
        rule(block.length > 0, "a block has no bytes");
        rule(block.kind !== "data" || !isZero(block.plain), "zeros are stored as data");
        numbers.push(number);
        position += block.length;
        blocks.push(block);
      }
    }
    rule(position === size, "the blocks of a stream are not as long as it");
    return { bytes: concat(...blocks.map(({ plain }) => plain)), blocks, pageCounts };
  };

  const decodeBlock = (page: Cursor, number: number, name: "main" | "auxiliary", start: number): ReferenceBlock => {
    const place = page.take(8);
    const isReference = place.every((byte) => byte === 255);
    const offset = isReference ? 0 : new Cursor(place, "an offset").u64();
    const [storedLength, length, checksum] = [page.u32(), page.u32(), page.u32()];
    const digest = page.take(32);
    const block = { start, length, digest };
    if (isReference) {
      rule(storedLength === 0 && checksum === 0, "a reference has stored bytes");
      return { ...block, kind: "reference", plain: resolve(options.parent, name, block) };
    }
    if (storedLength === 0) {
      rule(offset === 0 && checksum === 0 && isZero(digest), "a block of zeros has fields");
      return { ...block, kind: "zeros", plain: new Uint8Array(length) };
    }
    rule(offset >= HEADER && offset + storedLength <= indexOffset, "a block lies outside of the blocks' region");
    rule(key === undefined || !stored.has(offset), "an encrypted block is there twice");
    stored.set(offset, number);
    let coded = file.subarray(offset, offset + storedLength);
    rule(crc32(coded) === checksum, "a checksum is wrong");
    if (key !== undefined) coded = decrypt(key, number, coded);
    const lz4 = codec === 0;
    if (lz4) rule(new Cursor(coded, "a block").u32() === length, "an LZ4 block has another length before it");
    const codecNumber = lz4 ? 1 : words === undefined ? 2 : 3;
    const plain = decodeCodec(codecNumber, lz4 ? coded.subarray(4) : coded, length, { dictionary: words });
    rule(key === undefined ? equal(hash(plain), digest) : isZero(digest), "a digest is wrong");
    return { ...block, kind: "data", plain };
  };

  const main = decodeStream("main", mainPages, mainSize);
  const auxiliary = decodeStream("auxiliary", auxiliaryPages, auxiliarySize);
  rule(
    numbers.sort((a, b) => a - b).every((number, at) => number === at),
    "blocks are not numbered through the archive",
  );
  return {
    parentPaths,
    blockSize,
    compression: codec === 0 ? "lz4" : "zstd",
    cdc,
    encrypted: encryption !== undefined,
    dictionaryLength: dictionary?.length,
    main,
    auxiliary,
    metadata:
      metadataPlace &&
      JSON.parse(utf8(file.subarray(metadataPlace.offset, metadataPlace.offset + metadataPlace.length), "metadata")),
    stored: stored.size,
  };
}

/** A reference means the same by its place and by its digest, without going further back. */
function resolve(
  parent: ReferenceFormat1 | undefined,
  name: "main" | "auxiliary",
  { start, length, digest }: Pick<ReferenceBlock, "start" | "length" | "digest">,
): Uint8Array {
  rule(parent !== undefined, "a reference without a parent");
  const there = parent[name].blocks.find((block) => block.start === start);
  const known = [...parent.main.blocks, ...parent.auxiliary.blocks].findLast(
    (block) => block.kind === "data" && equal(block.digest, digest),
  );
  rule(there?.kind === "data" && there.length === length, "the parent stores no such chunk there");
  rule(known !== undefined && equal(known.plain, there.plain), "place and digest lead to different bytes");
  return there.plain;
}

function decrypt(key: Uint8Array, number: number, sealed: Uint8Array): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(number), 4);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  decipher.setAuthTag(sealed.subarray(-16));
  return concat(decipher.update(sealed.subarray(0, -16)), decipher.final());
}

function checkSignature(
  file: Uint8Array,
  indexOffset: number,
  place: { offset: number; length: number } | undefined,
  publicKey: Uint8Array | undefined,
): void {
  if (publicKey === undefined) return;
  rule(place !== undefined && place.length === 64, "it is not signed");
  const digest = createHash("sha256").update(file.subarray(indexOffset, place.offset)).digest();
  const key = createPublicKey({ key: Buffer.concat([ED25519_PREFIX, publicKey]), format: "der", type: "spki" });
  rule(verify(null, digest, key, file.subarray(place.offset, place.offset + 64)), "the signature is wrong");
}
