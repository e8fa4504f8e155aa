// Files that have another name now: equal content, only in A under one path, only in B under another.

import type { Entry } from "../format/entry.ts";
import { splitPath } from "../format/path.ts";
import type { Run } from "./chunk-run.ts";
import { contentHash, sameElements } from "./compare.ts";

/** A file that one side has alone. */
export interface Single {
  readonly entry: Entry;
  readonly run: Run;
}

export interface Rename {
  readonly from: Entry;
  readonly to: Entry;
}

/** Singles in order, of which some are taken. */
interface Queue {
  readonly singles: Single[];
  /** Those before are all taken. */
  next: number;
}

/**
 * Pairs that go together, in the order of B. Where several files have one content, equal names go together first, the
 * rest in order. Empty files have nothing to be known by.
 */
export function findRenames(removed: readonly Single[], added: readonly Single[]): Rename[] {
  const taken = new Set<Single>();
  const pairs = new Map<Single, Single>();
  const round = (keyOf: (single: Single) => string) => {
    const queues = new Map<string, Queue>();
    for (const single of removed) {
      if (single.run.elements.length === 0 || taken.has(single)) continue;
      const queue = queues.get(keyOf(single));
      if (queue === undefined) queues.set(keyOf(single), { singles: [single], next: 0 });
      else queue.singles.push(single);
    }
    for (const to of added) {
      const queue = pairs.has(to) ? undefined : queues.get(keyOf(to));
      const from = queue && take(queue, to, taken);
      if (from !== undefined) pairs.set(to, from);
    }
  };
  const hashes = new Map([...removed, ...added].map((single) => [single, contentHash(single.run)]));
  round((single) => `${hashes.get(single)} ${splitPath(single.entry.path).name}`);
  round((single) => `${hashes.get(single)}`);
  return added.flatMap((to) => {
    const from = pairs.get(to);
    return from === undefined ? [] : [{ from: from.entry, to: to.entry }];
  });
}

function take(queue: Queue, to: Single, taken: Set<Single>): Single | undefined {
  const { singles } = queue;
  while (queue.next < singles.length && taken.has(singles[queue.next]!)) queue.next++;
  for (let at = queue.next; at < singles.length; at++) {
    const from = singles[at]!;
    if (taken.has(from) || !sameElements(from.run, to.run)) continue;
    taken.add(from);
    return from;
  }
  return undefined;
}
