// Golden archives: what the portable engine writes today, byte for byte, and what both decoders read from it. A change
// of these bytes is a change of the format or of the encoder, and is meant or a mistake: HEXZ_UPDATE=1 writes them anew.
// tests/history keeps a copy of every golden archive there ever was, and each must still give what it held.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { hexOf, openArchive } from "../src/core/index.ts";
import {
  contentsOf,
  entriesOf,
  expectAgreement,
  expectBytes,
  findAmong,
  packBases,
  packPlan,
} from "./support/archives.ts";
import { hexdump } from "./support/hexdump.ts";
import { samplePlans } from "./support/samples.ts";

const GOLDEN = new URL("golden/", import.meta.url);
const HISTORY = new URL("history/", import.meta.url);
const MANIFEST = new URL("manifest.json", HISTORY);
const UPDATE = process.env.HEXZ_UPDATE === "1";
const MOST_BYTES = 300 * 1024;

interface Kept {
  id: string;
  contentId: string;
  /** SHA-256 of the entries as JSON. */
  entries: string;
  /** SHA-256 by name of the content. */
  contents: Record<string, string>;
}

const read = (url: URL) => new Uint8Array(readFileSync(url));
const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");
const archivesIn = (folder: URL) =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(".hxz"))
        .sort()
    : [];

/** Parents of the history are in the history. */
const history = () => archivesIn(HISTORY).map((name) => read(new URL(name, HISTORY)));

async function summaryOf(bytes: Uint8Array): Promise<Kept> {
  const archive = await openArchive(bytes, { findParent: findAmong(history()) });
  const entries = (await entriesOf(archive)).map((entry) => ({
    ...entry,
    ...(entry.xattrs && { xattrs: entry.xattrs.map(({ name, value }) => [name, hexOf(value)]) }),
  }));
  const contents = [...(await contentsOf(archive))].map(([name, content]) => [name, sha256(content)]);
  return {
    id: archive.idText!,
    contentId: hexOf(archive.root.contentId),
    entries: sha256(JSON.stringify(entries)),
    contents: Object.fromEntries(contents),
  };
}

const manifest: Record<string, Kept> = existsSync(MANIFEST) ? JSON.parse(readFileSync(MANIFEST, "utf8")) : {};

/** Writes a golden archive, and a copy under its id to the history. */
async function update(name: string, bytes: Uint8Array): Promise<void> {
  mkdirSync(GOLDEN, { recursive: true });
  mkdirSync(HISTORY, { recursive: true });
  writeFileSync(new URL(`${name}.hxz`, GOLDEN), bytes);
  const kept = await summaryOf(bytes);
  const copy = `${name}-${kept.id.slice(0, 8)}.hxz`;
  writeFileSync(new URL(copy, HISTORY), bytes);
  manifest[copy] = kept;
  const sorted = Object.fromEntries(Object.entries(manifest).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(MANIFEST, `${JSON.stringify(sorted, null, 2)}\n`);
}

describe("golden archives", () => {
  const plans = samplePlans();
  test.each(Object.keys(plans))("%s is written byte for byte, and both decoders agree on it", async (name) => {
    const written = await packPlan(plans[name]!);
    if (UPDATE) await update(name, written);
    const golden = read(new URL(`${name}.hxz`, GOLDEN));
    expectBytes(written, golden, `${name}.hxz`);
    await expectAgreement(golden, await packBases(plans[name]!.bases));
  });

  test("there are no others, and they are small", () => {
    const names = archivesIn(GOLDEN);
    expect(names).toEqual(
      Object.keys(plans)
        .map((name) => `${name}.hxz`)
        .sort(),
    );
    const total = names.reduce((sum, name) => sum + read(new URL(name, GOLDEN)).length, 0);
    expect(total).toBeLessThan(MOST_BYTES);
  });
});

describe("archives of earlier versions", () => {
  test.each(Object.keys(manifest))("%s gives what it held", async (name) => {
    const bytes = read(new URL(name, HISTORY));
    expect(await summaryOf(bytes)).toEqual(manifest[name]);
    await expectAgreement(bytes, history());
  });

  test("none is missing, and every golden archive is among them", async () => {
    expect(archivesIn(HISTORY)).toEqual(Object.keys(manifest).sort());
    const ids = new Set(Object.values(manifest).map(({ id }) => id));
    for (const name of archivesIn(GOLDEN)) {
      const { idText } = await openArchive(read(new URL(name, GOLDEN)));
      expect(ids.has(idText!), `${name} is in the history; HEXZ_UPDATE=1 puts it there`).toBe(true);
    }
  });
});

test("the examples of docs/format.md show real bytes", () => {
  const text = readFileSync(new URL("../docs/format.md", import.meta.url), "utf8");
  const examples = text.slice(text.indexOf("## Examples"));
  for (const name of ["empty", "stream-hello"]) {
    const start = examples.indexOf(`\`${name}.hxz\``);
    expect(start, `an example of ${name}`).toBeGreaterThan(-1);
    const block = examples.slice(start).match(/```\n([\s\S]*?)```/)![1]!;
    // What is no line of the dump is a remark.
    const lines = block.split("\n").filter((line) => /^[0-9a-f]{4} {2}/.test(line));
    const shown = lines.map((line) => line.slice(0, 72).trimEnd());
    expect(shown).toEqual(hexdump(read(new URL(`${name}.hxz`, GOLDEN))).map((line) => line.trimEnd()));
  }
});
