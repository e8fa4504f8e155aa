// A golden encrypted archive: with a fixed key and fixed randomness it is written byte for byte, and both decoders and
// both of its keys open it. HEXZ_UPDATE=1 writes it anew, which is a change of the format.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { digestWith } from "../src/core/digest.ts";
import { checkArchive, contentOf, createMemorySink, hexOf, openArchive } from "../src/core/index.ts";
import { createPortableEngine } from "../src/core/portable-engine.ts";
import { createInlineCrew } from "../src/core/work/crew.ts";
import { createEnvelopeSink } from "../src/core/write/envelope-sink.ts";
import { ArchiveWriter } from "../src/core/write/writer.ts";
import { contentsOf, expectBytes } from "./support/archives.ts";
import { FIXED_IDENTITY, FIXED_KEYS, FIXED_PASSWORD, fixedCiphers } from "./support/fixed-encryption.ts";
import { decodeReference } from "./support/reference.ts";
import { openReferenceEnvelope } from "./support/reference-envelope.ts";
import { samplePlans } from "./support/samples.ts";

const FOLDER = new URL("encrypted/", import.meta.url);
const plan = samplePlans()["mixed-lz4"]!;
const { content } = plan.streams![0]!;

async function written(): Promise<Uint8Array> {
  const engine = await createPortableEngine({ memoryBytes: 32 << 20 });
  const sink = createMemorySink();
  const target = await createEnvelopeSink(sink, { keys: FIXED_KEYS }, fixedCiphers(), digestWith(engine));
  const crew = createInlineCrew({ engine, gather: engine.allocate(1 << 20) });
  const writer = await ArchiveWriter.create(target, crew, plan.options);
  await writer.addStream("disk", contentOf(content));
  await writer.finish();
  return sink.bytes();
}

test("the golden encrypted archive is written byte for byte", async () => {
  const bytes = await written();
  const { id } = decodeReference(bytes, { key: FIXED_KEYS.key });
  const url = new URL(`mixed-${id.slice(0, 8)}.hxz`, FOLDER);
  if (process.env.HEXZ_UPDATE === "1") {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(url, bytes);
  }
  expect(existsSync(url), `${url.pathname} is there`).toBe(true);
  expectBytes(bytes, new Uint8Array(readFileSync(url)), "the golden archive");
});

test("every encrypted archive there ever was opens with its identity, its password and the reference decoder", async () => {
  const names = readdirSync(FOLDER);
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    const bytes = new Uint8Array(readFileSync(new URL(name, FOLDER)));
    for (const secrets of [{ identities: [FIXED_IDENTITY] }, { passwords: [FIXED_PASSWORD] }]) {
      const archive = await openArchive(bytes, { secrets });
      expect(await checkArchive(archive)).toMatchObject({ ok: true });
      expectBytes((await contentsOf(archive)).get("stream:disk")!, content as Uint8Array, name);
      expect(name).toContain(hexOf(archive.id).slice(0, 8));
    }
    const { slots, generation } = openReferenceEnvelope(bytes, FIXED_KEYS.key);
    expect([slots.length, generation]).toEqual([2, 1]);
    const reference = decodeReference(bytes, { key: FIXED_KEYS.key });
    expectBytes(reference.read(0, reference.addressSpace), content as Uint8Array, name);
  }
});
