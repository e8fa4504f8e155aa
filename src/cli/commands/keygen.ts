// `hexz keygen`: a new pair of keys in two files.

import { Command } from "@commander-js/extra-typings";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { EXIT } from "../exit-codes.ts";
import { JSON_OPTION, QUIET, SILENT } from "../options.ts";
import { printDocument, printText } from "../terminal.ts";
import { printable } from "../text.ts";

function define() {
  return new Command("hexz keygen")
    .summary("make a pair of keys for signing, or for encryption")
    .description("Makes a pair of keys: private.key, which only its owner can read, and public.key. Never overwrites.")
    .usage("[options]")
    .option("-o, --output-dir <directory>", "where the files go; made when it is missing", ".")
    .option("--age", "a key to encrypt to (age's X25519) instead of one to sign with (Ed25519)")
    .addOption(QUIET)
    .addOption(SILENT)
    .addOption(JSON_OPTION);
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

async function run(options: Options, calling: Calling): Promise<void> {
  const { createAgeKeys, createSigningKeys } = await import("../../node/keygen.ts");
  const create = options.age === true ? createAgeKeys : createSigningKeys;
  const { privatePath, publicPath, publicKey } = await create(options.outputDir);
  if (options.json === true) {
    await printDocument({ private_key_path: privatePath, public_key_path: publicPath, public_key: publicKey });
  } else if (options.quiet !== true && options.silent !== true) {
    const lines = [
      `private key: ${printable(privatePath)} (keep it to yourself)`,
      `public key: ${printable(publicPath)}`,
      publicKey,
    ];
    printText(`${lines.join("\n")}\n`);
  }
  calling.finish(EXIT.done);
}

export const keygen: CommandSpec = {
  create: (calling) => define().action((options) => run(options, calling)),
  example: "hexz keygen -o ~/.hexz",
};
