// The write line between input and sink: chunk, digest, deduplicate, block, encode, append. Slots of input go through
// it in order; digesting and encoding run on any thread, everything else here, in order, so the bytes written do not
// depend on the number of threads.

import { CODEC, type CodecId, ZERO_CHUNK } from "../engine.ts";
import type { ContentRange } from "../format/record.ts";
import type { Coding } from "../format/root.ts";
import type { Crew } from "../work/crew.ts";
import { setDigestTask, setEncodeFormat1Task, setEncodeTask, type Task, TO_CUT } from "../work/task.ts";
import type { Appender } from "./appender.ts";
import { BlockBuilder, carryLength } from "./block-builder.ts";
import { ChunkSet } from "./chunk-set.ts";
import type { ContentInput } from "./content-input.ts";
import type { FormatWriter } from "./format-writer.ts";
import { SketchBuilder } from "./sketch.ts";
import { allocateSlot, resetSlot, SLOT_CHUNKS, type Slot, slotLength } from "./slot.ts";
import type { Totals } from "./totals.ts";

const MIB = 1024 * 1024;
/** Milliseconds of work after which the event loop gets a turn, for signals and progress. */
const TURN = 100;

/** Memory that slots should stay within; with the largest blocks there are fewer of them. */
const SLOTS_BYTES = 96 * MIB;

/** How long slots are, and how many: enough to keep all threads busy, few enough to stay in the caches. */
export function slotPlan(coding: Coding, threads: number, format: 1 | 2): { length: number; count: number } {
  const length = Math.max(2 * MIB, 2 * coding.sizes.max);
  if (threads === 1) return { length, count: 2 };
  const rule = { format, blockSize: coding.blockSize };
  const affordable = Math.floor(SLOTS_BYTES / (slotLength(length, rule) + carryLength(rule)));
  return { length, count: Math.max(threads + 1, Math.min(threads + 4, affordable)) };
}

export interface PipelineParts {
  readonly crew: Crew;
  readonly coding: Coding;
  readonly appender: Appender;
  readonly format: Pick<FormatWriter, "format" | "dedup" | "dictionary" | "firstBlock" | "layout">;
  readonly totals: Totals;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((bytes: number) => void) | undefined;
}

export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #basesCount: number;
  /** Of the chunks of bases, those that occurred. */
  readonly #usedOfBases = new ChunkSet();
  readonly #builder: BlockBuilder;
  readonly sketch = new SketchBuilder();
  /** Lengths of the chunks that one call finds. */
  readonly #cuts = new Uint32Array(SLOT_CHUNKS);
  readonly #free: Slot[] = [];
  readonly #digesting: Slot[] = [];
  readonly #encoding: Slot[] = [];
  #current: Slot | undefined;
  #lastTurn = 0;
  /** Logical bytes that were read or skipped; the address of what comes next. */
  address = 0;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    const { crew, coding } = parts;
    const { format, dedup, firstBlock } = parts.format;
    this.#basesCount = dedup?.count ?? 0;
    const { engine, threads } = crew;
    const rule = { format, blockSize: coding.blockSize };
    const { length, count } = slotPlan(coding, threads, format);
    for (let number = 0; number < count; number++) this.#free.push(allocateSlot(engine, length, rule));
    const carries = Array.from({ length: count + 1 }, () => engine.allocate(carryLength(rule)));
    this.#builder = new BlockBuilder(rule, engine.memory, carries, firstBlock);
    this.#lastTurn = performance.now();
  }

  /** Reads a whole content and sends it on its way. Returns its range, and whether it had holes. */
  async content(input: ContentInput): Promise<ContentRange> {
    const start = this.address;
    const end = start + (input.size ?? Number.POSITIVE_INFINITY);
    let border = start + (input.border?.() ?? Number.POSITIVE_INFINITY);
    const free = this.#slotFor(input.size);
    let slot = free instanceof Promise ? await free : free;
    try {
      for (;;) {
        if (this.address === end) break;
        if (this.address === border) {
          slot = await this.#endPart(slot);
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
        if (this.address !== stop) this.#cut(slot, false);
      }
    } finally {
      const ended = this.#endPart(slot);
      if (ended instanceof Promise) await ended;
    }
    const size = this.address - start;
    return { start: size === 0 ? 0 : start, size, sparse: input.sparse === true };
  }

  /** Cuts the rest; what follows begins with a chunk. Also after a failed read: what was read keeps its addresses. */
  #endPart(slot: Slot): Slot | Promise<Slot> {
    while (slot.itemized < slot.filled) {
      if (slot.chunkBound === SLOT_CHUNKS) return this.#nextSlot(slot).then((next) => this.#endPart(next));
      if (!this.#leaveUncut(slot)) this.#cut(slot, true);
    }
    // There is no slot when the sink failed; that error is the one to tell.
    if (this.#current !== undefined) this.event(() => this.#parts.format.layout.border());
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
    while (this.#free.length === 0) await this.#advance(true);
    this.#current = this.#free.pop()!;
    resetSlot(this.#current);
    return this.#current;
  }

  /** Sends the slot on its way; what has no cut yet moves to the next one. */
  async #nextSlot(slot: Slot): Promise<Slot> {
    const rest = slot.bytes.subarray(slot.itemized, slot.filled);
    this.#submit(slot);
    // The rest stays as it is until the slot comes round again, and the next one is taken before that.
    const next = await this.#acquire();
    next.bytes.set(rest);
    next.filled = rest.length;
    return next;
  }

  #submit(slot: Slot): void {
    const { coding, format } = this.#parts;
    setDigestTask(slot.digestTask, { ...slot, sizes: coding.sizes, zerosOnly: format.format === 1 });
    this.#parts.crew.start(slot.digestTask);
    this.#digesting.push(slot);
    this.#current = undefined;
  }

  /** Holes become zeros without being read, in steps of whole maximal chunks: there FastCDC cuts in zeros. */
  #skipHole(slot: Slot, input: ContentInput, stop: number): void {
    if (slot.itemized !== slot.filled) return;
    const { max } = this.#parts.coding.sizes;
    const length = Math.floor(Math.min(input.hole?.() ?? 0, stop - this.address) / max) * max;
    if (length === 0) return;
    input.skip!(length);
    slot.events.push({ item: slot.count, run: () => this.#parts.format.layout.fill(length, 0) });
    this.address += length;
    this.#parts.onProgress?.(length);
  }

  /** Leaves the end of a content to the thread that digests it; false when it could become too many chunks. */
  #leaveUncut(slot: Slot): boolean {
    const { chunking, sizes } = this.#parts.coding;
    const length = slot.filled - slot.itemized;
    // With an odd minimum a chunk may be one byte shorter.
    const bound = Math.ceil(length / (sizes.min - 1));
    if (chunking !== "cdc" || length <= sizes.min || slot.chunkBound + bound > SLOT_CHUNKS) return false;
    slot.items[slot.count++] = length | TO_CUT;
    slot.chunkBound += bound;
    slot.itemized = slot.filled;
    return true;
  }

  #addChunk(slot: Slot, length: number): void {
    slot.items[slot.count++] = length;
    slot.chunkBound++;
    slot.itemized += (length & ~ZERO_CHUNK) >>> 0;
  }

  #cut(slot: Slot, final: boolean): void {
    const { coding, crew } = this.#parts;
    const left = slot.filled - slot.itemized;
    if (final && left <= coding.sizes.min) {
      this.#addChunk(slot, left);
      return;
    }
    if (coding.chunking === "cdc") {
      const bytes = slot.bytes.subarray(slot.itemized, slot.filled);
      const lengths = this.#cuts.subarray(slot.chunkBound);
      const found = crew.engine.findCuts(bytes, coding.sizes, final, lengths);
      for (let number = 0; number < found; number++) this.#addChunk(slot, lengths[number]!);
      return;
    }
    while (slot.chunkBound < SLOT_CHUNKS) {
      const length = Math.min(coding.blockSize, slot.filled - slot.itemized);
      if (length === 0 || (length < coding.blockSize && !final)) return;
      this.#addChunk(slot, length);
    }
  }

  /** Takes the steps that are ready; when asked to wait, at least one. */
  async #advance(wait: boolean): Promise<void> {
    this.#parts.appender.check();
    const { crew, signal } = this.#parts;
    let waits = wait;
    for (;;) {
      let stepped = false;
      while (this.#encoding.length > 0 && crew.isDone(this.#encoding[0]!.encodeTask)) {
        await this.#append(this.#encoding.shift()!);
        stepped = true;
      }
      while (this.#digesting.length > 0 && crew.isDone(this.#digesting[0]!.digestTask)) {
        this.#deduplicate(this.#digesting.shift()!);
        stepped = true;
      }
      if (stepped) waits = false;
      else if (!waits) break;
      else if (this.#encoding.length > 0) crew.wait(this.#encoding[0]!.encodeTask);
      else crew.wait(this.#digesting[0]!.digestTask);
    }
    if (performance.now() - this.#lastTurn > TURN) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#lastTurn = performance.now();
      signal?.throwIfAborted();
    }
  }

  #deduplicate(slot: Slot): void {
    const count = slot.count === 0 ? 0 : slot.ends[slot.count - 1]!;
    // One copy for all: the index keeps them after the slot has gone on.
    const digests = slot.digests.slice(0, count * 32);
    const words = new Uint32Array(digests.buffer);
    let address = slot.bytes.byteOffset;
    let event = 0;
    let chunk = 0;
    this.#builder.begin(slot);
    for (let item = 0; item <= slot.count; item++) {
      while (slot.events[event]?.item === item) slot.events[event++]!.run();
      if (item === slot.count) break;
      for (; chunk < slot.ends[item]!; chunk++) {
        const length = (slot.lengths[chunk]! & ~ZERO_CHUNK) >>> 0;
        this.#place(slot, chunk, address, length, digests.subarray(chunk * 32, chunk * 32 + 32), words);
        address += length;
      }
    }
    this.#builder.end();
    this.#encode(slot);
  }

  /** Decides what a chunk is: a fill, a duplicate, or new. */
  #place(
    slot: Slot,
    chunk: number,
    address: number,
    length: number,
    digestBytes: Uint8Array,
    words: Uint32Array,
  ): void {
    const { totals } = this.#parts;
    const { dedup, layout } = this.#parts.format;
    if (slot.fills[chunk]! >= 0) {
      layout.fill(length, slot.fills[chunk]!);
      this.#builder.pass();
      return;
    }
    if (layout.parentChunk?.(length, digestBytes)) {
      totals.parent(length);
      return;
    }
    const digest = words.subarray(chunk * 8, chunk * 8 + 8);
    const known = dedup?.find(digest);
    const { block, offset } = known ?? this.#builder.add(address, length);
    if (known === undefined) {
      dedup?.add(digest, { block, offset });
      this.sketch.add(digest);
      totals.unique(length);
    } else {
      this.#builder.pass();
      if (known.chunk < this.#basesCount && this.#usedOfBases.add(known.chunk)) {
        this.sketch.add(digest);
        totals.parent(length);
      } else totals.duplicate(length);
    }
    layout.chunk(length, digestBytes, block, offset);
  }

  #encode(slot: Slot): void {
    const { coding, crew } = this.#parts;
    const { format, dictionary } = this.#parts.format;
    const { parts, out, results } = slot;
    const codec = coding.codec as CodecId;
    const places = { parts, out, results, dictionary: dictionary?.bytes };
    const work = { codec, level: coding.level, blockCount: slot.plainLengths.length, ...places };
    if (format === 1) setEncodeFormat1Task(slot.encodeTask, work);
    else setEncodeTask(slot.encodeTask, work);
    crew.start(slot.encodeTask);
    this.#encoding.push(slot);
  }

  async #append(slot: Slot): Promise<void> {
    const { appender, coding } = this.#parts;
    const { format, layout, dictionary } = this.#parts.format;
    let at = 0;
    for (let number = 0; number < slot.plainLengths.length; number++) {
      const result = slot.results[number * 2]!;
      const stored = slot.out.subarray(at, at + slot.results[number * 2 + 1]!);
      const block = { stored, plainLength: slot.plainLengths[number]! };
      if (format === 1) layout.block({ ...block, codec: coding.codec, checksum: result });
      else if (result === CODEC.zstdDictionary) layout.block({ ...block, codec: result, origin: dictionary!.origin });
      else layout.block({ ...block, codec: result });
      at += stored.length;
    }
    await appender.flush();
    this.#builder.release(slot.carry);
    this.#free.push(slot);
  }

  /** Sends everything through, the open block included. */
  async finish(): Promise<void> {
    if (this.#current !== undefined) this.#submit(this.#current);
    // The last slot holds nothing but the end of the open block.
    const last = await this.#acquire();
    last.events.push({ item: 0, run: () => this.#builder.close() });
    this.#submit(last);
    while (this.#digesting.length + this.#encoding.length > 0) await this.#advance(true);
  }

  /** Leaves no task running in memory that others will use. */
  drainTasks(): void {
    const running: Task[] = [
      ...this.#digesting.map((slot) => slot.digestTask),
      ...this.#encoding.map((slot) => slot.encodeTask),
    ];
    for (const task of running) this.#parts.crew.wait(task);
  }
}
