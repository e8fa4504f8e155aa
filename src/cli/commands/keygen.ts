// `hexz keygen`: a new pair of keys in two files.

import { Command } from "@commander-js/extra-typings";
import { hexOf } from "../../core/bytes.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { EXIT } from "../exit-codes.ts";
import { JSON_OPTION, QUIET, SILENT } from "../options.ts";
import { printDocument, printText } from "../terminal.ts";
import { printable } from "../text.ts";

function define() {
  return new Command("hexz keygen")
    .summary("make a pair of keys for signing")
    .description("Makes a pair of keys: private.key, which only its owner can read, and public.key. Never overwrites.")
    .usage("[options]")
    .option("-o, --output-dir <directory>", "where the files go; made when it is missing", ".")
    .addOption(QUIET)
    .addOption(SILENT)
    .addOption(JSON_OPTION);
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

async function run(options: Options, calling: Calling): Promise<void> {
  const { createKeyPair } = await import("../../node/sign.ts");
  const { privatePath, publicPath, publicKey } = await createKeyPair(options.outputDir);
  const shown = hexOf(publicKey);
  if (options.json === true) {
    await printDocument({ private_key_path: privatePath, public_key_path: publicPath, public_key: shown });
  } else if (options.quiet !== true && options.silent !== true) {
    const lines = [
      `private key: ${printable(privatePath)} (keep it to yourself)`,
      `public key: ${printable(publicPath)}`,
      shown,
    ];
    printText(`${lines.join("\n")}\n`);
  }
  calling.finish(EXIT.done);
}

export const keygen: CommandSpec = {
  create: (calling) => define().action((options) => run(options, calling)),
  example: "hexz keygen -o ~/.hexz",
};
