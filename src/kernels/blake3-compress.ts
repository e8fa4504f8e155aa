// The BLAKE3 compression function for one block, in scalar registers (J. O'Connor et al., "BLAKE3: one function, fast
// everywhere", 2020), and what its four-lane form, generated with the rounds unrolled, is made of.

// Which message word each half step of the seven rounds takes.
const ORDER = memory.data<u8>([
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8,
  3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1,
  10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6,
  12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4,
  9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7,
  11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13,
]);

export const IV0: u32 = 0x6A09E667;
export const IV1: u32 = 0xBB67AE85;
export const IV2: u32 = 0x3C6EF372;
export const IV3: u32 = 0xA54FF53A;
export const IV4: u32 = 0x510E527F;
export const IV5: u32 = 0x9B05688C;
export const IV6: u32 = 0x1F83D9AB;
export const IV7: u32 = 0x5BE0CD19;

// @ts-ignore: decorator
@inline
function word(block: usize, order: usize): u32 {
  return load<u32>(block + (usize(load<u8>(order)) << 2));
}

// Rotations to the right. Only 16 is faster as a shuffle: two instructions swap 16-bit words; the mask of the others
// would be built anew at each use.
// @ts-ignore: decorator
@inline
export function turn16(x: v128): v128 {
  return i8x16.shuffle(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}

// @ts-ignore: decorator
@inline
export function turn8(x: v128): v128 {
  return v128.or(i32x4.shr_u(x, 8), i32x4.shl(x, 24));
}

// @ts-ignore: decorator
@inline
export function turn12(x: v128): v128 {
  return v128.or(i32x4.shr_u(x, 12), i32x4.shl(x, 20));
}

// @ts-ignore: decorator
@inline
export function turn7(x: v128): v128 {
  return v128.or(i32x4.shr_u(x, 7), i32x4.shl(x, 25));
}

/** Compresses one block of 64 bytes into the chaining value at `cv`, in place. */
export function compress(cv: usize, block: usize, blockLength: u32, counter: u64, flags: u32): void {
  let s0 = load<u32>(cv), s1 = load<u32>(cv, 4), s2 = load<u32>(cv, 8), s3 = load<u32>(cv, 12);
  let s4 = load<u32>(cv, 16), s5 = load<u32>(cv, 20), s6 = load<u32>(cv, 24), s7 = load<u32>(cv, 28);
  let s8 = IV0, s9 = IV1, s10 = IV2, s11 = IV3;
  let s12 = u32(counter), s13 = u32(counter >> 32), s14 = blockLength, s15 = flags;
  for (let order = ORDER; order < ORDER + 112; order += 16) {
    s0 += s4 + word(block, order + 0); s12 = rotr(s12 ^ s0, 16); s8 += s12; s4 = rotr(s4 ^ s8, 12);
    s0 += s4 + word(block, order + 1); s12 = rotr(s12 ^ s0, 8); s8 += s12; s4 = rotr(s4 ^ s8, 7);
    s1 += s5 + word(block, order + 2); s13 = rotr(s13 ^ s1, 16); s9 += s13; s5 = rotr(s5 ^ s9, 12);
    s1 += s5 + word(block, order + 3); s13 = rotr(s13 ^ s1, 8); s9 += s13; s5 = rotr(s5 ^ s9, 7);
    s2 += s6 + word(block, order + 4); s14 = rotr(s14 ^ s2, 16); s10 += s14; s6 = rotr(s6 ^ s10, 12);
    s2 += s6 + word(block, order + 5); s14 = rotr(s14 ^ s2, 8); s10 += s14; s6 = rotr(s6 ^ s10, 7);
    s3 += s7 + word(block, order + 6); s15 = rotr(s15 ^ s3, 16); s11 += s15; s7 = rotr(s7 ^ s11, 12);
    s3 += s7 + word(block, order + 7); s15 = rotr(s15 ^ s3, 8); s11 += s15; s7 = rotr(s7 ^ s11, 7);
    s0 += s5 + word(block, order + 8); s15 = rotr(s15 ^ s0, 16); s10 += s15; s5 = rotr(s5 ^ s10, 12);
    s0 += s5 + word(block, order + 9); s15 = rotr(s15 ^ s0, 8); s10 += s15; s5 = rotr(s5 ^ s10, 7);
    s1 += s6 + word(block, order + 10); s12 = rotr(s12 ^ s1, 16); s11 += s12; s6 = rotr(s6 ^ s11, 12);
    s1 += s6 + word(block, order + 11); s12 = rotr(s12 ^ s1, 8); s11 += s12; s6 = rotr(s6 ^ s11, 7);
    s2 += s7 + word(block, order + 12); s13 = rotr(s13 ^ s2, 16); s8 += s13; s7 = rotr(s7 ^ s8, 12);
    s2 += s7 + word(block, order + 13); s13 = rotr(s13 ^ s2, 8); s8 += s13; s7 = rotr(s7 ^ s8, 7);
    s3 += s4 + word(block, order + 14); s14 = rotr(s14 ^ s3, 16); s9 += s14; s4 = rotr(s4 ^ s9, 12);
    s3 += s4 + word(block, order + 15); s14 = rotr(s14 ^ s3, 8); s9 += s14; s4 = rotr(s4 ^ s9, 7);
  }
  store<u32>(cv, s0 ^ s8, 0);
  store<u32>(cv, s1 ^ s9, 4);
  store<u32>(cv, s2 ^ s10, 8);
  store<u32>(cv, s3 ^ s11, 12);
  store<u32>(cv, s4 ^ s12, 16);
  store<u32>(cv, s5 ^ s13, 20);
  store<u32>(cv, s6 ^ s14, 24);
  store<u32>(cv, s7 ^ s15, 28);
}

// Turns four rows of four words into four columns: word `n` of four inputs becomes one vector.
// @ts-ignore: decorator
@inline
export function transpose(a: v128, b: v128, c: v128, d: v128, out: usize): void {
  const ab0 = i32x4.shuffle(a, b, 0, 4, 1, 5);
  const ab1 = i32x4.shuffle(a, b, 2, 6, 3, 7);
  const cd0 = i32x4.shuffle(c, d, 0, 4, 1, 5);
  const cd1 = i32x4.shuffle(c, d, 2, 6, 3, 7);
  v128.store(out, i64x2.shuffle(ab0, cd0, 0, 2));
  v128.store(out, i64x2.shuffle(ab0, cd0, 1, 3), 16);
  v128.store(out, i64x2.shuffle(ab1, cd1, 0, 2), 32);
  v128.store(out, i64x2.shuffle(ab1, cd1, 1, 3), 48);
}
