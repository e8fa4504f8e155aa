// An index of as many chunks as one likes, of an archive that is nowhere: for bounds of memory.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { IndexLeaf } from "../../src/core/format/index-page.ts";
import type { FoundLeaf } from "../../src/core/read/parts.ts";

const PAGE = 1000;
export const SIMULATED_CHUNK = 65_536;

/** Digests that depend on the number alone. */
export function writeDigest(words: Uint32Array, number: number): void {
  let state = (number * 2 + 1) | 0;
  for (let word = 0; word < 8; word++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + word;
    state = Math.imul(state ^ (state >>> 12), 0x297a_2d39);
    words[word] = (state ^ (state >>> 15)) >>> 0;
  }
}

/** Pages of `count` chunks of 64 KiB, each in a block of its own: the dearest case. @param from number of the first digest */
export async function* simulatedLeaves(count: number, from = 0): AsyncGenerator<IndexLeaf> {
  for (let first = 0; first < count; first += PAGE) yield leafOf(first, Math.min(PAGE, count - first), from);
}

/** The same as an archive gives them to those who can do without some. */
export async function* simulatedFound(count: number, from: number): AsyncGenerator<FoundLeaf> {
  for await (const leaf of simulatedLeaves(count, from)) {
    yield { leaf, start: leaf.starts[0]!, end: leaf.starts.at(-1)! };
  }
}

function leafOf(first: number, count: number, from: number): IndexLeaf {
  const words = new Uint32Array(count * 8);
  for (let number = 0; number < count; number++)
    writeDigest(words.subarray(number * 8, number * 8 + 8), from + first + number);
  return {
    starts: Float64Array.from({ length: count + 1 }, (_, number) => (first + number) * SIMULATED_CHUNK),
    digests: new Uint8Array(words.buffer),
    fills: new Int16Array(count).fill(-1),
    blockNumbers: Uint32Array.from({ length: count }, (_, number) => number),
    blockOffsets: new Uint32Array(count),
    blocks: Array.from({ length: count }, (_, number) => {
      const offset = 16 + (first + number) * SIMULATED_CHUNK;
      const lengths = { storedLength: SIMULATED_CHUNK, plainLength: SIMULATED_CHUNK };
      return { archive: 0, dictionary: undefined, codec: 0, offset, ...lengths };
    }),
  };
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Memory of buffers that something still refers to. */
export async function bytesInUse(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage().arrayBuffers;
}
