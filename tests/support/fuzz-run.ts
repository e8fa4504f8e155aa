// Runs fuzz inputs by number, and keeps the one that fails. HEXZ_FUZZ_COUNT and HEXZ_SEED are the knobs of all fuzzers.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { SEED } from "./random.ts";

export { SEED };
/** Inputs of a fuzzer. */
export const COUNT = Number(process.env.HEXZ_FUZZ_COUNT ?? 100_000);
const FROM = Number(process.env.HEXZ_FUZZ_FROM ?? 0);
const MOST_MILLISECONDS = 5000;
const MOST_MEMORY = 1 << 30;
const CRASHES = new URL("../crashes/", import.meta.url);
/** Inputs between looks at the memory. */
const STRIDE = 1000;
/** More outcomes than these are not printed. */
const MOST_PRINTED = 20;
/** In the name of a file that failed just now, where the code of the error will be that it must give. */
const UNEXPLAINED = "unexplained";
export const PATIENT = { timeout: 2_000_000_000 };

/** What to do with the bytes of an input, so that they are not lost when it fails. */
export type Keep = (bytes: Uint8Array) => void;

/** Inputs of a fuzzer that is so many times too slow for all of them; it says by its rate why. */
export const inputs = (slowness: number): number => Math.ceil(COUNT / slowness);

/** Runs inputs by number; keeps the one that fails and says how to repeat it. @returns how often each outcome was */
export async function fuzz(
  kind: string,
  count: number,
  run: (number: number, keep: Keep) => string | Promise<string>,
): Promise<Map<string, number>> {
  const tally = new Map<string, number>();
  for (let number = FROM; number < FROM + count; number++) {
    let input = new Uint8Array(0) as Uint8Array;
    const began = performance.now();
    try {
      const outcome = await run(number, (bytes) => {
        input = bytes;
      });
      tally.set(outcome, (tally.get(outcome) ?? 0) + 1);
      const took = performance.now() - began;
      if (took > MOST_MILLISECONDS) throw new Error(`it took ${took} ms`);
      if (number % STRIDE === 0 && process.memoryUsage().rss > MOST_MEMORY)
        throw new Error("too much memory is in use");
    } catch (error) {
      mkdirSync(CRASHES, { recursive: true });
      writeFileSync(new URL(`${kind}-${UNEXPLAINED}-${SEED}-${number}.bin`, CRASHES), input);
      throw new Error(`${kind} ${number} with seed ${SEED}: ${(error as Error).message}`, { cause: error });
    }
  }
  const outcomes = [...tally].map(([outcome, times]) => `${outcome} ${times}`);
  if (outcomes.length <= MOST_PRINTED) process.stdout.write(`${kind}, seed ${SEED}: ${outcomes.join(", ")}\n`);
  return tally;
}

/** Inputs of a kind that failed once: KIND-CODE-SEED-NUMBER.bin must give that code, or "right". */
export function replay(kind: string, outcomesOf: (bytes: Uint8Array) => Promise<string[]>): void {
  const names = existsSync(CRASHES) ? readdirSync(CRASHES).filter((name) => name.startsWith(`${kind}-`)) : [];
  for (const name of names) {
    test(`what failed once: ${name}`, async () => {
      const outcomes = await outcomesOf(new Uint8Array(readFileSync(new URL(name, CRASHES))));
      const code = name.split("-")[1]!;
      if (code !== UNEXPLAINED) expect(outcomes).toContain(code);
    });
  }
}
