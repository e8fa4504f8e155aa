// Ranges of an archive with bytes of another making between them, written in order: how tars are put together.

import { HexzError } from "../../core/errors.ts";
import type { Piece } from "../../core/format/pieces.ts";
import type { Archive } from "../../core/read/archive.ts";
import type { Range } from "../../core/read/bulk.ts";
import type { BufferedOutput } from "./buffered-output.ts";

/** A range, and what comes before it. */
export interface Stretch extends Range {
  readonly before: readonly Exclude<Piece, Range>[];
  /** Whose bytes the range is, for messages. */
  readonly name?: string;
}

/** Bytes that wait for ranges before them to be read, at most; bulk reading takes many ranges before it gives the first. */
const MOST_WAITING = 16 * 1024 * 1024;

/** @throws HexzError `damaged`, … at the first byte that is lost */
export async function writeStretches(
  archive: Archive,
  stretches: AsyncIterator<Stretch>,
  output: BufferedOutput,
  onProgress?: (bytes: number) => void,
): Promise<void> {
  let waiting = 0;
  let ended = false;
  const batch = async function* (): AsyncGenerator<Stretch> {
    while (waiting < MOST_WAITING) {
      const next = await stretches.next();
      if (next.done) {
        ended = true;
        return;
      }
      waiting += waitingIn(next.value);
      yield next.value;
    }
  };
  while (!ended) {
    let current: Stretch | undefined;
    for await (const parts of archive.bulk(batch())) {
      const { position } = output;
      for (const part of parts) {
        if (part.range !== current) {
          current = part.range;
          waiting -= await writePieces(current, output);
        }
        if ("error" in part) throw ofMember(part.error, current);
        await ("bytes" in part ? output.write(part.bytes) : output.fill(part.fill, part.end - part.start));
      }
      onProgress?.(output.position - position);
    }
  }
  await output.flush();
}

function waitingIn({ before }: Stretch): number {
  return before.reduce((sum, piece) => sum + ("bytes" in piece ? piece.bytes.length : 0), 0);
}

/** @returns how many bytes do not wait any more */
async function writePieces(stretch: Stretch, output: BufferedOutput): Promise<number> {
  for (const piece of stretch.before) {
    await ("bytes" in piece ? output.write(piece.bytes) : output.fill(0, piece.zeros));
  }
  return waitingIn(stretch);
}

function ofMember(error: HexzError, { name }: Stretch): HexzError {
  if (name === undefined) return error;
  const { code, message, hint, data, cause } = error;
  return new HexzError(code, `"${name}" cannot be read: ${message}`, {
    data: { ...data },
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}
