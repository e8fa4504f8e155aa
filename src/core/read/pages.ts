// Pages of one archive: fetched, checked and decoded.

import type { DigestOf } from "../digest.ts";
import type { Engine } from "../engine.ts";
import { HexzError } from "../errors.ts";
import { checkPage, decodePageBody, type PageKind, type PageRef, pageEnd } from "../format/page.ts";
import { mergeRanges } from "../source/merge.ts";
import type { RangeSource } from "../source/source.ts";
import type { Io } from "./io.ts";

export interface PageContext {
  readonly source: RangeSource;
  readonly engine: Engine;
  readonly digestOf: DigestOf;
}

/** Checks and decodes the bytes of a page. @throws HexzError `damaged`, `invalid`, `limit_exceeded` */
export function openPage(
  context: PageContext,
  bytes: Uint8Array,
  ref: PageRef,
  kind: PageKind,
  what: string,
): Uint8Array {
  const name = `${what} of ${context.source.name}`;
  return decodePageBody(checkPage(bytes, ref, name, context.digestOf), kind, name, context.engine);
}

/** Fetches neighbouring pages in few requests. @returns the bytes of each, unchecked */
export function* fetchPages({ source }: PageContext, refs: readonly PageRef[], what: string): Io<Uint8Array[]> {
  const wanted = refs.map((ref) => ({ start: ref.offset, end: pageEnd(ref) }));
  for (const { start, end } of wanted) {
    if (end > source.size) {
      throw new HexzError(
        "invalid",
        `${what} of ${source.name} would lie at ${start} to ${end}, behind its end at ${source.size}`,
      );
    }
  }
  const ranges = mergeRanges(wanted, source.gap ?? 0);
  const fetched = yield ranges.map(({ start, end }) => ({ source, start, end }));
  let at = 0;
  return wanted.map(({ start, end }) => {
    while (at > 0 && ranges[at]!.start > start) at--;
    while (ranges[at]!.end < end) at++;
    return fetched[at]!.subarray(start - ranges[at]!.start, end - ranges[at]!.start);
  });
}

/** Fetches, checks and decodes one page. */
export function* readPage(context: PageContext, ref: PageRef, kind: PageKind, what: string): Io<Uint8Array> {
  const [bytes] = yield* fetchPages(context, [ref], what);
  return openPage(context, bytes!, ref, kind, what);
}
