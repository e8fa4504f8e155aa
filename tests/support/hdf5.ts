// HDF5 files for tests, written by h5py (Debian's python3-h5py) once per process.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

let folder: string | undefined;

/** The directory of `earliest.h5`, `latest.h5`, `user-block.h5`, each with a `.json` that says what is in it. */
export function hdf5Files(): string {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), "hexz-hdf5-"));
    const script = fileURLToPath(new URL("make-hdf5.py", import.meta.url));
    execFileSync("/usr/bin/python3", [script, folder]);
  }
  return folder;
}

afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true });
});
