// An archive that is written into memory.

import type { Sink } from "./sink.ts";

export interface MemorySink extends Sink {
  /** The whole archive, once `finish` was called. */
  bytes(): Uint8Array;
}

export function createMemorySink(): MemorySink {
  let pieces: Uint8Array[] = [];
  return {
    name: "memory",
    write(bytes) {
      pieces.push(bytes.slice());
    },
    patch(bytes, offset) {
      const all = this.bytes();
      all.set(bytes, offset);
      pieces = [all];
    },
    finish() {},
    abort() {
      pieces = [];
    },
    bytes() {
      const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
      let at = 0;
      for (const piece of pieces) {
        all.set(piece, at);
        at += piece.length;
      }
      return all;
    },
  };
}

/** A sink that keeps nothing: packing into it tells what an archive would be. */
export function createNullSink(): Sink {
  return { name: "nothing", write() {}, patch() {}, finish() {}, abort() {} };
}
