// Makes an archive at a path: bases, threads and the output, and nothing left behind when it fails. `pack` and `convert`
// say what goes into it.

import { HexzError, type Warning } from "../core/errors.ts";
import type { Coding, Sketch } from "../core/format/root.ts";
import { withChunkingOf } from "../core/write/coding.ts";
import { createNullSink } from "../core/write/memory-sink.ts";
import type { Sink } from "../core/write/sink.ts";
import type { WrittenArchive } from "../core/write/state-end.ts";
import type { ArchiveWriter, ContentSink, CreateOptions } from "../core/write/writer.ts";
import { createArchiveWriter } from "./archive.ts";
import type { ChosenBase } from "./auto-bases.ts";
import { type BaseOptions, openBasesFor } from "./bases.ts";
import { canTrain, loadTrainer, SAMPLE_PIECE, SAMPLE_PIECES } from "./dictionary.ts";
import { createFileSink, createStdoutSink } from "./file-sink.ts";
import { STDIO } from "./input-facts.ts";
import { format1Encryption, openFormat1Base } from "./make-format1.ts";
import { Sampler } from "./sample.ts";

export interface MakeOptions extends Omit<CreateOptions, "bases" | "anyOrder" | "format1">, BaseOptions {
  /** The archive; "-" is standard output. */
  readonly output: string;
  /** Replace an existing output. */
  readonly force?: boolean;
  /** What goes in comes in any order; entries left out are warned of. Default: in tree order. */
  readonly order?: "tree" | "any";
  /** Trains a dictionary on a sample of the input: reads it twice, the first time in pieces only. */
  readonly trainDictionary?: boolean | "where possible";
  /** Do everything but write. */
  readonly dryRun?: boolean;
  /** Of the archive; default 2. */
  readonly archiveFormat?: 1 | 2;
  /** With format 1: leave out what it cannot keep, with a warning. */
  readonly lossy?: boolean;
}

export interface MadeArchive extends WrittenArchive {
  /** What was left out or changed meanwhile. The archive of the rest is good. */
  readonly warnings: readonly Warning[];
  /** Bases that `auto:DIR` has chosen; undefined when nobody asked for it. */
  readonly chosenBases: readonly ChosenBase[] | undefined;
  /** Bytes of the dictionary that was trained; undefined when nobody asked for one. */
  readonly dictionaryLength: number | undefined;
}

/** Told of what is left out or changed. */
export type Warn = (warning: Warning) => void;

/** Has a check made of the finished file before it gets its name; where there is a file. */
export type CheckFinished = (check: (path: string) => Promise<void>) => void;

/** Writes all that goes into the archive. */
export type Fill = (writer: ContentSink, warn: Warn, checkFinished: CheckFinished) => Promise<void>;

export interface InputFacts {
  /** Bytes to read, if known. */
  readonly total: number | undefined;
  /** Whether the input can be read twice, which choosing bases needs. */
  readonly rereadable: boolean;
}

/**
 * Makes an archive. Nothing appears under the output's name unless all of it succeeded.
 * @throws HexzError; then nothing is left behind
 */
export async function makeArchive(options: MakeOptions, input: InputFacts, fill: Fill): Promise<MadeArchive> {
  const { output } = options;
  if (options.archiveFormat === 1) return makeFormat1(options, input, fill);
  const { bases, chosen, close } = await openBasesFor(output, options, (coding) =>
    sketchOf(coding, options, input, fill),
  );
  try {
    return { ...(await writeTrained({ ...options, bases }, input, fill)), chosenBases: chosen };
  } finally {
    await close();
  }
}

type WriteOptions = Omit<MakeOptions, "bases"> & Pick<CreateOptions, "bases" | "format1">;

/** Writes the archive, with a dictionary that is trained first where one was asked for. */
async function writeTrained(options: WriteOptions, input: InputFacts, fill: Fill) {
  const trained = options.trainDictionary ? await dictionaryFor(options, input, fill) : undefined;
  const dictionary = trained === undefined ? {} : { dictionary: trained };
  const written = await writeInto(openSink(options), { ...options, ...dictionary }, input, fill);
  const warnings = options.trainDictionary && trained === undefined ? [NO_DICTIONARY] : [];
  return { ...written, warnings: [...written.warnings, ...warnings], dictionaryLength: trained?.length };
}

async function makeFormat1(options: MakeOptions, input: InputFacts, fill: Fill): Promise<MadeArchive> {
  const { output, lossy = false } = options;
  const encryption = format1Encryption(options.encryption);
  const base = await openFormat1Base(output, options);
  const chunked = base === undefined ? options : withChunkingOf(base.coding, options);
  const { bases: _, encryption: __, ...others } = chunked;
  const format1 = { lossy, parent: base?.parent, encryption };
  return { ...(await writeTrained({ ...others, format1 }, input, fill)), chosenBases: undefined };
}

/** Reads all of the input once, to learn what it would have in common with other archives. */
async function sketchOf(coding: Coding, options: MakeOptions, input: InputFacts, fill: Fill): Promise<Sketch> {
  if (!input.rereadable) {
    throw new HexzError("usage", "--base auto:DIR reads the input twice, which standard input cannot be");
  }
  const {
    onProgress: _,
    metadata: __,
    level: ___,
    bases: ____,
    signers: _____,
    encryption: ______,
    ...others
  } = options;
  const chunked = withChunkingOf(coding, others);
  const written = await writeInto(createNullSink(), { ...chunked, compression: "none" }, input, fill);
  return written.sketch;
}

const NO_DICTIONARY: Warning = {
  path: "",
  code: "unsupported",
  message: "no dictionary was made: the input is too small, or has nothing in common with itself",
};

/** A dictionary for the input, or undefined where there is none to make. */
async function dictionaryFor(options: WriteOptions, input: InputFacts, fill: Fill): Promise<Uint8Array | undefined> {
  if (options.trainDictionary === "where possible" && !(input.rereadable && canTrain())) return undefined;
  if (options.compression !== "zstd") throw new HexzError("usage", "a dictionary is for zstd only");
  if (!input.rereadable) {
    throw new HexzError("usage", "--dictionary reads a sample of the input first, which standard input cannot give");
  }
  const train = loadTrainer();
  const sampler = new Sampler({ piece: SAMPLE_PIECE, most: SAMPLE_PIECES, total: input.total });
  await fill(
    sampler,
    () => {},
    () => {},
  );
  return train(sampler.pieces, sampler.address);
}

async function writeInto(
  sink: Sink,
  options: WriteOptions,
  { total }: InputFacts,
  fill: Fill,
): Promise<WrittenArchive & { warnings: readonly Warning[] }> {
  const warnings: Warning[] = [];
  let crew: { close(): Promise<void> } | undefined;
  let writer: ArchiveWriter | undefined;
  try {
    const warn: Warn = (warning) => warnings.push(warning);
    const anyOrder = options.order === "any" ? { anyOrder: warn } : {};
    const format1 = options.format1 === undefined ? {} : { format1: { ...options.format1, warn } };
    ({ writer, crew } = await createArchiveWriter(sink, { ...options, ...anyOrder, ...format1 }, total));
    await fill(writer, warn, (check) => sink.checkFinished?.(check));
    const written = await writer.finish();
    return { ...written, warnings };
  } catch (error) {
    await (writer ?? sink).abort();
    throw error;
  } finally {
    await crew?.close();
  }
}

function openSink({ output, dryRun, force }: WriteOptions): Sink {
  if (dryRun) return createNullSink();
  if (output === STDIO) return createStdoutSink();
  return createFileSink(output, { force: force === true });
}
