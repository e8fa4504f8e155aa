// Repairing in memory, and what must be true of every archive that a repair has written.

import { expect } from "vitest";
import { type ByteString, displayName } from "../../src/core/format/path.ts";
import { createMemorySink, createMemorySource, type Entry, hexOf, type RangeSource } from "../../src/core/index.ts";
import { salvageArchive } from "../../src/core/salvage/salvage.ts";
import type { Salvaged, SalvageOptions } from "../../src/core/salvage/work.ts";
import { createMemoryScratch } from "../../src/core/write/scratch.ts";
import { contentsOf, entriesOf, findAmong, idOf } from "./archives.ts";
import { machinery, openQuickly, type Truth } from "./outcomes.ts";
import { decodeReference } from "./reference.ts";

export interface Repaired extends Salvaged {
  readonly bytes: Uint8Array;
  readonly entries: readonly Entry[];
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

/** Repairs, and proves the result: the reference decoder accepts it. */
export async function repaired(
  from: Uint8Array | RangeSource,
  parents: readonly Uint8Array[] = [],
  options: SalvageOptions = {},
): Promise<Repaired> {
  const source = from instanceof Uint8Array ? createMemorySource(from, "the damaged archive") : from;
  const sink = createMemorySink();
  const findParent = findAmong(parents);
  const result = await salvageArchive(source, machinery, async () => sink, createMemoryScratch, {
    findParent,
    ...options,
  });
  const bytes = sink.bytes();
  expect(bytes.length).toBe(result.size);
  const archive = await openQuickly(bytes, parents);
  expect(archive.idText).toBe(hexOf(result.id));
  decodeReference(bytes, { parents: new Map(parents.map((parent) => [idOf(parent), parent])) });
  return { ...result, bytes, entries: await entriesOf(archive), contents: await contentsOf(archive) };
}

const NEW_NAME = /^lost\+found(-\d+)?\/(\d+)-(\d+)$/;

/**
 * Everything that is there is right, and everything that is not there was told of.
 * @param prefix the file broke off: what came later is told of as a whole
 */
export function expectHonest(repair: Repaired, truth: Truth, what: string): void {
  const told = new Set(repair.losses.map(({ path }) => path));
  const isToldOfAsAWhole = repair.losses.some(({ where }) => where === "root" || where === "tree");
  for (const [name, content] of repair.contents) {
    const [, , start, end] = NEW_NAME.exec(name.slice("file:".length)) ?? [];
    const same = truth.contents.get(name);
    const expected =
      end !== undefined
        ? truth.addresses.subarray(Number(start), Number(end))
        : (same ?? truth.addresses.subarray(0, content.length));
    if (same === undefined && end === undefined) expect(name, what).toBe("stream:disk");
    if (Buffer.compare(content, expected) !== 0) throw new Error(`${what}: wrong bytes of ${name}`);
  }
  const shown = (entry: Entry) => JSON.stringify({ ...entry, hardLink: undefined });
  const known = new Map(truth.entries.map((entry) => [entry.path as string, shown(entry)]));
  for (const entry of repair.entries) {
    if (NEW_NAME.test(entry.path)) continue;
    if (entry.path === "" && shown(entry) === JSON.stringify({ path: "", type: "directory" })) continue;
    expect(shown(entry), what).toBe(known.get(entry.path));
  }
  const paths = new Set(repair.entries.map(({ path }) => path as string));
  for (const { path } of truth.entries) {
    if (!paths.has(path)) expect(told.has(shownPath(path)) || isToldOfAsAWhole, `${what}: ${path} is gone`).toBe(true);
  }
  for (const name of truth.contents.keys()) {
    if (!name.startsWith("stream:") || repair.contents.has(name)) continue;
    expect(told.has(name.slice("stream:".length)) || isToldOfAsAWhole, `${what}: ${name} is gone`).toBe(true);
  }
}

const shownPath = (path: string) => displayName(path as ByteString);
