// Where the writer keeps what it needs again at the end: the second copies of leaf pages, entries to be sorted.

/** Bytes that are appended first and then read back, in order, as often as wanted. */
export interface Scratch {
  append(bytes: Uint8Array): void;
  /** What was appended, piece by piece; pieces need not be those of `append`. */
  read(): Iterable<Uint8Array>;
  /** Gives the room back. Safe to call twice. */
  close(): void;
}

/** Opens one. @param memoryBytes what it may keep in memory, where it has another place; there is a default */
export type OpenScratch = (memoryBytes?: number) => Scratch;

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
