// Differences between tensors (docs/format-1.md, "Deltas"): XOR, with the bytes of all elements gathered by their place
// in the element, so that those which seldom change lie together.

/** Gathers: byte j of element i comes to place j · n + i. What is left of a last, incomplete element stays. */
export function shuffle(bytes: Uint8Array, elementSize: number): Uint8Array {
  return moved(bytes, elementSize, (out, planar, packed) => {
    out[planar] = bytes[packed]!;
  });
}

/** Undoes `shuffle`. */
export function unshuffle(bytes: Uint8Array, elementSize: number): Uint8Array {
  return moved(bytes, elementSize, (out, planar, packed) => {
    out[packed] = bytes[planar]!;
  });
}

function moved(
  bytes: Uint8Array,
  elementSize: number,
  move: (out: Uint8Array, planar: number, packed: number) => void,
): Uint8Array {
  const out = bytes.slice();
  if (elementSize <= 1 || bytes.length < elementSize) return out;
  const count = Math.floor(bytes.length / elementSize);
  for (let place = 0; place < elementSize; place++) {
    for (let number = 0; number < count; number++) move(out, place * count + number, number * elementSize + place);
  }
  return out;
}

/** Changes `bytes` to their difference with `other`, which is as long. */
export function xorInto(bytes: Uint8Array, other: Uint8Array): void {
  for (let at = 0; at < bytes.length; at++) bytes[at]! ^= other[at]!;
}
