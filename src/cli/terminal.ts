// The only place that writes to standard output and standard error: documents, text, errors, warnings, progress.
// Everything is written before the call returns, so that the process may end at any time.

import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { HexzError, type Warning } from "../core/errors.ts";
import { asHexzError, errorDocument, printable, warningText } from "./text.ts";

const STDOUT = 1;
const STDERR = 2;
const PIECE = 64 * 1024;
const CLEAR_LINE = "\r\u001b[K";
/** Milliseconds between tries when the other end of a non-blocking pipe takes nothing. */
const RETRY = 5;

/** A progress line is on the terminal and has to go before anything else is written. */
let lineShown = false;

function writeAll(fd: number, text: string): void {
  let bytes = Buffer.from(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY);
      else if (fd === STDERR) return;
      else if (code === "EPIPE") {
        throw new HexzError("io", "the reader of standard output is gone", { data: { epipe: true }, cause: error });
      } else throw new HexzError("io", `cannot write to standard output: ${code}`, { cause: error });
    }
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
export function createLinePrinter(): { line(text: string): void; end(): void } {
  let held = "";
  const flush = () => {
    if (held !== "") printText(held);
    held = "";
  };
  return {
    line(text) {
      held += `${text}\n`;
      if (held.length >= PIECE) flush();
    },
    end: flush,
  };
}

/** The one JSON document of a call. Long lists are written element by element: together they may be too long for a string. */
export function printDocument(document: object): void {
  const printer = createLinePrinter();
  const fields = Object.entries(document).filter(([, value]) => value !== undefined);
  printer.line("{");
  for (const [number, [key, value]] of fields.entries()) {
    const comma = number < fields.length - 1 ? "," : "";
    if (!Array.isArray(value) || value.length === 0) {
      printer.line(`  ${JSON.stringify(key)}: ${JSON.stringify(value)}${comma}`);
      continue;
    }
    printer.line(`  ${JSON.stringify(key)}: [`);
    const last = value.length - 1;
    for (const [at, element] of value.entries()) printer.line(`    ${JSON.stringify(element)}${at < last ? "," : ""}`);
    printer.line(`  ]${comma}`);
  }
  printer.line("}");
  printer.end();
}

/** A remark beside the result. */
export function printNote(text: string): void {
  clearLine();
  writeAll(STDERR, `${printable(text)}\n`);
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
  if (style.json && !style.dataOnStdout) printDocument(errorDocument(error));
  else if (style.json) writeAll(STDERR, `${JSON.stringify(errorDocument(error))}\n`);
  else {
    printNote(`hexz: error: ${error.message}`);
    if (error.hint !== undefined) printNote(`hexz: hint: ${error.hint}`);
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
