// Signatures: in the pass that writes and appended later, several of them, what requires them, and that the chain from a
// signature to the last byte of content has no gap.

import { describe, expect, test } from "vitest";
import { decodeSignatures, encodeSignatures, mergeSignatures, signedMessage } from "../src/core/format/signatures.ts";
import {
  createMemorySink,
  hexOf,
  openArchive,
  type RangeSource,
  type Signer,
  verifyArchive,
} from "../src/core/index.ts";
import { appendSignatures } from "../src/core/write/sign.ts";
import { verifyEd25519 } from "../src/node/ed25519.ts";
import { contentsOf, entriesOf, expectAgreement, findAmong, idOf, packBases, packPlan } from "./support/archives.ts";
import { fixedSigner } from "./support/fixed-signer.ts";
import { isWhole, openQuickly, outcomeOf, truthOf } from "./support/outcomes.ts";
import { decodeReference } from "./support/reference.ts";
import { samplePlans } from "./support/samples.ts";
import { signedBytes } from "./support/signers.ts";

const [ada, bob, eve] = [fixedSigner(0), fixedSigner(1), fixedSigner(2)];
const plans = samplePlans();
const packed = (name: string, ...signers: Signer[]) =>
  packPlan({ ...plans[name]!, options: { ...plans[name]!.options, signers } });
const verified = async (bytes: Uint8Array, keys: readonly Uint8Array[], parents: readonly Uint8Array[] = []) =>
  verifyArchive(await openQuickly(bytes, parents), { keys });

describe("a signature", () => {
  test("is of 48 bytes, and goes through its page unchanged", async () => {
    const id = new Uint8Array(32).fill(9);
    expect(Buffer.from(signedMessage(id)).toString("latin1")).toBe(`hexz archive v2\0${"\t".repeat(32)}`);
    const signatures = await Promise.all(
      [ada, bob].map(async ({ publicKey, sign }) => ({ publicKey, signature: await sign(signedMessage(id)) })),
    );
    const payload = encodeSignatures(signatures);
    expect(payload.length).toBe(1 + 2 * 97);
    expect(decodeSignatures(payload, "a page")).toEqual(signatures);
  });

  test("RFC 8032's first vector", async () => {
    const publicKey = Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex");
    const signature = Buffer.from(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
      "hex",
    );
    const { verifyByWebCrypto } = await import("../src/core/crypto/ed25519.ts");
    for (const verify of [verifyEd25519, verifyByWebCrypto]) {
      expect(await verify(publicKey, new Uint8Array(0), signature)).toBe(true);
      expect(await verify(publicKey, new Uint8Array(1), signature)).toBe(false);
      expect(
        await verify(
          publicKey.map((byte) => byte ^ 1),
          new Uint8Array(0),
          signature,
        ),
      ).toBe(false);
    }
  });

  test("pages that break a rule are refused: none, too many, another algorithm, a key twice, bytes behind", () => {
    const one = { publicKey: ada.publicKey, signature: new Uint8Array(64) };
    const good = encodeSignatures([one]);
    const codes = [
      [Uint8Array.of(0), "invalid"],
      [good.with(0, 65), "limit_exceeded"],
      [good.with(1, 2), "feature_unknown"],
      [encodeSignatures([one, one]), "invalid"],
      [Uint8Array.from([...good, 0]), "invalid"],
      [good.subarray(0, -1), "invalid"],
    ] as const;
    for (const [payload, code] of codes) {
      expect(() => decodeSignatures(payload, "a page")).toThrow(expect.objectContaining({ code }));
    }
    const many = Array.from({ length: 65 }, (_, number) => ({ ...one, publicKey: new Uint8Array(32).fill(number) }));
    expect(encodeSignatures(many.slice(1)).length).toBe(1 + 64 * 97);
    expect(() => encodeSignatures(many)).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
  });

  test("mergeSignatures() keeps the order, and puts a new one in the place of the key's old one", () => {
    const made = (publicKey: Uint8Array, value: number) => ({ publicKey, signature: new Uint8Array(64).fill(value) });
    const old = [made(ada.publicKey, 1), made(bob.publicKey, 2)];
    const merged = mergeSignatures(old, [made(ada.publicKey, 3), made(eve.publicKey, 4)]);
    expect(merged.map(({ signature }) => signature[0])).toEqual([3, 2, 4]);
  });
});

describe("signing", () => {
  test("in the pass that writes: the same archive with a page more, and both decoders agree", async () => {
    for (const name of ["tree-lz4", "empty"]) {
      const plain = await packed(name);
      const signed = await packed(name, ada, bob);
      expect(signed.length).toBe(plain.length + 24 + 8 + 1 + 2 * 97);
      const reference = await expectAgreement(signed);
      expect(reference.id).toBe(decodeReference(plain).id);
      const { ok, signatures } = await verified(signed, [bob.publicKey, ada.publicKey]);
      expect([ok, signatures.map(({ valid, trusted }) => [valid, trusted])]).toEqual([
        true,
        Array(2).fill([true, true]),
      ]);
    }
  });

  test("appended: nothing in front changes, the old ones come first, the reference decoder agrees each time", async () => {
    let bytes = await packed("tree-lz4");
    for (const signer of [ada, bob, ada, eve]) {
      const next = await signedBytes(bytes, signer);
      expect(Buffer.compare(next.subarray(0, bytes.length), bytes)).toBe(0);
      await expectAgreement(next);
      bytes = next;
    }
    const keys = (await (await openQuickly(bytes)).signatures()).map(({ publicKey, valid }) => [
      hexOf(publicKey),
      valid,
    ]);
    expect(keys).toEqual([ada, bob, eve].map(({ publicKey }) => [hexOf(publicKey), true]));
    expect(await verified(bytes, [eve.publicKey])).toMatchObject({ ok: true });
  });

  test("a torn append is `truncated`, wherever it tears", async () => {
    const bytes = await packed("tree-lz4", ada);
    const signed = await signedBytes(bytes, bob);
    for (let length = bytes.length + 1; length < signed.length; length++) {
      await expect(openQuickly(signed.subarray(0, length))).rejects.toMatchObject({ code: "truncated" });
    }
  });

  test("an archive of 1 TiB is signed with one read of its end", async () => {
    const { encodePageFrame } = await import("../src/core/format/page.ts");
    const { encodeEndMark } = await import("../src/core/format/end-mark.ts");
    const small = await packed("tree-lz4");
    const { endMark, context } = await openQuickly(small);
    const { digestOf } = context;
    const { offset, bodyLength, digest } = endMark.root;
    const body = small.subarray(offset + 24, offset + 24 + bodyLength);
    const at = 2 ** 40;
    const root = { offset: at, bodyLength, digest };
    const tail = Buffer.concat([
      encodePageFrame({ body, digest }, at, digestOf),
      body,
      encodeEndMark({ root, signatures: undefined, parity: undefined }, at + 24 + bodyLength, digestOf),
    ]);
    const size = at + tail.length;
    const reads: number[] = [];
    const source: RangeSource = {
      name: "1 TiB",
      size,
      async read(start, end) {
        reads.push(end - start);
        const bytes = new Uint8Array(end - start);
        bytes.set(tail.subarray(Math.max(0, start - at), end - at), Math.max(0, at - start));
        return bytes;
      },
    };
    const archive = await openArchive(source);
    const sink = createMemorySink();
    await appendSignatures({ size, endMark: archive.endMark, signatures: [], ...archive.context }, [ada], sink);
    expect(reads).toEqual([16 * 1024]);
    expect(sink.bytes().length).toBe(24 + 8 + 1 + 97 + 96);
  });
});

describe("requireSignedBy", () => {
  test("opens what all keys have signed, and nothing else; not together with verify: false", async () => {
    const signed = await packed("tree-lz4", ada, bob);
    const open = (bytes: Uint8Array, ...keys: Signer[]) =>
      openArchive(bytes, { requireSignedBy: keys.map(({ publicKey }) => publicKey) });
    for (const keys of [[ada], [bob], [bob, ada]]) expect((await open(signed, ...keys)).idText).toBeDefined();
    for (const keys of [[eve], [ada, eve]]) {
      const error = { code: "untrusted", data: { missing: [hexOf(eve.publicKey)] } };
      await expect(open(signed, ...keys)).rejects.toMatchObject(error);
    }
    await expect(open(await packed("tree-lz4"), ada)).rejects.toMatchObject({ code: "untrusted" });
    const both = openArchive(signed, { requireSignedBy: [ada.publicKey], verify: false });
    await expect(both).rejects.toMatchObject({ code: "usage" });
  });

  test("is checked before anything is returned, from the end that is read anyway", async () => {
    const bytes = await packed("tree-lz4", ada);
    let reads = 0;
    const source: RangeSource = {
      name: "counted",
      size: bytes.length,
      async read(start, end) {
        reads++;
        return bytes.subarray(start, end);
      },
    };
    await openArchive(source, { requireSignedBy: [ada.publicKey] });
    expect(reads).toBe(1);
    await expect(openArchive(source, { requireSignedBy: [eve.publicKey] })).rejects.toMatchObject({
      code: "untrusted",
    });
    expect(reads).toBe(2);
  });

  test("a signature of another archive does not do", async () => {
    const other = await (await openQuickly(await packed("mixed-lz4", ada))).signatures();
    const archive = await openQuickly(await packed("tree-lz4"));
    expect((await archive.checkSignatures(other)).map(({ valid }) => valid)).toEqual([false]);
    const sink = createMemorySink();
    const size = archive.source.size;
    await appendSignatures({ size, endMark: archive.endMark, signatures: other, ...archive.context }, [bob], sink);
    const stolen = Buffer.concat([await archive.source.read(0, size), sink.bytes()]);
    expect(await verified(stolen, [bob.publicKey])).toMatchObject({ ok: true });
    expect(await verified(stolen, [ada.publicKey])).toMatchObject({ ok: false, checkedBytes: 0 });
    await expect(openArchive(stolen, { requireSignedBy: [ada.publicKey] })).rejects.toMatchObject({
      code: "untrusted",
    });
  });
});

/** Whether the altered archive still verifies; then all of its content must be there, unchanged. */
async function passes(bytes: Uint8Array, key: Uint8Array, parents: readonly Uint8Array[]): Promise<boolean> {
  try {
    return (await verified(bytes, [key], parents)).ok;
  } catch (error) {
    expect((error as { code?: unknown }).code, String(error)).toBeTypeOf("string");
    return false;
  }
}

describe("every byte of a signed archive, altered one at a time, is found", () => {
  // Every byte of the small ones, every third of those that take long.
  test.each([
    ["empty", 1],
    ["tree-none", 1],
    ["tree-lz4", 1],
    ["mixed-zstd", 3],
    ["thin", 3],
  ])("%s", async (name, step) => {
    const parents = await packBases(plans[name]!.bases);
    const once = await packed(name, ada);
    const archive = await openQuickly(once, parents);
    const coded = decodeReference(once, { parents: new Map(parents.map((one) => [idOf(one), one])) })
      .chunks.filter(({ codec, archive }) => codec !== undefined && codec !== 0 && archive === 0)
      .map(({ blockOffset, storedLength }) => ({ start: blockOffset!, end: blockOffset! + storedLength! }));
    // Signed in the pass that wrote it, and once more later: two end marks, two pages of signatures.
    const sink = createMemorySink();
    const signatures = await archive.signatures();
    const signable = { size: once.length, endMark: archive.endMark, signatures, ...archive.context };
    await appendSignatures(signable, [bob], sink);
    const bytes = new Uint8Array(Buffer.concat([once, sink.bytes()]));
    expect(await passes(bytes, ada.publicKey, parents)).toBe(true);
    const truth = await truthOf(bytes, parents);
    for (let at = 0; at < bytes.length; at += step) {
      const altered = bytes.slice();
      altered[at]! ^= 1 << (at % 8);
      if (!(await passes(altered, ada.publicKey, parents))) continue;
      // The one exception: a coded block that still gives the bytes that were signed.
      expect(
        coded.some(({ start, end }) => start <= at && at < end),
        `byte ${at}`,
      ).toBe(true);
      expect(isWhole(await outcomeOf(altered, truth))).toBe(true);
    }
  });

  test("what a parent contributes, too", async () => {
    const parents = await packBases(plans.thin!.bases);
    const bytes = await packed("thin", ada);
    const truth = await truthOf(bytes, parents);
    let found = 0;
    for (let at = 0; at < parents[0]!.length; at += 2) {
      const altered = parents[0]!.slice();
      altered[at]! ^= 1 << (at % 8);
      if (!(await passes(bytes, ada.publicKey, [altered]))) found++;
      // Bytes of the parent that are no part of the child are nobody's business here.
      else expect(isWhole(await outcomeOf(bytes, { ...truth, parents: [altered] })), `byte ${at}`).toBe(true);
    }
    expect(found).toBeGreaterThan(parents[0]!.length / 6);
  });

  test("the root of a signed archive cannot be exchanged for another one's", async () => {
    const [mine, other] = [await packed("tree-none", ada), await packed("tree-lz4")];
    // The other archive with my signatures page appended.
    const archive = await openQuickly(mine);
    const signatures = await archive.signatures();
    const target = await openQuickly(other);
    const sink = createMemorySink();
    await appendSignatures({ size: other.length, endMark: target.endMark, signatures, ...target.context }, [], sink);
    expect(await passes(Buffer.concat([other, sink.bytes()]), ada.publicKey, [])).toBe(false);
  });
});

test("verifyArchive() without keys proves nothing, quickly proves no content", async () => {
  const bytes = await packed("tree-none", ada);
  const archive = await openQuickly(bytes);
  expect(await verifyArchive(archive, { keys: [] })).toMatchObject({ ok: false, checkedBytes: 0, problems: [] });
  const quick = await verifyArchive(archive, { keys: [ada.publicKey], quick: true });
  expect(quick).toMatchObject({ ok: true, checkedBytes: 0 });
  const signature = await bob.sign(signedMessage(archive.id));
  const keys = [ada.publicKey, bob.publicKey];
  expect(await verifyArchive(archive, { keys })).toMatchObject({ ok: false });
  expect(await verifyArchive(archive, { keys, detached: [signature] })).toMatchObject({ ok: true });
  const wrong = signature.with(0, signature[0]! ^ 1);
  expect(await verifyArchive(archive, { keys: [ada.publicKey], detached: [wrong] })).toMatchObject({ ok: false });
});

test("a thin archive is read as signed when its parents are not signed at all", async () => {
  const parents = await packBases(plans.thin!.bases);
  const bytes = await packed("thin", ada);
  const archive = await openArchive(bytes, { findParent: findAmong(parents), requireSignedBy: [ada.publicKey] });
  expect((await entriesOf(archive)).length).toBeGreaterThan(1);
  expect((await contentsOf(archive)).size).toBeGreaterThan(0);
});
