// Every byte of an encrypted archive altered: in a segment it is `damaged`; in the head or in a copy of the key slots it is an
// error, or the content is the right one and check tells. The rows of tests/damage.test.ts that a cipher adds. A hundred
// thousand bytes take minutes, so outside of the head it is one in 101, others with each seed;
// `npm run fuzz -- tests/damage-encrypted` takes all of them.

import { beforeAll, expect, test } from "vitest";
import { HexzError } from "../src/core/errors.ts";
import { Archive } from "../src/core/read/archive.ts";
import { checkArchive } from "../src/core/read/check.ts";
import { createMemorySource } from "../src/core/source/memory.ts";
import { packPlan } from "./support/archives.ts";
import { HEAD, recipient, SEALED, SECRETS, START } from "./support/encrypted.ts";
import { COUNT, PATIENT, SEED } from "./support/fuzz-run.ts";
import { machinery } from "./support/outcomes.ts";
import { randomFrom, text } from "./support/random.ts";
import { entryOf } from "./support/trees.ts";

const ALL = 1_000_000;
const STEP = COUNT >= ALL ? 1 : 101;
const content = text(2000, randomFrom(8));
let file: Uint8Array;
let archiveKeys: Uint8Array[];

function open(bytes: Uint8Array): Promise<Archive> {
  return Archive.open(createMemorySource(bytes, "the archive"), machinery, { secrets: { archiveKeys } });
}

beforeAll(async () => {
  const items = [{ entry: entryOf("directory", "") }, { entry: entryOf("file", "a"), content }];
  file = await packPlan({ items, options: { encryption: { recipients: [recipient] } } });
  archiveKeys = [];
  const secrets = { ...SECRETS, onKey: (key: Uint8Array) => archiveKeys.push(key) };
  await Archive.open(createMemorySource(file, "the archive"), machinery, { secrets });
  expect(file.length).toBe(START + SEALED);
});

/** The code of the error, or "right" after names and bytes were compared. */
async function outcomeOf(bytes: Uint8Array): Promise<string> {
  try {
    const archive = await open(bytes);
    const found = await (await archive.file("./a")).read();
    return Buffer.compare(found, content) === 0 ? "right" : "wrong";
  } catch (error) {
    if (error instanceof HexzError) return error.code;
    throw error;
  }
}

/** What comes of each byte of a stretch, altered in its place and set right again. */
async function outcomes(start: number, end: number, step: number, isTold = false): Promise<Record<string, number>> {
  const tally: Record<string, number> = {};
  const copy = file.slice();
  for (let at = start + (SEED % step); at < end; at += step) {
    const mask = [0x01, 0x80, 0x10][at % 3]!;
    copy[at]! ^= mask;
    const code = await outcomeOf(copy);
    tally[code] = (tally[code] ?? 0) + 1;
    if (isTold && code === "right") {
      const { problems } = await checkArchive(await open(copy));
      expect([at, problems.map(({ where }) => where)]).toEqual([at, ["key slots"]]);
    }
    copy[at]! ^= mask;
  }
  expect(await outcomeOf(copy)).toBe("right");
  return tally;
}

test("of the head", PATIENT, async () => {
  const { right, wrong, ...errors } = await outcomes(0, HEAD, 1);
  expect([right, wrong]).toEqual([undefined, undefined]);
  expect(Object.keys(errors).sort()).toEqual(["damaged", "invalid", "not_an_archive", "version_unknown"]);
});

test("of either copy of the key slots: the other one opens it, and check tells", PATIENT, async () => {
  expect(Object.keys(await outcomes(HEAD, START, STEP, true))).toEqual(["right"]);
});

test("of a segment", PATIENT, async () => {
  const { damaged, ...others } = await outcomes(START, START + SEALED, STEP);
  expect([damaged! >= Math.floor(SEALED / STEP), others]).toEqual([true, {}]);
});
