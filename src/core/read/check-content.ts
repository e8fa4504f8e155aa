// Checking the content: all of it, or a sample, through bulk reading.

import type { Archive } from "./archive.ts";
import type { Range } from "./bulk.ts";
import type { Findings } from "./findings.ts";

export interface ContentOptions {
  /** Check only so many bytes of content, chosen evenly; default: all of it. */
  readonly sampleBytes?: number;
  readonly onProgress?: (bytes: number) => void;
}

/** Bytes of one piece of a sample. */
const SAMPLE_PIECE = 1024 * 1024;

/** The whole address space, or pieces of it that are spread evenly. */
function rangesOf(size: number, sampleBytes: number | undefined): Range[] {
  if (sampleBytes === undefined || sampleBytes >= size) return size === 0 ? [] : [{ start: 0, end: size }];
  const length = Math.min(SAMPLE_PIECE, sampleBytes);
  const count = length === 0 ? 0 : Math.ceil(sampleBytes / length);
  const step = size / count;
  return Array.from({ length: count }, (_, number) => {
    const start = Math.floor(number * step);
    return { start, end: Math.min(start + length, Math.floor((number + 1) * step)) };
  });
}

/** Reads the content with all digests, or a sample of it. @returns bytes that are good */
export async function checkContent(archive: Archive, findings: Findings, options: ContentOptions): Promise<number> {
  let checked = 0;
  for await (const parts of archive.bulk(rangesOf(archive.root.addressSpace, options.sampleBytes))) {
    let good = 0;
    for (const part of parts) {
      if ("error" in part) findings.lose(part.start, part.end, part.error);
      else good += part.end - part.start;
    }
    checked += good;
    options.onProgress?.(good);
  }
  return checked;
}
