// Asks for a secret on the terminal, without showing it. Standard input and output may be data meanwhile.

import { closeSync, openSync } from "node:fs";
import { isatty, ReadStream } from "node:tty";
import { HexzError } from "../core/errors.ts";
import { isTerminal, printPrompt } from "./terminal.ts";

const STDIN = 0;
const ENTER = new Set(["\r", "\n", "\u0004"]);
const INTERRUPT = "\u0003";
const ERASE = new Set(["\u007f", "\b"]);
const ERASE_LINE = "\u0015";

/** Somebody sees the question: standard error is a terminal, and there is one to read from. */
export function canPrompt(): boolean {
  return isTerminal("stderr") && (isatty(STDIN) || process.platform !== "win32");
}

function openTerminal(): ReadStream {
  if (isatty(STDIN)) return new ReadStream(STDIN);
  let fd: number | undefined;
  try {
    fd = openSync("/dev/tty", "r");
    return new ReadStream(fd);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw new HexzError("password_missing", "there is no terminal to ask for the password", {
      hint: "--password-file or HEXZ_PASSWORD",
      cause: error,
    });
  }
}

/** @throws HexzError `interrupted`, and `password_missing` when there is no terminal */
export async function promptSecret(question: string): Promise<string> {
  const terminal = openTerminal();
  terminal.setRawMode(true);
  terminal.setEncoding("utf8");
  printPrompt(question);
  try {
    return await new Promise((resolve, reject) => {
      let typed = "";
      terminal.on("data", (text: string) => {
        for (const character of text) {
          if (character === INTERRUPT) reject(new HexzError("interrupted", "interrupted"));
          else if (ENTER.has(character)) resolve(typed);
          else if (ERASE.has(character)) typed = [...typed].slice(0, -1).join("");
          else if (character === ERASE_LINE) typed = "";
          else typed += character;
        }
      });
      terminal.on("end", () => resolve(typed));
      terminal.on("error", reject);
    });
  } finally {
    terminal.setRawMode(false);
    terminal.destroy();
    printPrompt("\n");
  }
}
