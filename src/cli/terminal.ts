// The only place that writes to standard output and standard error: documents, text, errors, warnings, progress.
// What is not a promise is written before the call returns, so that the process may end at any time.

import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { HexzError, type Warning } from "../core/errors.ts";
import { unblockStdout } from "../node/stdout.ts";
import { asHexzError, errorDocument, printable, warningText } from "./text.ts";

const STDOUT = 1;
const STDERR = 2;
const PIECE = 64 * 1024;
/** What a pipe takes whole, as a rule. */
const PIPE_ATOMIC = 4096;
const CLEAR_LINE = "\r\u001b[K";
/** Milliseconds between tries when the other end of a non-blocking pipe takes nothing. */
const RETRY = 5;

/** A progress line is on the terminal and has to go before anything else is written. */
let lineShown = false;

/** Something is on standard output: a second document there would spoil it. */
let stdoutUsed = false;

/** @returns how many bytes the other end took now; 0 when it is not ready */
function writeSome(fd: number, bytes: Uint8Array): number {
  if (fd === STDOUT) stdoutUsed = true;
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EAGAIN") return 0;
    // nobody is left to be told
    if (fd === STDERR) return bytes.length;
    if (code === "EPIPE") {
      throw new HexzError("io", "the reader of standard output is gone", { data: { epipe: true }, cause: error });
    }
    throw new HexzError("io", `cannot write to standard output: ${code}`, { cause: error });
  }
}

/** @param tries how often to try when the other end takes nothing */
function writeAll(fd: number, text: string, tries = Number.POSITIVE_INFINITY): void {
  let bytes = Buffer.from(text);
  for (let left = tries; bytes.length > 0 && left > 0; ) {
    const count = writeSome(fd, bytes);
    bytes = bytes.subarray(count);
    if (count > 0) continue;
    left--;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY);
  }
}

/** For more than a pipe holds: signals are handled while the reader takes its time. */
async function writePatiently(text: string): Promise<void> {
  unblockStdout();
  let bytes = Buffer.from(text);
  while (bytes.length > 0) {
    const count = writeSome(STDOUT, bytes);
    if (count === 0) await new Promise((resolve) => setTimeout(resolve, RETRY));
    bytes = bytes.subarray(count);
  }
}

function clearLine(): void {
  if (!lineShown) return;
  lineShown = false;
  writeAll(STDERR, CLEAR_LINE);
}

export function isTerminal(stream: "stdout" | "stderr"): boolean {
  return isatty(stream === "stdout" ? STDOUT : STDERR);
}

/** Text for standard output; what comes from an archive has gone through `printable`. */
export function printText(text: string): void {
  clearLine();
  writeAll(STDOUT, text);
}

/** Many lines on standard output, a few at a time. */
export function createLinePrinter(): { line(text: string): void | Promise<void>; end(): void | Promise<void> } {
  let held = "";
  const flush = () => {
    const text = held;
    held = "";
    return writePatiently(text);
  };
  clearLine();
  return {
    line(text) {
      held += `${text}\n`;
      if (held.length >= PIECE) return flush();
    },
    // what is short goes at once
    end: () => (held.length < PIPE_ATOMIC ? writeAll(STDOUT, held) : flush()),
  };
}

/** The one JSON document of a call. Lists are written element by element: together they may be too long for a string. */
export async function printDocument(document: object): Promise<void> {
  const { line, end } = createLinePrinter();
  for (const text of documentLines(document)) await line(text);
  await end();
}

function* documentLines(document: object, indent = ""): Generator<string> {
  const fields = Object.entries(document).filter(([, value]) => value !== undefined);
  yield `${indent}{`;
  for (const [number, [key, value]] of fields.entries()) {
    const comma = number < fields.length - 1 ? "," : "";
    const name = `${indent}  ${JSON.stringify(key)}:`;
    if (Array.isArray(value) && value.length > 0) {
      yield `${name} [`;
      const last = value.length - 1;
      for (const [at, element] of value.entries()) {
        yield `${indent}    ${JSON.stringify(element)}${at < last ? "," : ""}`;
      }
      yield `${indent}  ]${comma}`;
    } else if (holdsLists(value)) {
      yield name;
      yield* documentLines(value, `${indent}  `);
      if (comma !== "") yield `${indent}  ${comma}`;
    } else yield `${name} ${JSON.stringify(value)}${comma}`;
  }
  yield `${indent}}`;
}

function holdsLists(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.values(value).some((field) => Array.isArray(field));
}

/** A remark beside the result. */
export function printNote(text: string): void {
  clearLine();
  writeAll(STDERR, `${printable(text)}\n`);
}

/** A question on the terminal. */
export function printPrompt(text: string): void {
  clearLine();
  writeAll(STDERR, text === "\n" ? text : printable(text));
}

/** Help where it was not asked for. */
export function printUsage(text: string): void {
  clearLine();
  writeAll(STDERR, text);
}

export function printWarnings(warnings: readonly Warning[]): void {
  for (const warning of warnings) printNote(`hexz: warning: ${warningText(warning)}`);
}

/** How a failure is told. */
export interface ErrorStyle {
  readonly json: boolean;
  /** Standard output carries data: the document goes to standard error. */
  readonly dataOnStdout: boolean;
}

export function printError(thrown: unknown, style: ErrorStyle): void {
  const error = asHexzError(thrown);
  clearLine();
  // who interrupts does not want to wait for a reader
  const tries = error.code === "interrupted" ? 20 : undefined;
  if (style.json) {
    const toStdout = !style.dataOnStdout && !stdoutUsed;
    writeAll(toStdout ? STDOUT : STDERR, `${[...documentLines(errorDocument(error))].join("\n")}\n`, tries);
  } else {
    const hint = error.hint === undefined ? "" : `hexz: hint: ${printable(error.hint)}\n`;
    writeAll(STDERR, `hexz: error: ${printable(error.message)}\n${hint}`, tries);
  }
  if (process.env.HEXZ_DEBUG && !style.json) writeAll(STDERR, `${debugText(error)}\n`);
}

function debugText(error: Error): string {
  const { cause } = error;
  return `${error.stack}${cause instanceof Error ? `\n  caused by ${debugText(cause)}` : ""}`;
}

/** A line of progress, on the terminal over the one before. */
export function showProgressLine(text: string): void {
  writeAll(STDERR, CLEAR_LINE + text);
  lineShown = true;
}

/** A line of progress for programs. */
export function printProgressDocument(document: object): void {
  writeAll(STDERR, `${JSON.stringify(document)}\n`);
}

export { clearLine as clearProgressLine };
