// Opens the archives that a new one may refer to: those that were named, and all that these refer to themselves.

import { statSync } from "node:fs";
import { hexOf } from "../core/bytes.ts";
import type { AskSecrets, Secrets } from "../core/crypto/secrets.ts";
import { HexzError } from "../core/errors.ts";
import type { Coding, Sketch } from "../core/format/root.ts";
import type { Archive } from "../core/read/archive.ts";
import type { Base } from "../core/write/bases.ts";
import type { Encryption } from "../core/write/envelope-sink.ts";
import { type MachineOptions, type OpenOptions, openArchiveFile } from "./archive.ts";
import { autoDirectory, type ChosenBase, chooseFrom } from "./auto-bases.ts";
import { hintFor, type ParentOptions } from "./parents.ts";

const STDOUT = "-";

export interface BaseOptions extends ParentOptions, MachineOptions {
  /** Who can read the new archive. */
  readonly encryption?: Encryption;
  /** What opens encrypted bases and their parents. */
  readonly secrets?: Secrets | AskSecrets;
  /** Who must have signed the archives that were named; what these refer to is in what they signed. */
  readonly requireSignedBy?: readonly Uint8Array[];
  /** Archives whose chunks are referred to and not stored again; `auto:DIR` chooses among those of a directory. */
  readonly bases?: readonly string[];
}

export interface OpenBases {
  /** In the order in which they were named, then their parents, and so on. */
  readonly bases: readonly Base[];
  /** What `auto:DIR` has chosen; undefined when nobody asked for it. */
  readonly chosen: readonly ChosenBase[] | undefined;
  close(): Promise<void>;
}

/**
 * Opens the bases of an archive that is to be made.
 * @param output path of that archive; "-": standard output
 * @param sketchOf the input when it is chunked like that
 */
export async function openBasesFor(
  output: string,
  options: BaseOptions,
  sketchOf: (coding: Coding) => Promise<Sketch>,
): Promise<OpenBases> {
  const child = output === STDOUT ? undefined : output;
  const paths: string[] = [];
  let chosen: ChosenBase[] | undefined;
  for (const base of options.bases ?? []) {
    const directory = autoDirectory(base);
    if (directory === undefined) paths.push(base);
    else chosen = [...(chosen ?? []), ...(await chooseFrom(directory, output, secretsFor(options), sketchOf))];
  }
  for (const path of paths) checkNotOutput(path, child);
  const open = await openBases([...paths, ...(chosen ?? []).map(({ path }) => path)], child, options);
  return { ...open, chosen };
}

/** A plain archive can refer to plain ones only: the others need not be opened. */
function secretsFor({ encryption, secrets }: BaseOptions): OpenOptions {
  return encryption === undefined || secrets === undefined ? {} : { secrets };
}

/** @throws HexzError `output_is_input` */
export function checkNotOutput(base: string, output: string | undefined): void {
  if (output === undefined || !sameFile(base, output)) return;
  throw new HexzError("output_is_input", `the output "${output}" is also an input`);
}

function sameFile(a: string, b: string): boolean {
  const [one, other] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }));
  return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
}

/**
 * @param child path of the archive that will refer to them; undefined: standard output
 * @throws HexzError `parent_missing` when one refers to an archive that is not found
 */
export async function openBases(
  paths: readonly string[],
  child: string | undefined,
  options: BaseOptions,
): Promise<Omit<OpenBases, "chosen">> {
  const archives = new Map<string, { archive: Archive; base: Base }>();
  const close = async () => {
    for (const { archive } of archives.values()) await archive.close();
  };
  const queue = [...paths];
  // An id pins the bytes of a parent: what a signed base refers to is signed with it.
  const { requireSignedBy: _, ...unsigned } = options;
  let named = paths.length;
  try {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      checkNotOutput(path, child);
      const archive = await openArchiveFile(path, named-- > 0 ? options : unsigned);
      const id = hexOf(archive.id);
      if (archives.has(id)) {
        await archive.close();
        continue;
      }
      archives.set(id, { archive, base: baseOf(archive, hintFor(path, child)) });
      for (const [number, { id }] of archive.root.parents.entries()) {
        if (archives.has(hexOf(id))) continue;
        const { source } = await archive.run(archive.stores.store(number + 1));
        if (source.path !== undefined) queue.push(source.path);
      }
    }
    return { bases: [...archives.values()].map(({ base }) => base), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function baseOf(archive: Archive, hint: string): Base {
  const { id, root, source } = archive;
  if (hint === "") throw new HexzError("usage", `${source.name} has no name to refer to`);
  return { id, hint, name: source.name, root, leaves: () => archive.leaves() };
}
