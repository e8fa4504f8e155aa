// Where the original programs read other bytes than were packed (docs/format-1.md, "What the originals make of it"):
// they resolve references in other ways, and not through several generations.

import { equalBytes } from "../../bytes.ts";
import { HexzError } from "../../errors.ts";
import type { BlockEntry } from "../../format/v1/index-page.ts";
import type { Io } from "../io.ts";
import type { Format1 } from "./archive.ts";
import { DigestTable } from "./digest-table.ts";
import type { Member1 } from "./lineage.ts";
import { STREAMS, type StreamName } from "./pages.ts";
import { blockOf, type Reference, type Stretch } from "./references.ts";

/** References of one archive that a program resolves to other bytes. */
export interface Misread {
  readonly program: "0.5" | "0.8";
  count: number;
  /** Where the first one is. */
  readonly stream: StreamName;
  readonly at: number;
}

/** @returns what each program gets wrong; nothing, where a parent is missing or a reference cannot be resolved */
export function* misreadBy({ lineage, references }: Format1): Io<Misread[]> {
  const own = lineage.members[0]!;
  const parents = (yield* lineage.parents(own)).filter((parent): parent is Member1 => !(parent instanceof HexzError));
  if (parents.length !== own.opened.header.parentPaths.length || parents.length === 0) return [];
  const table = yield* tableOf(parents);
  const found = new Map<Misread["program"], Misread>();
  const note = (program: Misread["program"], stream: StreamName, at: number) => {
    const misread = found.get(program);
    if (misread === undefined) found.set(program, { program, count: 1, stream, at });
    else misread.count++;
  };
  for (const stream of STREAMS) {
    for (let number = 0; number < own.pages.count(stream); number++) {
      const { entries, starts } = yield* own.pages.page(stream, number);
      for (const [entryNumber, entry] of entries.entries()) {
        if (entry.kind !== "reference") continue;
        const at = starts[entryNumber]!;
        const ours = yield* references.resolve(own, stream, at, entry);
        if (ours.some((stretch) => "error" in stretch)) continue;
        if (!sameBytes(ours, yield* byPlace(parents, stream, at, entry.plainLength))) note("0.5", stream, at);
        if (!(yield* isFoundByDigest(table, parents, entry, ours))) note("0.8", stream, at);
      }
    }
  }
  return [...found.values()];
}

/** The stored blocks of direct parents. */
function* tableOf(parents: readonly Member1[]): Io<DigestTable> {
  const table = new DigestTable();
  for (const [archive, { pages }] of parents.entries()) {
    for (const stream of STREAMS) {
      for (let page = 0; page < pages.count(stream); page++) {
        for (const [entry, { kind, ...rest }] of (yield* pages.page(stream, page)).entries.entries()) {
          const { digest } = rest as { digest?: Uint8Array };
          if (kind === "data" && digest !== undefined) table.add(digest, { archive, stream, page, entry });
        }
      }
    }
  }
  return table;
}

/** 0.8: a stored block of a direct parent that has the digest, else zeros. */
function* isFoundByDigest(
  table: DigestTable,
  parents: readonly Member1[],
  { digest, plainLength }: Reference,
  ours: readonly Stretch[],
): Io<boolean> {
  const place = digest && table.find(digest);
  const page = place && (yield* parents[place.archive]!.pages.page(place.stream, place.page));
  const entry = page?.entries[place!.entry] as Extract<BlockEntry, { kind: "data" }> | undefined;
  if (entry?.digest === undefined || !equalBytes(entry.digest, digest!)) return ours.every((one) => "zeros" in one);
  const [only] = ours;
  return (
    ours.length === 1 &&
    "block" in only! &&
    only.offset === 0 &&
    entry.plainLength === plainLength &&
    only.block.plainLength === plainLength &&
    only.block.seal?.digest !== undefined &&
    equalBytes(only.block.seal.digest, entry.digest)
  );
}

/** 0.5: the same place of the first parent that has a block there; its own references are zeros. */
function* byPlace(parents: readonly Member1[], stream: StreamName, start: number, length: number): Io<Stretch[]> {
  for (const parent of parents) {
    const { pages } = parent;
    if ((yield* pages.at(stream, start)) === undefined) continue;
    const stretches: Stretch[] = [];
    const end = start + length;
    let at = start;
    while (at < end) {
      const there = yield* pages.at(stream, at);
      if (there === undefined) break;
      const { page, number } = there;
      const to = Math.min(end, page.starts[number + 1]!);
      const isData = page.entries[number]!.kind === "data";
      const block = isData ? { block: blockOf(parent, page, number), offset: at - page.starts[number]! } : undefined;
      stretches.push({ length: to - at, ...(block ?? { zeros: true }) });
      at = to;
    }
    if (at < end) stretches.push({ length: end - at, zeros: true });
    return stretches;
  }
  return [{ length, zeros: true }];
}

/** Whether stretches of the same length hold the same bytes, as far as digests and places tell. */
function sameBytes(a: readonly Stretch[], b: readonly Stretch[]): boolean {
  let [left, right] = [0, 0];
  let [usedLeft, usedRight] = [0, 0];
  while (left < a.length && right < b.length) {
    const [one, other] = [a[left]!, b[right]!];
    if (!samePlace(one, usedLeft, other, usedRight)) return false;
    const length = Math.min(one.length - usedLeft, other.length - usedRight);
    usedLeft += length;
    usedRight += length;
    if (usedLeft === one.length) [left, usedLeft] = [left + 1, 0];
    if (usedRight === other.length) [right, usedRight] = [right + 1, 0];
  }
  return true;
}

function samePlace(a: Stretch, usedA: number, b: Stretch, usedB: number): boolean {
  if (!("block" in a) || !("block" in b)) return "zeros" in a && "zeros" in b;
  if (a.offset + usedA !== b.offset + usedB) return false;
  if (a.block.archive === b.block.archive && a.block.offset === b.block.offset) return true;
  const [one, other] = [a.block.seal?.digest, b.block.seal?.digest];
  return one !== undefined && other !== undefined && equalBytes(one, other);
}
