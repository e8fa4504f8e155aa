// A file that is stored whole, cut into chunks where its parts begin and end.

import type { ContentInput } from "../../core/write/content-input.ts";

interface Part {
  readonly start: number;
  readonly size: number;
}

/** @param parts in any order, from the beginning of the input; they may overlap */
export function withBorders(input: ContentInput, parts: readonly Part[]): ContentInput {
  const borders = new Set(parts.flatMap(({ start, size }) => [start, start + size]));
  const positions = Float64Array.from(borders).sort();
  let next = 0;
  let position = 0;
  return {
    ...input,
    border() {
      while (next < positions.length && positions[next]! <= position) next++;
      const length = (positions[next] ?? Number.POSITIVE_INFINITY) - position;
      position += length;
      return length;
    },
  };
}
