// keygen, sign, verify, --sign and --require-signed-by as processes.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectAgreement } from "./support/archives.ts";
import { hexz, hexzJson, shell } from "./support/cli.ts";
import { randomFrom, SEED, text } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

const content = text(200_000, randomFrom(SEED));

/** Two pairs of keys, an input and an archive of it that nobody has signed. */
function prepared(): string {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "file"), content);
  for (const directory of ["ada", "bob"]) expect(hexz(["keygen", "-o", directory], { cwd }).code).toBe(0);
  expect(hexz(["pack", "file", "a.hxz"], { cwd }).code).toBe(0);
  return cwd;
}

const hexKey = (cwd: string, name: string) => readFileSync(join(cwd, name, "public.key")).toString("hex");
const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

test("keygen writes two files of 32 bytes, the private one for its owner only, and never overwrites", () => {
  const cwd = temporaryDirectory();
  const { code, document } = hexzJson(["keygen"], { cwd });
  expect([code, document]).toEqual([
    0,
    { private_key_path: "private.key", public_key_path: "public.key", public_key: hexKey(cwd, ".") },
  ]);
  expect(statSync(join(cwd, "private.key"))).toMatchObject({ size: 32 });
  expect(statSync(join(cwd, "private.key")).mode & 0o777).toBe(0o600);
  const before = [sha256(join(cwd, "private.key")), sha256(join(cwd, "public.key"))];
  expect(hexzJson(["keygen"], { cwd })).toMatchObject({ code: 2, document: { error: { code: "output_exists" } } });
  expect([sha256(join(cwd, "private.key")), sha256(join(cwd, "public.key"))]).toEqual(before);
  // One of the two is enough to refuse, and no half of a pair is left.
  mkdirSync(join(cwd, "half"));
  writeFileSync(join(cwd, "half/public.key"), "");
  expect(hexz(["keygen", "-o", "half"], { cwd }).code).toBe(2);
  expect(existsSync(join(cwd, "half/private.key"))).toBe(false);
});

test("keygen --age makes a key that hexz and age encrypt to", () => {
  const cwd = temporaryDirectory();
  const { code, document } = hexzJson(["keygen", "--age"], { cwd });
  const recipient = readFileSync(join(cwd, "public.key"), "utf8").trim();
  expect([code, document.public_key]).toEqual([0, recipient]);
  expect(statSync(join(cwd, "private.key")).mode & 0o777).toBe(0o600);
  expect(execFileSync("age-keygen", ["-y", "private.key"], { cwd, encoding: "utf8" }).trim()).toBe(recipient);
  writeFileSync(join(cwd, "file"), content);
  expect(hexz(["pack", "file", "a.hxz", "--recipient", recipient], { cwd }).code).toBe(0);
  expect(hexz(["cat", "a.hxz", "--identity", "private.key"], { cwd }).bytes.equals(content)).toBe(true);
});

test("sign appends, verify proves, and says so in the document of the contract", async () => {
  const cwd = prepared();
  const before = readFileSync(join(cwd, "a.hxz"));
  expect(hexzJson(["verify", "ada/public.key", "a.hxz"], { cwd })).toMatchObject({ code: 1, document: { ok: false } });
  const signed = hexzJson(["sign", "ada/private.key", "a.hxz"], { cwd });
  expect(signed).toMatchObject({ code: 0, document: { signatures: [{ public_key: hexKey(cwd, "ada") }] } });
  const bytes = readFileSync(join(cwd, "a.hxz"));
  expect(bytes.subarray(0, before.length).equals(before)).toBe(true);
  await expectAgreement(new Uint8Array(bytes));
  const { code, document } = hexzJson(["verify", "ada/public.key", "a.hxz"], { cwd });
  expect([code, document]).toEqual([
    0,
    {
      ok: true,
      archive_id: signed.document.archive_id,
      signatures: [{ public_key: hexKey(cwd, "ada"), valid: true, trusted: true }],
      checked_bytes: content.length,
      problems: [],
    },
  ]);
  expect(hexzJson(["inspect", "a.hxz"], { cwd }).document).toMatchObject({
    signed: true,
    signatures: [{ public_key: hexKey(cwd, "ada") }],
  });
  // Signing again with the same key changes nothing but the number of appendices.
  expect(hexzJson(["sign", "ada/private.key", "a.hxz"], { cwd }).document.signatures).toHaveLength(1);
  expect(hexz(["check", "a.hxz"], { cwd }).code).toBe(0);
});

test("verify answers 1 for another key, for no key, and for an altered byte", () => {
  const cwd = prepared();
  hexz(["sign", "ada/private.key", "a.hxz"], { cwd });
  const other = hexzJson(["verify", "bob/public.key", "a.hxz"], { cwd });
  expect([other.code, other.document.ok, other.document.signatures[0].trusted]).toEqual([1, false, false]);
  const none = hexz(["verify", "a.hxz"], { cwd });
  expect([none.code, none.stdout]).toEqual([1, expect.stringContaining("nothing was proven")]);
  expect(none.stdout).toContain(`signed by ${hexKey(cwd, "ada")}\n`);
  const bytes = readFileSync(join(cwd, "a.hxz"));
  bytes[1000]! ^= 1;
  writeFileSync(join(cwd, "a.hxz"), bytes);
  const altered = hexzJson(["verify", "ada/public.key", "a.hxz"], { cwd });
  expect([altered.code, altered.document.problems[0].code]).toEqual([1, "damaged"]);
  expect(hexzJson(["verify", "--quick", "ada/public.key", "a.hxz"], { cwd })).toMatchObject({ code: 0 });
  // Who reads it finds out.
  expect(hexz(["cat", "a.hxz", "--require-signed-by", "ada/public.key"], { cwd })).toMatchObject({
    code: 1,
    stdout: "",
  });
  truncateSync(join(cwd, "a.hxz"), bytes.length - 10);
  const cut = hexzJson(["verify", "ada/public.key", "a.hxz"], { cwd });
  expect([cut.code, cut.document.problems[0].code]).toEqual([1, "truncated"]);
  expect(hexzJson(["verify", "ada/public.key", "missing"], { cwd }).code).toBe(3);
  expect(hexzJson(["verify", "missing", "a.hxz"], { cwd }).code).toBe(3);
});

test("--sign signs in the same pass, with several keys, wherever an archive is made", async () => {
  const cwd = prepared();
  const keys = ["--sign", "ada/private.key", "--sign", "bob/private.key"];
  const plain = hexzJson(["inspect", "a.hxz"], { cwd }).document;
  for (const command of [
    ["pack", "file", "packed.hxz"],
    ["flatten", "a.hxz", "flat.hxz"],
    ["rebase", "a.hxz", "a.hxz", "rebased.hxz"],
  ]) {
    expect(hexz([...command, ...keys], { cwd })).toMatchObject({ code: 0, stderr: "" });
    const verified = hexz(["verify", "bob/public.key", "ada/public.key", command.at(-1)!], { cwd });
    expect([command[0], verified.code]).toEqual([command[0], 0]);
  }
  expect(hexzJson(["inspect", "packed.hxz"], { cwd }).document.archive_id).toBe(plain.archive_id);
  await expectAgreement(new Uint8Array(readFileSync(join(cwd, "packed.hxz"))));
  // A key that is none stops it before anything is written.
  const failed = hexzJson(["pack", "file", "no.hxz", "--sign", "file"], { cwd });
  expect([failed.code, failed.document.error.code, existsSync(join(cwd, "no.hxz"))]).toEqual([2, "usage", false]);
});

test("--require-signed-by: every reading command refuses before it shows anything", () => {
  const cwd = prepared();
  expect(hexz(["pack", "file", "signed.hxz", "--sign", "ada/private.key"], { cwd }).code).toBe(0);
  const commands = (archive: string) => [
    ["cat", archive],
    ["check", archive],
    ["extract", archive, "out"],
    ["inspect", archive],
    ["flatten", archive, "flat.hxz"],
    ["rebase", archive, "a.hxz", "flat.hxz"],
    ["convert", archive, "raw", "--to", "raw"],
  ];
  const required = ["--require-signed-by", "ada/public.key"];
  for (const command of commands("a.hxz")) {
    const ran = hexz([...command, ...required, ...(command[0] === "check" ? ["--json"] : [])], { cwd });
    expect([command[0], ran.code, `${ran.stdout}${ran.stderr}`.includes("no valid signature by")]).toEqual([
      command[0],
      1,
      true,
    ]);
    if (command[0] !== "check") expect(ran.stdout).toBe("");
  }
  for (const output of ["out", "flat.hxz", "raw"]) expect(existsSync(join(cwd, output))).toBe(false);
  // The bases of a new archive are read as well.
  const based = hexzJson(["pack", "file", "thin.hxz", "--base", "a.hxz", ...required], { cwd });
  expect([based.code, based.document.error.code]).toEqual([1, "untrusted"]);
  for (const command of commands("signed.hxz").filter(([name]) => name !== "rebase")) {
    expect([command[0], hexz([...command, "--require-signed-by", hexKey(cwd, "ada")], { cwd }).code]).toEqual([
      command[0],
      0,
    ]);
  }
  const both = [...required, "--require-signed-by", "bob/public.key"];
  expect(hexz(["cat", "signed.hxz", ...both], { cwd }).code).toBe(1);
});

test("a detached signature is verified by hexz and by OpenSSL", () => {
  const cwd = prepared();
  execFileSync(
    "bash",
    ["-c", "openssl genpkey -algorithm ed25519 -out k.pem && openssl pkey -in k.pem -pubout -out p.pem"],
    {
      cwd,
      stdio: "pipe",
    },
  );
  const before = sha256(join(cwd, "a.hxz"));
  const { code, document } = hexzJson(["sign", "k.pem", "a.hxz", "--detached", "a.sig"], { cwd });
  expect([code, document.path, sha256(join(cwd, "a.hxz"))]).toEqual([0, "a.sig", before]);
  expect(statSync(join(cwd, "a.sig")).size).toBe(64);
  const line =
    `(printf 'hexz archive v2\\0'; printf %s ${document.archive_id} | xxd -r -p) > message && ` +
    "openssl pkeyutl -verify -pubin -inkey p.pem -rawin -in message -sigfile a.sig";
  expect(shell(line, cwd)).toMatchObject({ code: 0, stdout: "Signature Verified Successfully\n" });
  expect(hexz(["verify", "p.pem", "a.hxz", "--signature", "a.sig"], { cwd }).code).toBe(0);
  expect(hexz(["verify", "ada/public.key", "a.hxz", "--signature", "a.sig"], { cwd }).code).toBe(1);
  expect(hexz(["verify", "a.hxz", "--signature", "a.sig"], { cwd }).code).toBe(2);
  expect(hexz(["verify", "p.pem", "a.hxz", "--signature", "file"], { cwd }).code).toBe(2);
  expect(hexz(["sign", "k.pem", "a.hxz", "--detached", "a.sig"], { cwd }).code).toBe(2);
  expect(hexz(["sign", "k.pem", "a.hxz", "--detached", "a.hxz", "--force"], { cwd }).code).toBe(2);
  expect(sha256(join(cwd, "a.hxz"))).toBe(before);
});

test("sign refuses what is no archive, and what cannot be written, and leaves the file alone", () => {
  const cwd = prepared();
  const before = sha256(join(cwd, "file"));
  expect(hexzJson(["sign", "ada/private.key", "file"], { cwd })).toMatchObject({
    code: 1,
    document: { error: { code: "not_an_archive" } },
  });
  expect(sha256(join(cwd, "file"))).toBe(before);
  copyFileSync(join(cwd, "a.hxz"), join(cwd, "limited.hxz"));
  const size = Math.floor(statSync(join(cwd, "a.hxz")).size / 1024);
  // A limit of the file's size stops the append; what was there stays.
  const limited = shell(`ulimit -f ${size}; trap '' XFSZ; hexz sign ada/private.key limited.hxz`, cwd);
  expect(limited.code).toBe(3);
  expect(sha256(join(cwd, "limited.hxz"))).toBe(sha256(join(cwd, "a.hxz")));
});
