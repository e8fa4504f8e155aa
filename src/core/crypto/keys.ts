// The archive key: made, put into slots, found in them again (docs/format.md, "Encryption").

import { equalBytes } from "../bytes.ts";
import type { DigestOf } from "../digest.ts";
import { HexzError } from "../errors.ts";
import {
  areaMac,
  areaMessage,
  decodeEnvelopeHead,
  decodeSlotArea,
  ENVELOPE_HEAD_LENGTH,
  type EnvelopeHead,
  encodeSlotArea,
  type SlotArea,
} from "../format/envelope.ts";
import { checkLimit, LIMITS } from "../limits.ts";
import { checkCosts, kindOf, makeSlot, mayOpen, openSlot } from "./age.ts";
import { type Ciphers, KEY_LENGTH } from "./ciphers.ts";
import type { AskSecrets, NewKeys, Secrets, SlotKind } from "./secrets.ts";

const MAC_INFO = new TextEncoder().encode("hexz slots");
const NO_SALT = new Uint8Array(0);

/** The archive key, and the slots that hold it. */
export interface EnvelopeKeys {
  readonly key: Uint8Array;
  readonly slots: readonly Uint8Array[];
}

/** The two slot areas as they are in a file; undefined where the checksum does not fit. */
export type SlotAreas = readonly [SlotArea | undefined, SlotArea | undefined];

/** What stands before the segments. */
export interface EnvelopeStart {
  readonly head: EnvelopeHead;
  /** The bytes of head and slot areas. */
  readonly bytes: Uint8Array;
  readonly areas: SlotAreas;
}

/** What the slot area that does not count is: torn or altered, or of before or after a change that was interrupted. */
export type OtherArea = "same" | "different" | "damaged";

/** An envelope whose key is known. */
export interface UnlockedEnvelope extends EnvelopeStart {
  readonly keys: EnvelopeKeys;
  /** Which of the areas counts. */
  readonly current: 0 | 1;
  readonly otherArea: OtherArea;
}

/** A slot for each password and recipient. @throws HexzError `usage`, `limit_exceeded` */
export async function makeSlots(
  key: Uint8Array,
  { passwords = [], recipients = [] }: NewKeys,
  ciphers: Ciphers,
): Promise<Uint8Array[]> {
  checkLimit("the number of passwords", passwords.length, LIMITS.passphraseSlots);
  checkLimit("the number of key slots", passwords.length + recipients.length, LIMITS.keySlots);
  const slots: Uint8Array[] = [];
  for (const password of passwords) slots.push(await makeSlot(key, { password }, ciphers));
  for (const recipient of recipients) slots.push(await makeSlot(key, { recipient }, ciphers));
  if (slots.length === 0) throw new HexzError("usage", "a password or a recipient is needed to encrypt");
  return slots;
}

/** A new archive key in new slots. */
export async function makeKeys(to: NewKeys, ciphers: Ciphers): Promise<EnvelopeKeys> {
  const key = ciphers.randomBytes(KEY_LENGTH);
  return { key, slots: await makeSlots(key, to, ciphers) };
}

async function macOf(start: Uint8Array, area: Uint8Array, key: Uint8Array, ciphers: Ciphers): Promise<Uint8Array> {
  return ciphers.hmacSha256(await ciphers.hkdfSha256(key, NO_SALT, MAC_INFO), areaMessage(start, area));
}

/** An area, complete with checksum and HMAC. @param head the beginning of the file */
export async function sealArea(
  area: SlotArea,
  to: { head: Uint8Array; areaLength: number; key: Uint8Array },
  ciphers: Ciphers,
  digestOf: DigestOf,
): Promise<Uint8Array> {
  const bytes = encodeSlotArea(area, to.areaLength, digestOf);
  areaMac(bytes).set(await macOf(to.head, bytes, to.key, ciphers));
  return bytes;
}

/**
 * @param bytes of the file up to the segments
 * @throws HexzError `truncated`, `damaged` when neither slot area is whole, `invalid`, `limit_exceeded`
 */
export function decodeEnvelopeStart(bytes: Uint8Array, name: string, digestOf: DigestOf): EnvelopeStart {
  const head = decodeEnvelopeHead(bytes, name, digestOf);
  const areas = [0, 1].map((number) => {
    const area = areaBytes({ head, bytes }, number as 0 | 1);
    return decodeSlotArea(area, `the key slots of ${name}`, digestOf);
  }) as unknown as SlotAreas;
  if (areas.every((area) => area === undefined)) throw damagedSlots(name, "both areas are damaged", head);
  return { head, bytes, areas };
}

function areaBytes({ head, bytes }: Pick<EnvelopeStart, "head" | "bytes">, number: 0 | 1): Uint8Array {
  const start = ENVELOPE_HEAD_LENGTH + number * head.areaLength;
  return bytes.subarray(start, start + head.areaLength);
}

function damagedSlots(name: string, why: string, { areaLength }: EnvelopeHead): HexzError {
  const end = ENVELOPE_HEAD_LENGTH + 2 * areaLength;
  return new HexzError("damaged", `the key slots of ${name} are damaged: ${why}`, {
    data: { start: ENVELOPE_HEAD_LENGTH, end },
  });
}

/** Numbers of the areas that are whole, the one with the highest generation first. */
function inOrder([a, b]: SlotAreas): (0 | 1)[] {
  if (a === undefined || b === undefined) return a === undefined ? [1] : [0];
  return b.generation > a.generation ? [1, 0] : [0, 1];
}

/** The kinds of slots, without any key: what the area says that would count. */
export function slotKinds({ areas }: EnvelopeStart): SlotKind[] {
  return areas[inOrder(areas)[0]!]!.slots.map(kindOf);
}

/**
 * Finds the archive key.
 * @throws HexzError `password_missing`, `password_wrong`, `damaged`, `limit_exceeded`
 */
export async function unlock(
  start: EnvelopeStart,
  name: string,
  ask: Secrets | AskSecrets,
  ciphers: Ciphers,
): Promise<UnlockedEnvelope> {
  const kinds = slotKinds(start);
  const order = inOrder(start.areas);
  for (const number of order) checkCosts(start.areas[number]!.slots, name);
  const secrets = typeof ask === "function" ? await ask({ name, slots: kinds }) : ask;
  const known = await unlockWith(secrets.archiveKeys ?? [], start, order, ciphers);
  if (known !== undefined) return known;
  if (!mayOpen(secrets, kinds)) throw missing(name, kinds);
  let isAltered = false;
  const tried: Uint8Array[] = [];
  for (const number of order) {
    const { slots } = start.areas[number]!;
    const key = await findKey(slots, secrets, tried, ciphers);
    if (key === undefined) continue;
    const unlocked = await unlockWith([key], start, [number], ciphers);
    if (unlocked !== undefined) {
      secrets.onKey?.(key);
      return unlocked;
    }
    isAltered = true;
  }
  if (isAltered) throw damagedSlots(name, "somebody without the key has changed them", start.head);
  throw new HexzError("password_wrong", `no password or identity that was given opens ${name}`, {
    data: { key_slots: slotDocuments(kinds) },
  });
}

/** The envelope, if one of the keys is its own. */
async function unlockWith(
  archiveKeys: readonly Uint8Array[],
  start: EnvelopeStart,
  order: readonly (0 | 1)[],
  ciphers: Ciphers,
): Promise<UnlockedEnvelope | undefined> {
  for (const current of order) {
    for (const key of archiveKeys) {
      if (!(await isGenuine(start, current, key, ciphers))) continue;
      const { slots } = start.areas[current]!;
      return { ...start, keys: { key, slots }, current, otherArea: await compareOther(start, current, key, ciphers) };
    }
  }
  return undefined;
}

async function isGenuine(start: EnvelopeStart, number: 0 | 1, key: Uint8Array, ciphers: Ciphers): Promise<boolean> {
  const area = areaBytes(start, number);
  return equalBytes(await macOf(start.bytes, area, key, ciphers), areaMac(area));
}

async function compareOther(
  start: EnvelopeStart,
  current: 0 | 1,
  key: Uint8Array,
  ciphers: Ciphers,
): Promise<OtherArea> {
  const other = current === 0 ? 1 : 0;
  if (start.areas[other] === undefined || !(await isGenuine(start, other, key, ciphers))) return "damaged";
  const [slots, others] = [current, other].map((number) => start.areas[number as 0 | 1]!.slots);
  const same = slots!.length === others!.length && slots!.every((slot, at) => equalBytes(slot, others![at]!));
  return same ? "same" : "different";
}

/**
 * Identities first: they cost next to nothing.
 * @param tried slots that the secrets do not open; more are added
 */
async function findKey(
  slots: readonly Uint8Array[],
  secrets: Secrets,
  tried: Uint8Array[],
  ciphers: Ciphers,
): Promise<Uint8Array | undefined> {
  const isSlow = (slot: Uint8Array) => kindOf(slot) === "passphrase";
  for (const slot of [...slots].sort((a, b) => Number(isSlow(a)) - Number(isSlow(b)))) {
    if (!mayOpen(secrets, [kindOf(slot)]) || tried.some((other) => equalBytes(slot, other))) continue;
    const key = await openSlot(slot, secrets, ciphers);
    if (key !== undefined) return key;
    tried.push(slot);
  }
  return undefined;
}

/** Key slots for scripts: their numbers, from 0, and kinds. */
export function slotDocuments(kinds: readonly SlotKind[]): { slot: number; kind: SlotKind }[] {
  return kinds.map((kind, slot) => ({ slot, kind }));
}

function missing(name: string, kinds: readonly SlotKind[]): HexzError {
  const needed = [...new Set(kinds)].join(", ");
  return new HexzError(
    "password_missing",
    `${name} is encrypted, and nothing was given that could open it (${needed})`,
    {
      hint: "--password-file FILE, HEXZ_PASSWORD or --identity FILE",
      data: { encrypted: true, key_slots: slotDocuments(kinds) },
    },
  );
}
