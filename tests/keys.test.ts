// `hexz keys`: the slots change, the data does not, and no interruption locks anybody out.

import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateIdentity, identityToRecipient } from "age-encryption";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exitCodeOf } from "../src/cli/exit-codes.ts";
import { run } from "../src/cli/run.ts";
import { changeSlots, type InPlace } from "../src/core/crypto/change-slots.ts";
import { makeSlots, unlock } from "../src/core/crypto/keys.ts";
import { digestWith } from "../src/core/digest.ts";
import { checkArchive, createMemorySource, openArchive } from "../src/core/index.ts";
import { createPortableEngine } from "../src/core/portable-engine.ts";
import { lockedIo } from "../src/core/read/envelope.ts";
import { runAsync } from "../src/core/read/io.ts";
import { nodeCiphers } from "../src/node/ciphers.ts";
import { hexz, hexzJson } from "./support/cli.ts";
import { AREA, encryptedPlan, HEAD, identity, outcomeOf, recipient, SECRETS, START } from "./support/encrypted.ts";
import { openReferenceEnvelope } from "./support/reference-envelope.ts";

const digestOf = digestWith(await createPortableEngine({ memoryBytes: 1 << 20 }));
const file = await encryptedPlan();
const other = await generateIdentity();
const OTHER = { identities: [other] };
const otherRecipient = await identityToRecipient(other);

interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The writes that replacing all slots makes, in order; a sync is behind each. */
async function writesOf(bytes: Uint8Array, secrets: object, to: string): Promise<Write[]> {
  const start = await runAsync(lockedIo(createMemorySource(bytes), digestOf));
  const envelope = await unlock(start!, "memory", secrets, nodeCiphers);
  const steps: (Write | "sync")[] = [];
  const place: InPlace = {
    name: "memory",
    write: (piece, offset) => void steps.push({ offset, bytes: piece.slice() }),
    sync: () => void steps.push("sync"),
  };
  const slots = await makeSlots(envelope.keys.key, { recipients: [to] }, nodeCiphers);
  await changeSlots(envelope, slots, place, nodeCiphers, digestOf);
  expect(steps.map((step) => (step === "sync" ? step : step.bytes.length))).toEqual([AREA, "sync", AREA, "sync"]);
  return steps.filter((step) => step !== "sync");
}

/** What is there when the work stops after so many bytes of a write, all before it being durable. */
function torn(bytes: Uint8Array, writes: readonly Write[], number: number, length: number): Uint8Array {
  const result = bytes.slice();
  for (const write of writes.slice(0, number)) result.set(write.bytes, write.offset);
  const last = writes[number];
  if (last !== undefined) result.set(last.bytes.subarray(0, length), last.offset);
  return result;
}

describe("changeSlots()", () => {
  const lengths = [0, 1, 8, 17, 511, 512, 4096, AREA - 40, AREA - 32, AREA - 1, AREA];

  test("stopped anywhere, the archive opens with the old or the new keys, and doing it again completes it", async () => {
    const writes = await writesOf(file, SECRETS, otherRecipient);
    for (let number = 0; number < writes.length; number++) {
      for (const length of lengths) {
        const bytes = torn(file, writes, number, length);
        const opens = [await outcomeOf(bytes, SECRETS), await outcomeOf(bytes, OTHER)];
        // Torn within its HMAC, an area looks as if somebody had changed it.
        for (const outcome of opens) expect(outcome).toMatch(/^(right|password_wrong|damaged)$/);
        expect(opens[number === 0 && length < AREA ? 0 : 1], `${number} ${length}`).toBe("right");
        const again = await writesOf(bytes, opens[1] === "right" ? OTHER : SECRETS, otherRecipient);
        const healed = torn(bytes, again, 2, 0);
        expect([await outcomeOf(healed, SECRETS), await outcomeOf(healed, OTHER)]).toEqual(["password_wrong", "right"]);
      }
    }
  });

  test("an interruption is told by check, and a completed change is not", async () => {
    const writes = await writesOf(file, SECRETS, otherRecipient);
    const between = await openArchive(torn(file, writes, 1, 0), { secrets: OTHER });
    expect(await checkArchive(between)).toMatchObject({
      ok: false,
      problems: [{ code: "invalid", where: "key slots" }],
    });
    const within = await openArchive(torn(file, writes, 1, 600), { secrets: OTHER });
    expect(await checkArchive(within)).toMatchObject({
      ok: false,
      problems: [{ code: "damaged", where: "key slots" }],
    });
    const done = await openArchive(torn(file, writes, 2, 0), { secrets: OTHER });
    expect(await checkArchive(done)).toMatchObject({ ok: true });
  });

  test("touches nothing but the two areas; generations grow", async () => {
    const writes = await writesOf(file, SECRETS, otherRecipient);
    const done = torn(file, writes, 2, 0);
    expect(Buffer.compare(done.subarray(0, HEAD), file.subarray(0, HEAD))).toBe(0);
    expect(Buffer.compare(done.subarray(START), file.subarray(START))).toBe(0);
    const { key } = (await openArchive(done, { secrets: OTHER })).envelope!.keys;
    expect(openReferenceEnvelope(done, key)).toMatchObject({ generation: 2, areaLength: AREA });
  });
});

describe("hexz keys", () => {
  const cwd = mkdtempSync(join(tmpdir(), "hexz-test-"));
  const { HEXZ_PASSWORD: _, ...env } = process.env;
  const at = { cwd, env };
  const ID = ["--identity", "id.txt"];
  afterAll(() => rmSync(cwd, { recursive: true }));
  beforeAll(() => {
    writeFileSync(join(cwd, "archive.hxz"), file);
    writeFileSync(join(cwd, "id.txt"), `# created: now\n${identity}\n`);
    writeFileSync(join(cwd, "other.txt"), other);
    writeFileSync(join(cwd, "new"), "new password\n");
    writeFileSync(join(cwd, "plain.hxz"), readFileSync(new URL("golden/empty.hxz", import.meta.url)));
  });
  const slotsOf = (...kinds: string[]) => kinds.map((kind, slot) => ({ slot, kind }));
  const copy = (name: string) => copyFileSync(join(cwd, "archive.hxz"), join(cwd, name));
  const opens = (name: string, ...options: string[]) => hexz(["check", name, ...options], at).code;

  test("list needs no key", () => {
    const { code, document } = hexzJson(["keys", "list", "archive.hxz"], at);
    expect([code, document]).toEqual([0, { path: "archive.hxz", encrypted: true, key_slots: slotsOf("x25519") }]);
    expect(hexz(["keys", "list", "archive.hxz"], at).stdout).toBe(" 0  x25519\n");
    expect(hexzJson(["keys", "list", "plain.hxz"], at)).toMatchObject({
      code: 0,
      document: { encrypted: false, key_slots: [] },
    });
  });

  test("add, remove and rotate change who can open it", () => {
    copy("changed.hxz");
    const added = hexzJson(
      ["keys", "add", "changed.hxz", ...ID, "--recipient", otherRecipient, "--new-password-file", "new"],
      at,
    );
    expect([added.code, added.document.key_slots]).toEqual([0, slotsOf("x25519", "passphrase", "x25519")]);
    for (const options of [ID, ["--identity", "other.txt"], ["--password-file", "new"]]) {
      expect([options, opens("changed.hxz", ...options)]).toEqual([options, 0]);
    }
    const removed = hexzJson(["keys", "remove", "changed.hxz", "0", "--password-file", "new"], at);
    expect([removed.code, removed.document.key_slots]).toEqual([0, slotsOf("passphrase", "x25519")]);
    expect(removed.document.remark).toContain("may have kept the archive key");
    expect([opens("changed.hxz", ...ID), opens("changed.hxz", "--identity", "other.txt")]).toEqual([1, 0]);
    const rotated = hexzJson(
      ["keys", "rotate", "changed.hxz", "--identity", "other.txt", "--recipient", recipient],
      at,
    );
    expect([rotated.code, rotated.document.key_slots]).toEqual([0, slotsOf("x25519")]);
    expect([opens("changed.hxz", ...ID), opens("changed.hxz", "--identity", "other.txt")]).toEqual([0, 1]);
    const bytes = readFileSync(join(cwd, "changed.hxz"));
    expect(Buffer.compare(bytes.subarray(START), file.subarray(START))).toBe(0);
  });

  test("wrong use is exit code 2, a wrong key 1, and nothing is changed", async () => {
    copy("same.hxz");
    copyFileSync(new URL("format1/archives/055-pack-lz4-encrypted.hxz", import.meta.url), join(cwd, "format1.hxz"));
    const cases: [string[], number, string][] = [
      // These first: a process that has found the key once keeps it.
      [["add", "same.hxz", "--recipient", recipient], 2, "password_missing"],
      [["add", "same.hxz", "--recipient", recipient, "--identity", "other.txt"], 1, "password_wrong"],
      [["remove", "same.hxz", "0", ...ID], 2, "usage"],
      [["remove", "same.hxz", "1", ...ID], 2, "usage"],
      [["remove", "same.hxz", "x", ...ID], 2, "usage"],
      [["remove", "same.hxz", ...ID], 2, "usage"],
      [["add", "same.hxz", ...ID], 2, "password_missing"],
      [["add", "same.hxz", "0", "--recipient", recipient, ...ID], 2, "usage"],
      [["add", "same.hxz", "--recipient", "age1nonsense", ...ID], 2, "usage"],
      [["rotate", "same.hxz", ...ID], 2, "password_missing"],
      [["add", "plain.hxz", "--recipient", recipient, ...ID], 2, "usage"],
      [["list", "missing.hxz"], 3, "not_found"],
      [["list", "id.txt"], 1, "not_an_archive"],
      [["list", "format1.hxz"], 2, "usage"],
      [["change", "same.hxz"], 2, "usage"],
    ];
    for (const [args, code, error] of cases) {
      const inFolder = args.map((arg) => (/\.(hxz|txt)$/.test(arg) ? join(cwd, arg) : arg));
      const thrown = await run({ args: ["keys", ...inFolder], json: false, dataOnStdout: false }).catch((e) => e);
      expect([args, thrown.code, exitCodeOf(thrown)]).toEqual([args, error, code]);
    }
    expect(Buffer.compare(readFileSync(join(cwd, "same.hxz")), file)).toBe(0);
  });

  test("as many slots as there is room for, and no more", () => {
    copy("full.hxz");
    const many = Array.from({ length: 63 }, () => ["--recipient", otherRecipient]).flat();
    expect(hexzJson(["keys", "add", "full.hxz", ...ID, ...many], at).document.key_slots).toHaveLength(64);
    const more = hexzJson(["keys", "add", "full.hxz", ...ID, "--recipient", recipient], at);
    expect([more.code, more.document.error.code]).toEqual([1, "limit_exceeded"]);
    expect(opens("full.hxz", "--identity", "other.txt")).toBe(0);
  });
});
