// The front of the write line: inputs are read into slots, and what was read is itemized there: chunks, stretches that
// the thread cuts which digests them, and what lies between contents.

import { ZERO_CHUNK } from "../engine.ts";
import type { ContentRange } from "../format/record.ts";
import type { Coding } from "../format/root.ts";
import type { Crew } from "../work/crew.ts";
import { isSkip, TO_CUT, TO_SKIP } from "../work/task.ts";
import type { ContentInput } from "./content-input.ts";
import type { Inlet } from "./inlet.ts";
import type { Layout } from "./layout.ts";
import type { Pipeline } from "./pipeline.ts";
import { SLOT_CHUNKS, type Slot } from "./slot.ts";

/** What an inlet takes back from a slot is given out in pieces of so many bytes. */
const ASIDE_PIECE = 64 * 1024;
const NOTHING: Uint8Array = new Uint8Array(0);

type Source = Pick<ContentInput, "read">;

export interface IntakeParts {
  readonly crew: Crew;
  readonly coding: Coding;
  readonly layout: Layout;
  readonly pipeline: Pipeline;
  readonly onProgress: ((bytes: number) => void) | undefined;
}

export class Intake {
  readonly #parts: IntakeParts;
  /** Lengths of the chunks that one call finds. */
  readonly #cuts = new Uint32Array(SLOT_CHUNKS);
  readonly #border: () => void;
  #current: Slot | undefined;
  /** Of the inlet, and what it has read ahead of another content: the bytes from #asideAt on are still to come. */
  #source: Source | undefined;
  #aside = NOTHING;
  #asideAt = 0;
  /** Logical bytes that were read or skipped; the address of what comes next. */
  address = 0;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#border = () => parts.layout.border();
  }

  /** Reads a whole content and sends it on its way. Returns its range, and whether it had holes. */
  async content(input: ContentInput): Promise<ContentRange> {
    this.#setAside();
    const start = this.address;
    const end = start + (input.size ?? Number.POSITIVE_INFINITY);
    let border = start + (input.border?.() ?? Number.POSITIVE_INFINITY);
    const free = this.#slotFor(input.size);
    let slot = free instanceof Promise ? await free : free;
    try {
      for (;;) {
        if (this.address === end) break;
        if (this.address === border) {
          slot = await this.#endPart(slot, slot.filled - slot.itemized);
          border += input.border!();
        }
        const stop = Math.min(end, border);
        this.#skipHole(slot, input, stop);
        if (this.address === stop) continue;
        if (slot.filled === slot.bytes.length || slot.chunkBound === SLOT_CHUNKS) slot = await this.#nextSlot(slot);
        const pending = input.read(slot.bytes.subarray(slot.filled, slot.filled + stop - this.address));
        const length = typeof pending === "number" ? pending : await pending;
        if (length === 0) break;
        slot.filled += length;
        this.address += length;
        this.#parts.onProgress?.(length);
        if (this.address !== stop) this.#cut(slot, slot.filled, false);
      }
    } finally {
      const ended = this.#endPart(slot, slot.filled - slot.itemized);
      if (ended instanceof Promise) await ended;
    }
    return this.#range(start, input.sparse === true);
  }

  #range(start: number, sparse: boolean): ContentRange {
    const size = this.address - start;
    return { start: size === 0 ? 0 : start, size, sparse };
  }

  /** Opens an input of which only parts are contents. There is one at a time: what the last one has read ahead is lost. */
  openInlet(source: Source): Inlet {
    this.#setAside();
    this.#source = source;
    this.#aside = NOTHING;
    this.#asideAt = 0;
    const inlet = {
      position: 0,
      peek: (length: number) => {
        const slot = this.#current;
        if (slot === undefined || slot.chunkBound === SLOT_CHUNKS || slot.filled - slot.itemized < length) {
          return this.#look(length);
        }
        return slot.bytes.subarray(slot.itemized, slot.itemized + length);
      },
      skip: (length: number) => {
        this.#skip(length);
        inlet.position += length;
        this.#parts.onProgress?.(length);
      },
      read: (into: Uint8Array) => {
        const took = (count: number): number => {
          inlet.position += count;
          return count;
        };
        const pending = this.#readMore(into);
        return typeof pending === "number" ? took(pending) : pending.then(took);
      },
      content: (length: number) => {
        const start = this.address;
        const took = (): ContentRange => {
          const range = this.#range(start, false);
          inlet.position += range.size;
          this.#parts.onProgress?.(range.size);
          return range;
        };
        const pending = this.#inletContent(length);
        return pending === undefined ? took() : pending.then(took);
      },
    };
    return inlet;
  }

  async #look(length: number): Promise<Uint8Array> {
    let slot = this.#current ?? (await this.#acquire());
    // Room for an item, too, in case that the bytes are skipped.
    const isFull = slot.chunkBound === SLOT_CHUNKS || slot.events.length >= SLOT_CHUNKS;
    if (isFull || slot.bytes.length - slot.itemized < length) slot = await this.#nextSlot(slot);
    while (slot.filled - slot.itemized < length && (await this.#fill(slot)) > 0);
    return slot.bytes.subarray(slot.itemized, Math.min(slot.filled, slot.itemized + length));
  }

  #skip(length: number): void {
    if (length === 0) return;
    const slot = this.#current!;
    const last = slot.count - 1;
    if (last >= 0 && isSkip(slot.items[last]!)) slot.items[last]! += length;
    else {
      slot.items[slot.count++] = length | TO_SKIP;
      slot.chunkBound++;
    }
    slot.itemized += length;
  }

  /** Undefined: all of it was there already. */
  #inletContent(length: number): Promise<unknown> | undefined {
    const slot = this.#current;
    if (slot === undefined || slot.filled - slot.itemized < length) return this.#longContent(length);
    this.address += length;
    const ended = this.#endPart(slot, length);
    return ended instanceof Promise ? ended : undefined;
  }

  async #longContent(length: number): Promise<void> {
    let slot = this.#current ?? (await this.#acquire());
    let left = length;
    for (;;) {
      const isThere = slot.filled - slot.itemized;
      if (isThere >= left) break;
      this.#cut(slot, slot.filled, false);
      const taken = isThere - (slot.filled - slot.itemized);
      left -= taken;
      this.address += taken;
      if (slot.filled === slot.bytes.length || slot.chunkBound === SLOT_CHUNKS) slot = await this.#nextSlot(slot);
      const pending = this.#fill(slot);
      const count = typeof pending === "number" ? pending : await pending;
      if (count === 0) left = slot.filled - slot.itemized;
    }
    this.address += left;
    await this.#endPart(slot, left);
  }

  /** Reads more into a slot that has room. @returns how many bytes, 0 at the end */
  #fill(slot: Slot): number | Promise<number> {
    const pending = this.#readMore(slot.bytes.subarray(slot.filled));
    const took = (count: number): number => {
      slot.filled += count;
      return count;
    };
    return typeof pending === "number" ? took(pending) : pending.then(took);
  }

  /** The next bytes of the inlet, those that were set aside first. */
  #readMore(into: Uint8Array): number | Promise<number> {
    if (this.#asideAt === this.#aside.length) return this.#source!.read(into);
    const bytes = this.#aside.subarray(this.#asideAt, this.#asideAt + Math.min(into.length, ASIDE_PIECE));
    into.set(bytes);
    this.#asideAt += bytes.length;
    return bytes.length;
  }

  /** Makes a slot free for another content: what an inlet has read ahead goes aside. */
  #setAside(): void {
    const slot = this.#current;
    if (slot === undefined || slot.filled === slot.itemized) return;
    const count = slot.filled - slot.itemized;
    // As long as some is left, all of it came from there.
    if (this.#asideAt < this.#aside.length) this.#asideAt -= count;
    else {
      this.#aside = slot.bytes.slice(slot.itemized, slot.filled);
      this.#asideAt = 0;
    }
    slot.filled = slot.itemized;
  }

  /**
   * Itemizes the next bytes of the slot, which are the rest of a part; what follows begins with a chunk. Also after a
   * failed read: what was read keeps its addresses.
   */
  #endPart(slot: Slot, length: number): Slot | Promise<Slot> {
    const end = slot.itemized + length;
    while (slot.itemized < end) {
      if (slot.chunkBound === SLOT_CHUNKS) {
        const left = end - slot.itemized;
        return this.#nextSlot(slot).then((next) => this.#endPart(next, left));
      }
      if (!this.#leaveUncut(slot, end)) this.#cut(slot, end, true);
    }
    // There is no slot when the sink failed; that error is the one to tell.
    if (this.#current !== undefined) this.event(this.#border);
    return slot;
  }

  /** Makes sure that there is a slot for the next event. */
  async ready(): Promise<void> {
    await this.#slotFor(0);
  }

  /** Runs an action in order: behind all that was read before, ahead of what comes next. Needs `ready` or a content. */
  event(run: () => void): void {
    this.#current!.events.push({ item: this.#current!.count, run });
  }

  /** A slot to read into: the current one, unless a content of known size fits the next one only. */
  #slotFor(size: number | undefined): Slot | Promise<Slot> {
    const slot = this.#current;
    if (slot === undefined) return this.#acquire();
    const room = slot.bytes.length - slot.filled;
    const fitsNext = size !== undefined && size > room && size <= slot.bytes.length;
    const full = slot.chunkBound === SLOT_CHUNKS || slot.events.length >= SLOT_CHUNKS || room === 0;
    return full || (fitsNext && room < slot.bytes.length / 4) ? this.#nextSlot(slot) : slot;
  }

  async #acquire(): Promise<Slot> {
    this.#current = await this.#parts.pipeline.acquire();
    return this.#current;
  }

  /** Sends the slot on its way; what is not itemized yet moves to the next one. */
  async #nextSlot(slot: Slot): Promise<Slot> {
    const rest = slot.filled - slot.itemized;
    const from = slot.bytes.byteOffset + slot.itemized;
    this.#current = undefined;
    this.#parts.pipeline.submit(slot);
    const next = await this.#acquire();
    this.#parts.crew.engine.kernels.copy(from, rest, next.bytes.byteOffset);
    next.filled = rest;
    return next;
  }

  /** Holes become zeros without being read, in steps of whole maximal chunks: there FastCDC cuts in zeros. */
  #skipHole(slot: Slot, input: ContentInput, stop: number): void {
    if (slot.itemized !== slot.filled) return;
    const { max } = this.#parts.coding.sizes;
    const length = Math.floor(Math.min(input.hole?.() ?? 0, stop - this.address) / max) * max;
    if (length === 0) return;
    input.skip!(length);
    this.event(() => this.#parts.layout.fill(length, 0));
    this.address += length;
    this.#parts.onProgress?.(length);
  }

  /** Leaves the end of a part to the thread that digests it; false when it could become too many chunks. */
  #leaveUncut(slot: Slot, end: number): boolean {
    const { chunking, sizes } = this.#parts.coding;
    const length = end - slot.itemized;
    // With an odd minimum a chunk may be one byte shorter.
    const bound = Math.ceil(length / (sizes.min - 1));
    if (chunking !== "cdc" || length <= sizes.min || slot.chunkBound + bound > SLOT_CHUNKS) return false;
    slot.items[slot.count++] = length | TO_CUT;
    slot.chunkBound += bound;
    slot.itemized = end;
    return true;
  }

  #addChunk(slot: Slot, length: number): void {
    slot.items[slot.count++] = length;
    slot.chunkBound++;
    slot.itemized += (length & ~ZERO_CHUNK) >>> 0;
  }

  /** Cuts what is not itemized yet up to `end`. @param final whether the part ends there: then nothing is left over */
  #cut(slot: Slot, end: number, final: boolean): void {
    const { coding, crew } = this.#parts;
    const left = end - slot.itemized;
    if (final && left <= coding.sizes.min) {
      this.#addChunk(slot, left);
      return;
    }
    if (coding.chunking === "cdc") {
      const bytes = slot.bytes.subarray(slot.itemized, end);
      const lengths = this.#cuts.subarray(slot.chunkBound);
      const found = crew.engine.findCuts(bytes, coding.sizes, final, lengths);
      for (let number = 0; number < found; number++) this.#addChunk(slot, lengths[number]!);
      return;
    }
    while (slot.chunkBound < SLOT_CHUNKS) {
      const length = Math.min(coding.blockSize, end - slot.itemized);
      if (length === 0 || (length < coding.blockSize && !final)) return;
      this.#addChunk(slot, length);
    }
  }

  /** Sends what is left on its way; every chunk has its place then. */
  async finish(): Promise<void> {
    const { pipeline } = this.#parts;
    if (this.#current !== undefined) pipeline.submit(this.#current);
    this.#current = undefined;
    await pipeline.finish();
  }
}
