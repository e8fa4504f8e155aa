// Seeded test data. A test prints its seed; HEXZ_SEED repeats it.

export const SEED = Number(process.env.HEXZ_SEED ?? Date.now() % 2 ** 31);

/** xorshift32: small and the same everywhere. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export function randomBytes(length: number, random: (below: number) => number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, () => random(256));
}

/** Words of a small vocabulary: compresses about as text does. */
export function text(length: number, random: (below: number) => number): Uint8Array<ArrayBuffer> {
  const words = Array.from({ length: 300 }, () => randomBytes(2 + random(8), (n) => 97 + (random(n) % 26)));
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const word = words[Math.min(random(300), random(300))]!;
    bytes.set(word.subarray(0, length - at), at);
    at += word.length;
    if (at < length) bytes[at++] = 32;
  }
  return bytes;
}

/** Random or text with runs of zeros of all lengths in between. */
export function zeroRidden(length: number, random: (below: number) => number): Uint8Array<ArrayBuffer> {
  const bytes = random(2) ? text(length, random) : randomBytes(length, random);
  for (let at = 0; at < length; ) {
    const run = random(4) ? random(300) : random(length / 2);
    bytes.fill(0, at, at + run);
    at += run + random(random(2) ? 50 : 20000);
  }
  return bytes;
}
