// A source whose end is in memory already: what was read to open an archive serves the pages that stand before the root.

import type { RangeSource } from "./source.ts";

/** @param tail the last bytes of the source */
export function withTail(source: RangeSource, tail: Uint8Array): RangeSource {
  const tailStart = source.size - tail.length;
  const held = (start: number, end: number) =>
    start >= tailStart && end <= source.size ? tail.subarray(start - tailStart, end - tailStart) : undefined;
  const { readSync, readIntoSync } = source;
  return {
    name: source.name,
    ...(source.path === undefined ? {} : { path: source.path }),
    size: source.size,
    ...(source.gap === undefined ? {} : { gap: source.gap }),
    read: async (start, end, signal) => held(start, end) ?? source.read(start, end, signal),
    ...(readSync && {
      readSync: (start: number, end: number) => held(start, end) ?? readSync.call(source, start, end),
    }),
    ...(readIntoSync && {
      readIntoSync: (start: number, into: Uint8Array) => readIntoSync.call(source, start, into),
    }),
    close: () => source.close?.(),
  };
}
