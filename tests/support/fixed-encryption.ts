// Encryption without chance, for archives that must come out the same: a key, its slots, and ciphers whose random bytes
// are a stream of SHA-256. The slots were made once; the identity and the password are known to everybody.

import { createHash } from "node:crypto";
import type { Ciphers } from "../../src/core/crypto/ciphers.ts";
import { nodeCiphers } from "../../src/node/ciphers.ts";

export const FIXED_IDENTITY = "AGE-SECRET-KEY-1UJEX6L8K8LVL6CW27RGL5ZJX4GF54ZP77N0N5YF6E0GXE5W2AU0SAVLYVD";
export const FIXED_PASSWORD = "a password that everybody knows";
const bytes = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));

export const FIXED_KEYS = {
  key: new Uint8Array(createHash("sha256").update("hexz test key").digest()),
  slots: [
    // for the identity
    bytes(
      "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBkMFpCQ25paEVITFV2bHBTcXJyNHp5dnZWbTAzdFpyUVVYWkpzSVJrQ2tvClUvQ0VGMmZ1YThJSHRzMUFONlp4SDA4VVIreURvaytuRFZsbkhEYk9hRkUKLS0tIGhveHJkTHVwZURvODFvemNoRGEwczRLT3ZaZHdSZ0tzdUt3Q0dPckM2VmcKMzr6AC/m8hATaR6gVP+muHpw+i+LyofXDjxOOiAIy7PH6o2PCWzdgJRQ2wb5fgJnbJqMXrGkX6qE1K20QnEc7Q==",
    ),
    // for the password
    bytes(
      "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCAwZG16TXFwRFJlRlJlbWJLazRJK0x3IDE2ClFoN3gweU4xbXJFemtiVlFLcTRkZUZFbllqWnZrR0Q5a1F6L2ZGaXcxQVUKLS0tIHlQWFl2Q0JzN2x4Q0l3blZDVlNselBHSlZROFIwSmgvVUUzUGlUaEFrNFEKQQNH4ievfsbM/adzfJKxuacYTRud61aGB4kBLEVtAWS+VRTWt9v667pjq9L31iT+9u4K6juPo9pi2ywA9nMj5A==",
    ),
  ],
};

/** The same random bytes in the same order each time. */
export function fixedCiphers(): Ciphers {
  let number = 0;
  return {
    ...nodeCiphers,
    randomBytes(length) {
      const pieces: Buffer[] = [];
      for (let filled = 0; filled < length; filled += 32) {
        pieces.push(createHash("sha256").update(`hexz test randomness ${number++}`).digest());
      }
      return new Uint8Array(Buffer.concat(pieces).subarray(0, length));
    },
  };
}
