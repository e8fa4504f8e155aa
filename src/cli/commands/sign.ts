// `hexz sign`: signs an archive that is there, in it or in a file beside it.

import { Command } from "@commander-js/extra-typings";
import { hexOf } from "../../core/bytes.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { asUsage, EXIT } from "../exit-codes.ts";
import { refuseUrl } from "../open.ts";
import { FORCE, JSON_OPTION, QUIET, SILENT } from "../options.ts";
import { readingOptions, withReadingOptions } from "../reading-options.ts";
import { printDocument, printText } from "../terminal.ts";
import { printable } from "../text.ts";

function define() {
  return withReadingOptions(
    new Command("hexz sign")
      .summary("sign an archive")
      .description(
        "Signs an archive: a signature goes behind its end, nothing of it is changed and only its end is read.",
      )
      .argument("<key>", "the private key: 32 raw bytes, PEM or OpenSSH")
      .argument("<archive>", "the archive")
      .option("--detached <file>", "write the signature, 64 bytes, to this file and leave the archive as it is"),
  )
    .addOption(FORCE)
    .addOption(QUIET)
    .addOption(SILENT)
    .addOption(JSON_OPTION);
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

async function run(keyPath: string, path: string, options: Options, calling: Calling): Promise<void> {
  refuseUrl(path);
  const { readPrivateKey } = await import("../../node/keys.ts");
  const { signArchiveFile, writeDetachedSignature } = await import("../../node/sign.ts");
  const signer = readPrivateKey(keyPath);
  const { detached, force = false } = options;
  const reading = readingOptions(options);
  try {
    const { id, signatures } =
      detached === undefined
        ? await signArchiveFile(path, [signer], reading)
        : await writeDetachedSignature(path, signer, { ...reading, output: detached, force });
    const publicKey = hexOf(signer.publicKey);
    if (options.json === true) {
      const listed = signatures.map((signature) => ({ public_key: hexOf(signature.publicKey) }));
      await printDocument({ path: detached ?? path, archive_id: hexOf(id), public_key: publicKey, signatures: listed });
    } else if (options.quiet !== true && options.silent !== true) {
      printText(`${printable(path)}: signed by ${publicKey}\narchive id: ${hexOf(id)}\n`);
    }
  } catch (error) {
    throw asUsage(error);
  }
  calling.finish(EXIT.done);
}

export const sign: CommandSpec = {
  create: (calling) => define().action((key, archive, options) => run(key, archive, options, calling)),
  example: "hexz sign ~/.hexz/private.key backup.hxz",
};
