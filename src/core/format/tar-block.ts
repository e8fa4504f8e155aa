// What lists of pieces know of tars: the size and the checksum in a header (docs/format.md, "Containers").

/** A tar is a row of blocks of so many bytes. */
export const TAR_BLOCK = 512;

const SIZE = { start: 124, digits: 11 };
const CHECKSUM = { start: 148, digits: 6, end: 156 };
/** Behind the checksum's digits. */
const CHECKSUM_END = [0, 0x20];

/** A block whose bytes are summed by words, wherever it came from. */
const summed = new Uint8Array(TAR_BLOCK);
const summedWords = new Int32Array(summed.buffer);

/** The sum of all bytes, spaces in the place of the checksum itself. */
export function tarChecksum(block: Uint8Array): number {
  summed.set(block);
  // Two sums of 16 bits each: they are of 256 bytes, so they fit.
  let sums = 0;
  for (let at = 0; at < TAR_BLOCK / 4; at++) {
    const word = summedWords[at]!;
    sums = (sums + (word & 0x00ff_00ff) + ((word >>> 8) & 0x00ff_00ff)) | 0;
  }
  let sum = (sums & 0xffff) + (sums >>> 16) + (CHECKSUM.end - CHECKSUM.start) * 0x20;
  for (let at = CHECKSUM.start; at < CHECKSUM.end; at++) sum -= block[at]!;
  return sum;
}

/** The same by programs that took bytes for signed. */
export function signedTarChecksum(block: Uint8Array): number {
  let sum = tarChecksum(block);
  for (let at = 0; at < TAR_BLOCK; at++) {
    if (block[at]! > 127 && (at < CHECKSUM.start || at >= CHECKSUM.end)) sum -= 256;
  }
  return sum;
}

function putOctal(block: Uint8Array, { start, digits }: typeof SIZE, value: number): void {
  let rest = value;
  for (let at = start + digits - 1; at >= start; at--) {
    block[at] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}

/** Sets the size, as far as 11 octal digits go; what ends the field stays. */
export function putTarSize(block: Uint8Array, size: number): void {
  putOctal(block, SIZE, size);
}

/** The largest size that putTarSize can set. */
export const MOST_TAR_SIZE = 8 ** SIZE.digits - 1;

/** Whether putTarSize would change nothing. */
export function hasTarSize(block: Uint8Array, size: number): boolean {
  return size >= 0 && size <= MOST_TAR_SIZE && hasOctal(block, SIZE, size);
}

function hasOctal(block: Uint8Array, { start, digits }: typeof SIZE, value: number): boolean {
  let rest = value;
  for (let at = start + digits - 1; at >= start; at--) {
    if (block[at] !== 0x30 + (rest % 8)) return false;
    rest = Math.floor(rest / 8);
  }
  return true;
}

/** Whether putTarChecksum would change nothing. @param sum that of the block */
export function hasTarChecksum(block: Uint8Array, sum: number): boolean {
  return (
    block[CHECKSUM.end - 2] === CHECKSUM_END[0] &&
    block[CHECKSUM.end - 1] === CHECKSUM_END[1] &&
    hasOctal(block, CHECKSUM, sum)
  );
}

/** Copies the digits of the size. */
export function copyTarSize(from: Uint8Array, to: Uint8Array): void {
  for (let at = SIZE.start; at < SIZE.start + SIZE.digits; at++) to[at] = from[at]!;
}

export function copyTarChecksum(from: Uint8Array, to: Uint8Array): void {
  for (let at = CHECKSUM.start; at < CHECKSUM.end; at++) to[at] = from[at]!;
}

/** Sets the checksum in its usual form: six octal digits, NUL, space. */
export function putTarChecksum(block: Uint8Array): void {
  putOctal(block, CHECKSUM, tarChecksum(block));
  block.set(CHECKSUM_END, CHECKSUM.end - CHECKSUM_END.length);
}
