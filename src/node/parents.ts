// Where the parents of a local archive may be: at the recorded hint, beside the archive, in given directories, in
// HEXZ_PARENT_PATH; first under the recorded name, then under any. Which file is the parent is decided by its id.

import { lstatSync, readdirSync } from "node:fs";
import { basename, delimiter, dirname, isAbsolute, join, relative, resolve, sep, win32 } from "node:path";
import { HexzError } from "../core/errors.ts";
import type { FindParent } from "../core/read/stores.ts";
import type { RangeSource } from "../core/source/source.ts";
import { openFileSource } from "./file-source.ts";

export interface ParentOptions {
  /** Directories to look for parents in, after the recorded place and the archive's own. */
  readonly parentDirs?: readonly string[];
}

/** Files whose ids are looked at in one directory, when none of the recorded name fits. */
const MOST_FILES = 4096;

/** @param archive path of the archive that was opened; undefined: it came from elsewhere */
export function parentFinder(archive: string | undefined, options: ParentOptions = {}): FindParent {
  const environment = (process.env.HEXZ_PARENT_PATH ?? "").split(delimiter);
  const own = archive === undefined ? process.cwd() : dirname(resolve(archive));
  const given = [...(options.parentDirs ?? []), ...environment].filter((path) => path !== "");
  const directories = [...new Set([own, ...given.map((path) => resolve(path))])];
  return ({ hint }) => candidates(hint, own, directories);
}

function* candidates(hint: string, own: string, directories: readonly string[]): Generator<RangeSource | string> {
  const tried = new Set<string>();
  // A hint is relative; of anything else only the name counts.
  const isRelative = !isAbsolute(hint) && !win32.isAbsolute(hint) && !hint.includes("\0");
  const name = win32.basename(hint).replaceAll("\0", "");
  const named = [...(isRelative ? [resolve(own, hint)] : []), ...directories.map((directory) => join(directory, name))];
  for (const path of named) {
    if (name === "" || tried.has(path)) continue;
    tried.add(path);
    const source = tryOpen(path);
    yield source ?? path;
  }
  for (const directory of directories) {
    for (const file of archivesIn(directory)) {
      const path = join(directory, file);
      if (tried.has(path)) continue;
      tried.add(path);
      const source = tryOpen(path);
      if (source !== undefined) yield source;
    }
  }
}

function archivesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(".hxz"))
      .sort()
      .slice(0, MOST_FILES);
  } catch {
    return [];
  }
}

function tryOpen(path: string): RangeSource | undefined {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  try {
    return openFileSource(path);
  } catch (error) {
    if (error instanceof HexzError) return undefined;
    throw error;
  }
}

/** The hint for a parent: where it is, seen from the directory of the child, with `/`. */
export function hintFor(parent: string, child: string | undefined): string {
  const from = child === undefined ? process.cwd() : dirname(resolve(child));
  const path = relative(from, resolve(parent));
  // On another drive there is no relative path.
  return isAbsolute(path) ? basename(parent) : path.replaceAll(sep, "/");
}
