// Opening: one read of the end gives end mark, root and often more (docs/format.md, "End mark").

import type { DigestOf } from "../digest.ts";
import type { Engine } from "../engine.ts";
import { HexzError } from "../errors.ts";
import { decodeEndMark, END_MARK_LENGTH, type EndMark } from "../format/end-mark.ts";
import { decodeHead, HEAD_LENGTH } from "../format/head.ts";
import { checkPage, decodePageBody, PAGE_KIND, pageEnd } from "../format/page.ts";
import { decodeRoot, type Root } from "../format/root.ts";
import { VERSION as FORMAT1_VERSION } from "../format/v1/header.ts";
import { TAIL_LENGTH } from "../limits.ts";
import type { RangeSource } from "../source/source.ts";
import { withTail } from "../source/tail.ts";
import type { Io } from "./io.ts";
import { type Opened1, openFormat1Io } from "./v1/open.ts";

/** What opening finds out. */
export interface Opened {
  /** The source, with its end in memory. */
  readonly source: RangeSource;
  readonly endMark: EndMark;
  readonly root: Root;
}

/** Opens an archive of either format. @throws as openIo, openFormat1Io */
export function* openAnyIo(source: RangeSource, engine: Engine, digestOf: DigestOf): Io<Opened | Opened1> {
  try {
    return yield* openIo(source, engine, digestOf);
  } catch (error) {
    // What is of format 1 has no end mark, and says so at its beginning.
    if (error instanceof HexzError && error.code === "version_unknown" && error.data.found === FORMAT1_VERSION)
      return yield* openFormat1Io(source);
    throw error;
  }
}

/** Why there is no end mark at the end: says what the file is instead. */
function* explain(source: RangeSource, digestOf: DigestOf): Io<HexzError> {
  const [head] = yield [{ source, start: 0, end: Math.min(source.size, HEAD_LENGTH) }];
  let kind: string;
  try {
    kind = decodeHead(head!, source.name, digestOf);
  } catch (error) {
    if (error instanceof HexzError) return error;
    throw error;
  }
  if (kind === "encrypted") {
    return new HexzError("feature_unknown", `${source.name} is encrypted, which this version cannot read`);
  }
  return new HexzError(
    "truncated",
    `${source.name} has lost its end: no end mark in its last ${END_MARK_LENGTH} bytes`,
    {
      data: { size: source.size },
    },
  );
}

/** @throws HexzError `not_an_archive`, `truncated`, `version_unknown`, `feature_unknown`, `damaged`, `invalid` */
export function* openIo(source: RangeSource, engine: Engine, digestOf: DigestOf): Io<Opened> {
  if (source.size < HEAD_LENGTH + END_MARK_LENGTH) throw yield* explain(source, digestOf);
  const tailStart = Math.max(0, source.size - TAIL_LENGTH);
  const [tail] = yield [{ source, start: tailStart, end: source.size }];
  const markOffset = source.size - END_MARK_LENGTH;
  const endMark = decodeEndMark(tail!.subarray(-END_MARK_LENGTH), markOffset, digestOf);
  if (endMark === undefined) throw yield* explain(source, digestOf);

  const { root: ref } = endMark;
  const tailed = withTail(source, tail!);
  if (pageEnd(ref) > markOffset) {
    throw new HexzError("invalid", `the root of ${source.name} would lie behind the end mark, at ${ref.offset}`);
  }
  const [bytes] = yield [{ source: tailed, start: ref.offset, end: pageEnd(ref) }];
  const what = `the root of ${source.name}`;
  const payload = decodePageBody(checkPage(bytes!, ref, what, digestOf), PAGE_KIND.root, what, engine);
  return { source: tailed, endMark, root: decodeRoot(payload, source.name) };
}
