// How long a Zstandard frame is, without decoding it: RFC 8878, 3.1.1.

import { HexzError } from "../errors.ts";

const MAGIC = 0xfd2fb528;

function torn(length: number): HexzError {
  return new HexzError("damaged", `its Zstandard frame does not end within ${length} bytes`);
}

/** @returns the length of the frame that `bytes` begin with @throws HexzError `damaged` */
export function zstdFrameLength(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 6 || view.getUint32(0, true) !== MAGIC) {
    throw new HexzError("damaged", "there is no Zstandard frame");
  }
  const descriptor = bytes[4]!;
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  let at = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]! + sizeBytes;
  for (;;) {
    if (at + 3 > bytes.length) throw torn(bytes.length);
    const header = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    const isRun = ((header >> 1) & 3) === 1;
    at += 3 + (isRun ? 1 : header >> 3);
    if ((header & 1) !== 0) break;
  }
  if ((descriptor & 4) !== 0) at += 4;
  if (at > bytes.length) throw torn(bytes.length);
  return at;
}
