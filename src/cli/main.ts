#!/usr/bin/env node
// The `hexz` command: signals, the call of one command, and how the process ends.

import { HexzError } from "../core/errors.ts";
import { abortAll } from "../node/abort.ts";
import { EXIT, exitCodeOf, isBrokenPipe } from "./exit-codes.ts";
import { run } from "./run.ts";
import { printError } from "./terminal.ts";
import { asHexzError } from "./text.ts";

const call = { args: process.argv.slice(2), json: false, dataOnStdout: false };

function fail(thrown: unknown): number {
  abortAll();
  const error = asHexzError(thrown);
  if (!isBrokenPipe(error)) {
    try {
      printError(error, call);
    } catch {
      // nobody reads standard output any more
    }
  }
  return exitCodeOf(error);
}

for (const [signal, exitCode] of [
  ["SIGHUP", EXIT.hungUp],
  ["SIGINT", EXIT.interrupted],
  ["SIGTERM", EXIT.terminated],
] as const) {
  process.on(signal, () => {
    fail(new HexzError("interrupted", `interrupted by ${signal}`));
    process.exit(exitCode);
  });
}
process.on("uncaughtException", (error) => process.exit(fail(error)));
process.on("exit", abortAll);

process.exit(await run(call).catch(fail));
