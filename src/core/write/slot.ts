// A slot: one stretch of input on its way through the write line, with room for everything that is made of it. Slots
// are made once and go round.

import type { Engine } from "../engine.ts";
import { allocateTask, type Task } from "../work/task.ts";

/** Chunks of one slot, at most. */
export const SLOT_CHUNKS = 4096;

export interface Slot {
  /** The input. [0, filled) was read, [0, chunked) is in `lengths`. */
  readonly bytes: Uint8Array;
  filled: number;
  chunked: number;
  /** Lengths of the chunks, with ZERO_CHUNK; see Engine.findCuts. */
  readonly lengths: Uint32Array;
  count: number;
  /** What the coordinator does before the chunk of that number, in order. */
  readonly events: { chunk: number; run: () => void }[];
  readonly digests: Uint8Array;
  readonly fills: Int16Array;
  /** Blocks that ended in this slot: their parts (EncodeWork), plain lengths, and where they go. */
  readonly parts: Uint32Array;
  partsLength: number;
  readonly plainLengths: number[];
  readonly out: Uint8Array;
  readonly results: Uint32Array;
  /** The beginning of the first of these blocks, from slots before. */
  carry: Uint8Array | undefined;
  readonly digestTask: Task;
  readonly encodeTask: Task;
}

/** @param blockSize the longest beginning of a block that may come from slots before */
export function allocateSlot(engine: Engine, length: number, blockSize: number): Slot {
  const words = (count: number) => {
    const bytes = engine.allocate(count * 4);
    return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
  };
  const fills = engine.allocate(SLOT_CHUNKS * 2);
  return {
    bytes: engine.allocate(length),
    filled: 0,
    chunked: 0,
    lengths: words(SLOT_CHUNKS),
    count: 0,
    events: [],
    digests: engine.allocate(SLOT_CHUNKS * 32),
    fills: new Int16Array(fills.buffer, fills.byteOffset, SLOT_CHUNKS),
    // A block has its count, its carried beginning, and address and length of each of its chunks.
    parts: words(SLOT_CHUNKS * 3 + 8),
    partsLength: 0,
    plainLengths: [],
    out: engine.allocate(length + blockSize),
    results: words((SLOT_CHUNKS + 2) * 2),
    carry: undefined,
    digestTask: allocateTask(engine),
    encodeTask: allocateTask(engine),
  };
}

/** Bytes of the engine's memory that one slot takes. */
export function slotLength(length: number, blockSize: number): number {
  return 2 * length + blockSize + SLOT_CHUNKS * 64;
}

export function resetSlot(slot: Slot): void {
  slot.filled = 0;
  slot.chunked = 0;
  slot.count = 0;
  slot.events.length = 0;
  slot.partsLength = 0;
  slot.plainLengths.length = 0;
  slot.carry = undefined;
}
