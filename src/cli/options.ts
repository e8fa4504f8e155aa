// Options that several commands share.

import { type Command, Option, type OptionValues } from "@commander-js/extra-typings";
import { InvalidArgumentError } from "commander";
import type { HexzError } from "../core/errors.ts";
import { parseSize } from "./sizes.ts";

/** A whole number. @param min the smallest that makes sense */
export function countParser(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && Number.isSafeInteger(value)) return value;
    throw new InvalidArgumentError(`It must be a whole number${min > 0 ? ` from ${min}` : ""}.`);
  };
}

export function sizeParser(text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw new InvalidArgumentError((error as HexzError).hint ?? "");
  }
}

export function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}

export const JSON_OPTION = new Option("--json", "print one JSON document");
export const QUIET = new Option("-s, --quiet", "print no progress and no summary");
/** The original's word. */
export const SILENT = new Option("--silent").hideHelp();
export const PROGRESS = new Option("--progress <how>", "on standard error: on a terminal only, never, or as JSON lines")
  .choices(["auto", "none", "json"] as const)
  .default("auto" as const);
export const ENGINE = new Option("--engine <which>", "codecs and hashing; wasm gives the same bytes on every machine")
  .choices(["auto", "native", "wasm"] as const)
  .default("auto" as const);
export const WORKERS = new Option("--workers <count>", "threads (default: the cores)").argParser(countParser(1));
export const BASE = new Option(
  "--base <archive>",
  "refer to the chunks of this archive and its parents instead of storing them again; auto:DIR chooses; repeatable",
).argParser(collect);
export const ALLOW_BACKING = new Option(
  "--allow-backing",
  "read the backing files that a qcow2 image names, wherever they are",
);
export const SIGN = new Option("--sign <key>", "sign the archive with this private key; repeatable").argParser(collect);
export const FORCE = new Option("--force", "overwrite what exists");

/** The last options of most commands: how it runs and what it tells. */
export function withRunOptions<Arguments extends unknown[], Options extends OptionValues>(
  command: Command<Arguments, Options>,
) {
  return command.addOption(ENGINE).addOption(PROGRESS).addOption(QUIET).addOption(SILENT).addOption(JSON_OPTION);
}
