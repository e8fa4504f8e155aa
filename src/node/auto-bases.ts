// `--base auto:DIR`: which archives of a directory have most of what is to be packed.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { HexzError } from "../core/errors.ts";
import type { Coding, Sketch } from "../core/format/root.ts";
import { chooseBases, sameChunking } from "../core/write/choose-bases.ts";
import { type OpenOptions, openArchiveFile } from "./archive.ts";
import { fromSystemError } from "./errors.ts";

const PREFIX = "auto:";

/** A base that was chosen by its sketch. */
export interface ChosenBase {
  readonly path: string;
  /** Estimated part of the input's chunks that it adds to those chosen before it, 0 to 1. */
  readonly gain: number;
}

interface Candidate {
  readonly path: string;
  readonly sketch: Sketch;
  readonly coding: Coding;
}

/** The directory of `auto:DIR`, or undefined. */
export function autoDirectory(base: string): string | undefined {
  return base.startsWith(PREFIX) ? base.slice(PREFIX.length) : undefined;
}

/** Reads the end of every archive of the directory; what is none, or cannot be read, is no candidate. */
async function candidatesIn(directory: string, options: OpenOptions): Promise<Candidate[]> {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => name.endsWith(".hxz"));
  } catch (error) {
    throw fromSystemError(error, "look for bases in", directory);
  }
  const candidates: Candidate[] = [];
  for (const name of names.sort()) {
    const path = join(directory, name);
    try {
      const archive = await openArchiveFile(path, { ...options, engine: "wasm", workers: 1 });
      const { sketch, coding } = archive.root;
      await archive.close();
      if (sketch !== undefined && sketch.values.length > 0) candidates.push({ path, sketch, coding });
    } catch (error) {
      if (!(error instanceof HexzError)) throw error;
    }
  }
  return candidates;
}

/** The chunking that most candidates share. */
function commonest(candidates: readonly Candidate[]): Candidate[] {
  const groups: Candidate[][] = [];
  for (const candidate of candidates) {
    const group = groups.find(([first]) => sameChunking(first!.sketch, candidate.sketch));
    if (group === undefined) groups.push([candidate]);
    else group.push(candidate);
  }
  return groups.reduce((a, b) => (b.length > a.length ? b : a), []);
}

/**
 * @param options to open the archives with: without secrets, those that are encrypted are no candidates
 * @param sketchOf the input when it is chunked like that
 * @returns the best first; empty when none has enough in common with the input
 */
export async function chooseFrom(
  directory: string,
  except: string,
  options: OpenOptions,
  sketchOf: (coding: Coding) => Promise<Sketch>,
): Promise<ChosenBase[]> {
  const candidates = commonest((await candidatesIn(directory, options)).filter(({ path }) => path !== except));
  const [first] = candidates;
  if (first === undefined) return [];
  const chosen = chooseBases(await sketchOf(first.coding), candidates);
  return chosen.map(({ candidate, gain }) => ({ path: candidate.path, gain }));
}
