// Hostile envelopes: heads, slot areas and slots that lie, with checksums that fit. Each is a named error or the right
// bytes, and none makes the reader allocate or compute beyond its limits.

import { describe, expect, test } from "vitest";
import { checkCosts, kindOf } from "../src/core/crypto/age.ts";
import { decodeEnvelopeStart, slotKinds } from "../src/core/crypto/keys.ts";
import { digestWith } from "../src/core/digest.ts";
import { createPortableEngine } from "../src/core/portable-engine.ts";
import {
  AREA,
  CONTENT,
  encryptedPlan,
  HEAD,
  outcomeOf,
  SECRETS,
  START,
  segmentsOf,
  withSegments,
} from "./support/encrypted.ts";
import { change, mangle, type Random, randomOf } from "./support/fuzz.ts";
import { outcomeOfRecord } from "./support/fuzz-records.ts";
import { COUNT, fuzz, inputs, PATIENT, replay, SEED } from "./support/fuzz-run.ts";
import { codeOf, openQuickly, WrongOutcome } from "./support/outcomes.ts";

const digestOf = digestWith(await createPortableEngine({ memoryBytes: 2 << 20 }));
const file = await encryptedPlan();
const segments = segmentsOf(file);

/** A copy whose checksums fit what `change` made of it. */
function forged(change: (bytes: Uint8Array) => void, base = file): Uint8Array {
  const bytes = base.slice();
  change(bytes);
  bytes.set(digestOf(bytes.subarray(0, 12)).subarray(0, 4), 12);
  bytes.set(digestOf(bytes.subarray(0, 48)).subarray(0, 8), 48);
  for (const start of [HEAD, HEAD + AREA]) {
    bytes.set(digestOf(bytes.subarray(start, start + AREA - 40)).subarray(0, 8), start + AREA - 40);
  }
  return bytes;
}

const u32 = (bytes: Uint8Array, at: number, value: number) =>
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, true);

/** Both areas have this number at that place. */
const inBothAreas = (place: number, value: number) =>
  forged((bytes) => {
    for (const area of [HEAD, HEAD + AREA]) u32(bytes, area + place, value);
  });

/** Both areas hold these bytes from the slots' place on, with that many slots. */
const withSlots = (slots: readonly string[], base = file) =>
  forged((bytes) => {
    for (const area of [HEAD, HEAD + AREA]) {
      bytes.fill(0, area + 8, area + AREA - 40);
      let at = area + 16;
      for (const slot of slots) {
        u32(bytes, at, slot.length);
        bytes.set(Buffer.from(slot, "latin1"), at + 4);
        at += 4 + slot.length;
      }
      u32(bytes, area + 8, at - area - 16);
      u32(bytes, area + 12, slots.length);
    }
  }, base);

const scrypt = (cost: string, salt = "A".repeat(22)) =>
  `age-encryption.org/v1\n-> scrypt ${salt} ${cost}\n${"A".repeat(43)}\n--- ${"A".repeat(43)}\n${"x".repeat(64)}`;
const X25519 = `age-encryption.org/v1\n-> X25519 ${"A".repeat(43)}\n${"A".repeat(43)}\n--- ${"A".repeat(43)}\n${"x".repeat(64)}`;
const HYBRID = X25519.replace("X25519", "mlkem768x25519");
const PASSWORD = { passwords: ["word"] };

describe("a hostile envelope", () => {
  test("cannot make the reader allocate or compute without bounds", async () => {
    const cases: [string, Uint8Array, string][] = [
      ["areas of 4 GiB", forged((bytes) => u32(bytes, 16, 0xffff_f000)), "limit_exceeded"],
      ["areas of 1 MiB, behind the file's end", forged((bytes) => u32(bytes, 16, 1 << 20)), "truncated"],
      ["areas of an odd length", forged((bytes) => u32(bytes, 16, AREA + 1)), "invalid"],
      ["areas of no length", forged((bytes) => u32(bytes, 16, 0)), "invalid"],
      ["four billion slots", inBothAreas(12, 2 ** 32 - 1), "limit_exceeded"],
      ["no slots", withSlots([]), "invalid"],
      ["a slot that is longer than its area", inBothAreas(16, 1 << 30), "invalid"],
      ["scrypt of 2^30", withSlots([scrypt("30")]), "limit_exceeded"],
      ["scrypt of 2^19", withSlots([scrypt("19")]), "limit_exceeded"],
      ["scrypt of 2^1000000", withSlots([scrypt("1000000")]), "limit_exceeded"],
      ["scrypt of a negative cost", withSlots([scrypt("-1")]), "limit_exceeded"],
      ["five passwords", withSlots(Array.from({ length: 5 }, () => scrypt("1"))), "limit_exceeded"],
      [
        "two passwords in one slot, and three more",
        withSlots([
          scrypt("1").replace("---", `-> scrypt ${"A".repeat(22)} 1\n${"A".repeat(43)}\n---`),
          scrypt("1"),
          scrypt("1"),
          scrypt("1"),
        ]),
        "limit_exceeded",
      ],
      ["scrypt with a bad salt", withSlots([scrypt("1", "!")]), "password_wrong"],
      ["a password's slot of another key", withSlots([scrypt("1")]), "password_wrong"],
    ];
    for (const [name, bytes, code] of cases) {
      const secrets = name.includes("scrypt") || name.includes("password") ? PASSWORD : SECRETS;
      expect([name, await outcomeOf(bytes, secrets)]).toEqual([name, code]);
    }
  });

  test("with slots of kinds that nothing here opens is refused by the kinds", async () => {
    const plugin = "age-encryption.org/v1\n-> yubikey abc\nAAAA\n--- AAAA\nx";
    expect(kindOf(Buffer.from(plugin))).toBe("yubikey");
    expect(await outcomeOf(withSlots([plugin, "no age file at all"]))).toBe("password_missing");
    expect(kindOf(Buffer.from("no age file at all"))).toBe("unknown");
  });

  test("whose slots somebody without the key has put there is damaged, also when they open", async () => {
    const stranger = await encryptedPlan();
    const slots = stranger.slice(HEAD, HEAD + AREA);
    const bytes = file.slice();
    bytes.set(slots, HEAD);
    bytes.set(slots, HEAD + AREA);
    expect(await outcomeOf(bytes)).toBe("damaged");
  });
});

/** Slots as others make them, with the words and the base64 of their headers changed. */
function changedSlots(random: Random, base: Uint8Array): Uint8Array {
  const slots = [scrypt("16"), X25519, HYBRID].filter(() => random(3) > 0);
  const changed = slots.map((slot) => Buffer.from(mangle(Buffer.from(slot, "latin1"), random)).toString("latin1"));
  return withSlots(changed, base);
}

/** What stands before the segments, changed; its checksums right in most cases. */
function changedStart(random: Random, base: Uint8Array): Uint8Array {
  const how = random(5);
  if (how === 0) return changedSlots(random, base);
  if (how === 1) return forged((copy) => change(copy, 16, START, random), base);
  if (how === 2) {
    const at = [HEAD, HEAD + AREA][random(2)]! + 4 * random(8);
    return forged((copy) => u32(copy, at, random(2 ** 32)), base);
  }
  if (how === 3) return forged((copy) => change(copy, [HEAD, HEAD + AREA][random(2)]!, START, random), base);
  return mangle(base, random);
}

test(`${COUNT} changed heads and key slots`, PATIENT, async () => {
  const start = file.slice(0, START);
  const tally = await fuzz("slots", COUNT, (number, keep) => {
    const bytes = changedStart(randomOf(SEED, number), start);
    keep(bytes);
    return outcomeOfSlots(bytes);
  });
  for (const code of ["right", "damaged", "invalid", "limit_exceeded", "truncated"]) {
    expect(tally.get(code), code).toBeGreaterThan(COUNT / 1000);
  }
});

/** Reads what is read before any key is tried. */
function outcomeOfSlots(bytes: Uint8Array): string {
  return outcomeOfRecord(() => {
    const start = decodeEnvelopeStart(bytes, "x", digestOf);
    for (const area of start.areas) if (area !== undefined) checkCosts(area.slots, "x");
    if (slotKinds(start).some((kind) => kind.length > AREA)) throw new WrongOutcome("a kind that is no name");
  }, bytes);
}

/** Segments in any order, and bytes of them changed. */
function changedSegments(random: Random): Uint8Array {
  const order = Array.from({ length: 1 + random(8) }, () => segments[random(segments.length)]!);
  if (random(4) === 0) return withSegments(file, order);
  const copy = withSegments(file, segments);
  change(copy, START, copy.length, random);
  return copy;
}

/** Opening a slot takes the arithmetic of a curve, in JavaScript: some hundred a second. */
const OPENED = inputs(100);

test(`${OPENED} changed envelopes are opened and read, or are a named error`, PATIENT, async () => {
  const tally = await fuzz("envelope", OPENED, async (number, keep) => {
    const random = randomOf(SEED, number);
    const bytes = random(2) === 0 ? changedStart(random, file) : changedSegments(random);
    keep(bytes);
    return outcomeOfEnvelope(bytes);
  });
  for (const code of ["right", "damaged", "invalid", "password_missing"])
    expect(tally.get(code), code).toBeGreaterThan(0);
});

/** @throws WrongOutcome */
async function outcomeOfEnvelope(bytes: Uint8Array): Promise<string> {
  try {
    const archive = await openQuickly(bytes, [], SECRETS);
    const found = await (await archive.file("disk")).read();
    if (Buffer.compare(found, CONTENT) !== 0) throw new WrongOutcome("wrong bytes");
    return "right";
  } catch (error) {
    const code = codeOf(error);
    if (code === "usage") throw new WrongOutcome("wrong use");
    return code;
  }
}

replay("slots", async (bytes) => [outcomeOfSlots(bytes)]);
replay("envelope", async (bytes) => [await outcomeOfEnvelope(bytes)]);
