// The seam to cryptography, in both of its forms, against published vectors.

import { shake128 } from "@noble/hashes/sha3.js";
import { describe, expect, test } from "vitest";
import { createWebCiphers } from "../src/core/crypto/ciphers.ts";
import { createXaes, createXaesSync } from "../src/core/crypto/xaes.ts";
import { nodeCiphers } from "../src/node/ciphers.ts";

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const text = (value: string) => new TextEncoder().encode(value);
const hex = (value: Uint8Array | undefined) => value && Buffer.from(value).toString("hex");
const repeat = (byte: number, count: number) => new Uint8Array(count).fill(byte);

/** C2SP XAES-256-GCM.md, "Test vectors". */
const XAES = [
  {
    key: repeat(1, 32),
    nonce: text("ABCDEFGHIJKLMNOPQRSTUVWX"),
    plain: text("XAES-256-GCM"),
    associated: text(""),
    sealed: "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
  },
  {
    key: repeat(3, 32),
    nonce: text("ABCDEFGHIJKLMNOPQRSTUVWX"),
    plain: text("XAES-256-GCM"),
    associated: text("c2sp.org/XAES-256-GCM"),
    sealed: "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
  },
];

describe.each([
  ["WebCrypto", createWebCiphers()],
  ["Node", nodeCiphers],
] as const)("%s", (_, ciphers) => {
  test("XAES-256-GCM gives the published ciphertexts, and opens them again", async () => {
    for (const { key, nonce, plain, associated, sealed } of XAES) {
      const xaes = await createXaes(ciphers, key);
      expect(hex(await xaes.seal(nonce, plain, associated))).toBe(sealed);
      expect(hex(await xaes.open(nonce, bytes(sealed), associated))).toBe(hex(plain));
      for (let at = 0; at < sealed.length / 2; at++) {
        const altered = bytes(sealed);
        altered[at]! ^= 0x10;
        expect(await xaes.open(nonce, altered, associated)).toBe(undefined);
      }
      expect(await xaes.open(nonce, bytes(sealed), text("other"))).toBe(undefined);
      expect(await xaes.open(nonce, bytes(sealed).subarray(0, 15), associated)).toBe(undefined);
    }
  });

  test("AES-256 of blocks gives FIPS 197's ciphertext, block by block", async () => {
    const key = bytes("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    const block = bytes("00112233445566778899aabbccddeeff");
    const encrypt = await ciphers.aesBlocks(key);
    const expected = "8ea2b7ca516745bfeafc49904b496089";
    expect(hex(await encrypt(block))).toBe(expected);
    expect(hex(await encrypt(Uint8Array.from([...block, ...block])))).toBe(expected + expected);
  });

  test("HMAC-SHA-256 gives RFC 4231's, HKDF RFC 5869's, PBKDF2 RFC 7914's", async () => {
    expect(hex(await ciphers.hmacSha256(repeat(0x0b, 20), text("Hi There")))).toBe(
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    );
    const salt = bytes("000102030405060708090a0b0c");
    const derived = await ciphers.hkdfSha256(repeat(0x0b, 22), salt, bytes("f0f1f2f3f4f5f6f7f8f9"));
    expect(hex(derived)).toBe("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
    expect(hex(await ciphers.pbkdf2Sha256(text("passwd"), text("salt"), 1))).toBe(
      "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
    );
  });

  test("randomBytes() gives as many as asked for, also beyond one call of WebCrypto", () => {
    for (const length of [0, 1, 65_536, 65_537, 200_000]) {
      const random = ciphers.randomBytes(length);
      expect(random.length).toBe(length);
      if (length > 1000) expect(new Set(random).size).toBe(256);
    }
  });

  test("XAES-256-GCM passes C2SP's accumulated test of 10 000 random messages", async () => {
    const random = shake128.create();
    const sum = shake128.create();
    for (let round = 0; round < 10_000; round++) {
      const key = random.xof(32);
      const nonce = random.xof(24);
      const plain = random.xof(random.xof(1)[0]!);
      const associated = random.xof(random.xof(1)[0]!);
      const sealed = await (await createXaes(ciphers, key)).seal(nonce, plain, associated);
      sum.update(sealed);
      if (ciphers.sync === undefined) continue;
      const xaes = createXaesSync(ciphers.sync, key);
      const again = new Uint8Array(plain.length + 16);
      xaes.seal(nonce, plain, associated, again);
      if (Buffer.compare(again, sealed) !== 0) throw new Error(`round ${round} differs`);
      if (Buffer.compare(xaes.open(nonce, sealed, associated)!, plain) !== 0) throw new Error(`round ${round} is lost`);
    }
    expect(hex(sum.xof(32))).toBe("e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
  });
});
