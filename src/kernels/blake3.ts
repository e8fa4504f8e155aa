// BLAKE3-256, one-shot and incremental. Whole chunks are hashed four at a time, groups of 16 chunks are folded to one
// chaining value before they go to the stack; the last chunk always waits, for it may be the root.

import { compress, IV0, IV1, IV2, IV3, IV4, IV5, IV6, IV7 } from "./blake3-compress";
import { compress4 } from "./blake3-lanes.generated";

const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 2;
const PARENT: u32 = 4;
const ROOT: u32 = 8;

const CHUNK: i32 = 1024;
// What waits between two updates: four chunks.
const WAITING: i32 = 4 * CHUNK;
const GROUP: i32 = 16 * CHUNK;

// The state, in bytes from its start, which is 16-byte aligned.
const COUNT: usize = 0; // u64: chunks on the stack so far
const DEPTH: usize = 8; // u32: chaining values on the stack
const FILL: usize = 12; // u32: bytes waiting
const NODE: usize = 16; // 32: chaining value in work
const BLOCK: usize = 64; // 64: block in work
const MESSAGE: usize = 128; // 256: four transposed blocks
const CVS: usize = 384; // 512: up to 16 chaining values of one group
const STACK: usize = 896; // 56 × 32: enough for 2^64 bytes
const BUFFER: usize = 2688; // 4096: the waiting bytes

/** Size of the state; a one-shot digest needs the same. */
export const BLAKE3_SCRATCH: i32 = 2688 + 4096;

// @ts-ignore: decorator
@inline
function setIv(cv: usize): void {
  store<u32>(cv, IV0); store<u32>(cv, IV1, 4); store<u32>(cv, IV2, 8); store<u32>(cv, IV3, 12);
  store<u32>(cv, IV4, 16); store<u32>(cv, IV5, 20); store<u32>(cv, IV6, 24); store<u32>(cv, IV7, 28);
}

/** Replaces the two top chaining values by their parent. */
function mergeTop(state: usize): void {
  const depth = load<u32>(state, DEPTH) - 1;
  const left = state + STACK + (usize(depth - 1) << 5);
  memory.copy(state + BLOCK, left, 64);
  setIv(left);
  compress(left, state + BLOCK, 64, 0, PARENT);
  store<u32>(state, depth, DEPTH);
}

/** Puts the chaining value of the next `chunks` chunks on the stack; there must be more input after them. */
function push(state: usize, cv: usize, chunks: u64): void {
  const count = load<u64>(state, COUNT);
  while (load<u32>(state, DEPTH) > u32(popcnt(count))) mergeTop(state);
  const depth = load<u32>(state, DEPTH);
  memory.copy(state + STACK + (usize(depth) << 5), cv, 32);
  store<u32>(state, depth + 1, DEPTH);
  store<u64>(state, count + chunks, COUNT);
}

/** Chaining values of four chunks in a row, to CVS + `slot` * 32. */
// @ts-ignore: decorator
@inline
function leaves4(state: usize, src: usize, counter: u64, slot: usize): void {
  compress4(
    src, src + 1024, src + 2048, src + 3072, 16, counter, 1, 0, CHUNK_START, CHUNK_END,
    state + CVS + (slot << 5), state + MESSAGE,
  );
}

/** Folds eight chaining values from slot `from` to four at slot `to`. */
function parents4(state: usize, from: usize, to: usize): void {
  const p = state + CVS + (from << 5);
  compress4(p, p + 64, p + 128, p + 192, 1, 0, 0, PARENT, 0, 0, state + CVS + (to << 5), state + MESSAGE);
}

/** Folds four chaining values at slot 0 to one. */
function fold4(state: usize): void {
  const cvs = state + CVS;
  for (let pair: usize = 0; pair < 2; pair++) {
    const node = cvs + 256 + (pair << 5);
    setIv(node);
    compress(node, cvs + (pair << 6), 64, 0, PARENT);
  }
  setIv(cvs);
  compress(cvs, cvs + 256, 64, 0, PARENT);
}

/** Hashes whole groups while more than one byte stays behind; returns how many bytes were taken. */
function groups(state: usize, src: usize, length: usize): usize {
  let p = src;
  const end = src + length;
  while (end - p > usize(WAITING)) {
    const counter = load<u64>(state, COUNT);
    if (end - p > usize(GROUP) && (counter & 15) == 0) {
      for (let part: usize = 0; part < 4; part++) leaves4(state, p + (part << 12), counter + (u64(part) << 2), part << 2);
      parents4(state, 0, 0);
      parents4(state, 8, 4);
      parents4(state, 0, 0);
      fold4(state);
      push(state, state + CVS, 16);
      p += GROUP;
    } else {
      leaves4(state, p, counter, 0);
      fold4(state);
      push(state, state + CVS, 4);
      p += WAITING;
    }
  }
  return p - src;
}

/** The last 0 to 4096 bytes, and the digest. */
function finish(state: usize, src: usize, length: i32, out: usize): void {
  let p = src;
  let left = length;
  if (left > 2 * CHUNK) {
    // Two or three whole chunks before the last: lanes without one repeat the first.
    const counter = load<u64>(state, COUNT);
    const third = left > 3 * CHUNK ? p + 2048 : p;
    compress4(
      p, p + 1024, third, p, 16, counter, 1, 0, CHUNK_START, CHUNK_END, state + CVS, state + MESSAGE,
    );
    for (let cv = state + CVS; left > CHUNK; cv += 32) {
      push(state, cv, 1);
      p += CHUNK;
      left -= CHUNK;
    }
  } else if (left > CHUNK) {
    const node = state + CVS;
    setIv(node);
    const counter = load<u64>(state, COUNT);
    for (let block = 0; block < 16; block++) {
      const flags: u32 = block == 0 ? CHUNK_START : block == 15 ? CHUNK_END : 0;
      compress(node, p + (usize(block) << 6), 64, counter, flags);
    }
    push(state, node, 1);
    p += CHUNK;
    left -= CHUNK;
  }

  const node = state + NODE;
  const block = state + BLOCK;
  const counter = load<u64>(state, COUNT);
  while (load<u32>(state, DEPTH) > u32(popcnt(counter))) mergeTop(state);
  setIv(node);
  let flags: u32 = CHUNK_START;
  while (left > 64) {
    compress(node, p, 64, counter, flags);
    flags = 0;
    p += 64;
    left -= 64;
  }
  memory.fill(block, 0, 64);
  memory.copy(block, p, left);
  let depth = load<u32>(state, DEPTH);
  compress(node, block, u32(left), counter, flags | CHUNK_END | (depth == 0 ? ROOT : 0));
  while (depth > 0) {
    depth -= 1;
    memory.copy(block, state + STACK + (usize(depth) << 5), 32);
    memory.copy(block + 32, node, 32);
    setIv(node);
    compress(node, block, 64, 0, PARENT | (depth == 0 ? ROOT : 0));
  }
  memory.copy(out, node, 32);
}

/** Starts a digest in `state`, BLAKE3_SCRATCH bytes. */
export function blake3Init(state: usize): void {
  store<u64>(state, 0, COUNT);
  store<u32>(state, 0, DEPTH);
  store<u32>(state, 0, FILL);
}

export function blake3Update(state: usize, src: usize, length: i32): void {
  let p = src;
  let left = usize(length);
  const buffer = state + BUFFER;
  const fill = load<u32>(state, FILL);
  if (fill != 0) {
    const room = usize(WAITING) - fill;
    const take = left < room ? left : room;
    memory.copy(buffer + fill, p, take);
    p += take;
    left -= take;
    if (left == 0) {
      store<u32>(state, fill + u32(take), FILL);
      return;
    }
    // Four chunks are complete and more follows.
    leaves4(state, buffer, load<u64>(state, COUNT), 0);
    fold4(state);
    push(state, state + CVS, 4);
  }
  const taken = groups(state, p, left);
  p += taken;
  left -= taken;
  memory.copy(buffer, p, left);
  store<u32>(state, u32(left), FILL);
}

/** The digest, 32 bytes at `out`; the state is used up. */
export function blake3Final(state: usize, out: usize): void {
  finish(state, state + BUFFER, load<u32>(state, FILL), out);
}

/** BLAKE3-256 of `length` bytes. */
export function blake3(src: usize, length: i32, out: usize, scratch: usize): void {
  blake3Init(scratch);
  const taken = groups(scratch, src, usize(length));
  finish(scratch, src + taken, length - i32(taken), out);
}
