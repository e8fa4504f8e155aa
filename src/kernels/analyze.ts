// What only `analyze` needs: places where some chunking may cut, found once for all of them, and a quick hash that
// tells chunks apart.

import { runLength } from "./fill";
import { gear, maskOf } from "./chunk";

// No mask looks above bit 47, and a byte has left those bits after 48 more.
const WINDOW: i32 = 48;
// Steps between two looks for zeros.
const STRETCH: usize = 512;

/**
 * Finds the places in [from, to) of `src` where the hash of the 64 bytes up to there meets the mask of 9 or of 11 bits,
 * and writes offset (u32), nothing (u32) and hash (u64) of each to `out`. Bytes before `src` are not looked at.
 * @returns how many there are; -1 when there are more than `capacity`
 */
export function scanCuts(src: usize, from: i32, to: i32, out: usize, capacity: i32): i32 {
  // Every mask of 11 to 25 bits has all bits of the one of 11 (a test checks it), so that a place where one of those is
  // met is among the places found here.
  const mask9 = maskOf(9);
  const mask11 = maskOf(11);
  let p = src + usize(from > 64 ? from - 64 : 0);
  const start = src + usize(from);
  const end = src + usize(to);
  let hash: u64 = 0;
  while (p < start) hash = (hash << 1) + gear(p++);
  let count = 0;
  while (p < end) {
    if (load<u8>(p) == 0) {
      // Once the window is zeros the hash stays as it is, and those two masks are never met by it.
      const zeros = runLength(p, i32(end - p), 0);
      if (zeros > 2 * WINDOW) {
        const resume = p + usize(zeros) - 64;
        const quiet = p + usize(WINDOW);
        while (p < quiet) {
          hash = (hash << 1) + gear(p);
          if ((hash & mask9) == 0 || (hash & mask11) == 0) {
            if (count == capacity) return -1;
            put(out, count++, u32(p - src), hash);
          }
          p += 1;
        }
        if (resume > p) {
          hash = 0;
          for (p = resume; p < resume + 64; p++) hash = (hash << 1) + gear(p);
        }
        continue;
      }
    }
    // The inner loop only looks; what it finds is put down outside, so that few values are live in it.
    const stop = p + STRETCH < end ? p + STRETCH : end;
    while (p < stop) {
      do {
        hash = (hash << 1) + gear(p++);
      } while ((hash & mask11) != 0 && (hash & mask9) != 0 && p < stop);
      if ((hash & mask11) != 0 && (hash & mask9) != 0) break;
      if (count == capacity) return -1;
      put(out, count++, u32(p - 1 - src), hash);
    }
  }
  return count;
}

// @ts-ignore: decorator
@inline
function put(out: usize, number: i32, offset: u32, hash: u64): void {
  const at = out + (usize(number) << 4);
  store<u32>(at, offset);
  store<u64>(at, hash, 8);
}

/**
 * The cuts of one chunking between `at` and `end`, as findCuts finds them, from what scanCuts found. For averages from
 * 4 KiB, and for 1 KiB with a minimum that is not smaller. Writes offset and length (u32 each) of every chunk.
 * Without `final`, stops where the next cut is not known yet; `state` (u32) holds how far the open chunk was looked
 * at, and must be 0 where one begins.
 * @param found `count` records of scanCuts in [.., end), those at the end
 * @returns how many chunks were written, at most `capacity`
 */
export function walkCuts(
  src: usize, at: i32, end: i32, min: i32, avg: i32, max: i32, bits: i32, final: bool, found: usize, count: i32,
  state: usize, out: usize, capacity: i32,
): i32 {
  const small = maskOf(bits + 1);
  const large = maskOf(bits - 1);
  const first = min & ~1;
  let chunks = 0;
  let next = found;
  const last = found + (usize(count) << 4);
  let seen = i32(load<u32>(state));
  while (chunks < capacity && at < end) {
    const left = end - at;
    const most = left < max ? left : max;
    let length = 0;
    if (most > min) {
      const center = (avg < most || !final ? avg : most) & ~1;
      const stop = most & ~1;
      const steady = first + WINDOW;
      let i = seen > first ? seen : first;
      if (i < steady) {
        // The hash begins anew in every chunk: until its window is full, it is computed.
        let hash: u64 = 0;
        const warm = steady < stop ? steady : stop;
        for (let j = first; j < warm; j++) {
          hash = (hash << 1) + gear(src + usize(at + j));
          if (j >= i && (hash & (j < center ? small : large)) == 0) {
            length = j;
            break;
          }
        }
        i = warm;
      }
      if (length == 0) {
        const from = u32(at + i);
        const to = u32(at + stop);
        while (next < last && load<u32>(next) < from) next += 16;
        for (; next < last; next += 16) {
          const place = load<u32>(next);
          if (place >= to) break;
          const j = i32(place) - at;
          if ((load<u64>(next, 8) & (j < center ? small : large)) == 0) {
            length = j;
            break;
          }
        }
      }
      if (length == 0 && left < max && !final) {
        seen = stop > first ? stop : 0;
        break;
      }
    } else if (!final && left < max) break;
    if (length == 0) length = most;
    store<u32>(out + (usize(chunks) << 3), u32(at));
    store<u32>(out + (usize(chunks) << 3), u32(length), 4);
    chunks += 1;
    at += length;
    seen = 0;
  }
  store<u32>(state, u32(seen));
  return chunks;
}

const PRIME1: u64 = 0x9e3779b185ebca87;
const PRIME2: u64 = 0xc2b2ae3d27d4eb4f;

/**
 * Hashes chunks: `list` has offset and length (u32 each, the two top bits of the length do not count) of `count` of them.
 * Writes to `out` for each the hash (u64) and to `fills` the value when all bytes are equal, else -1 (i32).
 *
 * Products of 32-bit words under keys that depend on the place, summed up in eight lanes and mixed at the end: fast, and
 * good for telling apart what nobody made to collide. Not for anything that is stored.
 */
export function hashChunks(src: usize, list: usize, count: i32, out: usize, fills: usize, scratch: usize): void {
  for (let number: usize = 0; number < usize(count); number++) {
    const p = src + usize(load<u32>(list + (number << 3)));
    const length = i32(load<u32>(list + (number << 3), 4) & 0x3fffffff);
    const value = load<u8>(p);
    let fill = -1;
    if (value == load<u8>(p + usize(length >> 1)) && value == load<u8>(p + usize(length - 1))) {
      if (runLength(p, length, value) == length) fill = i32(value);
    }
    store<i32>(fills + (number << 2), fill);
    store<u64>(out + (number << 3), fill < 0 ? hash64(p, length, scratch) : 0);
  }
}

/** Bytes of scratch that hashChunks needs. */
export const HASH_SCRATCH: i32 = 128;

function hash64(src: usize, length: i32, scratch: usize): u64 {
  let acc0 = i64x2(0x243f6a8885a308d3, 0x13198a2e03707344);
  let acc1 = i64x2(0xa4093822299f31d0, 0x082efa98ec4e6c89);
  let acc2 = i64x2(0x452821e638d01377, 0xbe5466cf34e90c6c);
  let acc3 = i64x2(0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917);
  let key0 = i64x2(0x9216d5d98979fb1b, 0xd1310ba698dfb5ac);
  let key1 = i64x2(0x2ffd72dbd01adfb7, 0xb8e1afed6a267e96);
  let key2 = i64x2(0xba7c9045f12c7f99, 0x24a19947b3916cf7);
  let key3 = i64x2(0x0801f2e2858efc16, 0x636920d871574e69);
  const step0 = i64x2(0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9);
  const step1 = i64x2(0x94d049bb133111eb, 0xd6e8feb86659fd93);
  let p = src;
  const end = src + usize(length);
  let left = length;
  while (left > 0) {
    if (left < 64) {
      memory.fill(scratch, 0, 64);
      memory.copy(scratch, p, usize(left));
      p = scratch;
    }
    const a = v128.load(p);
    const b = v128.load(p, 16);
    const c = v128.load(p, 32);
    const d = v128.load(p, 48);
    const ak = v128.xor(a, key0);
    const bk = v128.xor(b, key1);
    const ck = v128.xor(c, key2);
    const dk = v128.xor(d, key3);
    acc0 = i64x2.add(acc0, i64x2.add(i64x2.extmul_low_i32x4_u(ak, bk), b));
    acc1 = i64x2.add(acc1, i64x2.add(i64x2.extmul_high_i32x4_u(ak, bk), a));
    acc2 = i64x2.add(acc2, i64x2.add(i64x2.extmul_low_i32x4_u(ck, dk), d));
    acc3 = i64x2.add(acc3, i64x2.add(i64x2.extmul_high_i32x4_u(ck, dk), c));
    key0 = i64x2.add(key0, step0);
    key1 = i64x2.add(key1, step1);
    key2 = i64x2.add(key2, step1);
    key3 = i64x2.add(key3, step0);
    p += 64;
    left -= 64;
  }
  let hash = u64(end - src) * PRIME1;
  hash = merge(hash, i64x2.extract_lane(acc0, 0));
  hash = merge(hash, i64x2.extract_lane(acc0, 1));
  hash = merge(hash, i64x2.extract_lane(acc1, 0));
  hash = merge(hash, i64x2.extract_lane(acc1, 1));
  hash = merge(hash, i64x2.extract_lane(acc2, 0));
  hash = merge(hash, i64x2.extract_lane(acc2, 1));
  hash = merge(hash, i64x2.extract_lane(acc3, 0));
  hash = merge(hash, i64x2.extract_lane(acc3, 1));
  hash = (hash ^ (hash >> 33)) * PRIME2;
  hash = (hash ^ (hash >> 29)) * PRIME1;
  return hash ^ (hash >> 32);
}

// @ts-ignore: decorator
@inline
function merge(hash: u64, lane: u64): u64 {
  const mixed = rotl<u64>((lane ^ (lane >> 31)) * PRIME2, 31) * PRIME1;
  return rotl<u64>(hash ^ mixed, 27) * PRIME1 + PRIME2;
}
