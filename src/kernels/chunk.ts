// FastCDC v2020 with normalization level 1 (W. Xia et al., "The Design of Fast Content-Defined Chunking for Data
// Deduplication Based Storage Systems", 2020), rolled two bytes at a time. Cut points are those of hexz-v1.md 4.2,
// docs/format.md "Chunking".

import { GEAR } from "./gear.generated";
import { zeroPrefix } from "./fill";

// The masks for 5 to 25 bits; the index is bits - 5.
const MASKS = memory.data<u64>([
  0x1804110, 0x1803110, 0x18035100, 0x1800035300, 0x19000353000, 0x590003530000, 0xd90003530000, 0xd90103530000,
  0xd90303530000, 0xd90313530000, 0xd90f03530000, 0xd90303537000, 0xd90703537000, 0xd90707537000, 0xd91707537000,
  0xd91747537000, 0xd91767537000, 0xd93767537000, 0xd93777537000, 0xd93777577000, 0xdb3777577000,
]);

const ZERO_CHUNK: u32 = 0x80000000;
// A byte has left the 64-bit hash after 64 more bytes: this many in front of a position decide about it.
const WINDOW: i32 = 64;

/** The gear value of the byte at `p`. */
// @ts-ignore: decorator
@inline
export function gear(p: usize): u64 {
  return load<u64>(GEAR + (usize(load<u8>(p)) << 3));
}

/** The mask of 5 to 25 bits. */
// @ts-ignore: decorator
@inline
export function maskOf(bits: i32): u64 {
  return load<u64>(MASKS + (usize(bits - 5) << 3));
}

/**
 * Where the first chunk of `length` bytes (at most max) ends. There is no cut in the first `quiet` bytes: the scan
 * starts one window before their end.
 */
// @ts-ignore: decorator
@inline
function firstCut(src: usize, length: i32, min: i32, avg: i32, quiet: i32, small: u64, large: u64): i32 {
  if (length <= min) return length;
  let i = (quiet - WINDOW > min ? quiet - WINDOW : min) >> 1;
  const center = (avg < length ? avg : length) >> 1;
  const end = length >> 1;
  let p = src + (usize(i) << 1);
  let hash: u64 = 0;

  const centerAt = src + (usize(center) << 1);
  let mask2 = small << 1;
  while (p < centerAt) {
    hash = (hash << 2) + (gear(p) << 1);
    if ((hash & mask2) == 0) return i32(p - src);
    hash += gear(p + 1);
    if ((hash & small) == 0) return i32(p - src) + 1;
    p += 2;
  }
  const endAt = src + (usize(end) << 1);
  mask2 = large << 1;
  while (p < endAt) {
    hash = (hash << 2) + (gear(p) << 1);
    if ((hash & mask2) == 0) return i32(p - src);
    hash += gear(p + 1);
    if ((hash & large) == 0) return i32(p - src) + 1;
    p += 2;
  }
  return length;
}

/**
 * Writes the lengths of the chunks to `out`, `capacity` words, the top bit set when all bytes of the chunk are zero.
 * `bits` is log2 of `avg`, 6 to 24. Without `final` stops when fewer than `max` bytes are left.
 * @returns how many lengths were written
 */
export function findCuts(
  src: usize, length: i32, min: i32, avg: i32, max: i32, bits: i32, final: bool, out: usize, capacity: i32,
): i32 {
  const small = maskOf(bits + 1);
  const large = maskOf(bits - 1);
  // Only the masks of 5, 6 and 8 bits ever cut inside zeros (a test checks all), and only while the hash warms up.
  const quietZeros = bits == 8 || bits >= 10;
  let count = 0;
  let at = 0;
  while (count < capacity) {
    const left = length - at;
    if (left == 0 || (left < max && !final)) break;
    const window = left < max ? left : max;
    const p = src + usize(at);
    const zeros = zeroPrefix(p, window);
    const quiet = quietZeros ? zeros : 0;
    const cut = quiet == window ? window : firstCut(p, window, min, avg, quiet, small, large);
    store<u32>(out + (usize(count) << 2), u32(cut) | (cut <= zeros ? ZERO_CHUNK : 0));
    count += 1;
    at += cut;
  }
  return count;
}
