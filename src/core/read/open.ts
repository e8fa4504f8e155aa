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
import { beginningIo, type Envelope, openEnvelopeIo, type Unlocking } from "./envelope.ts";
import type { Io } from "./io.ts";
import { type Opened1, openFormat1Io } from "./v1/open.ts";

/** What opening finds out. */
export interface Opened {
  /** The source, with its end in memory. */
  readonly source: RangeSource;
  readonly endMark: EndMark;
  readonly root: Root;
  /** Of an encrypted archive. */
  readonly envelope: Envelope | undefined;
}

/** Opens an archive of either format. @throws as openIo, openFormat1Io */
export function* openAnyIo(
  source: RangeSource,
  engine: Engine,
  digestOf: DigestOf,
  unlocking: Unlocking,
): Io<Opened | Opened1> {
  try {
    return yield* openIo(source, engine, digestOf, unlocking);
  } catch (error) {
    // What is of format 1 has no end mark, and says so at its beginning.
    if (error instanceof HexzError && error.code === "version_unknown" && error.data.found === FORMAT1_VERSION)
      return yield* openFormat1Io(source);
    throw error;
  }
}

function lostEnd({ name, size }: RangeSource): HexzError {
  const message = `${name} has lost its end: no end mark in its last ${END_MARK_LENGTH} bytes`;
  return new HexzError("truncated", message, { hint: "hexz repair saves what is there", data: { size } });
}

/**
 * @param unlocking undefined: it must not be encrypted, because an archive that refers to it is not
 * @throws HexzError `not_an_archive`, `truncated`, `version_unknown`, `feature_unknown`, `damaged`, `invalid`,
 * `password_missing`, `password_wrong`
 */
export function* openIo(
  file: RangeSource,
  engine: Engine,
  digestOf: DigestOf,
  unlocking: Unlocking | undefined,
): Io<Opened> {
  const plain = yield* endOf(file, digestOf);
  if (plain !== undefined) return yield* openEnd(plain, engine, digestOf, undefined);
  const beginning = yield* beginningIo(file);
  if (decodeHead(beginning.subarray(0, HEAD_LENGTH), file.name, digestOf) === "plain") throw lostEnd(file);
  if (unlocking === undefined) throw new HexzError("invalid", `${file.name} is encrypted, and its child is not`);
  const { source, envelope } = yield* openEnvelopeIo(file, digestOf, unlocking, beginning);
  const inner = yield* endOf(source, digestOf);
  if (inner === undefined) throw lostEnd(source);
  return yield* openEnd(inner, engine, digestOf, envelope);
}

interface End {
  readonly source: RangeSource;
  readonly endMark: EndMark;
}

/** The end mark, and the source with its end in memory; undefined when there is no end mark. */
function* endOf(source: RangeSource, digestOf: DigestOf): Io<End | undefined> {
  if (source.size < HEAD_LENGTH + END_MARK_LENGTH) return undefined;
  const tailStart = Math.max(0, source.size - TAIL_LENGTH);
  const [tail] = yield [{ source, start: tailStart, end: source.size }];
  const markOffset = source.size - END_MARK_LENGTH;
  const endMark = decodeEndMark(tail!.subarray(-END_MARK_LENGTH), markOffset, digestOf);
  return endMark && { source: withTail(source, tail!), endMark };
}

function* openEnd(
  { source, endMark }: End,
  engine: Engine,
  digestOf: DigestOf,
  envelope: Envelope | undefined,
): Io<Opened> {
  const markOffset = source.size - END_MARK_LENGTH;
  const { root: ref } = endMark;
  if (pageEnd(ref) > markOffset) {
    throw new HexzError("invalid", `the root of ${source.name} would lie behind the end mark, at ${ref.offset}`);
  }
  const [bytes] = yield [{ source, start: ref.offset, end: pageEnd(ref) }];
  const what = `the root of ${source.name}`;
  const payload = decodePageBody(checkPage(bytes!, ref, what, digestOf), PAGE_KIND.root, what, engine);
  return { source, endMark, root: decodeRoot(payload, source.name), envelope };
}
