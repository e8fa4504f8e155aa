// The options of all commands that read archives, and what they say to the library.

import { type Command, Option, type OptionValues } from "@commander-js/extra-typings";
import { HexzError } from "../core/errors.ts";
import type { OpenOptions } from "../node/archive.ts";
import { readPublicKey } from "../node/keys.ts";
import type { EngineChoice } from "../node/pool.ts";
import { collect } from "./options.ts";
import { secretsFrom } from "./secrets.ts";

export const PARENT_DIR = new Option("--parent-dir <directory>", "look for parents here, too; repeatable").argParser(
  collect,
);
export const IDENTITY = new Option(
  "--identity <file>",
  "age identities that open encrypted archives; repeatable",
).argParser(collect);
export const PASSWORD_FILE = new Option(
  "--password-file <file>",
  "the password is the first line of this file (default: HEXZ_PASSWORD, else asked for on the terminal)",
);
export const REQUIRE_SIGNED_BY = new Option(
  "--require-signed-by <key>",
  "read only what this key has signed: a file, or the public key in hexadecimal; repeatable, all must have signed",
).argParser(collect);

/** Of a later version: known, refused, and not in the help. */
const REMOTE_PARENTS = new Option("--remote-parents").hideHelp().argParser(() => {
  throw new HexzError("not_available", "--remote-parents is not available yet", {
    hint: "--parent-dir says where parents are on this machine",
  });
});

/** Where parents and keys are, and whom to trust. */
export function withReadingOptions<Arguments extends unknown[], Options extends OptionValues>(
  command: Command<Arguments, Options>,
) {
  return command
    .addOption(PARENT_DIR)
    .addOption(IDENTITY)
    .addOption(PASSWORD_FILE)
    .addOption(REQUIRE_SIGNED_BY)
    .addOption(REMOTE_PARENTS);
}

export interface ReadingOptions {
  readonly engine?: EngineChoice;
  readonly workers?: number | undefined;
  readonly parentDir?: string[] | undefined;
  readonly identity?: string[] | undefined;
  readonly passwordFile?: string | undefined;
  /** false: no question on the terminal. */
  readonly prompt?: boolean | undefined;
  readonly requireSignedBy?: string[] | undefined;
}

/** What the options of a reading command say to the library. */
export function readingOptions(options: ReadingOptions): OpenOptions {
  const { engine = "auto", workers, parentDir, requireSignedBy } = options;
  return {
    engine,
    secrets: secretsFrom(options),
    ...(workers === undefined ? {} : { workers }),
    ...(parentDir === undefined ? {} : { parentDirs: parentDir }),
    ...(requireSignedBy === undefined ? {} : { requireSignedBy: requireSignedBy.map(readPublicKey) }),
  };
}
