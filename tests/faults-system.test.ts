// System calls that fail or are the last: strace ends the program at each write, sync and rename, or lets each of them
// fail. The old output, or all of the new one; after an error nothing else is left.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hexz } from "./support/cli.ts";
import { randomBytes, randomFrom, SEED } from "./support/random.ts";
import { ERRORS, isWhole, withFault } from "./support/system-faults.ts";
import { temporaryDirectory } from "./support/trees.ts";

process.stdout.write(`faults-system.test.ts: HEXZ_SEED=${SEED}\n`);
/** More calls of one kind than any of these commands makes. */
const MOST_CALLS = 40;

interface Place {
  readonly directory: string;
  readonly output: string;
  readonly old: Buffer;
}

/** A directory with a tree to pack, an archive of something else, and a key. */
function prepare(): Place {
  const directory = temporaryDirectory();
  const input = join(directory, "input");
  mkdirSync(input);
  const random = randomFrom(SEED);
  for (const name of ["a", "b", "c"]) writeFileSync(join(input, name), randomBytes(200_000, random));
  const output = join(directory, "out.hxz");
  expect(hexz(["pack", join(input, "a"), output]).code).toBe(0);
  expect(hexz(["keygen", "-o", directory]).code).toBe(0);
  return { directory, output, old: readFileSync(output) };
}

/** The outcomes of a fault at the first call of a kind, the second, and so on; before each, the output is the old one. */
function* faultsAtEach(place: Place, args: readonly string[], call: string, fault: string, syncs: number) {
  // At its end Node syncs its standard streams; that is no concern of ours, and an error there hangs it.
  const most = call === "fsync" ? syncs : MOST_CALLS;
  for (let number = 1; number <= most; number++) {
    writeFileSync(place.output, place.old);
    const ran = withFault(place.directory, args, call, number, fault);
    if (ran === undefined) return;
    yield { ...ran, now: readFileSync(place.output), at: `${call} ${number}` };
  }
  if (call !== "fsync") throw new Error(`more than ${MOST_CALLS} calls of ${call}`);
}

const CASES = [
  {
    name: "pack --force",
    args: ({ directory, output }: Place) => ["pack", join(directory, "input"), output, "--force"],
    calls: ["pwrite64", "fsync", "rename"],
    syncs: 2,
  },
  {
    name: "sign",
    args: ({ directory, output }: Place) => ["sign", join(directory, "private.key"), output],
    calls: ["pwrite64", "fsync"],
    syncs: 1,
  },
];

describe.each(CASES)("$name", ({ args, calls, syncs }) => {
  test.each(calls)("kill -9 at every %s: the old archive, or one that is whole", async (call) => {
    const place = prepare();
    let count = 0;
    for (const { now, at } of faultsAtEach(place, args(place), call, "signal=SIGKILL", syncs)) {
      count++;
      if (!now.equals(place.old)) expect(await isWhole(place.output), at).toBe(true);
    }
    expect(count).toBeGreaterThan(0);
  });

  test.each(calls)(
    "an error of every %s is told; the old archive is as it was, or the new one in its place",
    async (call) => {
      const place = prepare();
      const files = readdirSync(place.directory);
      const { fault, code } = ERRORS[call]!;
      let count = 0;
      for (const ran of faultsAtEach(place, [...args(place), "--json"], call, fault, syncs)) {
        count++;
        expect(ran.code, ran.at).toBe(3);
        expect(JSON.parse(ran.stdout).error.code, ran.at).toBe(code);
        // Only the sync of the directory comes after the archive is in its place.
        if (!ran.now.equals(place.old)) expect(call === "fsync" && (await isWhole(place.output)), ran.at).toBe(true);
        expect(readdirSync(place.directory), ran.at).toEqual(files);
      }
      expect(count).toBeGreaterThan(0);
    },
  );
});
