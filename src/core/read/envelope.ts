// Opening an encrypted archive: its head, its key, and the plain archive inside (docs/format.md, "Encryption").

import { kindOf } from "../crypto/age.ts";
import type { Ciphers } from "../crypto/ciphers.ts";
import { createEnvelopeSource, type SegmentsOf } from "../crypto/envelope-source.ts";
import { decodeEnvelopeStart, type EnvelopeKeys, type EnvelopeStart, type OtherArea, unlock } from "../crypto/keys.ts";
import type { AskSecrets, Secrets, SlotKind } from "../crypto/secrets.ts";
import { createSegmentCipher } from "../crypto/segments.ts";
import type { DigestOf } from "../digest.ts";
import { decodeEnvelopeHead, ENVELOPE_HEAD_LENGTH, segmentCount, segmentsStart } from "../format/envelope.ts";
import { decodeHead, HEAD_LENGTH } from "../format/head.ts";
import type { RangeSource } from "../source/source.ts";
import { type Io, waitIo } from "./io.ts";

/** How an archive is opened that turns out to be encrypted. */
export interface Unlocking {
  readonly ciphers: Ciphers;
  readonly secrets: Secrets | AskSecrets;
}

/** The envelope of an archive. */
export interface Envelope {
  readonly keys: EnvelopeKeys;
  readonly otherArea: OtherArea;
  readonly kinds: readonly SlotKind[];
  readonly segments: SegmentsOf;
  /** Length of the file. */
  readonly fileLength: number;
}

/** Length of a slot area as most archives have it: one read takes both along. */
const USUAL_AREA = 16_384;

/** The beginning of a file, with what opening needs of an encrypted one as a rule. */
export function* beginningIo(file: RangeSource): Io<Uint8Array> {
  const [bytes] = yield [{ source: file, start: 0, end: Math.min(file.size, segmentsStart(USUAL_AREA)) }];
  return bytes!;
}

/** The head and the slot areas; undefined of a plain archive. */
export function* lockedIo(file: RangeSource, digestOf: DigestOf): Io<EnvelopeStart | undefined> {
  const beginning = yield* beginningIo(file);
  const kind = decodeHead(beginning.subarray(0, HEAD_LENGTH), file.name, digestOf);
  return kind === "plain" ? undefined : yield* envelopeStartIo(file, beginning, digestOf);
}

function* envelopeStartIo(file: RangeSource, beginning: Uint8Array, digestOf: DigestOf): Io<EnvelopeStart> {
  let bytes = beginning;
  const head = decodeEnvelopeHead(bytes.subarray(0, ENVELOPE_HEAD_LENGTH), file.name, digestOf);
  segmentCount(file.size, head, file.name);
  const end = segmentsStart(head.areaLength);
  if (end > bytes.length) [bytes] = (yield [{ source: file, start: 0, end }]) as [Uint8Array];
  return decodeEnvelopeStart(bytes.slice(0, end), file.name, digestOf);
}

/** @param beginning of the file, where it was read before */
export function* openEnvelopeIo(
  file: RangeSource,
  digestOf: DigestOf,
  { ciphers, secrets }: Unlocking,
  beginning?: Uint8Array,
): Io<{ source: RangeSource; envelope: Envelope }> {
  const start = yield* envelopeStartIo(file, beginning ?? (yield* beginningIo(file)), digestOf);
  const { head } = start;
  const { keys, otherArea, cipher } = yield* waitIo(file.name, async () => {
    const { keys, otherArea } = await unlock(start, file.name, secrets, ciphers);
    return { keys, otherArea, cipher: await createSegmentCipher(ciphers, keys.key, head.salt) };
  });
  const segments = { cipher, start: segmentsStart(head.areaLength), count: segmentCount(file.size, head, file.name) };
  const envelope = { keys, otherArea, segments, kinds: keys.slots.map(kindOf), fileLength: file.size };
  return { source: createEnvelopeSource(file, segments), envelope };
}
