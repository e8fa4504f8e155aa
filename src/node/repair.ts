// Repairing an archive of this machine: what is left of it goes into a new one.

import { salvageArchive } from "../core/salvage/salvage.ts";
import type { Salvaged, SalvageOptions } from "../core/salvage/work.ts";
import type { Encryption } from "../core/write/envelope-sink.ts";
import { encryptedSink, type MachineOptions, readingMachinery } from "./archive.ts";
import { type BaseOptions, checkNotOutput, openBases } from "./bases.ts";
import { createFileSink, createStdoutSink } from "./file-sink.ts";
import { openFileSource } from "./file-source.ts";
import { parentFinder } from "./parents.ts";
import { openSpill } from "./spill.ts";

const STDOUT = "-";

export interface RepairOptions extends Omit<SalvageOptions, "bases">, BaseOptions, MachineOptions {
  readonly archive: string;
  /** "-" is standard output. */
  readonly output: string;
  /** Replace an existing output. */
  readonly force?: boolean;
}

/**
 * Writes an archive of what is left of a damaged one.
 * @throws HexzError `not_an_archive`, `version_unknown`, `truncated` when nothing is left; then there is no output
 */
export async function repairArchiveFile(options: RepairOptions): Promise<Salvaged> {
  const { archive: path, output, bases = [], force = false } = options;
  const child = output === STDOUT ? undefined : output;
  for (const input of [path, ...bases]) checkNotOutput(input, child);
  const source = openFileSource(path);
  try {
    const opened = await openBases(bases, child, options);
    try {
      const machinery = await readingMachinery(source.size, options);
      const openSink = async (envelope: Encryption | undefined) => {
        const sink = child === undefined ? createStdoutSink() : createFileSink(child, { force });
        try {
          return await encryptedSink(sink, envelope, machinery.engine);
        } catch (error) {
          await sink.abort();
          throw error;
        }
      };
      const salvage = { findParent: parentFinder(source.path, options), ...options, bases: opened.bases };
      return await salvageArchive(source, machinery, openSink, openSpill, salvage);
    } finally {
      await opened.close();
    }
  } finally {
    source.close();
  }
}
