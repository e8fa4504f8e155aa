// Archives of this machine: paths, threads and native codecs around core/.

import { availableParallelism } from "node:os";
import { digestWith } from "../core/digest.ts";
import type { CodecId, Engine } from "../core/engine.ts";
import { createPortableEngine, ENGINE_SCRATCH } from "../core/portable-engine.ts";
import { Archive, type Machinery, type ReadOptions } from "../core/read/archive.ts";
import type { RangeSource } from "../core/source/source.ts";
import { type Crew, createInlineCrew } from "../core/work/crew.ts";
import { resolveCoding } from "../core/write/coding.ts";
import { createEnvelopeSink, type Encryption } from "../core/write/envelope-sink.ts";
import { gatherBytes, writerHeapBytes } from "../core/write/memory.ts";
import type { Sink } from "../core/write/sink.ts";
import { ArchiveWriter, type CreateOptions } from "../core/write/writer.ts";
import { nodeCiphers } from "./ciphers.ts";
import { verifyEd25519 } from "./ed25519.ts";
import { openFileSource } from "./file-source.ts";
import { createHdf5Derivation } from "./hdf5/derivation.ts";
import { type ParentOptions, parentFinder } from "./parents.ts";
import { chooseEngine, createPool, type EngineChoice, type PoolOptions } from "./pool.ts";
import { openSpill } from "./spill.ts";

export interface MachineOptions {
  /** Threads that work, this one included; default: the cores. */
  readonly workers?: number;
  /** auto: native codecs and digest where they are; wasm: the same bytes on every machine. */
  readonly engine?: EngineChoice;
}

export interface OpenOptions extends ReadOptions, MachineOptions, ParentOptions {}

const READER_MEMORY = 1024 * 1024;
/** Input below which more threads cost more time than they save. */
const ONE_THREAD_BYTES = 8 * 1024 * 1024;

/** One thread runs everything in its own memory, several share one. */
export async function openCrew(options: PoolOptions): Promise<Crew> {
  if (options.threads > 1) return createPool(options);
  const { heapBytes, gatherBytes } = options;
  const memoryBytes = heapBytes + gatherBytes + 2 * ENGINE_SCRATCH;
  const engine = chooseEngine(await createPortableEngine({ memoryBytes }), options.engine);
  return createInlineCrew({ engine, gather: engine.allocate(gatherBytes) });
}

/** How many threads for so many bytes. */
export function threadsFor(options: MachineOptions, bytes: number | undefined): number {
  if (options.workers !== undefined) return Math.max(1, options.workers);
  return bytes !== undefined && bytes < ONE_THREAD_BYTES ? 1 : availableParallelism();
}

/** Opens an archive file. */
export async function openArchiveFile(path: string, options: OpenOptions = {}): Promise<Archive> {
  const source = openFileSource(path);
  try {
    return await openArchiveSource(source, options);
  } catch (error) {
    source.close();
    throw error;
  }
}

/** Opens an archive from any source, with this machine's threads and codecs. */
export async function openArchiveSource(source: RangeSource, options: OpenOptions = {}): Promise<Archive> {
  const machinery = await readingMachinery(source.size, options);
  const found = { findParent: parentFinder(source.path, options), derivation: createHdf5Derivation() };
  return Archive.open(source, machinery, { ...found, ...options });
}

/** What reading works with on this machine. @param bytes of the archive */
export async function readingMachinery(bytes: number, options: MachineOptions): Promise<Machinery> {
  const choice = options.engine ?? "auto";
  const threads = threadsFor(options, bytes);
  return {
    engine: chooseEngine(await createPortableEngine({ memoryBytes: READER_MEMORY }), choice),
    threads,
    ciphers: nodeCiphers,
    openCrew: (heapBytes, codecs) => openCrew({ threads, heapBytes, gatherBytes: 0, engine: choice, codecs }),
    verifySignature: verifyEd25519,
  };
}

/** The sink itself, or one whose archive goes encrypted into it. */
export async function encryptedSink(sink: Sink, encryption: Encryption | undefined, engine: Engine): Promise<Sink> {
  return encryption === undefined ? sink : createEnvelopeSink(sink, encryption, nodeCiphers, digestWith(engine));
}

/** A writer with this machine's threads and codecs, and the crew to close after it. @param bytes input to expect, if known */
export async function createArchiveWriter(
  sink: Sink,
  options: CreateOptions & MachineOptions,
  bytes: number | undefined,
): Promise<{ writer: ArchiveWriter; crew: Crew }> {
  const coding = resolveCoding(options, "");
  const threads = threadsFor(options, bytes);
  const crew = await openCrew({
    threads,
    heapBytes: writerHeapBytes(coding, threads, options),
    gatherBytes: gatherBytes(coding),
    engine: options.engine ?? "auto",
    codecs: [coding.codec as CodecId],
  });
  try {
    const target = await encryptedSink(sink, options.encryption, crew.engine);
    return { writer: await ArchiveWriter.create(target, crew, options, openSpill), crew };
  } catch (error) {
    await crew.close();
    throw error;
  }
}
