// A measured setting, as a document and in words.

import type { Candidate } from "../core/analyze/findings.ts";
import type { Chunking } from "../core/analyze/walker.ts";
import { CODEC } from "../core/engine.ts";
import { isZstd } from "../core/zstd.ts";
import { codecName, ratioOf } from "./figures.ts";

const KIB = 1024;
const MIB = 1024 * 1024;

/** "64K": short, for tables. */
export function shortSize(bytes: number): string {
  if (bytes >= MIB && bytes % MIB === 0) return `${bytes / MIB}M`;
  return bytes % KIB === 0 ? `${bytes / KIB}K` : String(bytes);
}

export function chunkingText({ method, sizes }: Chunking): string {
  if (method === "fixed") return `fixed ${shortSize(sizes.max)}`;
  return `cdc ${[sizes.min, sizes.avg, sizes.max].map(shortSize).join("/")}`;
}

export function codecText({ codec, level }: Candidate): string {
  if (codec === CODEC.zstdDictionary) return `zstd ${level} + dictionary`;
  return codec === CODEC.zstd ? `zstd ${level}` : codecName(codec);
}

export function candidateDocument(candidate: Candidate, inputBytes: number) {
  const { chunking, blockSize, codec, level, chunks, uniqueBytes, uniqueError, compressedSize, error } = candidate;
  return {
    chunking: { method: chunking.method, ...chunking.sizes },
    block_size: blockSize,
    compression: codecName(isZstd(codec) ? CODEC.zstd : codec),
    level: isZstd(codec) ? level : null,
    dictionary: codec === CODEC.zstdDictionary,
    chunks,
    unique_bytes: uniqueBytes,
    unique_error: uniqueError,
    compressed_size: compressedSize,
    compression_ratio: ratioOf(inputBytes, compressedSize),
    error,
    coded_bytes: candidate.codedBytes,
  };
}
