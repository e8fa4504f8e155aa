// Content from memory or from a stream of pieces.

import type { ContentInput } from "./content-input.ts";

/** What a library user may pack: bytes, or pieces of bytes as they come. */
export type Content = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** @param name for messages */
export function createContentInput(content: Content, name: string): ContentInput {
  const single = content instanceof Uint8Array;
  const pieces = single
    ? [content][Symbol.iterator]()
    : Symbol.asyncIterator in content
      ? content[Symbol.asyncIterator]()
      : content[Symbol.iterator]();
  let current = new Uint8Array(0) as Uint8Array;
  const take = (into: Uint8Array): number => {
    const length = Math.min(into.length, current.length);
    into.set(current.subarray(0, length));
    current = current.subarray(length);
    return length;
  };
  const refill = (step: IteratorResult<Uint8Array>, into: Uint8Array): number | Promise<number> => {
    if (step.done) return 0;
    current = step.value;
    return current.length === 0 ? next(into) : take(into);
  };
  const next = (into: Uint8Array): number | Promise<number> => {
    const step = pieces.next();
    return step instanceof Promise ? step.then((value) => refill(value, into)) : refill(step, into);
  };
  return {
    name,
    size: single ? content.length : undefined,
    read: (into) => (current.length > 0 ? take(into) : next(into)),
    finish() {},
    close() {},
  };
}
