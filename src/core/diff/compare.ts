// Whether two contents of the same length are equal, as far as their chunks tell: without reading a block.

import { FIRST_CHUNK, FIRST_PART, type Run } from "./chunk-run.ts";

/** `open`: they were cut at different places, and nothing that lies at the same place differs. */
export type Verdict = "same" | "different" | "open";

export function sameElements(a: Run, b: Run): boolean {
  const { length } = a.elements;
  if (length !== b.elements.length) return false;
  const [aStart, bStart] = [a.starts[0]!, b.starts[0]!];
  for (let at = 0; at < length; at++) {
    if (a.elements[at] !== b.elements[at]) return false;
    if (a.starts[at + 1]! - aStart !== b.starts[at + 1]! - bStart) return false;
  }
  return true;
}

/** One element where it lies in its content. */
interface Placed {
  readonly element: number;
  readonly start: number;
  readonly end: number;
}

function placed({ elements, starts }: Run, at: number): Placed {
  const origin = starts[0]!;
  return { element: elements[at]!, start: starts[at]! - origin, end: starts[at + 1]! - origin };
}

const isFill = ({ element }: Placed) => element < FIRST_CHUNK;
const isPart = ({ element }: Placed) => element >= FIRST_PART;

/** Contents of the same length. @param hiddenFills chunks may be of equal bytes, too, if not of zeros */
export function compareContents(a: Run, b: Run, hiddenFills: boolean): Verdict {
  let verdict: Verdict = "same";
  for (let i = 0, j = 0; i < a.elements.length && j < b.elements.length; ) {
    const [x, y] = [placed(a, i), placed(b, j)];
    const here = compareElements(x, y, hiddenFills);
    if (here === "different") return here;
    if (here === "open") verdict = here;
    if (x.end <= y.end) i++;
    if (y.end <= x.end) j++;
  }
  return verdict;
}

/** Two elements that overlap. */
function compareElements(x: Placed, y: Placed, hiddenFills: boolean): Verdict {
  if (isFill(x) && isFill(y)) return x.element === y.element ? "same" : "different";
  if (isFill(x) || isFill(y)) {
    // Bytes that are all equal are a fill, so a chunk is none; of a part that is not known.
    const [fill, other] = isFill(x) ? [x, y] : [y, x];
    if (isPart(other) || (hiddenFills && fill.element !== 0)) return "open";
    return fill.start <= other.start && other.end <= fill.end ? "different" : "open";
  }
  if (x.start !== y.start || x.end !== y.end) return "open";
  if (x.element === y.element) return "same";
  return isPart(x) || isPart(y) ? "open" : "different";
}

/** A number for the content: equal where `sameElements` is true, most likely different where not. */
export function contentHash({ elements, starts }: Run): number {
  let hash = 0x9e37_79b9;
  for (let at = 0; at < elements.length; at++) {
    const length = starts[at + 1]! - starts[at]!;
    hash = Math.imul(hash ^ elements[at]!, 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ length, 0xc2b2_ae35);
    hash ^= hash >>> 13;
  }
  return hash;
}
