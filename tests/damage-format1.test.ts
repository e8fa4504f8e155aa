// Damage to format 1 as a matrix: every byte of small archives of all kinds altered, every length cut off. What comes of it
// is an error or the right bytes; where an altered byte changes nothing, it is one that nothing reads. Header, index and
// manifest have no checksum in this format: which of their fields can be altered into another good archive is listed
// here, and in docs/format-1.md.

import { describe, expect, test } from "vitest";
import { fieldsOf } from "./support/format1-fields.ts";
import { type Format1Sample, format1Samples, type Outcome1, outcomeOfSample } from "./support/format1-samples.ts";

const samples = await format1Samples();
const MASKS = [0x01, 0x80, 0x20];
const LONG = { timeout: 120_000 };

/** What an altered field may lead to other than an error that check tells of, too. */
const HARMLESS: Readonly<Record<string, RegExp>> = {
  // Said of the archive and not needed to read it: sizes that the writer aimed at, where the wrong ones change plans only.
  "block size": /^right/,
  "variable blocks": /^right/,
  "chunk sizes": /^right/,
  "chunk sizes, option": /^right/,
  // What the writer puts into fields of kinds of blocks that have no such thing.
  "zeros: checksum": /^right/,
  "zeros: digest": /^right/,
  "reference: stored length": /^right/,
  "reference: checksum": /^right/,
  // Nonces of encrypted archives; of others nothing.
  "page's first block": /^right/,
  // Bytes of a dictionary that no block uses, and a few more or less of them.
  "dictionary bytes": /^right/,
  dictionary: /^right warns/,
  // A page of the old layout, whose blocks have no digests: their checksums are left, and check says so.
  "page length": /^right warns/,
  // Then the parent is found by its blocks.
  "parent path": /^right warns/,
  // Reading goes without it, and verify does not.
  "signature bytes": /^right/,
  signature: /^right/,
  // Coded blocks are what they decode to, if their checksums are set right: here they are not, so that check tells.
  block: /^right tells/,
  "length before the block": /^right tells/,
  "data: checksum": /^right tells/,
};

/** Fields of the index that nothing protects: reading gives other bytes, and check tells of it. */
const TOLD_BY_CHECK = ["zeros: plain length", "reference: plain length", "page's start", "stream size", "index offset"];

/** Names, places, modes and times of members, and where their list is: nothing tells whether they are right. */
const UNPROTECTED = ["metadata bytes", "metadata"];

function isAllowed(field: string, { reading, check }: Outcome1, { contents, parent }: Format1Sample): boolean {
  const outcome = `${reading} ${check}`;
  if (outcome === "error tells") return true;
  if (UNPROTECTED.includes(field)) return true;
  if (HARMLESS[field]?.test(outcome)) return true;
  // An archive of nothing may say of itself what it likes.
  if (reading === "right" && [...contents.values()].every(({ length }) => length === 0)) return true;
  // A stream that goes on where the blocks end goes on with its parent's bytes.
  if (field === "stream size" && parent !== undefined) return check !== "good";
  return TOLD_BY_CHECK.includes(field) && check === "tells";
}

/** All fields; of the zeros behind the header, one in sixteen, but in the first sample. */
function placesOf(name: string, { bytes }: Format1Sample): { field: string; at: number }[] {
  const isFirst = name === [...samples.keys()][0];
  return fieldsOf(bytes).flatMap(({ name: field, start, end }) => {
    const step = field === "padding" && !isFirst ? 16 : 1;
    return Array.from({ length: Math.ceil((end - start) / step) }, (_, number) => ({
      field,
      at: start + number * step,
    }));
  });
}

describe("every byte altered", () => {
  test.each([...samples.keys()])("%s", LONG, async (name) => {
    const sample = samples.get(name)!;
    const fields = fieldsOf(sample.bytes);
    // Each byte is of one field.
    expect(fields.map(({ start }) => start)).toEqual([0, ...fields.slice(0, -1).map(({ end }) => end)]);
    expect(fields.at(-1)!.end).toBe(sample.bytes.length);
    for (const { field, at } of placesOf(name, sample)) {
      const altered = sample.bytes.slice();
      altered[at]! ^= MASKS[at % 3]!;
      const outcome = await outcomeOfSample(altered, sample);
      expect([field, at, outcome, isAllowed(field, outcome, sample)]).toEqual([field, at, outcome, true]);
    }
  });
});

test.each([...samples.keys()])("every shorter archive is refused: %s", LONG, async (name) => {
  const sample = samples.get(name)!;
  const isFirst = name === [...samples.keys()][0];
  for (let length = 0; length < sample.bytes.length; length += length < 4000 && !isFirst ? 50 : 1) {
    const outcome = await outcomeOfSample(sample.bytes.subarray(0, length), sample);
    expect([length, outcome]).toEqual([length, { reading: "error", check: "tells" }]);
  }
});

test("every byte of a parent altered: the right bytes or an error", LONG, async () => {
  const sample = samples.get("thin")!;
  const { parent } = sample;
  let errors = 0;
  for (const { field, at } of placesOf("parent", { ...sample, bytes: parent! })) {
    const altered = parent!.slice();
    altered[at]! ^= MASKS[at % 3]!;
    const { reading } = await outcomeOfSample(sample.bytes, { ...sample, parent: altered });
    expect([field, at, reading]).not.toEqual([field, at, "wrong"]);
    if (reading === "error") errors++;
  }
  expect(errors).toBeGreaterThan(100);
});

test("bytes behind the end, or between what stands there, are not passed over where a manifest may be lost", async () => {
  for (const name of ["lz4", "directory", "signed"]) {
    const sample = samples.get(name)!;
    for (const more of [1, 63, 65]) {
      const longer = new Uint8Array([...sample.bytes, ...new Uint8Array(more)]);
      expect([name, await outcomeOfSample(longer, sample)]).toEqual([name, { reading: "error", check: "tells" }]);
    }
  }
});
