// LZ4 block decoder for untrusted input: every length and offset is checked against what is left of both ranges before
// anything is copied; copies in steps of 16 bytes are made only where that many bytes are left.

// Row n: the indices that repeat the first n bytes of a vector over all 16.
const REPEAT = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1,
  0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0,
  0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0,
  0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 0, 1,
  0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 2, 3, 4,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 1, 2,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0, 1,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0,
]);
// How far such a vector moves on: the largest multiple of n up to 16.
const STRIDE = memory.data<u8>([0, 16, 16, 15, 16, 15, 12, 14, 16, 9, 10, 11, 12, 13, 14, 15]);

// Copies 16 bytes at a time; may write up to 15 bytes behind `until`.
// @ts-ignore: decorator
@inline
function copyOver(op: usize, from: usize, until: usize): void {
  do {
    v128.store(op, v128.load(from));
    op += 16;
    from += 16;
  } while (op < until);
}

/** Decodes to exactly `plain` bytes; returns 0, or -1 when the block is not valid or of another length. */
export function lz4Decode(src: usize, length: i32, dst: usize, plain: i32): i32 {
  const end = src + usize(length);
  const dstEnd = dst + usize(plain);
  let ip = src;
  let op = dst;
  while (ip < end) {
    const token = usize(load<u8>(ip));
    ip += 1;
    let literals = token >> 4;
    let offset: usize;
    let size = token & 15;

    if (literals < 15 && end - ip >= 32 && dstEnd - op >= 64) {
      // The common case: few literals, far from both ends.
      v128.store(op, v128.load(ip));
      op += literals;
      ip += literals;
      offset = usize(load<u16>(ip));
      ip += 2;
      if (size < 15 && offset >= 16 && offset <= op - dst) {
        const from = op - offset;
        v128.store(op, v128.load(from));
        store<u16>(op, load<u16>(from, 16), 16);
        op += size + 4;
        continue;
      }
    } else {
      if (literals == 15) {
        let more: usize;
        do {
          if (ip >= end) return -1;
          more = usize(load<u8>(ip));
          ip += 1;
          literals += more;
          // Also keeps the sum from overflowing.
          if (literals > usize(plain)) return -1;
        } while (more == 255);
      }
      if (literals > end - ip || literals > dstEnd - op) return -1;
      const until = op + literals;
      if (end - ip >= literals + 16 && dstEnd - op >= literals + 16) copyOver(op, ip, until);
      else memory.copy(op, ip, literals);
      ip += literals;
      op = until;
      if (ip == end) return op == dstEnd ? 0 : -1;
      // Another sequence has a match that starts 12 bytes before the end, and 5 literals after it.
      if (end - ip < 8 || dstEnd - op < 12) return -1;
      offset = usize(load<u16>(ip));
      ip += 2;
    }

    if (offset == 0 || offset > op - dst) return -1;
    if (size == 15) {
      let more: usize;
      do {
        if (ip >= end) return -1;
        more = usize(load<u8>(ip));
        ip += 1;
        size += more;
        if (size > usize(plain)) return -1;
      } while (more == 255);
    }
    size += 4;
    const room = dstEnd - op;
    if (size + 5 > room) return -1;
    let from = op - offset;
    const until = op + size;
    if (room < size + 16) {
      if (offset >= size) memory.copy(op, from, size);
      else {
        while (op < until) {
          store<u8>(op, load<u8>(from));
          op += 1;
          from += 1;
        }
      }
    } else if (offset >= 16) {
      copyOver(op, from, until);
    } else {
      const pattern = i8x16.swizzle(v128.load(from), v128.load(REPEAT + (offset << 4)));
      const stride = usize(load<u8>(STRIDE + offset));
      do {
        v128.store(op, pattern);
        op += stride;
      } while (op < until);
    }
    op = until;
  }
  return -1;
}
