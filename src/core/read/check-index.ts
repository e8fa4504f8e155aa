// Checking the index: every page, what the root counts of chunks and blocks, and the chunks' part of the content id.

import { ByteWriter } from "../bytes.ts";
import { HexzError } from "../errors.ts";
import type { IndexLeaf } from "../format/index-page.ts";
import type { Counts } from "../format/root.ts";
import type { Archive } from "./archive.ts";
import type { BodyCheck } from "./check-layout.ts";
import { type Findings, noting } from "./findings.ts";
import type { LeafPlace } from "./index-reader.ts";
import { pagesOf, type WalkedPages } from "./page-groups.ts";

export interface CheckedIndex extends WalkedPages {
  /** The chunks' part of the content id, when all leaves are good. */
  readonly chunksDigest: Uint8Array | undefined;
}

export async function checkIndex(archive: Archive, findings: Findings, body: BodyCheck): Promise<CheckedIndex> {
  const { root, context } = archive;
  const { index } = archive.format2;
  const levels: LeafPlace[][] = [];
  let complete = true;
  let level = index.top;
  for (let depth = root.index.depth; depth > 0; depth--) {
    levels.unshift(level);
    const below: LeafPlace[] = [];
    for (const place of level) {
      const found = await noting(findings, "index", () => archive.run(index.below(place)));
      if (found === undefined) complete = false;
      else for (const next of found) below.push(next);
    }
    level = below;
  }
  body.expectLeaves(level.map(({ child }) => child.ref));
  const pageCount = levels.reduce((sum, places) => sum + places.length, level.length);
  if (complete && pageCount !== root.index.pageCount) {
    findings.invalid("index", `the index has ${pageCount} pages, its root says ${root.index.pageCount}`);
  }

  const tally = new IndexTally(context.engine.createHasher());
  let good = complete;
  if (!complete) body.loseTrack();
  for await (const { child: place, bytes } of pagesOf(archive, level, ({ child }) => child.ref)) {
    const leaf = await noting(findings, "index", async () => {
      if (bytes instanceof HexzError) throw bytes;
      return index.decodeLeaf(place, bytes);
    });
    if (leaf === undefined) {
      good = false;
      body.loseTrack();
      continue;
    }
    tally.add(leaf);
    await body.leaf(leaf);
  }
  body.finish();
  if (good) compareCounts(root.counts, tally, body, findings);
  const refs = [level, ...levels].flatMap((places) => places.map(({ child }) => child.ref));
  return { refs, complete, chunksDigest: good ? tally.digest() : undefined };
}

/** What all leaves amount to. */
class IndexTally {
  readonly #hasher;
  readonly #record = new ByteWriter(64);
  chunks = { count: 0, bytes: 0 };
  fills = { count: 0, bytes: 0 };

  constructor(hasher: { update(bytes: Uint8Array): void; digest(): Uint8Array }) {
    this.#hasher = hasher;
  }

  add({ starts, fills, digests }: IndexLeaf): void {
    const record = this.#record;
    record.clear();
    for (let number = 0; number < fills.length; number++) {
      const length = starts[number + 1]! - starts[number]!;
      const tally = fills[number]! >= 0 ? this.fills : this.chunks;
      tally.count++;
      tally.bytes += length;
      record.u64(length);
      if (fills[number]! >= 0) record.u8(0).u8(fills[number]!);
      else record.u8(1).raw(digests.subarray(number * 32, number * 32 + 32));
    }
    this.#hasher.update(record.view());
  }

  digest(): Uint8Array {
    return this.#hasher.digest();
  }
}

function compareCounts(counts: Counts, tally: IndexTally, body: BodyCheck, findings: Findings): void {
  const compare = (what: string, found: number, said: number) => {
    if (found !== said) findings.invalid("index", `the index has ${found} ${what}, the root says ${said}`);
  };
  // Which of equal chunks is the first would need all digests at once; their sum does not.
  const { unique, duplicate, parent, fill } = counts;
  compare("chunks", tally.chunks.count, unique.count + duplicate.count + parent.count);
  compare("bytes of chunks", tally.chunks.bytes, unique.bytes + duplicate.bytes + parent.bytes);
  compare("fills", tally.fills.count, fill.count);
  compare("bytes of fills", tally.fills.bytes, fill.bytes);
  for (let codec = 0; codec < 16; codec++) {
    const said = counts.codecs.find((one) => one.codec === codec) ?? { blocks: 0, storedBytes: 0, plainBytes: 0 };
    const found = body.codecs.get(codec) ?? { blocks: 0, storedBytes: 0, plainBytes: 0 };
    compare(`blocks of codec ${codec}`, found.blocks, said.blocks);
    compare(`stored bytes of codec ${codec}`, found.storedBytes, said.storedBytes);
    compare(`plain bytes of codec ${codec}`, found.plainBytes, said.plainBytes);
  }
}
