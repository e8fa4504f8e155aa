// Compressed inputs: gzip by Node, bzip2, xz and Zstandard by the system's libraries, or by its programs where there
// is no way to the libraries. Always as a stream; what is behind the end of the data is not read.

import { spawn } from "node:child_process";
import { constants, createGunzip } from "node:zlib";
import { HexzError } from "../../core/errors.ts";
import { createContentInput } from "../../core/write/bytes-input.ts";
import type { ContentInput } from "../../core/write/content-input.ts";
import { BufferedInput } from "../buffered-input.ts";
import { systemCode } from "../errors.ts";
import { type NativeCompression, openNativeDecoder, type StreamDecoder } from "./native-decoders.ts";

export type Compression = "gzip" | NativeCompression;

const PIECE = 256 * 1024;
const OUTPUT = 1024 * 1024;

const MAGICS: readonly [Compression, readonly number[]][] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
];
/** Zstandard's skippable frames begin with one of 16 numbers. */
const SKIPPABLE = [0x2a, 0x4d, 0x18];

/** By its first bytes. */
export function compressionOf(start: Uint8Array): Compression | undefined {
  const found = MAGICS.find(([, magic]) => magic.every((byte, at) => start[at] === byte));
  if (found !== undefined) return found[0];
  const isSkippable = (start[0]! & 0xf0) === 0x50 && SKIPPABLE.every((byte, at) => start[at + 1] === byte);
  return isSkippable ? "zstd" : undefined;
}

/** The input as it is, or decompressed when it begins like something compressed. Closing it closes the input. */
export async function openDecompressed(input: ContentInput): Promise<ContentInput & { compression?: Compression }> {
  const buffered = new BufferedInput(input);
  const compression = compressionOf(await buffered.peek(16));
  const { name } = input;
  const common = { name, finish: () => input.finish(), close: () => input.close() };
  if (compression === undefined) return { ...common, size: input.size, read: (into) => buffered.read(into) };
  const pieces = compression === "gzip" ? gunzip(buffered, name) : decode(compression, buffered, name);
  return { ...createContentInput(ahead(pieces), name), ...common, compression };
}

/** Asks for the next piece while the last one is used. */
async function* ahead(pieces: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let next = pieces.next();
  try {
    for (;;) {
      const step = await next;
      if (step.done) return;
      next = pieces.next();
      // Told when it is asked for.
      next.catch(() => {});
      yield step.value;
    }
  } finally {
    await pieces.return(undefined);
  }
}

async function* rawPieces(input: BufferedInput): AsyncGenerator<Uint8Array> {
  for (;;) {
    const bytes = Buffer.allocUnsafeSlow(PIECE);
    const count = await input.read(bytes);
    if (count === 0) return;
    yield bytes.subarray(0, count);
  }
}

function truncated(name: string, kind: string): HexzError {
  return new HexzError("truncated", `${name} ends in the middle of its ${kind} data`);
}

async function* gunzip(input: BufferedInput, name: string): AsyncGenerator<Uint8Array> {
  const { Readable } = await import("node:stream");
  const gunzip = createGunzip({ chunkSize: OUTPUT, finishFlush: constants.Z_FINISH });
  const source = Readable.from(rawPieces(input), { objectMode: false });
  source.on("error", (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  try {
    for await (const piece of gunzip) yield piece as Uint8Array;
  } catch (error) {
    if (systemCode(error) === "Z_BUF_ERROR") throw truncated(name, "gzip");
    if (!systemCode(error).startsWith("Z_")) throw error;
    throw new HexzError("damaged", `${name} is damaged: its gzip does not decode`, { cause: error });
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

function decode(compression: NativeCompression, input: BufferedInput, name: string): AsyncGenerator<Uint8Array> {
  const decoder = openNativeDecoder(compression, name);
  return decoder === undefined ? byProgram(compression, input, name) : byLibrary(decoder, compression, input, name);
}

async function* byLibrary(
  decoder: StreamDecoder,
  compression: Compression,
  input: BufferedInput,
  name: string,
): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(PIECE);
  // Two, because one is used while the other is filled.
  const outputs = [Buffer.allocUnsafeSlow(OUTPUT), Buffer.allocUnsafeSlow(OUTPUT)];
  let left = bytes.subarray(0, 0);
  let last = false;
  let between = false;
  try {
    for (let number = 0; ; number++) {
      const output = outputs[number % 2]!;
      let filled = 0;
      let idle = false;
      while (filled < output.length) {
        // Enough to see what follows a stream.
        while (left.length < 16 && !last) {
          bytes.set(left);
          const count = await input.read(bytes.subarray(left.length));
          last = count === 0;
          left = bytes.subarray(0, left.length + count);
        }
        // Behind a stream comes another one, or what is none of ours; xz looks itself.
        if (between && compression !== "xz" && compressionOf(left) !== compression) {
          idle = true;
          break;
        }
        const { read, written, ended } = await decoder.step(left, output.subarray(filled), last);
        left = left.subarray(read);
        filled += written;
        between = ended;
        if (ended && compression === "xz") idle = true;
        else if (read === 0 && written === 0 && last) throw truncated(name, compression);
        if (idle) break;
      }
      if (filled > 0) yield output.subarray(0, filled);
      if (idle) return;
    }
  } finally {
    decoder.close();
  }
}

async function* byProgram(compression: NativeCompression, input: BufferedInput, name: string) {
  const child = spawn(compression, ["-dc"], { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(0, 500);
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  ended.catch(() => {});
  // It stops reading when it fails; that is told by its code.
  child.stdin.on("error", () => {});
  const { pipeline } = await import("node:stream/promises");
  const fed = pipeline(rawPieces(input), child.stdin);
  fed.catch(() => {});
  try {
    for await (const piece of child.stdout) yield piece as Uint8Array;
    const code = await ended;
    if (code !== 0) throw new HexzError("damaged", `${name} is damaged: ${compression} says ${said.trim()}`);
    await fed;
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new HexzError("unsupported", `${name} is compressed with ${compression}, which this machine cannot decode`, {
      hint: `install ${compression}, or decompress it first`,
    });
  } finally {
    child.kill();
  }
}
