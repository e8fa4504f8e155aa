// The options of all commands that write archives and can encrypt them.

import { type Command, Option, type OptionValues } from "@commander-js/extra-typings";
import { HexzError } from "../core/errors.ts";
import type { Encryption } from "../core/write/envelope-sink.ts";
import { collect } from "./options.ts";
import { newPassword, type SecretOptions } from "./secrets.ts";

export const RECIPIENT = new Option(
  "--recipient <key>",
  "encrypt to this age recipient, age1… or age1pq1…; repeatable",
).argParser(collect);

export function withEncryptionOptions<Arguments extends unknown[], Options extends OptionValues>(
  command: Command<Arguments, Options>,
) {
  return command
    .addOption(new Option("--encrypt", "encrypt with the password of --password-file, HEXZ_PASSWORD or the terminal"))
    .addOption(RECIPIENT)
    .addOption(new Option("--pad", "round the size of an encrypted archive up, so that it says little: at most 12 %"));
}

interface EncryptionOptions extends SecretOptions {
  readonly encrypt?: true | undefined;
  readonly recipient?: string[] | undefined;
  readonly pad?: true | undefined;
}

/** Who can read what is written; asks for a password where one is needed. Undefined: nobody said anything. */
export async function encryptionOf(options: EncryptionOptions): Promise<Encryption | undefined> {
  const { encrypt, recipient: recipients = [], pad = false } = options;
  if (encrypt !== true && recipients.length === 0) {
    if (!pad) return undefined;
    throw new HexzError("usage", "--pad is for encrypted archives", { hint: "--encrypt or --recipient" });
  }
  const passwords = encrypt === true ? [await newPassword(options)] : [];
  return { passwords, recipients, pad };
}
