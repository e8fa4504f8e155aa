// Salvage, first step: every page and every end mark that a file still has, found by their magic and proven by their own
// offset and checksum (docs/format.md, "Salvage"). Needs nothing of the rest of the file, and 9 MiB of memory.

import type { DigestOf } from "../digest.ts";
import { HexzError } from "../errors.ts";
import { decodeEndMark, END_MARK_LENGTH, type EndMark } from "../format/end-mark.ts";
import { checkPage, PAGE_FRAME_LENGTH, type PageRef } from "../format/page.ts";
import { LIMITS } from "../limits.ts";
import type { RangeSource } from "../source/source.ts";

export interface FoundPage extends PageRef {
  /** A view, good until the next find. */
  readonly body: Uint8Array;
}

export interface FoundEndMark {
  readonly offset: number;
  readonly endMark: EndMark;
}

const WINDOW = 8 * 1024 * 1024;
const LONGEST_PAGE = PAGE_FRAME_LENGTH + LIMITS.pageBody;
const H = 0x48;
/** Where its magic begins in an end mark. */
const MARK_MAGIC = 88;
const PAGE_REST = [0x58, 0x50, 0x47];
const MARK_REST = [0x45, 0x58, 0x5a, 0x45, 0x4e, 0x44, 0x02];

function follows(bytes: Uint8Array, at: number, rest: readonly number[]): boolean {
  return rest.every((byte, number) => bytes[at + 1 + number] === byte);
}

/** @param bytes from the page's first byte on */
function pageAt(bytes: Uint8Array, offset: number, digestOf: DigestOf): FoundPage | undefined {
  if (bytes.length < PAGE_FRAME_LENGTH) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_FRAME_LENGTH);
  const bodyLength = view.getUint32(4, true);
  if (view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32 !== offset) return undefined;
  if (bodyLength < 8 || bodyLength > LIMITS.pageBody || PAGE_FRAME_LENGTH + bodyLength > bytes.length) return undefined;
  const page = bytes.subarray(0, PAGE_FRAME_LENGTH + bodyLength);
  const ref = { offset, bodyLength, digest: digestOf(page.subarray(PAGE_FRAME_LENGTH)) };
  try {
    return { ...ref, body: checkPage(page, ref, "a page", digestOf) };
  } catch (error) {
    if (error instanceof HexzError) return undefined;
    throw error;
  }
}

function endMarkAt(bytes: Uint8Array, offset: number, digestOf: DigestOf): EndMark | undefined {
  try {
    return decodeEndMark(bytes, offset, digestOf);
  } catch (error) {
    if (error instanceof HexzError) return undefined;
    throw error;
  }
}

/** All pages and end marks of the file, in its order. What stands inside a page is not looked at. */
export async function* scan(
  source: RangeSource,
  digestOf: DigestOf,
  options: { onProgress?: ((bytes: number) => void) | undefined; signal?: AbortSignal | undefined } = {},
): AsyncGenerator<FoundPage | FoundEndMark> {
  let next = 0;
  for (let start = 0; start < source.size; start += WINDOW) {
    options.signal?.throwIfAborted();
    const end = Math.min(start + WINDOW, source.size);
    // Before it, what an end mark may begin with; behind it, the rest of a page.
    const from = Math.max(0, start - MARK_MAGIC);
    const bytes = await source.read(from, Math.min(end + LONGEST_PAGE, source.size), options.signal);
    for (let at = bytes.indexOf(H, Math.max(next, start) - from); at >= 0 && from + at < end; ) {
      let behind = at + 1;
      if (follows(bytes, at, PAGE_REST)) {
        const page = pageAt(bytes.subarray(at), from + at, digestOf);
        if (page !== undefined) {
          yield page;
          behind = at + PAGE_FRAME_LENGTH + page.bodyLength;
        }
      } else if (at >= MARK_MAGIC && follows(bytes, at, MARK_REST)) {
        const first = at - MARK_MAGIC;
        const endMark = endMarkAt(bytes.subarray(first, first + END_MARK_LENGTH), from + first, digestOf);
        if (endMark !== undefined) yield { offset: from + first, endMark };
      }
      next = from + behind;
      at = bytes.indexOf(H, behind);
    }
    options.onProgress?.(end - start);
  }
}
