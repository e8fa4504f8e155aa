// LZ4 block encoder: greedy, one candidate per hash, searching faster the longer nothing is found. The block format is
// the public one (lz4_Block_format.md): the last 5 bytes are literals, no match starts in the last 12.

const MIN_MATCH: i32 = 4;
const LAST_LITERALS: i32 = 5;
const MATCH_LIMIT: i32 = 12;
const MAX_OFFSET: usize = 65535;
// 16 KiB of table: half of the first-level cache of most processors.
const HASH_BITS: u32 = 13;
// Misses before the step grows by one, as a power of two.
const SKIP_BITS: u32 = 5;

/** Bytes of scratch: one position for each hash. */
export const LZ4_SCRATCH: i32 = 2 << HASH_BITS;

/** Codes `length` bytes to at most `capacity`; returns the coded length, 0 when it does not fit. */
export function lz4Encode(src: usize, length: i32, dst: usize, capacity: i32, table: usize): i32 {
  if (length <= 65536) return encode<u16>(src, length, dst, capacity, table);
  return encode<u32>(src, length, dst, capacity, table);
}

// Five bytes decide: four give worse candidates on text, six miss short matches.
// @ts-ignore: decorator
@inline
function slot(table: usize, bytes: u64): usize {
  return table + (usize(((bytes << 24) * 0x9E3779B185EBCA87) >> (64 - HASH_BITS)) << 1);
}

// The position that `place` holds, as an address before `ip`. The table keeps 16 bits of each position, so it stays
// small and no distance can be too great. In a block over 64 KiB (T is u32) what is older than that looks newer and
// fails the comparison of bytes, or lies before the block or at `ip` itself: then the result is `ip`.
// @ts-ignore: decorator
@inline
function candidate<T>(place: usize, src: usize, ip: usize): usize {
  if (sizeof<T>() == 2) return src + usize(load<u16>(place));
  const offset = (ip - src - usize(load<u16>(place))) & MAX_OFFSET;
  return offset > ip - src ? ip : ip - offset;
}

// How many bytes are equal at `a` and `b`, at most up to `end` of `a`.
// @ts-ignore: decorator
@inline
function equalBytes(a: usize, b: usize, end: usize): usize {
  const start = a;
  while (a + 8 <= end) {
    const diff = load<u64>(a) ^ load<u64>(b);
    if (diff != 0) return a - start + usize(ctz(diff) >> 3);
    a += 8;
    b += 8;
  }
  while (a < end && load<u8>(a) == load<u8>(b)) {
    a += 1;
    b += 1;
  }
  return a - start;
}

// How many bytes a length takes besides its four bits in the token.
// @ts-ignore: decorator
@inline
function extraBytes(length: usize): usize {
  return (length + 240) / 255;
}

// A length of 15 or more goes on in bytes of 255; returns the end.
// @ts-ignore: decorator
@inline
function putLength(op: usize, rest: usize): usize {
  while (rest >= 255) {
    store<u8>(op, 255);
    op += 1;
    rest -= 255;
  }
  store<u8>(op, rest);
  return op + 1;
}

function encode<T>(src: usize, length: i32, dst: usize, capacity: i32, table: usize): i32 {
  const end = src + usize(length);
  const dstEnd = dst + usize(capacity);
  let op = dst;
  let anchor = src;

  if (length > MATCH_LIMIT) {
    const lastStart = end - MATCH_LIMIT;
    const matchEnd = end - LAST_LITERALS;
    memory.fill(table, 0, 2 << HASH_BITS);
    let ip = src + 1;

    // Set where the rest is literals (AssemblyScript has no labels).
    let done = false;
    while (!done) {
      let misses: u32 = 1 << SKIP_BITS;
      let match: usize = 0;
      let next = ip;
      let bytes = load<u64>(ip);
      while (true) {
        const here = bytes;
        const place = slot(table, here);
        ip = next;
        next = ip + usize(misses >> SKIP_BITS);
        misses += 1;
        if (next > lastStart) {
          done = true;
          break;
        }
        // Loaded a step ahead: hides the latency of the table look-up.
        bytes = load<u64>(next);
        match = candidate<T>(place, src, ip);
        store<u16>(place, u16(ip - src));
        if (load<u32>(match) == u32(here) && (sizeof<T>() == 2 || match != ip)) break;
      }
      if (done) break;
      while (ip > anchor && match > src && load<u8>(ip - 1) == load<u8>(match - 1)) {
        ip -= 1;
        match -= 1;
      }

      const literals = ip - anchor;
      let token = op;
      op += 1;
      // Needed at least: literals, their length, offset, and the last token with 5 literals. These 8 bytes are also
      // what the copy below may write too much.
      if (op + literals + extraBytes(literals) + 8 > dstEnd) return 0;
      if (literals >= 15) {
        store<u8>(token, 0xf0);
        op = putLength(op, literals - 15);
      } else {
        store<u8>(token, literals << 4);
      }
      // Reads at most 7 bytes too far, and the match is 12 bytes away from the end.
      let from = anchor;
      const until = op + literals;
      do {
        store<u64>(op, load<u64>(from));
        op += 8;
        from += 8;
      } while (op < until);
      op = until;

      while (true) {
        store<u16>(op, u16(ip - match));
        op += 2;
        const more = equalBytes(ip + MIN_MATCH, match + MIN_MATCH, matchEnd);
        ip += more + MIN_MATCH;
        if (op + extraBytes(more) + 6 > dstEnd) return 0;
        if (more >= 15) {
          store<u8>(token, load<u8>(token) + 15);
          op = putLength(op, more - 15);
        } else {
          store<u8>(token, load<u8>(token) + u8(more));
        }
        anchor = ip;
        done = ip > lastStart;
        if (done) break;

        store<u16>(slot(table, load<u64>(ip - 2)), u16(ip - 2 - src));
        // A match that follows at once has no literals.
        const here = load<u64>(ip);
        const place = slot(table, here);
        match = candidate<T>(place, src, ip);
        store<u16>(place, u16(ip - src));
        if (load<u32>(match) != u32(here) || (sizeof<T>() == 4 && match == ip)) break;
        token = op;
        op += 1;
        if (op + 8 > dstEnd) return 0;
        store<u8>(token, 0);
      }
      ip += 1;
      if (ip > lastStart) done = true;
    }
  }

  const literals = end - anchor;
  if (op + 1 + literals + extraBytes(literals) > dstEnd) return 0;
  if (literals >= 15) {
    store<u8>(op, 0xf0);
    op = putLength(op + 1, literals - 15);
  } else {
    store<u8>(op, literals << 4);
    op += 1;
  }
  memory.copy(op, anchor, literals);
  return i32(op + literals - dst);
}
