// `hexz keys`: who can open an encrypted archive. Nothing but its key slots is read or written.

import { Argument, Command, Option } from "@commander-js/extra-typings";
import { slotDocuments } from "../../core/crypto/keys.ts";
import type { NewKeys, SlotKind } from "../../core/crypto/secrets.ts";
import { HexzError } from "../../core/errors.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { RECIPIENT } from "../encryption-options.ts";
import { asUsage, EXIT } from "../exit-codes.ts";
import { refuseUrl } from "../open.ts";
import { JSON_OPTION, QUIET, SILENT } from "../options.ts";
import { IDENTITY, PASSWORD_FILE } from "../reading-options.ts";
import { newPassword, secretsFrom } from "../secrets.ts";
import { printDocument, printNote, printText } from "../terminal.ts";
import { printable } from "../text.ts";

const ACTIONS = ["list", "add", "remove", "rotate"] as const;
/** What removing a slot cannot undo. */
const REMARK =
  "who had a slot may have kept the archive key, and old copies of the file still have the old slots; " +
  "hexz flatten with --recipient or --encrypt makes a copy under a new key";

function define() {
  return new Command("hexz keys")
    .summary("who can open an encrypted archive")
    .description(
      "Lists the key slots of an encrypted archive, adds one, removes one, or replaces all of them. The data is not touched.",
    )
    .usage("[options] list|add|rotate ARCHIVE\n       hexz keys [options] remove ARCHIVE SLOT")
    .addArgument(new Argument("<action>", "what to do").choices(ACTIONS))
    .argument("<archive>", "the archive, a file of this machine")
    .argument("[slot]", "with remove: the number of the slot, as list shows it")
    .addOption(RECIPIENT)
    .addOption(
      new Option(
        "--new-password-file <file>",
        "with add and rotate: the first line of this file (without it and --recipient: asked for on the terminal)",
      ),
    )
    .addOption(IDENTITY)
    .addOption(PASSWORD_FILE)
    .addOption(QUIET)
    .addOption(SILENT)
    .addOption(JSON_OPTION);
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

/** Whom new slots are for. */
async function newKeysOf({ recipient: recipients = [], newPasswordFile }: Options): Promise<NewKeys> {
  if (newPasswordFile === undefined && recipients.length > 0) return { recipients };
  return { recipients, passwords: [await newPassword({ passwordFile: newPasswordFile }, { environment: false })] };
}

function slotNumber(text: string | undefined): number {
  if (text !== undefined && /^\d{1,3}$/.test(text)) return Number(text);
  const message = text === undefined ? "which slot to remove?" : `"${text}" is not the number of a slot`;
  throw new HexzError("usage", message, { hint: "hexz keys list shows them" });
}

/** Does it; returns the kinds of the slots that are there now, undefined of a plain archive. */
async function perform(
  action: (typeof ACTIONS)[number],
  path: string,
  slot: string | undefined,
  options: Options,
): Promise<SlotKind[] | undefined> {
  const { addKeySlots, listKeySlots, removeKeySlot, replaceKeySlots } = await import("../../node/key-slots.ts");
  if (slot !== undefined && action !== "remove") throw new HexzError("usage", `${action} takes no slot`);
  const secrets = secretsFrom(options);
  switch (action) {
    case "list":
      return listKeySlots(path);
    case "add":
      return addKeySlots(path, secrets, () => newKeysOf(options));
    case "remove":
      return removeKeySlot(path, secrets, slotNumber(slot));
    case "rotate":
      return replaceKeySlots(path, secrets, () => newKeysOf(options));
  }
}

async function run(
  action: (typeof ACTIONS)[number],
  path: string,
  slot: string | undefined,
  options: Options,
  calling: Calling,
): Promise<void> {
  refuseUrl(path);
  let kinds: SlotKind[] | undefined;
  try {
    kinds = await perform(action, path, slot, options);
  } catch (error) {
    throw asUsage(error);
  }
  const slots = slotDocuments(kinds ?? []);
  const remark = action === "remove" || action === "rotate" ? { remark: REMARK } : {};
  if (options.json === true) {
    await printDocument({ path, encrypted: kinds !== undefined, key_slots: slots, ...remark });
  } else {
    if (action === "list" && kinds === undefined) printText(`${printable(path)} is not encrypted\n`);
    const isQuiet = (options.quiet === true || options.silent === true) && action !== "list";
    if (!isQuiet) for (const { slot, kind } of slots) printText(`${String(slot).padStart(2)}  ${printable(kind)}\n`);
    if (!isQuiet && "remark" in remark) printNote(`hexz: note: ${remark.remark}`);
  }
  calling.finish(EXIT.done);
}

export const keys: CommandSpec = {
  create: (calling) =>
    define().action((action, archive, slot, options) => run(action, archive, slot, options, calling)),
  example:
    "hexz keys add backup.hxz --identity me.txt --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
};
