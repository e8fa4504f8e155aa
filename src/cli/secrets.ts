// Passwords and identities of the command line: from files, HEXZ_PASSWORD or the terminal, never from an argument. A
// process asks for each once, whatever it opens.

import { readFileSync } from "node:fs";
import type { AskSecrets } from "../core/crypto/secrets.ts";
import { HexzError } from "../core/errors.ts";
import { fromSystemError } from "../node/errors.ts";
import { canPrompt, promptSecret } from "./prompt.ts";

export interface SecretOptions {
  readonly identity?: readonly string[] | undefined;
  readonly passwordFile?: string | undefined;
  /** false: what is not given is not asked for. */
  readonly prompt?: boolean | undefined;
}

/** Files by path: one that is a pipe can be read once. */
const contents = new Map<string, string>();
let prompted: Promise<string> | undefined;
/** What opened an archive opens it again without scrypt: `cat` and `check --parents` open several times. */
const archiveKeys: Uint8Array[] = [];
const KNOWN = { archiveKeys, onKey: (key: Uint8Array) => void archiveKeys.push(key) };

function textOf(path: string): string {
  const known = contents.get(path);
  if (known !== undefined) return known;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw fromSystemError(error, "read", path);
  }
  contents.set(path, text);
  return text;
}

/** The first line of a file. @throws HexzError `usage` when it is empty */
function passwordIn(path: string): string {
  const [line = ""] = textOf(path).split(/\r?\n/, 1);
  if (line === "") throw new HexzError("usage", `the first line of "${path}" is empty: it must be the password`);
  return line;
}

/** The password that was given without asking, or undefined. */
function givenPassword({ passwordFile }: SecretOptions): string | undefined {
  return passwordFile === undefined ? process.env.HEXZ_PASSWORD || undefined : passwordIn(passwordFile);
}

/** Identities in the text of a file as age-keygen writes it. @throws HexzError `usage` for what is none */
export function identitiesIn(text: string, path: string): string[] {
  const refuse = (what: string) => new HexzError("usage", `"${path}" ${what}`);
  if (text.startsWith("age-encryption.org/") || text.startsWith("-----BEGIN AGE")) {
    throw new HexzError("usage", `"${path}" is encrypted itself`, { hint: `age -d ${path} decrypts it` });
  }
  if (text.startsWith("-----BEGIN")) throw refuse("is an SSH or PEM key, which opens no archive: an age identity does");
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const identities = lines.filter((line) => line !== "" && !line.startsWith("#"));
  if (identities.length === 0) throw refuse("holds no age identity");
  for (const identity of identities) {
    if (identity.startsWith("AGE-PLUGIN-")) throw refuse("is an identity of an age plugin, which cannot be used here");
    if (!/^AGE-SECRET-KEY-(PQ-)?1[0-9A-Z]+$/.test(identity)) throw refuse("holds something that is no age identity");
  }
  return identities;
}

/** What is given is used; only when nothing of it could fit, the terminal is asked. */
export function secretsFrom(options: SecretOptions): AskSecrets {
  return async ({ name, slots }) => {
    const identities = (options.identity ?? []).flatMap((path) => identitiesIn(textOf(path), path));
    const given = givenPassword(options);
    if (given !== undefined) return { ...KNOWN, passwords: [given], identities };
    const isOpenable = identities.length > 0 && slots.some((kind) => kind !== "passphrase");
    const isAsked = options.prompt !== false && slots.includes("passphrase") && canPrompt();
    if (isOpenable || !isAsked) return { ...KNOWN, identities };
    prompted ??= promptSecret(`Password for ${name}: `);
    return { ...KNOWN, passwords: [await prompted], identities };
  };
}

/**
 * The password of something new: typed twice on the terminal where none is given.
 * @param environment whether HEXZ_PASSWORD may be it
 * @throws HexzError `password_missing`
 */
export async function newPassword(options: SecretOptions, { environment = true } = {}): Promise<string> {
  const { passwordFile } = options;
  const given = environment || passwordFile !== undefined ? givenPassword(options) : undefined;
  if (given !== undefined) return given;
  if (!canPrompt()) {
    throw new HexzError("password_missing", "no password was given to encrypt with", {
      hint: environment ? "--password-file FILE or HEXZ_PASSWORD" : "--new-password-file FILE or --recipient KEY",
    });
  }
  const password = await promptSecret("New password: ");
  if (password === "") throw new HexzError("usage", "the password is empty");
  if ((await promptSecret("The same again: ")) !== password) {
    throw new HexzError("usage", "the passwords are not the same");
  }
  return password;
}
