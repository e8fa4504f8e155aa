// The core in a browser: a page without special headers writes the same bytes as Node does with the portable engine,
// and reads them from a Blob. Uses the built dist/index.js; needs a Chromium.

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { generateIdentity, identityToRecipient } from "age-encryption";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  byteStringFromText,
  contentOf,
  createArchive,
  createMemorySink,
  createMemorySource,
  hexOf,
} from "../src/core/index.ts";
import { createArchiveWriter, openArchiveSource } from "../src/node/archive.ts";
import { pack } from "../src/node/index.ts";
import { fixedSigner } from "./support/fixed-signer.ts";
import { randomFrom, zeroRidden } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

const CHROMIUM = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path !== undefined && existsSync(path));
if (CHROMIUM === undefined) process.stderr.write("skipped: the browser tests: no chromium was found\n");

const DIST = new URL("../dist/", import.meta.url);
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const CONTENT = zeroRidden(700_000, randomFrom(5));

const PAGE = `<!doctype html><title>hexz</title>
<script type="module">import * as hexz from "/index.js"; globalThis.hexz = hexz;</script>`;
/** What the page has. */
type InPage = { hexz: typeof import("../src/core/index.ts") };

/** The built files, and a page that has none of the headers that shared memory needs. */
const server = createServer((request, response) => {
  const name = (request.url ?? "/").slice(1);
  if (name === "") {
    response.setHeader("content-type", "text/html").end(PAGE);
  } else if (name === "content") {
    response.end(CONTENT);
  } else if (/^[\w.-]+\.js$/.test(name) && existsSync(new URL(name, DIST))) {
    response.setHeader("content-type", "text/javascript").end(readFileSync(new URL(name, DIST)));
  } else {
    response.writeHead(404).end();
  }
});

/** What runs in the page: packs a file and a stream, and reads them back from a Blob. */
async function inPage(compression: "lz4" | "zstd" | "none") {
  const { hexz } = globalThis as unknown as InPage;
  const content = new Uint8Array(await (await fetch("/content")).arrayBuffer());
  const sink = hexz.createMemorySink();
  const writer = await hexz.createArchive(sink, { compression, metadata: { note: "anywhere" } });
  await writer.addStream("disk", hexz.contentOf(content));
  const mtime = { seconds: 1_700_000_000, nanoseconds: 1 };
  const entry = { path: hexz.byteStringFromText("a/b.bin"), type: "file" as const, mode: 0o644, mtime };
  await writer.addFile(entry, hexz.contentOf(content.subarray(1000)));
  const { id } = await writer.finish();
  const bytes = sink.bytes();

  const archive = await hexz.openArchive(new Blob([bytes.slice()]));
  const file = await archive.file("a/b.bin");
  const part = await file.read(123_456, 234_567);
  const whole = await file.read();
  const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, at) => byte === b[at]);
  const digest = hexz.hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.slice())));
  return {
    id: hexz.hexOf(id),
    digest,
    size: bytes.length,
    isolated: crossOriginIsolated,
    partRight: same(part, content.subarray(124_456, 235_567)),
    wholeRight: same(whole, content.subarray(1000)),
    check: await hexz.checkArchive(archive),
    note: (await archive.metadata()).note,
  };
}

/** The same in Node. */
async function inNode(compression: "lz4" | "zstd" | "none"): Promise<{ bytes: Uint8Array; id: string }> {
  const sink = createMemorySink();
  const writer = await createArchive(sink, { compression, metadata: { note: "anywhere" } });
  await writer.addStream("disk", contentOf(CONTENT));
  const mtime = { seconds: 1_700_000_000, nanoseconds: 1 };
  const entry = { path: byteStringFromText("a/b.bin"), type: "file" as const, mode: 0o644, mtime };
  await writer.addFile(entry, contentOf(CONTENT.subarray(1000)));
  const { id } = await writer.finish();
  return { bytes: sink.bytes(), id: hexOf(id) };
}

describe.skipIf(CHROMIUM === undefined)("in a browser", () => {
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    browser = await chromium.launch({ executablePath: CHROMIUM!, headless: true, args: QUIET });
    page = await browser.newPage();
    page.on("pageerror", (error) => problems.push(String(error)));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => "hexz" in globalThis);
  });
  afterAll(async () => {
    await browser?.close();
    server.close();
  });

  test.each(["lz4", "zstd", "none"] as const)(
    "%s: the same bytes as in Node, read from a Blob",
    async (compression) => {
      const found = await page.evaluate(inPage, compression);
      const expected = await inNode(compression);
      const digest = hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", expected.bytes.slice())));
      expect(found).toEqual({
        id: expected.id,
        digest,
        size: expected.bytes.length,
        isolated: false,
        partRight: true,
        wholeRight: true,
        check: { ok: true, checkedBytes: 2 * CONTENT.length - 1000, problems: [] },
        note: "anywhere",
      });
      expect(problems).toEqual([]);
    },
  );

  test("an encrypted archive of Node opens by WebCrypto, and one of the page in Node", async () => {
    const identity = await generateIdentity();
    const recipients = [await identityToRecipient(identity)];
    const sink = createMemorySink();
    const options = { encryption: { recipients, passwords: ["word"], pad: true } };
    const { writer } = await createArchiveWriter(sink, { ...options, workers: 1 }, CONTENT.length);
    await writer.addStream("disk", contentOf(CONTENT));
    await writer.finish();
    const found = await page.evaluate(
      async ({ list, identities, recipients }) => {
        const { hexz } = globalThis as unknown as InPage;
        const content = new Uint8Array(await (await fetch("/content")).arrayBuffer());
        const blob = new Blob([Uint8Array.from(list)]);
        const same = async (secrets: object) => {
          const disk = await (await hexz.openArchive(blob, { secrets })).file("disk");
          const bytes = await disk.read();
          return bytes.length === content.length && bytes.every((byte, at) => byte === content[at]);
        };
        const codeOf = (secrets: object) => hexz.openArchive(blob, { secrets }).catch((error) => error.code);
        const own = hexz.createMemorySink();
        const writer = await hexz.createArchive(own, { encryption: { recipients } });
        await writer.addStream("disk", hexz.contentOf(content));
        await writer.finish();
        const archive = await hexz.openArchive(new Blob([own.bytes().slice()]), { secrets: { identities } });
        return {
          right: [await same({ identities }), await same({ passwords: ["word"] })],
          codes: [await codeOf({ passwords: ["other"] }), await codeOf({})],
          check: await hexz.checkArchive(archive),
          bytes: [...own.bytes()],
        };
      },
      { list: [...sink.bytes()], identities: [identity], recipients },
    );
    expect(found.right).toEqual([true, true]);
    expect(found.codes).toEqual(["password_wrong", "password_missing"]);
    expect(found.check).toEqual({ ok: true, checkedBytes: CONTENT.length, problems: [] });
    const source = createMemorySource(Uint8Array.from(found.bytes));
    const archive = await openArchiveSource(source, { secrets: { identities: [identity] } });
    expect((await archive.file("disk")).readSync()).toEqual(CONTENT);
    expect(problems).toEqual([]);
  });

  test("a signature is required and verified by WebCrypto", async () => {
    const signers = [fixedSigner(0)];
    const sink = createMemorySink();
    const writer = await createArchive(sink, { signers });
    await writer.addStream("disk", contentOf(CONTENT));
    await writer.finish();
    const keys = [fixedSigner(0), fixedSigner(1)].map(({ publicKey }) => [...publicKey]);
    const found = await page.evaluate(
      async ([list, signed, other]) => {
        const { hexz } = globalThis as unknown as InPage;
        const open = (key: number[]) =>
          hexz.openArchive(new Blob([Uint8Array.from(list!)]), { requireSignedBy: [Uint8Array.from(key)] });
        const refused = await open(other!).catch((error: { code?: unknown }) => error.code);
        return { id: (await open(signed!)).idText!.length, refused };
      },
      [[...sink.bytes()], ...keys],
    );
    expect(found).toEqual({ id: 64, refused: "untrusted" });
  });

  test("an archive that Node packed is read from a Blob", async () => {
    const directory = temporaryDirectory();
    const output = `${directory}/src.hxz`;
    const packed = await pack({ inputs: [new URL("../src", import.meta.url).pathname], output, compression: "zstd" });
    const bytes = [...readFileSync(output)];
    const found = await page.evaluate(async (list) => {
      const { hexz } = globalThis as unknown as InPage;
      const archive = await hexz.openArchive(new Blob([Uint8Array.from(list)]));
      const text = new TextDecoder().decode(await (await archive.file("core/index.ts")).read());
      return { text, check: await hexz.checkArchive(archive) };
    }, bytes);
    expect(found.text).toBe(readFileSync(new URL("../src/core/index.ts", import.meta.url), "utf8"));
    expect(found.check).toEqual({ ok: true, checkedBytes: packed.counts.originalSize, problems: [] });
  });
});
