// Key files: what OpenSSL, OpenSSH and the original write is read, everything else is refused with what it is.

import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HexzError, hexOf, readPrivateKey, readPublicKey, type Signer } from "../src/node/index.ts";
import { temporaryDirectory } from "./support/trees.ts";

const MESSAGE = new TextEncoder().encode("a message");
const run = (cwd: string, line: string) => execFileSync("bash", ["-c", line], { cwd, stdio: "pipe" });

/** Both halves belong together, and Node's library agrees on the signature. */
async function expectPair(signer: Signer, publicKey: Uint8Array): Promise<void> {
  expect(hexOf(signer.publicKey)).toBe(hexOf(publicKey));
  const x = Buffer.from(publicKey).toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  expect(verify(null, MESSAGE, key, await signer.sign(MESSAGE))).toBe(true);
}

function refusal(read: () => unknown): HexzError {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(HexzError);
    return error as HexzError;
  }
  throw new Error("nothing was thrown");
}

test("keys that OpenSSL wrote", async () => {
  const cwd = temporaryDirectory();
  run(cwd, "openssl genpkey -algorithm ed25519 -out k.pem && openssl pkey -in k.pem -pubout -out p.pem");
  const signer = readPrivateKey(join(cwd, "k.pem"));
  await expectPair(signer, readPublicKey(join(cwd, "p.pem")));
  // The public half of a private key will do to verify.
  await expectPair(signer, readPublicKey(join(cwd, "k.pem")));
});

test("keys that OpenSSH wrote", async () => {
  const cwd = temporaryDirectory();
  run(cwd, "ssh-keygen -q -t ed25519 -N '' -C 'somebody somewhere' -f k");
  await expectPair(readPrivateKey(join(cwd, "k")), readPublicKey(join(cwd, "k.pub")));
});

test("raw keys as the original has them, and public keys in hexadecimal", async () => {
  const cwd = temporaryDirectory();
  const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
  const expected = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
  writeFileSync(join(cwd, "private.key"), seed);
  const signer = readPrivateKey(join(cwd, "private.key"));
  expect(hexOf(signer.publicKey)).toBe(expected);
  writeFileSync(join(cwd, "public.key"), signer.publicKey);
  await expectPair(signer, readPublicKey(join(cwd, "public.key")));
  expect(refusal(() => readPrivateKey(join(cwd, "public.key"))).message).toContain("it is a public key");
  await expectPair(signer, readPublicKey(expected.toUpperCase()));
});

test("encrypted keys are refused with how to get a readable one", () => {
  const cwd = temporaryDirectory();
  run(cwd, "ssh-keygen -q -t ed25519 -N secret -f ssh");
  run(cwd, "openssl genpkey -algorithm ed25519 -aes256 -pass pass:secret -out pem");
  for (const name of ["ssh", "pem"]) {
    const error = refusal(() => readPrivateKey(join(cwd, name)));
    expect([error.code, error.message]).toEqual(["usage", expect.stringContaining("is encrypted")]);
    expect(error.hint).toContain("a copy");
  }
});

test("what is no Ed25519 key is refused with what it is", () => {
  const cwd = temporaryDirectory();
  run(cwd, "ssh-keygen -q -t rsa -b 2048 -N '' -f rsa && ssh-keygen -q -t ed25519 -N '' -f ed");
  const { privateKey, publicKey } = generateKeyPairSync("x25519");
  const files: [string, string | Uint8Array, string][] = [
    ["empty", "", "it has 0 bytes"],
    ["short", new Uint8Array(31), "it has 31 bytes"],
    ["long", new Uint8Array(33), "it has 33 bytes"],
    ["huge", new Uint8Array(70_000), "longer than"],
    ["x25519", privateKey.export({ format: "pem", type: "pkcs8" }), "type x25519"],
    ["broken", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "PEM that is damaged"],
    ["text", "just a line\n", "it has 12 bytes"],
  ];
  for (const [name, content] of files) writeFileSync(join(cwd, name), content);
  for (const [name, , found] of [...files, ["rsa", "", 'type "ssh-rsa"'] as const]) {
    const error = refusal(() => readPrivateKey(join(cwd, name)));
    expect([name, error.code, error.message]).toEqual([name, "usage", expect.stringContaining(found)]);
    expect(error.message).toContain("expected 32 raw bytes, PEM or OpenSSH");
  }
  writeFileSync(join(cwd, "x25519.pub"), publicKey.export({ format: "pem", type: "spki" }));
  expect(refusal(() => readPublicKey(join(cwd, "x25519.pub"))).message).toContain("type x25519");
  expect(refusal(() => readPublicKey(join(cwd, "rsa.pub"))).message).toContain('type "ssh-rsa"');
  // A public key does not sign.
  expect(refusal(() => readPrivateKey(join(cwd, "ed.pub")))).toMatchObject({ hint: "sign with the private key" });
  expect(refusal(() => readPrivateKey(join(cwd, "missing"))).code).toBe("not_found");
  expect(refusal(() => readPrivateKey(cwd)).code).toBe("usage");
});
