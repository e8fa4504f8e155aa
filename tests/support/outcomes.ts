// What comes of reading an archive that may be damaged: for every operation either the code of a HexzError, or "right"
// after its bytes were compared. Anything else (another error, wrong bytes, a hang) fails the test.

import type { Secrets } from "../../src/core/crypto/secrets.ts";
import type { Engine } from "../../src/core/engine.ts";
import { ERROR_CODES, HexzError } from "../../src/core/errors.ts";
import type { Entry } from "../../src/core/format/entry.ts";
import { type ByteString, displayName } from "../../src/core/format/path.ts";
import { createPortableEngine } from "../../src/core/portable-engine.ts";
import { Archive, type Machinery } from "../../src/core/read/archive.ts";
import { type CheckResult, checkArchive } from "../../src/core/read/check.ts";
import { createMemorySource } from "../../src/core/source/memory.ts";
import { createInlineCrew } from "../../src/core/work/crew.ts";
import { nodeCiphers } from "../../src/node/ciphers.ts";
import { verifyEd25519 } from "../../src/node/ed25519.ts";
import { contentsOf, entriesOf, findAmong } from "./archives.ts";

const ROOM = 48 << 20;
const engine = await createPortableEngine({ memoryBytes: ROOM + (4 << 20) });
await engine.load(2);
const room = engine.allocate(ROOM);

/** One engine and one stretch of its memory for all archives: thousands are opened, one after the other. */
export const machinery: Machinery = {
  engine,
  threads: 1,
  ciphers: nodeCiphers,
  async openCrew() {
    let at = 0;
    const allocate = (length: number) => {
      const start = at;
      at = Math.ceil((at + length + 64) / 64) * 64;
      if (at > ROOM) throw new WrongOutcome(`${at} bytes of memory are asked for`);
      return room.subarray(start, start + length);
    };
    // An engine knows a dictionary by its place in memory, which is used again here and nowhere else.
    const decode: Engine["decode"] = (codec, stored, out, dictionary) =>
      engine.decode(codec, stored, out, dictionary?.slice());
    return createInlineCrew({ engine: { ...engine, allocate, decode }, gather: new Uint8Array(0) });
  },
  verifySignature: verifyEd25519,
};

export function openQuickly(
  bytes: Uint8Array,
  parents: readonly Uint8Array[] = [],
  secrets: Secrets = {},
): Promise<Archive> {
  return Archive.open(createMemorySource(bytes, "the archive"), machinery, { findParent: findAmong(parents), secrets });
}

/** What an archive holds when nothing happened to it. */
export interface Truth {
  readonly entries: readonly Entry[];
  readonly contents: ReadonlyMap<string, Uint8Array>;
  readonly addresses: Uint8Array;
  readonly parents: readonly Uint8Array[];
}

export async function truthOf(bytes: Uint8Array, parents: readonly Uint8Array[] = []): Promise<Truth> {
  const archive = await openQuickly(bytes, parents);
  const addresses = new Uint8Array(archive.root.addressSpace);
  for await (const parts of archive.bulk([{ start: 0, end: addresses.length }])) {
    for (const part of parts) {
      if ("error" in part) throw part.error;
      if ("bytes" in part) addresses.set(part.bytes, part.start);
      else addresses.fill(part.fill, part.start, part.end);
    }
  }
  return { entries: await entriesOf(archive), contents: await contentsOf(archive), addresses, parents };
}

export class WrongOutcome extends Error {}

/** The code of a HexzError of the closed list; throws everything else. */
export function codeOf(error: unknown): string {
  if (!(error instanceof HexzError)) throw new WrongOutcome(`not a HexzError: ${error}`, { cause: error });
  if (!(error.code in ERROR_CODES)) throw new WrongOutcome(`unknown code ${error.code}`);
  return error.code;
}

async function codeFrom(step: () => Promise<unknown>): Promise<string> {
  try {
    await step();
    return "right";
  } catch (error) {
    if (error instanceof WrongOutcome) throw error;
    return codeOf(error);
  }
}

function compare(found: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(found, expected) !== 0) throw new WrongOutcome(`wrong bytes of ${what}`);
}

export interface Outcome {
  open: string;
  entries: string;
  /** By content: "right" or a code. */
  read: string[];
  bulk: string[];
  check: CheckResult | undefined;
}

/** Whether something said that the archive is damaged. */
export const isReported = ({ open, check }: Outcome): boolean => open !== "right" || check?.ok === false;

/** Whether everything could be read, and was right. */
export const isWhole = ({ open, entries, read, bulk }: Outcome): boolean =>
  [open, entries, ...read, ...bulk].every((code) => code === "right");

/** Opens, lists, reads and checks; see the head of this file. */
export async function outcomeOf(bytes: Uint8Array, truth: Truth): Promise<Outcome> {
  const outcome: Outcome = { open: "", entries: "", read: [], bulk: [], check: undefined };
  let archive: Archive | undefined;
  outcome.open = await codeFrom(async () => {
    archive = await openQuickly(bytes, truth.parents);
  });
  if (archive === undefined) return outcome;
  const opened = archive;
  outcome.entries = await codeFrom(async () => {
    const shown = JSON.stringify(await entriesOf(opened));
    if (shown !== JSON.stringify(truth.entries)) throw new WrongOutcome("other entries");
  });
  for (const [name, content] of truth.contents) {
    // A name that leads nowhere is an error as well, but damage must not hide a file.
    const path = name.startsWith("file:") ? `./${displayName(name.slice(5) as ByteString)}` : name.slice(7);
    const code = await codeFrom(async () => compare(await (await opened.file(path)).read(), content, name));
    if (code === "no_such_path") throw new WrongOutcome(`${name} is gone without a word`);
    outcome.read.push(code);
  }
  outcome.bulk = await bulkOutcome(opened, truth.addresses);
  outcome.check = await checkArchive(opened);
  for (const { code } of outcome.check.problems) {
    if (!(code in ERROR_CODES)) throw new WrongOutcome(`the check tells of a ${code}`);
  }
  return outcome;
}

async function bulkOutcome(archive: Archive, addresses: Uint8Array): Promise<string[]> {
  const codes: string[] = [];
  let at = 0;
  const code = await codeFrom(async () => {
    for await (const parts of archive.bulk([{ start: 0, end: archive.root.addressSpace }])) {
      for (const part of parts) {
        if (part.start !== at) throw new WrongOutcome(`a part begins at ${part.start} and not at ${at}`);
        at = part.end;
        const expected = addresses.subarray(part.start, part.end);
        if ("error" in part) codes.push(codeOf(part.error));
        else if ("bytes" in part) compare(part.bytes, expected, `addresses from ${part.start}`);
        else if (expected.some((byte) => byte !== part.fill)) throw new WrongOutcome("a wrong fill");
      }
    }
    if (at !== archive.root.addressSpace) throw new WrongOutcome(`the parts end at ${at}`);
  });
  return codes.length === 0 ? [code] : codes;
}
