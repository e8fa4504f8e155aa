// A slot: one stretch of input on its way through the write line, with room for everything that is made of it. Slots
// are made once and go round.

import type { Engine } from "../engine.ts";
import { allocateTask, format1Bound, type Task } from "../work/task.ts";
import type { BlockRule } from "./block-builder.ts";

/** Chunks of one slot, at most. */
export const SLOT_CHUNKS = 4096;

export interface Slot {
  /** The input. [0, filled) was read, [0, itemized) is in `items`. */
  readonly bytes: Uint8Array;
  filled: number;
  itemized: number;
  /** Chunks, stretches that the thread cuts which digests them, and what lies between contents: see DigestWork. */
  readonly items: Uint32Array;
  count: number;
  /** Chunks that the items can become, at most; what lies between counts as one. */
  chunkBound: number;
  /** What the coordinator does before the item of that number, in order. */
  readonly events: { item: number; run: () => void }[];
  /** What became of the items. */
  readonly lengths: Uint32Array;
  readonly ends: Uint32Array;
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

export function allocateSlot(engine: Engine, length: number, rule: BlockRule): Slot {
  const words = (count: number) => {
    const bytes = engine.allocate(count * 4);
    return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
  };
  const fills = engine.allocate(SLOT_CHUNKS * 2);
  return {
    bytes: engine.allocate(length),
    filled: 0,
    itemized: 0,
    items: words(SLOT_CHUNKS),
    count: 0,
    chunkBound: 0,
    events: [],
    lengths: words(SLOT_CHUNKS),
    ends: words(SLOT_CHUNKS),
    digests: engine.allocate(SLOT_CHUNKS * 32),
    fills: new Int16Array(fills.buffer, fills.byteOffset, SLOT_CHUNKS),
    // A block has its count, its carried beginning, and address and length of each of its chunks.
    parts: words(SLOT_CHUNKS * 3 + 8),
    partsLength: 0,
    plainLengths: [],
    out: engine.allocate(outLength(length, rule)),
    results: words((SLOT_CHUNKS + 2) * 2),
    carry: undefined,
    digestTask: allocateTask(engine),
    encodeTask: allocateTask(engine),
  };
}

/** Blocks of format 2 are no longer than plain, but the first may begin in slots before. */
function outLength(length: number, rule: BlockRule): number {
  return rule.format === 2 ? length + rule.blockSize : format1Bound(length) + SLOT_CHUNKS * format1Bound(0);
}

/** Bytes of the engine's memory that one slot takes. */
export function slotLength(length: number, rule: BlockRule): number {
  return length + outLength(length, rule) + SLOT_CHUNKS * 80;
}

export function resetSlot(slot: Slot): void {
  slot.filled = 0;
  slot.itemized = 0;
  slot.count = 0;
  slot.chunkBound = 0;
  slot.events.length = 0;
  slot.partsLength = 0;
  slot.plainLengths.length = 0;
  slot.carry = undefined;
}
