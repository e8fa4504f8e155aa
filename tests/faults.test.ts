// Sources and sinks that fail at every call, sources that give fewer bytes than asked for, several packers on one output.

import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type Archive,
  byteStringFromText,
  checkArchive,
  contentOf,
  createArchive,
  createMemorySink,
  createMemorySource,
  HexzError,
  openArchive,
  openArchiveFile,
  type RangeSource,
  type Sink,
} from "../src/node/index.ts";
import { entriesOf } from "./support/archives.ts";
import { CLI } from "./support/cli.ts";
import { randomBytes, randomFrom, SEED, text } from "./support/random.ts";
import { temporaryDirectory } from "./support/trees.ts";

process.stdout.write(`faults.test.ts: HEXZ_SEED=${SEED}\n`);
const SMALL = { minChunk: 1024, avgChunk: 4096, maxChunk: 16_384, blockSize: 16_384 };

interface Item {
  readonly name: string;
  readonly bytes: Uint8Array;
}

function items(): Item[] {
  const random = randomFrom(SEED);
  return ["a", "b", "c"].map((name) => ({ name, bytes: text(60_000 + random(50_000), random) }));
}

async function packInto(sink: Sink, files: readonly Item[]): Promise<void> {
  const writer = await createArchive(sink, SMALL);
  try {
    for (const { name, bytes } of files) {
      await writer.addFile({ path: byteStringFromText(name), type: "file" }, contentOf(bytes));
    }
    await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** Everything that a reader does: listing, single reads, bulk reading by check. */
async function useAll(archive: Archive, files: readonly Item[]): Promise<void> {
  expect((await entriesOf(archive)).length).toBe(files.length + 1);
  for (const { name, bytes } of files) {
    const file = await archive.file(name);
    expect(Buffer.compare(await file.read(100, 40_000), bytes.subarray(100, 40_000)), name).toBe(0);
  }
}

type Fault = (bytes: Uint8Array) => Uint8Array;

/** A source whose read number `at`, from 0, is faulty; counts its reads. */
function faultySource(bytes: Uint8Array, at: number, fault: Fault): { source: RangeSource; reads: () => number } {
  const whole = createMemorySource(bytes, "faulty.hxz");
  let count = 0;
  const source: RangeSource = {
    name: whole.name,
    size: whole.size,
    async read(start, end) {
      const found = await whole.read(start, end);
      return count++ === at ? fault(found) : found;
    },
  };
  return { source, reads: () => count };
}

const eio: Fault = () => {
  throw new HexzError("io", "cannot read faulty.hxz: EIO");
};
const FAULTS: Record<string, { fault: Fault; codes: readonly string[] }> = {
  "an error of the device": { fault: eio, codes: ["io"] },
  // Not what the seam allows; still no wrong bytes and no crash.
  "fewer bytes than asked for": {
    fault: (bytes) => bytes.subarray(0, bytes.length >> 1),
    codes: ["io", "damaged", "truncated", "invalid", "not_an_archive"],
  },
  "zeros instead of bytes": {
    fault: (bytes) => new Uint8Array(bytes.length),
    codes: ["damaged", "truncated", "invalid", "not_an_archive"],
  },
};

describe.each(Object.entries(FAULTS))("%s", (_, { fault, codes }) => {
  test("at every read: an error that says so, and nothing wrong is kept", async () => {
    const files = items();
    const sink = createMemorySink();
    await packInto(sink, files);
    const bytes = sink.bytes();
    let faults = 0;
    for (let at = 0; ; at++) {
      const { source, reads } = faultySource(bytes, at, fault);
      let archive: Archive | undefined;
      try {
        archive = await openArchive(source);
        await useAll(archive, files);
        if (reads() <= at) break;
        throw new Error(`read ${at} was faulty and nobody noticed`);
      } catch (error) {
        expect(error, `read ${at}`).toBeInstanceOf(HexzError);
        expect(codes, `read ${at}: ${error}`).toContain((error as HexzError).code);
        faults++;
      }
      // The fault has passed: the same archive gives the right bytes.
      if (archive !== undefined) await useAll(archive, files);
    }
    expect(faults).toBeGreaterThanOrEqual(4);
  });

  test("at every read of check: told of, never good", async () => {
    const files = items();
    const sink = createMemorySink();
    await packInto(sink, files);
    for (let at = 1; ; at++) {
      const { source, reads } = faultySource(sink.bytes(), at, fault);
      const archive = await openArchive(source);
      let ok: boolean | undefined;
      try {
        ({ ok } = await checkArchive(archive));
      } catch (error) {
        expect(codes, `read ${at}: ${error}`).toContain((error as HexzError).code);
      }
      if (reads() <= at) {
        expect(ok).toBe(true);
        break;
      }
      expect(ok, `read ${at}`).not.toBe(true);
    }
  });
});

test("a sink that fails at any of its writes, or when it is finished: that error, and the sink is undone", async () => {
  const files = items();
  for (let at = 1; ; at++) {
    let writes = 0;
    const calls: string[] = [];
    const sink: Sink = {
      name: "full.hxz",
      write() {
        if (++writes === at) throw new HexzError("no_space", "full.hxz: the disk is full");
      },
      finish() {
        calls.push("finish");
      },
      abort() {
        calls.push("abort");
      },
    };
    const outcome = await packInto(sink, files).catch((error: unknown) => error);
    if (writes < at) {
      expect(outcome).toBe(undefined);
      expect(calls).toEqual(["finish"]);
      expect(at).toBeGreaterThan(4);
      break;
    }
    expect(outcome).toMatchObject({ code: "no_space", message: "full.hxz: the disk is full" });
    expect(calls).toEqual(["abort"]);
  }
});

/** Runs several `hexz pack` at the same time. @returns their exit codes */
function packAtOnce(inputs: readonly string[], output: string, more: readonly string[]): Promise<(number | null)[]> {
  const run = (input: string) =>
    new Promise<number | null>((resolve) => {
      const child = spawn(process.execPath, [CLI, "pack", input, output, "--quiet", ...more], { stdio: "ignore" });
      child.on("exit", resolve);
    });
  return Promise.all(inputs.map(run));
}

test.each([
  { more: [], allowed: [0, 2], winners: 1 },
  { more: ["--force"], allowed: [0], winners: 3 },
])("three packers on one output $more: each is done or refused, and the archive is whole", async (about) => {
  const directory = temporaryDirectory();
  const random = randomFrom(SEED);
  const inputs = ["x", "y", "z"].map((name) => {
    const input = join(directory, name);
    mkdirSync(input);
    writeFileSync(join(input, "data"), randomBytes(3_000_000, random));
    return input;
  });
  const output = join(directory, "out.hxz");
  const codes = await packAtOnce(inputs, output, about.more);
  for (const code of codes) expect(about.allowed).toContain(code);
  expect(codes.filter((code) => code === 0).length).toBe(about.winners);
  expect(readdirSync(directory).sort()).toEqual(["out.hxz", "x", "y", "z"]);
  const archive = await openArchiveFile(output);
  expect((await checkArchive(archive)).ok).toBe(true);
  await archive.close();
});
