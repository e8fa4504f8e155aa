// Key slots: age files around an archive key, by age's own library, which is loaded when the first one is needed
// (docs/format.md, "Encryption").

import type { Recipient } from "age-encryption";
import { ByteWriter } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import { checkLimit, LIMITS } from "../limits.ts";
import { type Ciphers, KEY_LENGTH, type ScryptWrapping } from "./ciphers.ts";
import type { Secrets, SlotKind } from "./secrets.ts";

/** Written; takes about a third of a second and 64 MiB. */
const SCRYPT_COST = 16;
const SCRYPT_LABEL = "age-encryption.org/v1/scrypt";
const SCRYPT_SALT_LENGTH = 16;
/** Of the key of an age file, which has 16 bytes. */
const WRAPPED_LENGTH = 32;
const VERSION = "age-encryption.org/v1";
/** Longest header that is looked at: a post-quantum one has about 1700 bytes. */
const LONGEST_HEADER = 8192;
const KINDS: Readonly<Record<string, SlotKind>> = {
  scrypt: "passphrase",
  X25519: "x25519",
  mlkem768x25519: "post-quantum",
};

const loadAge = () => import("age-encryption");

/** Stanzas of an age file's header, as words. */
function stanzasOf(slot: Uint8Array): string[][] {
  const header = new TextDecoder("latin1").decode(slot.subarray(0, LONGEST_HEADER));
  const [version, ...lines] = header.split("\n");
  const end = lines.findIndex((line) => line.startsWith("---"));
  if (version !== VERSION || end < 0) return [];
  return lines
    .slice(0, end)
    .filter((line) => line.startsWith("-> "))
    .map((line) => line.slice(3).split(" "));
}

/** What opens a slot; for what is not known, the name of its stanza. */
export function kindOf(slot: Uint8Array): SlotKind {
  const names = stanzasOf(slot).map(([name = ""]) => name);
  const known = names.find((name) => Object.hasOwn(KINDS, name));
  return known === undefined ? (names[0] ?? "unknown") : KINDS[known]!;
}

/** @throws HexzError `limit_exceeded` for passwords that would cost the reader too much */
export function checkCosts(slots: readonly Uint8Array[], name: string): void {
  let passphrases = 0;
  for (const [type, , cost] of slots.flatMap(stanzasOf)) {
    if (type !== "scrypt") continue;
    passphrases++;
    const found = /^\d{1,2}$/.test(cost ?? "") ? Number(cost) : Number.POSITIVE_INFINITY;
    checkLimit(`the cost of a password of ${name}`, found, LIMITS.scryptCost);
  }
  checkLimit(`the number of passwords of ${name}`, passphrases, LIMITS.passphraseSlots);
}

/** Whether any of the secrets is of a kind that some slot needs. */
export function mayOpen({ passwords = [], identities = [] }: Secrets, kinds: readonly SlotKind[]): boolean {
  const has = (...wanted: SlotKind[]) => kinds.some((kind) => wanted.includes(kind));
  return (passwords.length > 0 && has("passphrase")) || (identities.length > 0 && has("x25519", "post-quantum"));
}

/** The archive key in a slot, or undefined when none of the secrets opens it. @throws HexzError `usage` for what is no identity */
export async function openSlot(
  slot: Uint8Array,
  secrets: Secrets,
  { scrypt }: Ciphers,
): Promise<Uint8Array | undefined> {
  const { passwords = [], identities = [] } = secrets;
  const { Decrypter } = await loadAge();
  const decrypter = new Decrypter();
  const isPassphrase = kindOf(slot) === "passphrase";
  for (const password of isPassphrase ? passwords : []) {
    if (scrypt === undefined) decrypter.addPassphrase(password);
    else decrypter.addIdentity({ unwrapFileKey: (stanzas) => unwrapScrypt(stanzas, password, scrypt) });
  }
  for (const identity of isPassphrase ? [] : identities) {
    try {
      decrypter.addIdentity(identity);
    } catch (error) {
      throw new HexzError("usage", "an identity is not one of age's", { cause: error });
    }
  }
  try {
    const key = await decrypter.decrypt(slot);
    return key.length === KEY_LENGTH ? key : undefined;
  } catch {
    // age says in words only whether the secret is another one or the file is damaged; the area's checksum knows that
    return undefined;
  }
}

/** A stanza: its words, and the wrapped key of the age file. */
interface Stanza {
  readonly args: readonly string[];
  readonly body: Uint8Array;
}

/** The key of an age file for a password; null when that is another one, as age's library has it. */
async function unwrapScrypt(stanzas: Stanza[], password: string, scrypt: ScryptWrapping): Promise<Uint8Array | null> {
  const [{ args, body }, ...others] = stanzas as [Stanza, ...Stanza[]];
  const [type, salt = "", cost = ""] = args;
  if (others.length > 0 || type !== "scrypt" || args.length !== 3 || body.length !== WRAPPED_LENGTH) return null;
  const saltBytes = fromBase64(salt);
  if (saltBytes.length !== SCRYPT_SALT_LENGTH) return null;
  return (await scrypt.unwrap(password, labelled(saltBytes), Number(cost), body)) ?? null;
}

/** A recipient of age's library that has the machine's own scrypt. */
async function scryptRecipient(password: string, scrypt: ScryptWrapping, { randomBytes }: Ciphers): Promise<Recipient> {
  const { Stanza } = await loadAge();
  return {
    async wrapFileKey(fileKey) {
      const salt = randomBytes(SCRYPT_SALT_LENGTH);
      const body = await scrypt.wrap(password, labelled(salt), SCRYPT_COST, fileKey);
      return [new Stanza(["scrypt", toBase64(salt), String(SCRYPT_COST)], body)];
    },
  };
}

function labelled(salt: Uint8Array): Uint8Array {
  return new ByteWriter().raw(new TextEncoder().encode(SCRYPT_LABEL)).raw(salt).take();
}

/** Without padding, as age has it. */
function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("=", "");
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** @throws HexzError `usage` for a recipient that cannot be used, or an empty password */
export async function makeSlot(
  key: Uint8Array,
  to: { password: string } | { recipient: string },
  ciphers: Ciphers,
): Promise<Uint8Array> {
  const { Encrypter } = await loadAge();
  const encrypter = new Encrypter();
  if ("password" in to) {
    const { password } = to;
    const { scrypt } = ciphers;
    if (password === "") throw new HexzError("usage", "the password is empty");
    if (scrypt === undefined) {
      encrypter.setPassphrase(password);
      encrypter.setScryptWorkFactor(SCRYPT_COST);
    } else encrypter.addRecipient(await scryptRecipient(password, scrypt, ciphers));
  } else {
    checkRecipient(to.recipient);
    try {
      encrypter.addRecipient(to.recipient);
    } catch (error) {
      throw new HexzError("usage", `"${to.recipient}" is not a recipient of age`, { cause: error });
    }
  }
  return encrypter.encrypt(key);
}

/** What age would make a slot for, but nothing here could open again, is refused. */
function checkRecipient(recipient: string): void {
  const hint = "an age recipient begins with age1 or age1pq1; age-keygen makes one";
  if (/^AGE-SECRET-KEY-/i.test(recipient)) {
    throw new HexzError("usage", "a recipient is a public key, and this is a secret one", { hint });
  }
  if (/^(ssh-|ecdsa-|sk-)/.test(recipient)) {
    throw new HexzError("usage", "SSH keys are no recipients of archives", { hint });
  }
  if (!/^age1(pq1)?[02-9ac-hj-np-z]+$/.test(recipient)) {
    const isPlugin = /^age1[a-z0-9]+1/.test(recipient);
    const what = isPlugin ? "is a recipient of an age plugin, which cannot be used here" : "is not a recipient of age";
    throw new HexzError("usage", `"${recipient}" ${what}`, { hint });
  }
}
