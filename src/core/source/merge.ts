// Fewer, larger requests: neighbouring ranges become one.

export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Merges ranges that touch, overlap or are at most `gap` bytes apart, up to `limit` bytes each (a longer range stays).
 * @param ranges in any order
 * @returns disjoint ranges in ascending order that cover all of them
 */
export function mergeRanges(ranges: readonly ByteRange[], gap: number, limit = Number.POSITIVE_INFINITY): ByteRange[] {
  const merged: { start: number; end: number }[] = [];
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    const overlaps = last !== undefined && start < last.end;
    if (last !== undefined && (overlaps || (start - last.end <= gap && end - last.start <= limit))) {
      last.end = Math.max(last.end, end);
    } else {
      merged.push({ start, end });
    }
  }
  return merged;
}
