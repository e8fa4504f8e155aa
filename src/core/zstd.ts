// Zstandard from the WebAssembly of @bokuweb/zstd-wasm, with contexts and buffers that are kept. The module is embedded
// and driven directly: the package's own wrapper has one global instance, looks for its file in another way in each
// environment, allocates what a frame declares, and writes to the console.

import { CODEC } from "./engine.ts";
import { HexzError } from "./errors.ts";
import { compileBase64 } from "./kernels.ts";

export interface Zstd {
  /** @returns the coded length, 0 when it does not fit into `out` */
  encode(level: number, plain: Uint8Array, out: Uint8Array, dictionary?: Uint8Array): number;
  /**
   * @param dictionary for frames that need one; others decode all the same
   * @throws HexzError `damaged` when `stored` is not frames of exactly `out.length` bytes together
   */
  decode(stored: Uint8Array, out: Uint8Array, dictionary?: Uint8Array): void;
}

/** The codecs that Zstandard does. */
export function isZstd(codec: number): boolean {
  return codec === CODEC.zstd || codec === CODEC.zstdDictionary;
}

/** Dictionaries that one engine keeps prepared. */
export const PREPARED_DICTIONARIES = 8;

const MAGIC = 0xfd2fb528;
const PAGE = 65536;
const MAX_HEAP = 2 ** 31;

/**
 * The content size that the first frame declares, in bytes; undefined when it declares none or is not a frame.
 * RFC 8878, 3.1.1.1.
 */
export function declaredSize(stored: Uint8Array): number | undefined {
  if (stored.length < 5) return undefined;
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return undefined;
  const descriptor = view.getUint8(4);
  const sizeFlag = descriptor >> 6;
  const single = (descriptor & 0x20) !== 0;
  const at = 5 + (single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  const width = sizeFlag === 0 ? (single ? 1 : 0) : 1 << sizeFlag;
  if (width === 0 || stored.length < at + width) return undefined;
  if (width === 1) return view.getUint8(at);
  if (width === 2) return view.getUint16(at, true) + 256;
  if (width === 4) return view.getUint32(at, true);
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** The error for a frame that does not give `plainLength` bytes. */
export function badFrame(storedLength: number, plainLength: number, why: string): HexzError {
  return new HexzError("damaged", `a Zstandard block of ${storedLength} bytes does not decode: ${why}`, {
    data: { codec: "zstd", storedLength, plainLength },
  });
}

/** The number of the dictionary that a frame names; 0: none. */
function namedDictionary(stored: Uint8Array): number {
  const descriptor = stored[4] ?? 0;
  const at = (descriptor & 0x20) !== 0 ? 5 : 6;
  const width = [0, 1, 2, 4][descriptor & 3]!;
  let number = 0;
  for (let byte = width - 1; byte >= 0; byte--) number = number * 256 + (stored[at + byte] ?? 0);
  return number;
}

/** Refuses a frame that was made with another dictionary, or with none. */
export function checkNamed(stored: Uint8Array, dictionary: Uint8Array, plainLength: number): void {
  const id = new DataView(dictionary.buffer, dictionary.byteOffset, dictionary.length).getUint32(4, true);
  const named = namedDictionary(stored);
  if (named === id) return;
  throw badFrame(stored.length, plainLength, `it names the dictionary ${named}, not ${id}`);
}

/** Refuses a frame that declares more than the caller has room for, before anything is decoded. */
export function checkDeclared(stored: Uint8Array, plainLength: number): void {
  const declared = declaredSize(stored);
  if (declared !== undefined && declared > plainLength) {
    throw badFrame(stored.length, plainLength, `it declares ${declared} bytes, not ${plainLength}`);
  }
}

/** A region of the module's heap that grows and is never given back. */
interface Region {
  at: number;
  size: number;
}

/** A new instance with contexts of its own; the compiled module is shared by all of them. */
export async function createZstd(): Promise<Zstd> {
  const { module, names, resize } = await loadModule();
  // Written once, before anything can call it.
  let memory = undefined as unknown as WebAssembly.Memory;
  const grow = (wanted: number): boolean => {
    const size = wanted >>> 0;
    const have = memory.buffer.byteLength;
    if (size > MAX_HEAP) return false;
    // A fifth more than needed, so that a row of growing blocks does not grow the heap each time.
    const target = Math.min(MAX_HEAP, Math.max(size, have * 1.2));
    try {
      memory.grow(Math.ceil((target - have) / PAGE));
      return true;
    } catch {
      return false;
    }
  };
  // Besides growing, only what a C program needs to exit or to set timers, which zstd never does.
  const stop = (): never => {
    throw new HexzError("unsupported", "Zstandard stopped");
  };
  const imports: Record<string, Record<string, (value: number) => unknown>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    imports[from][name] = name === resize ? grow : stop;
  }
  const { exports } = await WebAssembly.instantiate(module, imports);
  memory = exports[names.memory] as WebAssembly.Memory;
  const call = (name: keyof typeof names) => exports[names[name]] as (...values: number[]) => number;
  const [compress, decompress, isError] = [call("compress"), call("decompress"), call("isError")];
  const [malloc, free, bound] = [call("malloc"), call("free"), call("compressBound")];
  call("start")();

  let coder = 0;
  let decoder = 0;
  const input: Region = { at: 0, size: 0 };
  const output: Region = { at: 0, size: 0 };
  /** Where dictionaries are, those used last at the end. */
  const dictionaries = new Map<Uint8Array, number>();

  const filled = (address: number): number => {
    if (address === 0) throw new HexzError("unsupported", "Zstandard ran out of memory");
    return address;
  };
  const reserve = (region: Region, size: number): number => {
    if (size > region.size) {
      if (region.at !== 0) free(region.at);
      region.at = 0;
      region.size = 0;
      region.at = filled(malloc(size) >>> 0);
      region.size = size;
    }
    return region.at;
  };
  const stage = (bytes: Uint8Array): number => {
    const at = reserve(input, bytes.length || 1);
    new Uint8Array(memory.buffer, at, bytes.length).set(bytes);
    return at;
  };

  const dictionaryAt = (dictionary: Uint8Array | undefined): number => {
    if (dictionary === undefined) return 0;
    const known = dictionaries.get(dictionary);
    if (known !== undefined) {
      dictionaries.delete(dictionary);
      dictionaries.set(dictionary, known);
      return known;
    }
    const [oldest] = dictionaries;
    if (oldest !== undefined && dictionaries.size >= PREPARED_DICTIONARIES) {
      dictionaries.delete(oldest[0]);
      free(oldest[1]);
    }
    const at = filled(malloc(dictionary.length || 1) >>> 0);
    new Uint8Array(memory.buffer, at, dictionary.length).set(dictionary);
    dictionaries.set(dictionary, at);
    return at;
  };

  return {
    encode(level, plain, out, dictionary) {
      const words = dictionaryAt(dictionary);
      const from = stage(plain);
      // Always the full bound: with less room zstd gives up early or codes otherwise, and blocks would depend on it.
      const capacity = bound(plain.length) >>> 0;
      const to = reserve(output, capacity);
      coder ||= filled(call("createCCtx")() >>> 0);
      const length = compress(coder, to, capacity, from, plain.length, words, dictionary?.length ?? 0, level) >>> 0;
      if (isError(length)) {
        // Errors are -code as a size_t.
        const code = -length >>> 0;
        throw new HexzError("unsupported", `Zstandard failed with code ${code}`, { data: { code, level } });
      }
      if (length > out.length) return 0;
      out.set(new Uint8Array(memory.buffer, to, length));
      return length;
    },

    decode(stored, out, dictionary) {
      checkDeclared(stored, out.length);
      const words = dictionaryAt(dictionary);
      const from = stage(stored);
      const to = reserve(output, out.length || 1);
      decoder ||= filled(call("createDCtx")() >>> 0);
      const length = decompress(decoder, to, out.length, from, stored.length, words, dictionary?.length ?? 0) >>> 0;
      if (isError(length)) throw badFrame(stored.length, out.length, `code ${-length >>> 0}`);
      if (length !== out.length) throw badFrame(stored.length, out.length, `it gives ${length} of ${out.length} bytes`);
      out.set(new Uint8Array(memory.buffer, to, length));
    },
  };
}

let loading: Promise<Awaited<ReturnType<typeof compileZstd>>> | undefined;

function loadModule(): ReturnType<typeof compileZstd> {
  loading ??= compileZstd().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function compileZstd() {
  const { ZSTD_BASE64, ZSTD_NAMES, ZSTD_RESIZE } = await import("./zstd.generated.ts");
  return { module: await compileBase64(ZSTD_BASE64), names: ZSTD_NAMES, resize: ZSTD_RESIZE };
}
