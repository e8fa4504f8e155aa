// Hostile envelopes: heads, slot areas and slots that lie, with checksums that fit. Each is a named error or the right
// bytes, and none makes the reader allocate or compute beyond its limits. HEXZ_FUZZ_SEED repeats a run.

import { describe, expect, test } from "vitest";
import { kindOf } from "../src/core/crypto/age.ts";
import { digestWith } from "../src/core/digest.ts";
import { ERROR_CODES } from "../src/core/index.ts";
import { createPortableEngine } from "../src/core/portable-engine.ts";
import { AREA, encryptedPlan, HEAD, outcomeOf, SECRETS, START, segmentsOf, withSegments } from "./support/encrypted.ts";
import { randomFrom } from "./support/random.ts";

const digestOf = digestWith(await createPortableEngine({ memoryBytes: 2 << 20 }));
const file = await encryptedPlan();
const SEED = Number(process.env.HEXZ_FUZZ_SEED ?? Date.now() % 1_000_000);
const OUTCOMES = new Set(["right", ...Object.keys(ERROR_CODES)]);

/** A copy whose checksums fit what `change` made of it. */
function forged(change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = file.slice();
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
const withSlots = (slots: readonly string[]) =>
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
  });

const scrypt = (cost: string, salt = "A".repeat(22)) =>
  `age-encryption.org/v1\n-> scrypt ${salt} ${cost}\n${"A".repeat(43)}\n--- ${"A".repeat(43)}\n${"x".repeat(64)}`;
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

  test(`of random mutations (seed ${SEED}) gives a named error or the right bytes`, async () => {
    const below = randomFrom(SEED);
    const segments = segmentsOf(file);
    for (let round = 0; round < 400; round++) {
      let bytes: Uint8Array;
      const kind = round % 4;
      if (kind === 0) bytes = forged((copy) => copy.fill(below(256), ...between(below(START), below(40))));
      else if (kind === 1)
        bytes = forged((copy) => u32(copy, [HEAD, HEAD + AREA][below(2)]! + 4 * below(8), below(2 ** 32)));
      else if (kind === 2) {
        bytes = file.slice();
        bytes.fill(below(256), ...between(below(file.length), 1 + below(500)));
      } else {
        const order = Array.from({ length: 1 + below(8) }, () => segments[below(segments.length)]!);
        bytes = withSegments(file, order);
      }
      const outcome = await outcomeOf(bytes);
      expect(OUTCOMES.has(outcome), `round ${round}, seed ${SEED}: ${outcome}`).toBe(true);
      expect(outcome).not.toBe("usage");
    }
  });
});

const between = (start: number, length: number): [number, number] => [start, start + length];
