// Runs fuzz inputs by number, and keeps the one that fails.

import { mkdirSync, writeFileSync } from "node:fs";

export const COUNT = Number(process.env.HEXZ_FUZZ_COUNT ?? 100_000);
export const SEED = Number(process.env.HEXZ_SEED ?? 1);
const FROM = Number(process.env.HEXZ_FUZZ_FROM ?? 0);
const MOST_MILLISECONDS = 5000;
const MOST_MEMORY = 1 << 30;
export const CRASHES = new URL("../crashes/", import.meta.url);
/** Inputs between looks at the memory. */
const STRIDE = 1000;

/** Runs inputs by number; keeps the one that fails and says how to repeat it. */
export async function fuzz(
  kind: string,
  count: number,
  run: (number: number, keep: (bytes: Uint8Array) => void) => unknown,
): Promise<Map<string, number>> {
  const tally = new Map<string, number>();
  for (let number = FROM; number < FROM + count; number++) {
    let input = new Uint8Array(0) as Uint8Array;
    const began = performance.now();
    try {
      const outcome = (await run(number, (bytes) => {
        input = bytes;
      })) as string;
      tally.set(outcome, (tally.get(outcome) ?? 0) + 1);
      const took = performance.now() - began;
      if (took > MOST_MILLISECONDS) throw new Error(`it took ${took} ms`);
      if (number % STRIDE === 0 && process.memoryUsage().rss > MOST_MEMORY)
        throw new Error("too much memory is in use");
    } catch (error) {
      mkdirSync(CRASHES, { recursive: true });
      writeFileSync(new URL(`${kind}-${SEED}-${number}.bin`, CRASHES), input);
      throw new Error(`${kind} ${number} with seed ${SEED}: ${(error as Error).message}`, { cause: error });
    }
  }
  return tally;
}
