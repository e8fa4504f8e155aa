// Where the writer keeps what it will write again at the end: the second copies of leaf pages.

/** Bytes that are appended now and read back once, in order. */
export interface Scratch {
  append(bytes: Uint8Array): void;
  /** What was appended, piece by piece; pieces need not be those of `append`. */
  read(): Iterable<Uint8Array>;
  /** Gives the room back. Safe to call twice. */
  close(): void;
}

/** In memory; in Node, `openSpill` (node/spill.ts) goes to a temporary file beyond some size. */
export function createMemoryScratch(): Scratch {
  let pieces: Uint8Array[] = [];
  return {
    append(bytes) {
      pieces.push(bytes.slice());
    },
    read: () => pieces,
    close() {
      pieces = [];
    },
  };
}
