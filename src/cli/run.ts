// From arguments to one command's work: which command, its options, and what is wrong with them in our words.

import { HexzError } from "../core/errors.ts";
import { type CatalogueEntry, closestCommand, findCommand, LATER_COMMANDS, overview } from "./catalogue.ts";
import { EXIT } from "./exit-codes.ts";
import { printText, printUsage } from "./terminal.ts";

/** The arguments, and how failures are to be told: known before anything can fail. */
export interface Call {
  readonly args: readonly string[];
  json: boolean;
  dataOnStdout: boolean;
}

/** Options of every command that may also stand before its name. */
const EARLY_FLAGS = new Set(["--json", "-s", "--quiet", "--silent"]);
const EARLY_VALUES = new Set(["--progress", "--engine"]);

/** @returns the exit code @throws HexzError */
export async function run(call: Call): Promise<number> {
  const { args } = call;
  const options = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  call.json = options.includes("--json");
  let at = 0;
  while (at < args.length) {
    if (EARLY_FLAGS.has(args[at]!) || /^--(progress|engine)=/.test(args[at]!)) at++;
    else if (EARLY_VALUES.has(args[at]!)) at += 2;
    else break;
  }
  const [name, ...rest] = args.slice(at);
  const early = args.slice(0, at);
  if (name === undefined) {
    if (call.json) throw new HexzError("usage", "no command was given", { hint: "hexz --help lists them" });
    printUsage(overview());
    return EXIT.usage;
  }
  if (name === "--version" || name === "-V") {
    const { printVersion } = await import("./version.ts");
    await printVersion(call.json);
    return EXIT.done;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    const [topic] = rest.filter((argument) => !argument.startsWith("-"));
    if (topic !== undefined) return runCommand(find(topic), ["--help"], call);
    printText(overview());
    return EXIT.done;
  }
  return runCommand(find(name), [...early, ...rest], call);
}

function find(name: string): CatalogueEntry {
  const found = findCommand(name);
  if (found !== undefined) return found;
  if (LATER_COMMANDS.has(name)) {
    throw new HexzError("not_available", `the command ${name} is not available yet`, {
      hint: "hexz --help lists those that are",
    });
  }
  const kind = name.startsWith("-") ? "option" : "command";
  const closest = closestCommand(name);
  throw new HexzError("usage", `unknown ${kind} "${name}"`, {
    hint: closest === undefined ? "hexz --help lists the commands" : `did you mean ${closest}?`,
  });
}

async function runCommand(entry: CatalogueEntry, args: readonly string[], call: Call): Promise<number> {
  const spec = await entry.load();
  let exitCode: number = EXIT.done;
  const command = spec.create({
    finish(code) {
      exitCode = code;
    },
    claimStdout() {
      call.dataOnStdout = true;
      if (!call.json) return;
      throw new HexzError("usage", "--json cannot be given where standard output carries data");
    },
  });
  command.exitOverride().configureOutput({ writeOut: printText, writeErr: () => {} });
  command.addHelpText("after", `\nExample:\n  ${spec.example}`);
  try {
    await command.parseAsync(args, { from: "user" });
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === "commander.helpDisplayed") return EXIT.done;
    if (typeof code !== "string" || !code.startsWith("commander.")) throw error;
    throw usageError(error as Error, entry.name);
  }
  return exitCode;
}

/** Commander's message as ours: "error: unknown option '--forc'\n(Did you mean --force?)". */
function usageError({ message }: Error, name: string): HexzError {
  const [sentence = "", guess] = message.replace(/^error: /, "").split("\n");
  const meant = guess === undefined ? undefined : /Did you mean (.*)\?/.exec(guess)?.[1];
  const hint = meant === undefined ? `hexz ${name} --help shows how it is used` : `did you mean ${meant}?`;
  return new HexzError("usage", sentence.replace(/\.$/, ""), { hint });
}
