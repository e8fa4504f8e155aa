// The write line behind the intake: digest, deduplicate, block, encode, append. Slots of input go through it in order;
// digesting and encoding run on any thread, everything else here, in order, so the bytes written do not depend on the
// number of threads.

import { CODEC, type CodecId, ZERO_CHUNK } from "../engine.ts";
import type { Coding } from "../format/root.ts";
import type { Crew } from "../work/crew.ts";
import { isSkip, setDigestTask, setEncodeFormat1Task, setEncodeTask, type Task, TO_SKIP } from "../work/task.ts";
import type { Appender } from "./appender.ts";
import { BlockBuilder, carryLength } from "./block-builder.ts";
import { ChunkSet } from "./chunk-set.ts";
import type { FormatWriter } from "./format-writer.ts";
import { SketchBuilder } from "./sketch.ts";
import { allocateSlot, resetSlot, type Slot, slotLength } from "./slot.ts";
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
}

export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #basesCount: number;
  /** Of the chunks of bases, those that occurred. */
  readonly #usedOfBases = new ChunkSet();
  readonly #builder: BlockBuilder;
  readonly sketch = new SketchBuilder();
  readonly #free: Slot[] = [];
  readonly #digesting: Slot[] = [];
  readonly #encoding: Slot[] = [];
  #lastTurn = 0;

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
    this.#builder = new BlockBuilder(rule, engine, carries, firstBlock);
    this.#lastTurn = performance.now();
  }

  /** A slot to read into, when there is one. */
  async acquire(): Promise<Slot> {
    while (this.#free.length === 0) await this.#advance(true);
    const slot = this.#free.pop()!;
    resetSlot(slot);
    return slot;
  }

  /** Sends a slot on its way. What it holds behind its items stays as it is until the slot comes round again. */
  submit(slot: Slot): void {
    const { coding, format } = this.#parts;
    setDigestTask(slot.digestTask, { ...slot, sizes: coding.sizes, zerosOnly: format.format === 1 });
    this.#parts.crew.start(slot.digestTask);
    this.#digesting.push(slot);
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
      if (isSkip(slot.items[item]!)) address += slot.items[item]! - TO_SKIP;
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
    const location = known ?? this.#builder.add(address, length);
    if (known === undefined) {
      dedup?.add(digest, location);
      this.sketch.add(digest);
      totals.unique(length);
    } else {
      this.#builder.pass();
      if (known.chunk < this.#basesCount && this.#usedOfBases.add(known.chunk)) {
        this.sketch.add(digest);
        totals.parent(length);
      } else totals.duplicate(length);
    }
    layout.chunk(length, digestBytes, location.block, location.offset);
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
      const isOfDictionary = format === 2 && result === CODEC.zstdDictionary;
      layout.block({
        codec: format === 1 ? coding.codec : result,
        origin: isOfDictionary ? dictionary!.origin : 0,
        checksum: format === 1 ? result : 0,
        stored,
        plainLength: slot.plainLengths[number]!,
      });
      at += stored.length;
    }
    await appender.flush();
    this.#builder.release(slot.carry);
    this.#free.push(slot);
  }

  /** Gives every chunk its place and ends the open block. The last blocks may still have to be coded: see `drain`. */
  async finish(): Promise<void> {
    // The last slot holds nothing but the end of the open block.
    const last = await this.acquire();
    last.events.push({ item: 0, run: () => this.#builder.close() });
    this.submit(last);
    while (this.#digesting.length > 0) {
      this.#parts.crew.wait(this.#digesting[0]!.digestTask);
      await this.#advance(false);
    }
  }

  /** Returns when every block is appended. */
  async drain(): Promise<void> {
    while (this.#encoding.length > 0) await this.#advance(true);
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
