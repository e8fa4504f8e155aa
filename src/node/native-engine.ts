// The engine on the system's libraries: LZ4 and Zstandard through the optional package `koffi`, BLAKE3 through the
// optional `@napi-rs/blake-hash`. What is missing on a machine stays with the portable engine. Creating one costs the
// 15 ms that koffi needs to load: only commands that code or decode do it.

import { createRequire } from "node:module";
import { crc32 } from "node:zlib";
import { CODEC, type Engine } from "../core/engine.ts";
import { HexzError } from "../core/errors.ts";
import { badBlock } from "../core/portable-engine.ts";
import { badFrame, checkDeclared, checkNamed, isZstd, PREPARED_DICTIONARIES } from "../core/zstd.ts";

type Koffi = typeof import("koffi");
type Library = ReturnType<Koffi["load"]>;
type Digest = (bytes: Uint8Array) => Uint8Array;
/** Where the bytes of a view are in the process; good as long as the view is. */
type AddressOf = (bytes: Uint8Array) => number | bigint;

/** A codec on addresses that the caller computes. */
interface NativeCodec {
  readonly version: string;
  encode(address: AddressOf, level: number, plain: Uint8Array, out: Uint8Array, dictionary?: Uint8Array): number;
  decode(address: AddressOf, stored: Uint8Array, out: Uint8Array, dictionary?: Uint8Array): void;
  /** Only the first `out.length` bytes of a longer block. */
  decodeFront?(address: AddressOf, stored: Uint8Array, out: Uint8Array): void;
}

interface Libraries {
  koffi: Koffi;
  lz4: NativeCodec | undefined;
  zstd: NativeCodec | undefined;
}

// One set of libraries and contexts for all engines of a thread.
let libraries: Libraries | undefined;

// A call of the digest package costs 1 to 2 µs more than one of the kernel, and leaves an object behind.
const NATIVE_DIGEST_FROM = 8 * 1024;
// Loading it takes 14 ms, won back after some 40 MB.
const DIGEST_LOAD_AFTER = 32 * 1024 * 1024;

const require = createRequire(import.meta.url);

/** An engine with what the system has, or undefined when it has neither LZ4 nor Zstandard nor BLAKE3. */
export function createNativeEngine(portable: Engine): Engine | undefined {
  libraries ??= loadLibraries();
  const address = libraries && addressOf(libraries.koffi, portable.memory.buffer);
  const lz4 = address && libraries?.lz4;
  const zstd = address && libraries?.zstd;
  const hasDigest = canResolve("@napi-rs/blake-hash");
  if (!lz4 && !zstd && !hasDigest) return undefined;

  const parts = [lz4 && `lz4 ${lz4.version}`, zstd && `zstd ${zstd.version}`, hasDigest && "blake3 native"];
  const memory = new Uint8Array(portable.memory.buffer);
  let digest: Digest | undefined;
  let untilDigest = hasDigest ? DIGEST_LOAD_AFTER : Number.POSITIVE_INFINITY;

  /** The package, where it is the quicker one. */
  const digestFor = (length: number): Digest | undefined => {
    if (length < NATIVE_DIGEST_FROM) return undefined;
    if (!digest && untilDigest >= 0) {
      untilDigest -= length;
      if (untilDigest < 0) digest = loadDigest();
    }
    return digest;
  };

  return {
    ...portable,
    name: "native",
    description: parts.filter(Boolean).join(", "),

    digest(bytes, out) {
      const native = digestFor(bytes.length);
      if (native) out.set(native(bytes));
      else portable.digest(bytes, out);
    },

    digestAt(address, length, out) {
      const native = digestFor(length);
      if (native) memory.set(native(memory.subarray(address, address + length)), out);
      else portable.digestAt(address, length, out);
    },

    crc32: (bytes) => crc32(bytes),

    async load(codec) {
      if (!isZstd(codec) || !zstd) await portable.load(codec);
    },

    encode(codec, level, plain, out, dictionary) {
      if (codec === CODEC.lz4 && lz4) return lz4.encode(address, level, plain, out);
      if (isZstd(codec) && zstd) return zstd.encode(address, level, plain, out, dictionary);
      return portable.encode(codec, level, plain, out, dictionary);
    },

    decode(codec, stored, out, dictionary) {
      if (codec === CODEC.lz4 && lz4) lz4.decode(address, stored, out);
      else if (isZstd(codec) && zstd) {
        if (codec === CODEC.zstdDictionary && dictionary !== undefined) checkNamed(stored, dictionary, out.length);
        zstd.decode(address, stored, out, dictionary);
      } else portable.decode(codec, stored, out, dictionary);
    },

    decodeFront(codec, stored, out) {
      if (codec !== CODEC.lz4 || !lz4?.decodeFront || !address) return false;
      lz4.decodeFront(address, stored, out);
      return true;
    },
  };
}

function loadLibraries(): Libraries | undefined {
  let koffi: Koffi;
  try {
    koffi = require("koffi") as Koffi;
  } catch {
    return undefined;
  }
  return { koffi, lz4: tryBind(koffi, "lz4", bindLz4), zstd: tryBind(koffi, "zstd", bindZstd) };
}

function canResolve(name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}

function loadDigest(): Digest | undefined {
  try {
    return (require("@napi-rs/blake-hash") as { blake3: Digest }).blake3;
  } catch {
    // Installed without the binary for this platform.
    return undefined;
  }
}

/** Views of the engine's memory by plain addition: asking for the address of a view costs as much as a call. */
function addressOf(koffi: Koffi, buffer: ArrayBufferLike): AddressOf {
  const base = Number(koffi.address(new Uint8Array(buffer)));
  return (bytes) => (bytes.buffer === buffer ? base + bytes.byteOffset : koffi.address(bytes));
}

/** File names by platform. Windows has no place for such libraries, and searching would look in the current folder. */
function libraryNames(name: string): string[] {
  if (process.platform === "win32") return [];
  if (process.platform !== "darwin") return [`lib${name}.so.1`];
  return ["/opt/homebrew/lib", "/usr/local/lib", "/opt/local/lib"].map((folder) => `${folder}/lib${name}.1.dylib`);
}

/** Functions of one of the system's libraries, or undefined where it is not there, or lacks them. */
export function loadLibrary<Bound>(name: string, bind: (library: Library, koffi: Koffi) => Bound): Bound | undefined {
  libraries ??= loadLibraries();
  return libraries && tryBind(libraries.koffi, name, bind);
}

function tryBind<Bound>(
  koffi: Koffi,
  name: string,
  bind: (library: Library, koffi: Koffi) => Bound,
): Bound | undefined {
  for (const file of libraryNames(name)) {
    try {
      return bind(koffi.load(file), koffi);
    } catch {
      // Not there, or without a function that we need.
    }
  }
  return undefined;
}

function bindLz4(library: Library, koffi: Koffi): NativeCodec {
  const compress = library.func("int LZ4_compress_fast_extState(uintptr_t, uintptr_t, uintptr_t, int, int, int)");
  const decompress = library.func("int LZ4_decompress_safe(uintptr_t, uintptr_t, int, int)");
  const front = library.func("int LZ4_decompress_safe_partial(uintptr_t, uintptr_t, int, int, int)");
  const version = library.func("const char *LZ4_versionString()")() as string;
  // One object, so that the bytes live as long as their address is used.
  const bytes = Buffer.allocUnsafeSlow(library.func("int LZ4_sizeofState()")());
  const state = { bytes, at: koffi.address(bytes) };
  return {
    version,
    encode(address, _, plain, out) {
      return compress(state.at, address(plain), address(out), plain.length, out.length, 1);
    },
    decode(address, stored, out) {
      const length: number = decompress(address(stored), address(out), stored.length, out.length);
      if (length !== out.length) throw badBlock(CODEC.lz4, stored.length, out.length);
    },
    decodeFront(address, stored, out) {
      const length: number = front(address(stored), address(out), stored.length, out.length, out.length);
      if (length !== out.length) throw badBlock(CODEC.lz4, stored.length, out.length);
    },
  };
}

function bindZstd(library: Library, koffi: Koffi): NativeCodec {
  // Sizes come back signed: errors are small negative numbers then.
  const compress = library.func(
    "intptr_t ZSTD_compressCCtx(uintptr_t, uintptr_t, size_t, uintptr_t, size_t, int)",
  ) as unknown as (...values: unknown[]) => number;
  const decompress = library.func(
    "intptr_t ZSTD_decompressDCtx(uintptr_t, uintptr_t, size_t, uintptr_t, size_t)",
  ) as unknown as (...values: unknown[]) => number;
  const version = library.func("const char *ZSTD_versionString()")() as string;
  const compressBound = library.func("size_t ZSTD_compressBound(size_t)");
  const createCoder = library.func("uintptr_t ZSTD_createCCtx()");
  const createDecoder = library.func("uintptr_t ZSTD_createDCtx()");
  const compressWith = library.func(
    "intptr_t ZSTD_compress_usingCDict(uintptr_t, uintptr_t, size_t, uintptr_t, size_t, uintptr_t)",
  ) as unknown as (...values: unknown[]) => number;
  const decompressWith = library.func(
    "intptr_t ZSTD_decompress_usingDDict(uintptr_t, uintptr_t, size_t, uintptr_t, size_t, uintptr_t)",
  ) as unknown as (...values: unknown[]) => number;
  const createCoding = library.func("uintptr_t ZSTD_createCDict(uintptr_t, size_t, int)");
  const createDecoding = library.func("uintptr_t ZSTD_createDDict(uintptr_t, size_t)");
  const coding = preparedDictionaries({
    create: (bytes, level) => createCoding(koffi.address(bytes), bytes.length, level),
    free: library.func("size_t ZSTD_freeCDict(uintptr_t)"),
  });
  const decoding = preparedDictionaries({
    create: (bytes) => createDecoding(koffi.address(bytes), bytes.length),
    free: library.func("size_t ZSTD_freeDDict(uintptr_t)"),
  });
  // Kept: without a context of the call before, short blocks take two to three times as long.
  let coder: number | bigint = 0;
  let scratch: Uint8Array = new Uint8Array(0);
  let decoder: number | bigint = 0;
  return {
    version,
    encode(address, level, plain, out, dictionary) {
      coder ||= made(createCoder());
      // With less room than the bound zstd gives up early or codes otherwise, and blocks would depend on it.
      const bound = compressBound(plain.length);
      if (out.length < bound && scratch.length < bound) scratch = Buffer.allocUnsafeSlow(bound);
      const target = out.length < bound ? scratch : out;
      const from = address(plain);
      const length =
        dictionary === undefined
          ? compress(coder, address(target), target.length, from, plain.length, level)
          : compressWith(coder, address(target), target.length, from, plain.length, coding.of(dictionary, level));
      if (length > out.length) return 0;
      if (length >= 0) {
        if (target !== out) out.set(target.subarray(0, length));
        return length;
      }
      throw new HexzError("unsupported", `Zstandard failed with code ${-length}`, { data: { code: -length, level } });
    },
    decode(address, stored, out, dictionary) {
      checkDeclared(stored, out.length);
      decoder ||= made(createDecoder());
      const length =
        dictionary === undefined
          ? decompress(decoder, address(out), out.length, address(stored), stored.length)
          : decompressWith(
              decoder,
              address(out),
              out.length,
              address(stored),
              stored.length,
              decoding.of(dictionary, 0),
            );
      if (length < 0) throw badFrame(stored.length, out.length, `code ${-length}`);
      if (length !== out.length) throw badFrame(stored.length, out.length, `it gives ${length} of ${out.length} bytes`);
    },
  };
}

/** Dictionaries digested once, those used last at the end; each takes several times its length. */
function preparedDictionaries(calls: {
  create(bytes: Uint8Array, level: number): number | bigint;
  free(prepared: number | bigint): void;
}) {
  const prepared = new Map<Uint8Array, { level: number; at: number | bigint }>();
  return {
    of(bytes: Uint8Array, level: number): number | bigint {
      let found = prepared.get(bytes);
      if (found !== undefined) prepared.delete(bytes);
      if (found !== undefined && found.level !== level) {
        calls.free(found.at);
        found = undefined;
      }
      const [oldest] = prepared;
      if (found === undefined && oldest !== undefined && prepared.size >= PREPARED_DICTIONARIES) {
        prepared.delete(oldest[0]);
        calls.free(oldest[1].at);
      }
      found ??= { level, at: calls.create(bytes, level) };
      if (!found.at) throw new HexzError("invalid", "Zstandard does not take the dictionary");
      prepared.set(bytes, found);
      return found.at;
    },
  };
}

function made(context: number | bigint): number | bigint {
  if (!context) throw new HexzError("unsupported", "Zstandard ran out of memory");
  return context;
}
