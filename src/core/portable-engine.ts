// The engine that runs everywhere: the kernels in WebAssembly, and Zstandard on demand. It works in place on views of
// its memory. Other views go through a window of 64 KiB where a kernel can take data in pieces, else through the
// memory of a second, private instance. Only that one ever grows, and no view of it leaves this file; the memory that
// callers have views of keeps its size, so no view goes stale.

import { CODEC, type CodecId, type Engine, type Hasher } from "./engine.ts";
import { HexzError } from "./errors.ts";
import { compileBase64, instantiateKernels, type Kernels } from "./kernels.ts";
import { checkNamed, createZstd, isZstd, type Zstd } from "./zstd.ts";

/** Room behind each buffer of `allocate`. */
const SLACK = 64;
const PAGE = 65536;
const WINDOW = 65536;
/** Lengths that one call of the chunker gives. */
const CUTS = 4096;
const DIGEST = 32;
const DEFAULT_MEMORY = 64 * 1024 * 1024;
const LENGTH_MASK = 0x7fff_ffff;

/** What an engine needs of its heap before the first buffer, in bytes, rounded up. */
export const ENGINE_SCRATCH = 192 * 1024;

export interface PortableEngineOptions {
  /** The compiled kernels; must be the build for shared memory when `memory` is shared. Default: the embedded ones. */
  kernels?: WebAssembly.Module;
  /** Memory to work in; must not grow while the engine lives. Default: one of its own of `memoryBytes`. */
  memory?: WebAssembly.Memory;
  /** Size of its own memory in bytes, 64 MiB unless said; pages that are never touched cost nothing. */
  memoryBytes?: number;
  /** The part of `memory` that is this engine's alone, for scratch and `allocate`. Each thread gets another one. */
  heap?: { start: number; end: number };
}

/** Addresses of the scratch memory of one instance. */
interface Scratch {
  oneShot: number;
  hasher: number;
  table: number;
  crc: number;
  cuts: number;
  digest: number;
  window: number;
  end: number;
}

const align = (address: number): number => Math.ceil(address / 64) * 64;

function layOut(kernels: Kernels, start: number): Scratch {
  let at = align(Math.max(start, kernels.HEAP_BASE.value));
  const take = (length: number): number => {
    const address = at;
    at = align(at + length);
    return address;
  };
  return {
    oneShot: take(kernels.BLAKE3_SCRATCH.value),
    hasher: take(kernels.BLAKE3_SCRATCH.value),
    table: take(kernels.LZ4_SCRATCH.value),
    crc: take(kernels.CRC32_SCRATCH.value),
    cuts: take(CUTS * 4),
    digest: take(DIGEST),
    window: take(WINDOW),
    end: at,
  };
}

/** The second instance, for whole blocks that lie outside the engine's memory. */
interface Staging {
  kernels: Kernels;
  scratch: Scratch;
  memory: WebAssembly.Memory;
}

/** Bytes of staging memory from `scratch.end` on, at least `length`; the old view is stale afterwards. */
function stagingBytes(staging: Staging, length: number): Uint8Array {
  const missing = staging.scratch.end + length - staging.memory.buffer.byteLength;
  if (missing > 0) {
    try {
      staging.memory.grow(Math.ceil(missing / PAGE));
    } catch (cause) {
      throw new HexzError("unsupported", `no memory for a buffer of ${length} bytes`, { data: { length }, cause });
    }
  }
  return new Uint8Array(staging.memory.buffer, staging.scratch.end, length);
}

async function createStaging(module: WebAssembly.Module, shared: boolean): Promise<Staging> {
  const memory = new WebAssembly.Memory({ initial: ENGINE_SCRATCH / PAGE, maximum: 32768, shared });
  const kernels = await instantiateKernels(module, memory);
  return { kernels, scratch: layOut(kernels, 0), memory };
}

/**
 * Makes an engine on WebAssembly. `--engine wasm` gives the same bytes on every machine.
 * @throws HexzError `usage` when `heap` is smaller than ENGINE_SCRATCH
 */
export async function createPortableEngine(options: PortableEngineOptions = {}): Promise<Engine> {
  const own = options.memory === undefined;
  const pages = Math.ceil(Math.max(options.memoryBytes ?? DEFAULT_MEMORY, ENGINE_SCRATCH) / PAGE);
  const memory = options.memory ?? new WebAssembly.Memory({ initial: pages, maximum: pages });
  const buffer = memory.buffer;
  const shared = !(buffer instanceof ArrayBuffer);
  const module = options.kernels ?? (await compileBase64((await import("./kernels.generated.ts")).KERNELS_BASE64));
  const [kernels, staging] = await Promise.all([instantiateKernels(module, memory), createStaging(module, shared)]);

  const scratch = layOut(kernels, options.heap?.start ?? 0);
  const heapEnd = Math.min(options.heap?.end ?? buffer.byteLength, buffer.byteLength);
  if (scratch.end > heapEnd) {
    throw new HexzError("usage", "the heap of an engine is too small", { data: { scratch: scratch.end, heapEnd } });
  }
  const windowView = new Uint8Array(buffer, scratch.window, WINDOW);
  const digestView = new Uint8Array(buffer, scratch.digest, DIGEST);
  const cutsView = new Uint32Array(buffer, scratch.cuts, CUTS);
  let heapAt = scratch.end;
  let zstd: Zstd | undefined;
  let crcReady = false;

  /** Runs `step` on addresses of `bytes`, in place or piece by piece through the window, until it returns false. */
  const stream = (bytes: Uint8Array, step: (address: number, length: number) => boolean): void => {
    if (bytes.buffer === buffer) {
      step(bytes.byteOffset, bytes.length);
      return;
    }
    for (let at = 0; at < bytes.length; at += WINDOW) {
      const piece = bytes.subarray(at, at + WINDOW);
      windowView.set(piece);
      if (!step(scratch.window, piece.length)) return;
    }
  };

  // The state of the hasher that ran last stays in memory; the others keep a copy.
  let active: { saved: Uint8Array | undefined } | undefined;
  const stateView = new Uint8Array(buffer, scratch.hasher, kernels.BLAKE3_SCRATCH.value);
  const activate = (state: { saved: Uint8Array | undefined }): void => {
    if (active === state) return;
    if (active) active.saved = stateView.slice();
    active = state;
    if (state.saved) stateView.set(state.saved);
    else kernels.blake3Init(scratch.hasher);
  };

  const copy = (from: Uint8Array, to: Uint8Array): void => {
    if (from.buffer === buffer && to.buffer === buffer) kernels.copy(from.byteOffset, from.length, to.byteOffset);
    else to.set(from);
  };

  const lz4Encode = (plain: Uint8Array, out: Uint8Array): number => {
    if (plain.buffer === buffer && out.buffer === buffer) {
      return kernels.lz4Encode(plain.byteOffset, plain.length, out.byteOffset, out.length, scratch.table);
    }
    // No block grows by more than a byte in 255 and a few.
    const capacity = Math.min(out.length, plain.length + Math.ceil(plain.length / 255) + 16);
    const room = align(plain.length);
    const bytes = stagingBytes(staging, room + capacity);
    const at = staging.scratch.end;
    bytes.set(plain);
    const { table } = staging.scratch;
    const length = staging.kernels.lz4Encode(at, plain.length, at + room, capacity, table);
    out.set(bytes.subarray(room, room + length));
    return length;
  };

  const lz4Decode = (stored: Uint8Array, out: Uint8Array): number => {
    if (stored.buffer === buffer && out.buffer === buffer) {
      return kernels.lz4Decode(stored.byteOffset, stored.length, out.byteOffset, out.length);
    }
    const room = align(stored.length);
    const bytes = stagingBytes(staging, room + out.length);
    const at = staging.scratch.end;
    bytes.set(stored);
    const result = staging.kernels.lz4Decode(at, stored.length, at + room, out.length);
    if (result === 0) out.set(bytes.subarray(room, room + out.length));
    return result;
  };

  const loadedZstd = (): Zstd => {
    if (!zstd) throw new TypeError("engine.load(CODEC.zstd) was not awaited");
    return zstd;
  };

  return {
    name: "wasm",
    description: "wasm 1",
    memory,
    kernels,

    allocate(length) {
      const at = heapAt;
      const next = align(at + length + SLACK);
      if (next <= heapEnd) {
        heapAt = next;
        return new Uint8Array(buffer, at, length);
      }
      // Our own memory is full: outside it everything works, at the price of a copy. A memory of the caller's is
      // shared with other threads, which could not see such a buffer.
      if (own) return new Uint8Array(length);
      throw new HexzError("usage", "the heap of an engine is full", { data: { length, left: heapEnd - at } });
    },

    findCuts(bytes, { min, avg, max }, final, lengths) {
      const bits = Math.log2(avg);
      if (!Number.isInteger(bits) || bits < 6 || bits > 24 || min < 2 || max < min || max > 2 ** 30) {
        throw new HexzError("usage", `chunk sizes ${min}, ${avg}, ${max} are out of range`, {
          data: { min, avg, max },
        });
      }
      const inside = bytes.buffer === buffer;
      const { kernels: run, scratch: room } = inside ? { kernels, scratch } : staging;
      // Outside, a piece at a time, each with room for at least one chunk.
      const piece = inside ? bytes.length : Math.max(2 * max, 1 << 20);
      let count = 0;
      let at = 0;
      while (count < lengths.length) {
        const part = bytes.subarray(at, at + piece);
        const last = at + part.length === bytes.length;
        if (!inside) stagingBytes(staging, part.length).set(part);
        const address = inside ? part.byteOffset : room.end;
        const capacity = Math.min(CUTS, lengths.length - count);
        const { length } = part;
        const found = run.findCuts(address, length, min, avg, max, bits, last && final ? 1 : 0, room.cuts, capacity);
        const cuts = inside ? cutsView : new Uint32Array(staging.memory.buffer, room.cuts, CUTS);
        for (let index = 0; index < found; index++) {
          const cut = cuts[index]!;
          lengths[count++] = cut;
          at += cut & LENGTH_MASK;
        }
        if (last && found < capacity) break;
      }
      return count;
    },

    fillValue(bytes) {
      if (bytes.length === 0) return -1;
      const value = bytes[0]!;
      if (bytes[bytes.length - 1] !== value || bytes[bytes.length >> 1] !== value) return -1;
      let same = true;
      stream(bytes, (address, length) => {
        same = kernels.fillValue(address, length) === value;
        return same;
      });
      return same ? value : -1;
    },

    digest(bytes, out) {
      if (out.length < DIGEST) throw new RangeError("a digest needs 32 bytes");
      const address = out.buffer === buffer ? out.byteOffset : scratch.digest;
      if (bytes.buffer === buffer) {
        kernels.blake3(bytes.byteOffset, bytes.length, address, scratch.oneShot);
      } else {
        kernels.blake3Init(scratch.oneShot);
        stream(bytes, (from, length) => {
          kernels.blake3Update(scratch.oneShot, from, length);
          return true;
        });
        kernels.blake3Final(scratch.oneShot, address);
      }
      if (out.buffer !== buffer) out.set(digestView);
    },

    digestAt(address, length, out) {
      kernels.blake3(address, length, out, scratch.oneShot);
    },

    crc32(bytes) {
      if (!crcReady) kernels.crc32Init(scratch.crc);
      crcReady = true;
      let value = 0;
      stream(bytes, (address, length) => {
        value = kernels.crc32(value, address, length, scratch.crc);
        return true;
      });
      return value >>> 0;
    },

    createHasher(): Hasher {
      const state: { saved: Uint8Array | undefined } = { saved: undefined };
      return {
        update(bytes) {
          activate(state);
          stream(bytes, (address, length) => {
            kernels.blake3Update(scratch.hasher, address, length);
            return true;
          });
        },
        digest() {
          activate(state);
          kernels.blake3Final(scratch.hasher, scratch.digest);
          active = undefined;
          return new Uint8Array(digestView);
        },
      };
    },

    async load(codec) {
      if (isZstd(codec)) zstd ??= await createZstd();
    },

    encode(codec: CodecId, level, plain, out, dictionary) {
      if (codec === CODEC.lz4) return lz4Encode(plain, out);
      if (isZstd(codec)) return loadedZstd().encode(level, plain, out, dictionary);
      if (plain.length > out.length) return 0;
      copy(plain, out);
      return plain.length;
    },

    decode(codec: CodecId, stored, out, dictionary) {
      if (isZstd(codec)) {
        if (codec === CODEC.zstdDictionary && dictionary !== undefined) checkNamed(stored, dictionary, out.length);
        loadedZstd().decode(stored, out, dictionary);
        return;
      }
      const good = codec === CODEC.lz4 ? lz4Decode(stored, out) === 0 : stored.length === out.length;
      if (!good) throw badBlock(codec, stored.length, out.length);
      if (codec === CODEC.stored) copy(stored, out);
    },
  };
}

/** The error for an LZ4 or stored block that does not give `plainLength` bytes. */
export function badBlock(codec: CodecId, storedLength: number, plainLength: number): HexzError {
  const name = codec === CODEC.lz4 ? "LZ4" : "stored";
  const message = `a ${name} block of ${storedLength} bytes does not give ${plainLength} bytes`;
  return new HexzError("damaged", message, { data: { codec: name, storedLength, plainLength } });
}
