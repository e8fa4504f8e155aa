// The first 16 bytes of a file (docs/format.md, "Head").

import { ByteReader, ByteWriter, equalBytes } from "../bytes.ts";
import type { DigestOf } from "../digest.ts";
import { HexzError } from "../errors.ts";

export const HEAD_LENGTH = 16;
export const FORMAT_VERSION = 2;

export type HeadKind = "plain" | "encrypted";
const KINDS: readonly HeadKind[] = ["plain", "encrypted"];
const MAGIC = Uint8Array.from([0x48, 0x45, 0x58, 0x5a]);

export function encodeHead(kind: HeadKind, digestOf: DigestOf): Uint8Array {
  const writer = new ByteWriter(HEAD_LENGTH).raw(MAGIC).u32(FORMAT_VERSION).u32(KINDS.indexOf(kind));
  return writer.raw(digestOf(writer.view()).subarray(0, 4)).take();
}

/**
 * @param bytes the beginning of the file, at least HEAD_LENGTH bytes when the file has them
 * @throws HexzError `not_an_archive`, `version_unknown`, `damaged`
 */
export function decodeHead(bytes: Uint8Array, name: string, digestOf: DigestOf): HeadKind {
  if (bytes.length < 8 || !equalBytes(bytes.subarray(0, 4), MAGIC)) {
    throw new HexzError("not_an_archive", `${name} is not a Hexz archive: it does not begin with HEXZ`);
  }
  const reader = new ByteReader(bytes, `the head of ${name}`);
  reader.raw(4);
  const version = reader.u32();
  if (version !== FORMAT_VERSION) {
    throw new HexzError(
      "version_unknown",
      `${name} is a Hexz archive of format ${version}, not of format ${FORMAT_VERSION}`,
      {
        data: { found: version, expected: FORMAT_VERSION },
        ...(version === 1 ? { hint: "hexz convert hexz1 makes an archive of format 2 of it" } : {}),
      },
    );
  }
  if (bytes.length < HEAD_LENGTH) throw new HexzError("truncated", `${name} ends within its head`);
  const kind = KINDS[reader.u32()];
  const sum = digestOf(bytes.subarray(0, 12)).subarray(0, 4);
  if (!equalBytes(reader.raw(4), sum)) {
    throw new HexzError("damaged", `the head of ${name} is damaged: its checksum does not fit`, {
      data: { start: 0, end: HEAD_LENGTH },
    });
  }
  if (kind === undefined) throw new HexzError("invalid", `the head of ${name} names an unknown kind of archive`);
  return kind;
}
