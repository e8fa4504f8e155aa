// The reference decoder: the envelope (docs/format.md, "Encryption"). It is given the archive key; how a slot gives it
// away is age's own business, and the tests ask the program of that name.

import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from "node:crypto";
import { ascii, concat, equal, fail, hash, isZero, rule, u64 } from "./reference-bytes.ts";

export interface ReferenceEnvelope {
  areaLength: number;
  /** The slots of the area that counts, each an age file. */
  slots: Uint8Array[];
  generation: number;
  /** What is inside. */
  plain: Uint8Array;
}

const HEAD = 4096;
const SEALED = 65_576;

const u32At = (bytes: Uint8Array, at: number) => Buffer.from(bytes.buffer, bytes.byteOffset).readUInt32LE(at);
const u64At = (bytes: Uint8Array, at: number) => u32At(bytes, at) + u32At(bytes, at + 4) * 2 ** 32;

export const isEnvelope = (file: Uint8Array): boolean =>
  file.length >= 16 &&
  equal(file.subarray(0, 4), ascii("HEXZ")) &&
  u32At(file, 4) === 2 &&
  u32At(file, 8) === 1 &&
  equal(file.subarray(12, 16), hash(file.subarray(0, 12)).subarray(0, 4));

function derive(key: Uint8Array, salt: Uint8Array, info: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", key, salt, ascii(info), 32));
}

/** The slots of both areas; an area whose checksum is wrong has none. */
export function referenceSlots(file: Uint8Array): { areaLength: number; areas: (Uint8Array[] | undefined)[] } {
  if (!equal(file.subarray(48, 56), hash(file.subarray(0, 48)).subarray(0, 8))) fail("damaged", "the envelope's head");
  rule(
    isZero(file.subarray(20, 32)) && isZero(file.subarray(56, HEAD)),
    "the envelope's head is not zero where it must",
  );
  const areaLength = u32At(file, 16);
  rule(areaLength % 4096 === 0 && areaLength >= 4096 && areaLength <= 1 << 20, `slot areas of ${areaLength} bytes`);
  return { areaLength, areas: [0, 1].map((number) => slotsOf(areaAt(file, areaLength, number))) };
}

const areaAt = (file: Uint8Array, length: number, number: number) =>
  file.subarray(HEAD + number * length, HEAD + (number + 1) * length);

function slotsOf(area: Uint8Array): Uint8Array[] | undefined {
  const end = area.length - 40;
  if (!equal(area.subarray(end, end + 8), hash(area.subarray(0, end)).subarray(0, 8))) return undefined;
  const length = u32At(area, 8);
  const slots: Uint8Array[] = [];
  let at = 16;
  for (let number = 0; number < u32At(area, 12); number++) {
    slots.push(area.subarray(at + 4, at + 4 + u32At(area, at)));
    at += 4 + u32At(area, at);
  }
  rule(at === 16 + length && isZero(area.subarray(at, end)), "a slot area has something behind its slots");
  return slots;
}

/** XAES-256-GCM of C2SP, opened. */
export function openXaes(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array {
  const aes = (block: Uint8Array) => createCipheriv("aes-256-ecb", key, null).setAutoPadding(false).update(block);
  const top = BigInt(`0x${aes(new Uint8Array(16)).toString("hex")}`);
  const doubled = ((top << 1n) & ((1n << 128n) - 1n)) ^ (top >> 127n === 1n ? 0x87n : 0n);
  const masked = (number: number) => {
    const block = concat(Uint8Array.of(0, number, 0x58, 0), nonce.subarray(0, 12));
    const value = BigInt(`0x${Buffer.from(block).toString("hex")}`) ^ doubled;
    return Buffer.from(value.toString(16).padStart(32, "0"), "hex");
  };
  const derived = concat(aes(masked(1)), aes(masked(2)));
  const decipher = createDecipheriv("aes-256-gcm", derived, nonce.subarray(12)).setAAD(associated);
  decipher.setAuthTag(sealed.subarray(-16));
  return concat(decipher.update(sealed.subarray(0, -16)), decipher.final());
}

/** Opens the whole file. @throws Error like `decodeReference` */
export function openReferenceEnvelope(file: Uint8Array, key: Uint8Array): ReferenceEnvelope {
  const { areaLength, areas } = referenceSlots(file);
  const start = HEAD + 2 * areaLength;
  const genuine = [0, 1].filter((number) => {
    const area = areaAt(file, areaLength, number);
    const mac = createHmac("sha256", derive(key, new Uint8Array(0), "hexz slots"));
    mac.update(file.subarray(0, 48)).update(area.subarray(0, -32));
    return areas[number] !== undefined && equal(mac.digest(), area.subarray(-32));
  });
  if (genuine.length === 0) fail("damaged", "no slot area is genuine");
  const generations = genuine.map((number) => u64At(areaAt(file, areaLength, number), 0));
  const current = genuine[generations.indexOf(Math.max(...generations))]!;
  if (file.length <= start || (file.length - start) % SEALED !== 0) fail("truncated", "the last segment is not whole");
  const segmentKey = derive(key, file.subarray(32, 48), "hexz segments");
  const parts: Uint8Array[] = [];
  for (let number = 0; start + number * SEALED < file.length; number++) {
    const segment = file.subarray(start + number * SEALED, start + (number + 1) * SEALED);
    const associated = concat(u64(number), ascii("hexz segment"));
    try {
      parts.push(openXaes(segmentKey, segment.subarray(0, 24), segment.subarray(24), associated));
    } catch {
      fail("damaged", `segment ${number} is not what was sealed there`);
    }
  }
  return { areaLength, slots: areas[current]!, generation: Math.max(...generations), plain: concat(...parts) };
}
