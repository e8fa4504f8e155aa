// The three ways to run a step that reads: who waits, who does not, and what each asks of a source.

import { expect, test } from "vitest";
import { type Io, runAsync, runAtOnce, runSync } from "../src/core/read/io.ts";
import { createMemorySource } from "../src/core/source/memory.ts";
import type { RangeSource } from "../src/core/source/source.ts";

const bytes = Uint8Array.from({ length: 100 }, (_, at) => at);

/** A source that notes how it was read. */
function noted(name: string, calls: string[], canSync: boolean): RangeSource {
  const { size, read } = createMemorySource(bytes);
  const note = (how: string, start: number) => void calls.push(`${name} ${how} ${start}`);
  return {
    name,
    size,
    read(start, end) {
      note("read", start);
      return read(start, end);
    },
    ...(canSync
      ? {
          readSync(start: number, end: number) {
            note("readSync", start);
            return bytes.slice(start, end);
          },
          readIntoSync(start: number, into: Uint8Array) {
            note("readIntoSync", start);
            into.set(bytes.subarray(start, start + into.length));
          },
        }
      : {}),
  };
}

function* sumOf(steps: readonly RangeSource[][]): Io<number> {
  let sum = 0;
  const into = new Uint8Array(2);
  for (const [step, sources] of steps.entries()) {
    for (const read of yield sources.map((source) => ({ source, start: step, end: step + 2, into }))) {
      sum += read.reduce((total, byte) => total + byte, 0);
    }
  }
  return sum;
}

test("runAtOnce reads into the memory that is there, and waits for those that can only be waited for", async () => {
  const calls: string[] = [];
  const [file, remote] = [noted("file", calls, true), noted("remote", calls, false)];
  expect(await runAtOnce(sumOf([[file], [remote], [file, remote], [file]]))).toBe(1 + 3 + 5 + 5 + 7);
  expect(calls).toEqual([
    "file readIntoSync 0",
    "remote read 1",
    "file read 2",
    "remote read 2",
    "file readIntoSync 3",
  ]);
});

test("runAsync always waits, runSync never does", async () => {
  const calls: string[] = [];
  const [file, remote] = [noted("file", calls, true), noted("remote", calls, false)];
  expect([await runAsync(sumOf([[file]])), runSync(sumOf([[file]]))]).toEqual([1, 1]);
  expect(calls).toEqual(["file read 0", "file readIntoSync 0"]);
  expect(() => runSync(sumOf([[remote]]))).toThrow(expect.objectContaining({ code: "usage" }));
});

test("a failure is that of the source, and nothing more is read", async () => {
  const calls: string[] = [];
  const next = noted("next", calls, true);
  const failing: RangeSource = {
    ...next,
    readIntoSync() {
      throw new Error("EIO");
    },
  };
  await expect(runAtOnce(sumOf([[failing], [next]]))).rejects.toThrow("EIO");
  expect(calls).toEqual([]);
});
