// Decompression by the system's libraries through the optional package `koffi`, on the thread pool: bzip2, xz and
// Zstandard as streams. Structures are laid out by hand for 64-bit systems.

import { createRequire } from "node:module";
import { HexzError } from "../../core/errors.ts";

type Koffi = typeof import("koffi");
type Address = number | bigint;
type Call = (...values: unknown[]) => Promise<number>;

export type NativeCompression = "bzip2" | "xz" | "zstd";

/** What one step has done. */
interface Step {
  readonly read: number;
  readonly written: number;
  /** A stream ended; another one may follow. */
  readonly ended: boolean;
}

export interface StreamDecoder {
  /** @param last no input follows @throws HexzError `damaged`, `limit_exceeded` */
  step(input: Uint8Array, output: Uint8Array, last: boolean): Promise<Step>;
  close(): void;
}

/** Memory that one decoder may take. */
const MEMORY_LIMIT = 512 * 1024 * 1024;
/** Zstandard's window, as a power of two: 128 MiB. */
const WINDOW_LOG = 27;

const require = createRequire(import.meta.url);

/** @param name of the input, for messages @returns undefined when this machine has no such library */
export function openNativeDecoder(compression: NativeCompression, name: string): StreamDecoder | undefined {
  if (process.platform === "win32" || process.arch === "ia32" || process.arch === "arm") return undefined;
  let koffi: Koffi;
  try {
    koffi = require("koffi") as Koffi;
  } catch {
    return undefined;
  }
  const { files, open } = LIBRARIES[compression];
  for (const file of process.platform === "darwin" ? files.mac : files.linux) {
    let library: ReturnType<Koffi["load"]>;
    try {
      library = koffi.load(file);
    } catch {
      continue;
    }
    return open(bindings(koffi, library), name);
  }
  return undefined;
}

const HOMEBREW = ["/opt/homebrew/lib", "/usr/local/lib"];
const LIBRARIES = {
  bzip2: { files: { linux: ["libbz2.so.1.0", "libbz2.so.1"], mac: ["/usr/lib/libbz2.1.0.dylib"] }, open: openBzip2 },
  xz: { files: { linux: ["liblzma.so.5"], mac: HOMEBREW.map((folder) => `${folder}/liblzma.5.dylib`) }, open: openXz },
  zstd: {
    files: { linux: ["libzstd.so.1"], mac: HOMEBREW.map((folder) => `${folder}/libzstd.1.dylib`) },
    open: openZstd,
  },
};

function bindings(koffi: Koffi, library: ReturnType<Koffi["load"]>) {
  return {
    addressOf: (bytes: Uint8Array): Address => koffi.address(bytes),
    now: (signature: string) => library.func(signature) as unknown as (...values: unknown[]) => number,
    /** On a thread of the pool; what the addresses name must be kept until it is done. */
    later(signature: string): Call {
      const native = library.func(signature) as unknown as { async(...values: unknown[]): void };
      return (...values) =>
        new Promise((resolve, reject) => {
          native.async(...values, (error: unknown, value: number) => (error ? reject(error) : resolve(value)));
        });
    },
  };
}
type Bindings = ReturnType<typeof bindings>;

/** A C structure. Its memory does not move. */
function structure(length: number) {
  const bytes = Buffer.alloc(length);
  return {
    bytes,
    put: (offset: number, value: Address) => bytes.writeBigUInt64LE(BigInt(value), offset),
    get: (offset: number) => Number(bytes.readBigUInt64LE(offset)),
  };
}

function broken(name: string, kind: string, code: number): HexzError {
  return new HexzError("damaged", `${name} is damaged: ${kind} does not decode, code ${code}`, { data: { code } });
}

function tooLarge(name: string, kind: string, limit: number): HexzError {
  return new HexzError("limit_exceeded", `${name} needs more than ${limit} bytes of memory to decode its ${kind}`);
}

function openBzip2({ addressOf, now, later }: Bindings, name: string): StreamDecoder {
  const init = now("int BZ2_bzDecompressInit(uintptr_t, int, int)");
  const end = now("int BZ2_bzDecompressEnd(uintptr_t)");
  const decompress = later("int BZ2_bzDecompress(uintptr_t)");
  // next_in 0, avail_in 8, next_out 24, avail_out 32
  const stream = structure(80);
  const at = addressOf(stream.bytes);
  let open = false;
  const close = () => {
    if (open) end(at);
    open = false;
  };
  return {
    async step(input, output) {
      if (!open) {
        stream.bytes.fill(0);
        const code = init(at, 0, 0);
        if (code !== 0) throw tooLarge(name, "bzip2", 8 * 1024 * 1024);
        open = true;
      }
      stream.put(0, addressOf(input));
      stream.bytes.writeUInt32LE(input.length, 8);
      stream.put(24, addressOf(output));
      stream.bytes.writeUInt32LE(output.length, 32);
      const code = await decompress(at);
      // BZ_OK 0, BZ_STREAM_END 4
      if (code !== 0 && code !== 4) throw broken(name, "its bzip2", code);
      if (code === 4) close();
      const read = input.length - stream.bytes.readUInt32LE(8);
      return { read, written: output.length - stream.bytes.readUInt32LE(32), ended: code === 4 };
    },
    close,
  };
}

function openXz({ addressOf, now, later }: Bindings, name: string): StreamDecoder {
  const init = now("int lzma_stream_decoder(uintptr_t, uint64_t, uint32_t)");
  const end = now("void lzma_end(uintptr_t)");
  const code = later("int lzma_code(uintptr_t, int)");
  // next_in 0, avail_in 8, next_out 24, avail_out 32
  const stream = structure(136);
  const at = addressOf(stream.bytes);
  const CONCATENATED = 0x08;
  if (init(at, MEMORY_LIMIT, CONCATENATED) !== 0) throw tooLarge(name, "xz", MEMORY_LIMIT);
  let open = true;
  return {
    async step(input, output, last) {
      stream.put(0, addressOf(input));
      stream.put(8, input.length);
      stream.put(24, addressOf(output));
      stream.put(32, output.length);
      // LZMA_RUN 0, LZMA_FINISH 3
      const result = await code(at, last ? 3 : 0);
      // LZMA_OK 0, LZMA_STREAM_END 1, LZMA_MEMLIMIT_ERROR 6, LZMA_BUF_ERROR 10: it could do nothing
      if (result === 6) throw tooLarge(name, "xz", MEMORY_LIMIT);
      if (result !== 0 && result !== 1 && result !== 10) throw broken(name, "its xz", result);
      return { read: input.length - stream.get(8), written: output.length - stream.get(32), ended: result === 1 };
    },
    close() {
      if (open) end(at);
      open = false;
    },
  };
}

function openZstd({ addressOf, now, later }: Bindings, name: string): StreamDecoder {
  const create = now("uintptr_t ZSTD_createDCtx()");
  const free = now("size_t ZSTD_freeDCtx(uintptr_t)");
  const setParameter = now("intptr_t ZSTD_DCtx_setParameter(uintptr_t, int, int)");
  const decompress = later("intptr_t ZSTD_decompressStream(uintptr_t, uintptr_t, uintptr_t)");
  const errorCode = now("int ZSTD_getErrorCode(intptr_t)");
  const input = structure(24);
  const output = structure(24);
  const context = create();
  if (!context) throw tooLarge(name, "Zstandard", 2 ** WINDOW_LOG);
  setParameter(context, 100, WINDOW_LOG);
  let open = true;
  return {
    async step(from, to) {
      input.put(0, addressOf(from));
      input.put(8, from.length);
      input.put(16, 0);
      output.put(0, addressOf(to));
      output.put(8, to.length);
      output.put(16, 0);
      const result = await decompress(context, addressOf(output.bytes), addressOf(input.bytes));
      if (result < 0) {
        const code = errorCode(result);
        // ZSTD_error_frameParameter_windowTooLarge
        throw code === 16 ? tooLarge(name, "Zstandard", 2 ** WINDOW_LOG) : broken(name, "its Zstandard", code);
      }
      return { read: input.get(16), written: output.get(16), ended: result === 0 };
    },
    close() {
      if (open) free(context);
      open = false;
    },
  };
}
