// What the inputs of an archive are, and that the archive will not be one of them.

import { fstatSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { HexzError } from "../core/errors.ts";
import { fromSystemError } from "./errors.ts";

/** Standard input as an input, and standard output as an output. */
export const STDIO = "-";

/** An input of this machine, as it was found. */
export interface Facts {
  readonly path: string;
  readonly stat: Stats;
}

/** @returns nothing of standard input @throws HexzError `not_found`, `permission` */
export function statInput(path: string): Facts | undefined {
  if (path === STDIO) return undefined;
  try {
    return { path, stat: statSync(path) };
  } catch (error) {
    throw fromSystemError(error, "read", path);
  }
}

/** @throws HexzError `output_is_input` when the output is an input, or lies in one that is a directory */
export function checkOutput(output: string, facts: readonly (Facts | undefined)[]): void {
  const inputs = facts.filter((fact) => fact !== undefined);
  if (output === STDIO) {
    const { dev, ino } = fstatSync(1);
    if (inputs.every(({ stat }) => stat.dev !== dev || stat.ino !== ino || !stat.isFile())) return;
    throw new HexzError("output_is_input", "standard output is also an input");
  }
  const there = statSync(output, { throwIfNoEntry: false });
  const folder = realpathOf(dirname(resolve(output)));
  for (const { path, stat } of inputs) {
    if (there !== undefined && there.dev === stat.dev && there.ino === stat.ino) {
      throw new HexzError("output_is_input", `the output "${output}" is also an input`);
    }
    if (!stat.isDirectory() || folder === undefined) continue;
    const tree = realpathOf(resolve(path));
    if (tree !== undefined && (folder === tree || folder.startsWith(tree === "/" ? tree : `${tree}/`))) {
      throw new HexzError("output_is_input", `the output "${output}" lies in the input "${path}"`, {
        hint: "write it somewhere else, or to standard output",
      });
    }
  }
}

function realpathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Bytes to read, when no input is a directory or pipe. */
export function totalOf(facts: readonly (Facts | undefined)[]): number | undefined {
  let total = 0;
  for (const fact of facts) {
    if (fact === undefined || !fact.stat.isFile()) return undefined;
    total += fact.stat.size;
  }
  return total;
}
