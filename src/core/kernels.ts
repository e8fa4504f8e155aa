// The WebAssembly module of src/kernels: compiling, instantiating, and the types of what it exports. Pointers are byte
// addresses in the memory given at instantiation. The same code is built for a plain and for a shared memory.

/** Exports of src/kernels/index.ts. Scratch is the caller's; nothing is kept between calls. */
export interface Kernels {
  /** First byte that the constant tables do not use. */
  readonly HEAP_BASE: { readonly value: number };
  /** Bytes of a BLAKE3 state, which is 16-byte aligned. */
  readonly BLAKE3_SCRATCH: { readonly value: number };
  /** Bytes of the table of the LZ4 encoder. */
  readonly LZ4_SCRATCH: { readonly value: number };
  /** Bytes of the tables of CRC-32. */
  readonly CRC32_SCRATCH: { readonly value: number };
  findCuts(
    src: number,
    length: number,
    min: number,
    avg: number,
    max: number,
    bits: number,
    final: number,
    out: number,
    capacity: number,
  ): number;
  /** Bytes of scratch that `hashChunks` needs. */
  readonly HASH_SCRATCH: { readonly value: number };
  /** @returns how many records of 16 bytes were written, -1 when they are more than `capacity` */
  scanCuts(src: number, from: number, to: number, out: number, capacity: number): number;
  /** @returns how many chunks were written, 8 bytes each */
  walkCuts(
    src: number,
    at: number,
    end: number,
    min: number,
    avg: number,
    max: number,
    bits: number,
    final: number,
    found: number,
    count: number,
    state: number,
    out: number,
    capacity: number,
  ): number;
  hashChunks(src: number, list: number, count: number, out: number, fills: number, scratch: number): void;
  /** The ranges may overlap. */
  copy(src: number, length: number, dst: number): void;
  fillValue(src: number, length: number): number;
  zeroPrefix(src: number, length: number): number;
  crc32Init(tables: number): void;
  /** @returns as a signed number */
  crc32(crc: number, src: number, length: number, tables: number): number;
  blake3(src: number, length: number, out: number, scratch: number): void;
  blake3Init(state: number): void;
  blake3Update(state: number, src: number, length: number): void;
  blake3Final(state: number, out: number): void;
  /** @returns the coded length, 0 when it does not fit */
  lz4Encode(src: number, length: number, dst: number, capacity: number, table: number): number;
  /** @returns 0, or -1 when the block is not valid or not `plain` bytes long */
  lz4Decode(src: number, length: number, dst: number, plain: number): number;
}

/** Base64 without line breaks; our own, for Buffer is not in browsers and atob makes a string first. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const values = new Uint8Array(128);
  for (let index = 0; index < 64; index++) values[alphabet.charCodeAt(index)] = index;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let from = 0, to = 0; from < text.length; from += 4, to += 3) {
    const word =
      (values[text.charCodeAt(from)]! << 18) |
      (values[text.charCodeAt(from + 1)]! << 12) |
      (values[text.charCodeAt(from + 2)]! << 6) |
      values[text.charCodeAt(from + 3)]!;
    // Writes behind the end are ignored: that is where the padding goes.
    bytes[to] = word >> 16;
    bytes[to + 1] = word >> 8;
    bytes[to + 2] = word;
  }
  return bytes;
}

/** Compiles the module that is embedded as base64. A thread may hand the result to others. */
export function compileBase64(base64: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(decodeBase64(base64));
}

/** Asynchronous because browsers refuse to instantiate larger modules at once on the main thread. */
export async function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Kernels> {
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  return instance.exports as unknown as Kernels;
}
