// Puts new chunks together into blocks (docs/format.md, "Blocks"). A block may begin in one slot and end in a later
// one: what it has when a slot goes on is copied to a carry buffer, so that no block pins a slot.

import type { Engine } from "../engine.ts";
import { LIMITS, TARGETS } from "../limits.ts";
import type { Location } from "./dedup.ts";
import type { Slot } from "./slot.ts";

/** How chunks become blocks: in format 1 each is one. */
export interface BlockRule {
  readonly format: 1 | 2;
  readonly blockSize: number;
}

/** Room for the beginning of a block that goes on in the next slot. */
export const carryLength = ({ format, blockSize }: BlockRule): number => (format === 1 ? 0 : blockSize);

export class BlockBuilder {
  readonly #blockSize: number;
  readonly #engine: Engine;
  readonly #freeCarries: Uint8Array[];
  #slot!: Slot;
  /** Of the open block: its place in the slot's parts, plain length, chunks, and chunks of any kind since it began. */
  #partsAt = 0;
  #length = 0;
  #chunkCount = 0;
  #age = 0;
  #carry: Uint8Array | undefined;
  /** The number of the open block, or of the next one when none is open. */
  #number: number;

  /**
   * @param carries buffers of `carryLength`, one more than there are slots
   * @param firstNumber of a block: those of bases come before
   */
  constructor(rule: BlockRule, engine: Engine, carries: Uint8Array[], firstNumber: number) {
    // Any chunk fills a block of one byte.
    this.#blockSize = rule.format === 1 ? 1 : Math.min(rule.blockSize, LIMITS.plainBlock);
    this.#engine = engine;
    this.#freeCarries = carries;
    this.#number = firstNumber;
  }

  /** From now on, chunks come from this slot. */
  begin(slot: Slot): void {
    this.#slot = slot;
    this.#partsAt = slot.partsLength;
    slot.parts[slot.partsLength++] = 0;
    if (this.#carry !== undefined) this.#part(this.#carry.byteOffset, this.#length);
  }

  #part(address: number, length: number): void {
    const { parts } = this.#slot;
    const at = this.#slot.partsLength;
    if (parts[this.#partsAt]! > 0 && parts[at - 2]! + parts[at - 1]! === address) {
      parts[at - 1]! += length;
      return;
    }
    parts[at] = address;
    parts[at + 1] = length;
    parts[this.#partsAt]!++;
    this.#slot.partsLength += 2;
  }

  /** Adds a new chunk that lies at an address of the engine's memory. */
  add(address: number, length: number): Location {
    if (this.#length > 0 && this.#length + length > this.#blockSize) this.close();
    const location = { block: this.#number, offset: this.#length };
    this.#part(address, length);
    this.#length += length;
    this.#chunkCount++;
    if (this.#length >= this.#blockSize || this.#chunkCount === TARGETS.chunksPerBlock) this.close();
    return location;
  }

  /** Counts a chunk that needs no place in a block. */
  pass(): void {
    if (this.#length > 0 && ++this.#age >= TARGETS.chunksWhileBlockOpen) this.close();
  }

  /** Ends the open block, if any. */
  close(): void {
    if (this.#length === 0) return;
    const slot = this.#slot;
    slot.plainLengths.push(this.#length);
    if (this.#carry !== undefined) slot.carry = this.#carry;
    this.#carry = undefined;
    this.#partsAt = slot.partsLength;
    slot.parts[slot.partsLength++] = 0;
    this.#length = 0;
    this.#chunkCount = 0;
    this.#age = 0;
    this.#number++;
  }

  /** Ends the slot: what the open block has goes to a carry buffer. */
  end(): void {
    if (this.#length === 0) return;
    const old = this.#carry;
    const carry = this.#freeCarries.pop()!;
    const { parts } = this.#slot;
    let at = 0;
    for (let part = 0, read = this.#partsAt + 1; part < parts[this.#partsAt]!; part++, read += 2) {
      this.#engine.kernels.copy(parts[read]!, parts[read + 1]!, carry.byteOffset + at);
      at += parts[read + 1]!;
    }
    this.#carry = carry;
    if (old !== undefined) this.release(old);
  }

  /** Takes back the carry buffer of a slot whose blocks are coded. */
  release(carry: Uint8Array | undefined): void {
    if (carry !== undefined) this.#freeCarries.push(carry);
  }
}
