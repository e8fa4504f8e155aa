// Runs of one byte value.

/** The value of all `length` bytes when they are equal, else -1 (also for no bytes). */
export function fillValue(src: usize, length: i32): i32 {
  if (length <= 0) return -1;
  const value = i32(load<u8>(src));
  const prefix = runLength(src, length, value);
  return prefix == length ? value : -1;
}

/** How many bytes at the start are zero. */
export function zeroPrefix(src: usize, length: i32): i32 {
  return runLength(src, length, 0);
}

/** How many bytes at the start have that value. */
// @ts-ignore: decorator
@inline
export function runLength(src: usize, length: i32, value: i32): i32 {
  const end = src + usize(length);
  let p = src;
  const word = u64(value) * 0x0101010101010101;
  // Most data fails in the first word: no vector is set up for it.
  if (length >= 8) {
    const diff = load<u64>(p) ^ word;
    if (diff != 0) return i32(ctz(diff) >> 3);
    p += 8;
  }
  const splat = i64x2.splat(word);
  while (p + 64 <= end) {
    const diff = v128.or(
      v128.or(v128.xor(v128.load(p), splat), v128.xor(v128.load(p, 16), splat)),
      v128.or(v128.xor(v128.load(p, 32), splat), v128.xor(v128.load(p, 48), splat)),
    );
    if (v128.any_true(diff)) break;
    p += 64;
  }
  while (p + 8 <= end) {
    const diff = load<u64>(p) ^ word;
    if (diff != 0) return i32(p - src) + i32(ctz(diff) >> 3);
    p += 8;
  }
  while (p < end && i32(load<u8>(p)) == value) p += 1;
  return i32(p - src);
}
