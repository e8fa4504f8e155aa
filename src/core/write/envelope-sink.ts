// The envelope as a sink: what is written to it is sealed segment by segment (docs/format.md, "Encryption").

import type { Ciphers } from "../crypto/ciphers.ts";
import type { SegmentsOf } from "../crypto/envelope-source.ts";
import { type EnvelopeKeys, makeKeys, sealArea } from "../crypto/keys.ts";
import type { NewKeys } from "../crypto/secrets.ts";
import { createSegmentCipher, type SegmentCipher } from "../crypto/segments.ts";
import type { DigestOf } from "../digest.ts";
import { HexzError } from "../errors.ts";
import {
  areaLengthFor,
  type EnvelopeHead,
  encodeEnvelopeHead,
  paddedSegmentCount,
  SEALED_LENGTH,
  SEGMENT_LENGTH,
  segmentsStart,
} from "../format/envelope.ts";
import type { EnvelopeTraits, Sink } from "./sink.ts";

/** How an archive is encrypted: to whom, or with the keys of another archive and to whoever opens that. */
export type Encryption = (NewKeys | { readonly keys: EnvelopeKeys }) & {
  /** Round the size up, so that it says little: at most 12 %. */
  readonly pad?: boolean;
};

const SALT_LENGTH = 16;
/** Segments that go to the sink at once. */
const BATCH = 16;
const ROOT_SALT_LENGTH = 32;

/** A sink whose archive goes encrypted into `sink`. @throws HexzError `usage` for recipients that cannot be used */
export async function createEnvelopeSink(
  sink: Sink,
  encryption: Encryption,
  ciphers: Ciphers,
  digestOf: DigestOf,
): Promise<Sink> {
  const { key, slots } = "keys" in encryption ? encryption.keys : await makeKeys(encryption, ciphers);
  const head: EnvelopeHead = { areaLength: areaLengthFor(slots), salt: ciphers.randomBytes(SALT_LENGTH) };
  const headBytes = encodeEnvelopeHead(head, digestOf);
  const to = { head: headBytes, areaLength: head.areaLength, key };
  const area = await sealArea({ generation: 1, slots }, to, ciphers, digestOf);
  await sink.write(headBytes);
  await sink.write(area);
  await sink.write(area);
  const cipher = await createSegmentCipher(ciphers, key, head.salt);
  const salt = ciphers.randomBytes(ROOT_SALT_LENGTH);
  const traits: EnvelopeTraits = {
    salt,
    endFor(length) {
      const count = Math.ceil(length / SEGMENT_LENGTH);
      return (encryption.pad === true ? paddedSegmentCount(count) : count) * SEGMENT_LENGTH;
    },
    fileLength: (length) => segmentsStart(head.areaLength) + (length / SEGMENT_LENGTH) * SEALED_LENGTH,
  };
  return { ...createSegmentSink(sink, cipher, 0), envelope: traits };
}

/**
 * What is written goes behind the segments that are there.
 * @param sink takes what goes behind the file's end
 */
export function createEnvelopeAppendSink(sink: Sink, { cipher, start, count }: SegmentsOf, ciphers: Ciphers): Sink {
  const envelope: EnvelopeTraits = {
    salt: ciphers.randomBytes(ROOT_SALT_LENGTH),
    endFor: (length) => Math.ceil(length / SEGMENT_LENGTH) * SEGMENT_LENGTH,
    fileLength: (length) => start + (length / SEGMENT_LENGTH) * SEALED_LENGTH,
  };
  return { ...createSegmentSink(sink, cipher, count), envelope };
}

/** Seals whole segments, from a number on, into a sink. What is written must end with a segment. */
function createSegmentSink(sink: Sink, cipher: SegmentCipher, first: number): Sink {
  const plain = new Uint8Array(SEGMENT_LENGTH);
  const sealed = new Uint8Array(BATCH * SEALED_LENGTH);
  let sealedCount = 0;
  let filled = 0;
  let number = first;
  const { sync } = cipher;
  /** @param segment may be overwritten when this returns, or when its promise is kept */
  const seal = (segment: Uint8Array): void | Promise<void> => {
    const own = number++;
    if (sync === undefined) return cipher.seal(own, segment).then((bytes) => sink.write(bytes));
    sync.seal(own, segment, sealed.subarray(sealedCount * SEALED_LENGTH, (sealedCount + 1) * SEALED_LENGTH));
    sealedCount++;
    if (sealedCount < BATCH) return;
    sealedCount = 0;
    return sink.write(sealed);
  };
  const writeSome = (bytes: Uint8Array, start: number): { at: number; pending: void | Promise<void> } => {
    for (let at = start; at < bytes.length; ) {
      let segment: Uint8Array | undefined;
      if (filled === 0 && bytes.length - at >= SEGMENT_LENGTH) {
        segment = bytes.subarray(at, at + SEGMENT_LENGTH);
        at += SEGMENT_LENGTH;
      } else {
        const part = bytes.subarray(at, at + SEGMENT_LENGTH - filled);
        plain.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === SEGMENT_LENGTH) {
          segment = plain;
          filled = 0;
        }
      }
      const pending = segment && seal(segment);
      if (pending !== undefined) return { at, pending };
    }
    return { at: bytes.length, pending: undefined };
  };
  const writeSlowly = async (bytes: Uint8Array, start: number, first: Promise<void>): Promise<void> => {
    let pending: void | Promise<void> = first;
    for (let at = start; ; ) {
      await pending;
      if (at === bytes.length) return;
      ({ at, pending } = writeSome(bytes, at));
    }
  };
  return {
    name: sink.name,
    write(bytes) {
      const { at, pending } = writeSome(bytes, 0);
      if (pending !== undefined) return writeSlowly(bytes, at, pending);
    },
    async finish() {
      if (filled !== 0) throw new HexzError("io", `what was written to ${sink.name} does not end with a segment`);
      if (sealedCount > 0) await sink.write(sealed.subarray(0, sealedCount * SEALED_LENGTH));
      await sink.finish();
    },
    abort: () => sink.abort(),
  };
}
