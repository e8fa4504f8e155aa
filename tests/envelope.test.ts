// Encrypted archives: the envelope around a plain one, and what somebody without the key can see or do.

import { generateHybridIdentity, generateIdentity, identityToRecipient } from "age-encryption";
import { describe, expect, test } from "vitest";
import { kindOf, makeSlot, openSlot } from "../src/core/crypto/age.ts";
import { createWebCiphers } from "../src/core/crypto/ciphers.ts";
import { paddedSegmentCount } from "../src/core/format/envelope.ts";
import {
  checkArchive,
  contentOf,
  createArchive,
  createMemorySink,
  createMemorySource,
  hexOf,
  openArchive,
} from "../src/core/index.ts";
import { openArchiveSource } from "../src/node/archive.ts";
import { nodeCiphers } from "../src/node/ciphers.ts";
import { contentsOf, expectBytes, findAmong, packPlan } from "./support/archives.ts";
import {
  AREA,
  CONTENT,
  encryptedPlan,
  HEAD,
  identity,
  outcomeOf,
  recipient,
  recorded,
  SEALED,
  SECRETS,
  START,
  segmentsOf,
  withSegments,
} from "./support/encrypted.ts";
import { randomBytes, randomFrom, text } from "./support/random.ts";
import { decodeReference } from "./support/reference.ts";
import { isEnvelope, openReferenceEnvelope } from "./support/reference-envelope.ts";
import { samplePlans } from "./support/samples.ts";

const file = await encryptedPlan();
const count = (file.length - START) / SEALED;

const altered = (bytes: Uint8Array, ...places: number[]) => {
  const copy = bytes.slice();
  for (const place of places) copy[place]! ^= 1;
  return copy;
};

describe("an encrypted archive", () => {
  test.each(Object.entries(samplePlans()))(
    "of %s holds byte for byte a plain one, by both decoders",
    async (_, plan) => {
      const bases = await Promise.all((plan.bases ?? []).map((base) => packPlan(base as typeof plan)));
      const encrypted = await packPlan({
        ...plan,
        bases,
        options: { ...plan.options, encryption: { recipients: [recipient] } },
      });
      const plain = await packPlan({ ...plan, bases });
      expect(isEnvelope(encrypted)).toBe(true);
      const archive = await openArchive(encrypted, { secrets: SECRETS, findParent: findAmong(bases) });
      expect(await checkArchive(archive)).toMatchObject({ ok: true, problems: [] });
      const { key } = archive.envelope!.keys;
      const parents = new Map(
        await Promise.all(bases.map(async (base) => [hexOf((await openArchive(base)).id), base] as const)),
      );
      const [inner, outer] = [decodeReference(encrypted, { key, parents }), decodeReference(plain, { parents })];
      expect(inner.id).toBe(archive.idText);
      expect(inner.id).not.toBe(outer.id);
      expect(inner.contentId).toBe(outer.contentId);
      // Not one chunk is stored more, and each is where it is in the plain archive.
      expect(inner.counts).toEqual(outer.counts);
      expect(inner.chunks).toEqual(outer.chunks);
      const opened = openReferenceEnvelope(encrypted, key).plain;
      const same = outer.chunks.reduce((end, { archive, blockOffset = 0, storedLength = 0 }) => {
        return archive === 0 ? Math.max(end, blockOffset + storedLength) : end;
      }, 16);
      expectBytes(opened.subarray(0, same), plain.subarray(0, same), "the body");
      expect(opened.length % 65_536).toBe(0);
    },
  );

  test("says other things each time: key, nonces, id", async () => {
    const again = await encryptedPlan();
    expect(again.length).toBe(file.length);
    const nonces = [...segmentsOf(file), ...segmentsOf(again)].map((segment) => Buffer.from(segment.subarray(0, 24)));
    expect(new Set(nonces.map((nonce) => nonce.toString("hex"))).size).toBe(2 * count);
    const ids = await Promise.all(
      [file, again].map(async (bytes) => (await openArchive(bytes, { secrets: SECRETS })).idText),
    );
    expect(ids[0]).not.toBe(ids[1]);
  });

  test("opens for every one of its recipients and passwords, and for nobody else", async () => {
    const others = [await generateIdentity(), await generateHybridIdentity()];
    const recipients = [recipient, ...(await Promise.all(others.map(identityToRecipient)))];
    const bytes = await encryptedPlan(CONTENT, { recipients, passwords: ["pass ä", "word"] });
    for (const one of [identity, ...others]) expect(await outcomeOf(bytes, { identities: [one] })).toBe("right");
    expect(await outcomeOf(bytes, { passwords: ["word"] })).toBe("right");
    const open = (password: string) =>
      openArchiveSource(createMemorySource(bytes), { secrets: { passwords: [password] } });
    expectBytes(await (await (await open("pass ä")).file("disk")).read(), CONTENT, "disk");
    await expect(open("Word")).rejects.toMatchObject({ code: "password_wrong" });
    expect(await outcomeOf(bytes, { identities: [await generateIdentity()] })).toBe("password_wrong");
    expect(await outcomeOf(bytes, {})).toBe("password_missing");
    expect(await outcomeOf(file, { passwords: ["word"] })).toBe("password_missing");
    const { kinds } = (await openArchive(bytes, { secrets: SECRETS })).envelope!;
    expect(kinds).toEqual(["passphrase", "passphrase", "x25519", "x25519", "post-quantum"]);
  });

  test("has passwords that age's library and Node's scrypt wrap and unwrap alike", async () => {
    const key = randomBytes(32, randomFrom(1));
    const [web, node] = [createWebCiphers(), nodeCiphers];
    for (const [writer, reader] of [
      [web, node],
      [node, web],
    ] as const) {
      const slot = await makeSlot(key, { password: "ñ" }, writer);
      expect(kindOf(slot)).toBe("passphrase");
      expect(await openSlot(slot, { passwords: ["n", "ñ"] }, reader)).toEqual(key);
      expect(await openSlot(slot, { passwords: ["n"] }, node)).toBe(undefined);
    }
  });

  test("asks for secrets once it turned out to be encrypted, with the kinds of its slots", async () => {
    const asked: object[] = [];
    const secrets = (archive: object) => {
      asked.push(archive);
      return SECRETS;
    };
    await openArchive(await packPlan({}), { secrets });
    expect(asked).toEqual([]);
    await openArchive(file, { secrets });
    expect(asked).toEqual([{ name: "memory", slots: ["x25519"] }]);
  });

  test("opens again with the archive key that was found, and with no other", async () => {
    const found: Uint8Array[] = [];
    await openArchive(file, { secrets: { ...SECRETS, onKey: (key) => found.push(key) } });
    expect(found.map(({ length }) => length)).toEqual([32]);
    expect(await outcomeOf(file, { archiveKeys: [randomBytes(32, randomFrom(2)), ...found] })).toBe("right");
    expect(await outcomeOf(file, { archiveKeys: [randomBytes(32, randomFrom(2))] })).toBe("password_missing");
  });

  test("refuses recipients that nothing here could open again", async () => {
    const refused = {
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN": /SSH keys/,
      age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt: /plugin/,
      "AGE-SECRET-KEY-1QQPQYZ": /secret one/,
      age1nonsense: /not a recipient/,
      "": /not a recipient/,
    };
    for (const [bad, message] of Object.entries(refused)) {
      await expect(encryptedPlan(CONTENT, { recipients: [bad] })).rejects.toMatchObject({ code: "usage", message });
    }
    await expect(encryptedPlan(CONTENT, {})).rejects.toMatchObject({ code: "usage" });
    await expect(encryptedPlan(CONTENT, { passwords: [""] })).rejects.toMatchObject({ code: "usage" });
    const five = ["1", "2", "3", "4", "5"];
    await expect(encryptedPlan(CONTENT, { passwords: five })).rejects.toMatchObject({ code: "limit_exceeded" });
  });
});

describe("somebody without the key", () => {
  test("sees no name, no magic and no content in the file", async () => {
    const words = text(100_000, randomFrom(9));
    const secret = "a-name-nobody-must-see";
    const bytes = Buffer.from(
      await packPlan({
        items: [{ entry: { path: secret as never, type: "file" }, content: words }],
        options: { compression: "none", encryption: { recipients: [recipient] }, metadata: { note: secret } },
      }),
    );
    const body = bytes.subarray(START);
    for (const known of [secret, "HEXZ", "HXPG", "HEXZEND"]) expect(body.includes(known), known).toBe(false);
    for (let at = 0; at + 12 < words.length; at += 997) {
      expect(body.includes(Buffer.from(words.subarray(at, at + 12))), `${at}`).toBe(false);
    }
    expect(bytes.subarray(0, START).includes(secret)).toBe(false);
  });

  test("learns the number of segments and nothing finer from the size", async () => {
    const random = randomFrom(3);
    const sizes = await Promise.all(
      [1, 10, 5000, 30_000].map(async (length) => (await encryptedPlan(randomBytes(length, random))).length),
    );
    expect(new Set(sizes)).toEqual(new Set([START + SEALED]));
  });

  test("sees requests for whole segments only, besides the head and the end that every opening reads", async () => {
    const { source, ranges } = recorded(file);
    const archive = await openArchive(source, { secrets: SECRETS, cacheBytes: 0 });
    const opening = ranges.splice(0);
    expect(opening.slice(0, 2)).toEqual([
      { start: file.length - 16_384, end: file.length },
      { start: 0, end: START },
    ]);
    const disk = await archive.file("disk");
    for (const [start, end] of [
      [0, 1],
      [65_000, 66_000],
      [123_456, 234_567],
      [0, CONTENT.length],
    ] as const) {
      expectBytes(await disk.read(start, end), CONTENT.subarray(start, end), `${start} to ${end}`);
    }
    for (const { start, end } of [...opening.slice(2), ...ranges]) {
      expect([(start - START) % SEALED, (end - START) % SEALED], `${start} to ${end}`).toEqual([0, 0]);
    }
  });

  test("cannot alter a segment", async () => {
    for (let number = 0; number < count; number++) {
      for (const at of [0, 23, 24, 40_000, SEALED - 17, SEALED - 16, SEALED - 1]) {
        const bytes = altered(file, START + number * SEALED + at);
        expect(await outcomeOf(bytes), `byte ${at} of segment ${number}`).toBe("damaged");
        const { key } = (await openArchive(file, { secrets: SECRETS })).envelope!.keys;
        expect(() => decodeReference(bytes, { key })).toThrow(/^damaged: segment/);
      }
    }
  });

  test("cannot swap, drop, repeat or take segments from another archive, even one with the same keys", async () => {
    const segments = segmentsOf(file);
    const { keys } = (await openArchive(file, { secrets: SECRETS })).envelope!;
    const twin = segmentsOf(await encryptedPlan(CONTENT, { keys }));
    expect(twin.length).toBe(count);
    for (let number = 0; number < count; number++) {
      const before = segments.slice(0, number);
      const behind = segments.slice(number + 1);
      const next = (number + 1) % count;
      const swapped = segments.with(number, segments[next]!).with(next, segments[number]!);
      expect(await outcomeOf(withSegments(file, swapped)), `swapped ${number}`).toBe("damaged");
      const own = segments[number]!;
      expect(await outcomeOf(withSegments(file, [...before, own, own, ...behind])), `repeated ${number}`).toBe(
        "damaged",
      );
      expect(await outcomeOf(withSegments(file, segments.with(next, own))), `copied ${number}`).toBe("damaged");
      expect(await outcomeOf(withSegments(file, segments.with(number, twin[number]!))), `alien ${number}`).toBe(
        "damaged",
      );
      const dropped = number === count - 1 ? "truncated" : "damaged";
      expect(await outcomeOf(withSegments(file, [...before, ...behind])), `dropped ${number}`).toBe(dropped);
    }
  });

  test("cannot cut the file off at any length without its being noticed", async () => {
    const borders = Array.from({ length: count }, (_, number) => START + number * SEALED);
    const near = borders.flatMap((border) => [border - 1, border, border + 1, border + 24, border + 40_000]);
    const lengths = [8, 15, 16, 17, 55, 56, HEAD - 1, HEAD, HEAD + 1, HEAD + AREA, START - 1, ...near, file.length - 1];
    for (const length of lengths)
      expect([length, await outcomeOf(file.slice(0, length))]).toEqual([length, "truncated"]);
    for (const length of [0, 1, 7]) expect(await outcomeOf(file.slice(0, length))).toBe("not_an_archive");
    for (const more of [1, 100, SEALED - 1]) {
      expect(await outcomeOf(new Uint8Array(Buffer.concat([file, new Uint8Array(more)])))).toBe("truncated");
    }
    expect(await outcomeOf(new Uint8Array(Buffer.concat([file, new Uint8Array(SEALED)])))).toBe("damaged");
  });

  test("cannot alter the head", async () => {
    for (const at of [0, 3]) expect(await outcomeOf(altered(file, at))).toBe("not_an_archive");
    expect(await outcomeOf(altered(file, 4))).toBe("version_unknown");
    for (const at of [8, 12, 16, 20, 31, 32, 47, 48, 55])
      expect([at, await outcomeOf(altered(file, at))]).toEqual([at, "damaged"]);
    for (const at of [56, HEAD - 1]) expect(await outcomeOf(altered(file, at))).toBe("invalid");
  });

  test("can damage one copy of the slots, which check tells, but not both", async () => {
    for (const at of [0, 8, 12, 16, 20, 100, 300, 9000, AREA - 40, AREA - 33, AREA - 32, AREA - 1]) {
      for (const area of [HEAD, HEAD + AREA]) {
        const bytes = altered(file, area + at);
        expect(await outcomeOf(bytes)).toBe("right");
        const check = await checkArchive(await openArchive(bytes, { secrets: SECRETS }));
        expect(check).toMatchObject({ ok: false, problems: [{ code: "damaged", where: "key slots" }] });
      }
      const both = altered(file, HEAD + at, HEAD + AREA + at);
      expect([at, await outcomeOf(both)]).toEqual([at, "damaged"]);
      expect(await outcomeOf(both, {})).toBe(at < AREA - 32 ? "damaged" : "password_missing");
    }
  });
});

describe("parents of encrypted archives", () => {
  const base = file;
  const more = randomBytes(40_000, randomFrom(17));
  const content = new Uint8Array(Buffer.concat([CONTENT, more]));

  async function childOf(encryption: object): Promise<Uint8Array> {
    const opened = await openArchive(base, { secrets: SECRETS });
    const sink = createMemorySink();
    const bases = [
      { id: opened.id, hint: "base.hxz", name: "base.hxz", root: opened.root, leaves: () => opened.leaves() },
    ];
    const writer = await createArchive(sink, { bases, ...encryption });
    await writer.addStream("disk", contentOf(content));
    await writer.finish();
    return sink.bytes();
  }

  test("a child stores only what is new, opens them with the same identities, and reads without waiting", async () => {
    const child = await childOf({ encryption: { recipients: [recipient] } });
    expect(child.length).toBeLessThan(START + 3 * SEALED);
    let asked = 0;
    const secrets = () => {
      asked++;
      return SECRETS;
    };
    const archive = await openArchive(child, { secrets, findParent: findAmong([base]) });
    expect((await contentsOf(archive)).get("stream:disk")).toEqual(content);
    expect(asked).toBe(2);
    expect(await checkArchive(archive)).toMatchObject({ ok: true });
    const local = await openArchiveSource(createMemorySource(child), {
      secrets: SECRETS,
      findParent: findAmong([base]),
    });
    expectBytes((await local.file("disk")).readSync(), content, "disk");
    const { key } = archive.envelope!.keys;
    const opened = await openArchive(base, { secrets: SECRETS });
    const parents = new Map([[hexOf(opened.id), openReferenceEnvelope(base, opened.envelope!.keys.key).plain]]);
    expectBytes(decodeReference(child, { key, parents }).read(0, content.length), content, "the reference's disk");
  });

  test("a plain child of an encrypted base is refused", async () => {
    await expect(childOf({})).rejects.toMatchObject({ code: "usage", message: /base\.hxz is encrypted/ });
  });
});

describe("paddedSegmentCount()", () => {
  test("is Padmé's: few sizes, at most 12 % more", () => {
    const seen = new Set<number>();
    for (let count = 1; count <= 100_000; count++) {
      const padded = paddedSegmentCount(count);
      seen.add(padded);
      if (padded < count || padded > count * 1.12) throw new Error(`${count} becomes ${padded}`);
    }
    expect(seen.size).toBeLessThan(200);
    for (const padded of seen) expect(paddedSegmentCount(padded)).toBe(padded);
    // Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", figure 4
    const padme = (length: number) => {
      const exponent = Math.floor(Math.log2(length));
      const bits = exponent - (Math.floor(Math.log2(exponent)) + 1);
      const mask = 2 ** Math.max(0, bits) - 1;
      return Number((BigInt(length) + BigInt(mask)) & ~BigInt(mask));
    };
    for (let count = 2; count < 5000; count++) expect(paddedSegmentCount(count)).toBe(padme(count));
  });

  test("decides the size of an archive that is padded, which both decoders read", async () => {
    const random = randomFrom(23);
    const lengths = [540_000, 570_000, 600_000].map((length) => randomBytes(length, random));
    for (const content of lengths) {
      const bytes = await encryptedPlan(content, { recipients: [recipient], pad: true });
      const segments = (bytes.length - START) / SEALED;
      expect(segments).toBe(10);
      expect(await outcomeOf(bytes, SECRETS, content)).toBe("right");
      const archive = await openArchive(bytes, { secrets: SECRETS });
      expect(await checkArchive(archive)).toMatchObject({ ok: true });
      expect(decodeReference(bytes, { key: archive.envelope!.keys.key }).id).toBe(archive.idText);
    }
  });
});
