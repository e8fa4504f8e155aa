// Changed key files and files of identities: each gives a key, or the refusal of what is none; never another error.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateHybridIdentity, generateX25519Identity } from "age-encryption";
import { expect, test } from "vitest";
import { identitiesIn } from "../src/cli/secrets.ts";
import { decodePrivateKey, decodePublicKey } from "../src/node/keys.ts";
import { mangle, type Random, randomOf } from "./support/fuzz.ts";
import { type Decoder, fuzzDecoder, outcomeOfRecord } from "./support/fuzz-records.ts";
import { COUNT, fuzz, PATIENT, replay, SEED } from "./support/fuzz-run.ts";

const NAMES = ["ssh", "locked", "ssh.pub", "pem", "pem.pub"];
const MAKE = `ssh-keygen -q -t ed25519 -N '' -f ssh && ssh-keygen -q -t ed25519 -N secret -f locked &&
  openssl genpkey -algorithm ed25519 -out pem && openssl pkey -in pem -pubout -out pem.pub`;

function keyFiles(): Map<string, Uint8Array> {
  const cwd = mkdtempSync(join(tmpdir(), "hexz-test-"));
  try {
    execFileSync("bash", ["-c", MAKE], { cwd, stdio: "pipe" });
    return new Map(NAMES.map((name) => [name, new Uint8Array(readFileSync(join(cwd, name)))]));
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

const bufferOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

/** Changes what the base64 between the lines of armour says. */
function changeArmoured(input: Uint8Array, random: Random): Uint8Array {
  const [first = "", ...lines] = bufferOf(input).toString("latin1").trimEnd().split("\n");
  const last = lines.pop() ?? "";
  const inside = mangle(new Uint8Array(Buffer.from(lines.join(""), "base64")), random);
  return new Uint8Array(Buffer.from(`${first}\n${bufferOf(inside).toString("base64")}\n${last}\n`, "latin1"));
}

/** Changes the key of a line "ssh-ed25519 KEY COMMENT". */
function changeLine(input: Uint8Array, random: Random): Uint8Array {
  const [type, key = "", ...rest] = bufferOf(input).toString("latin1").split(" ");
  const inside = mangle(new Uint8Array(Buffer.from(key, "base64")), random);
  return new Uint8Array(Buffer.from([type, bufferOf(inside).toString("base64"), ...rest].join(" "), "latin1"));
}

const decoders: Decoder[] = [];
for (const [name, input] of keyFiles()) {
  const changed = name === "ssh.pub" ? changeLine : changeArmoured;
  decoders.push(
    { name: `${name} as a private key`, input, changed, decode: (bytes) => decodePrivateKey(bufferOf(bytes), "key") },
    { name: `${name} as a public key`, input, changed, decode: (bytes) => decodePublicKey(bufferOf(bytes), "key") },
  );
}
const identities = `# created: today\n${await generateX25519Identity()}\n\n${await generateHybridIdentity()}\n`;
decoders.push({
  name: "identities",
  input: new TextEncoder().encode(identities),
  decode: (bytes) => identitiesIn(bufferOf(bytes).toString(), "identities"),
});

test(`${COUNT} changed key files`, PATIENT, async () => {
  const run = (number: number, keep: (bytes: Uint8Array) => void) =>
    fuzzDecoder(decoders, randomOf(SEED, number), keep);
  const tally = await fuzz("key", COUNT, run);
  // What is no key is wrong use, whatever it looks like.
  expect([...tally.keys()].filter((key) => !/: (right|usage)$/.test(key))).toEqual([]);
  for (const { name } of decoders) expect(tally.get(`${name}: usage`), name).toBeGreaterThan(COUNT / 100);
  for (const name of ["ssh as a private key", "pem as a private key", "pem.pub as a public key", "identities"]) {
    expect(tally.get(`${name}: right`), name).toBeGreaterThan(COUNT / 1000);
  }
});

replay("key", async (bytes) => decoders.map(({ decode }) => outcomeOfRecord(decode, bytes)));
