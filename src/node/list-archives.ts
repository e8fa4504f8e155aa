// The archives of a directory, by their names.

import { type Dirent, readdirSync } from "node:fs";
import { join } from "node:path";
import type { HexzError } from "../core/errors.ts";
import { fromSystemError } from "./errors.ts";

const ENDING = Buffer.from(".hxz");

/** One character a byte, so that plain comparison is that of bytes and joining keeps them. */
const LATIN = "latin1";

/**
 * Paths of everything in a directory that is called an archive, sorted; directories are none, links to files are.
 * @param onUnreadable told of directories below that cannot be listed
 * @throws HexzError `not_found`, `permission`, `wrong_type`
 */
export function listArchives(
  directory: string,
  options: { readonly recursive: boolean; readonly onUnreadable: (error: HexzError) => void },
): Buffer[] {
  const found: Buffer[] = [];
  const top = Buffer.from(directory);
  const open = [top];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    let entries: Dirent<Buffer>[];
    try {
      entries = readdirSync(folder, { encoding: "buffer", withFileTypes: true });
    } catch (error) {
      const failure = fromSystemError(error, "list", folder);
      if (folder === top) throw failure;
      options.onUnreadable(failure);
      continue;
    }
    for (const entry of entries) {
      const path = Buffer.from(join(folder.toString(LATIN), entry.name.toString(LATIN)), LATIN);
      if (entry.isDirectory()) {
        if (options.recursive) open.push(path);
      } else if (entry.name.subarray(-ENDING.length).equals(ENDING)) found.push(path);
    }
  }
  return found.sort(Buffer.compare);
}
