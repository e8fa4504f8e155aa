// Packing paths: what the INPUTs are, what goes into the archive under which name, and what is left out with a warning.

import { fstatSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { HexzError, type Warning } from "../core/errors.ts";
import { type ByteString, byteStringFromText, byteStringOf } from "../core/format/path.ts";
import type { Coding, Sketch, Stream } from "../core/format/root.ts";
import { withChunkingOf } from "../core/write/coding.ts";
import { createNullSink } from "../core/write/memory-sink.ts";
import type { Sink } from "../core/write/sink.ts";
import type { WrittenArchive } from "../core/write/state-end.ts";
import type { ArchiveWriter, WriterOptions } from "../core/write/writer.ts";
import { createArchiveWriter } from "./archive.ts";
import type { ChosenBase } from "./auto-bases.ts";
import { type BaseOptions, openBasesFor } from "./bases.ts";
import { fromSystemError } from "./errors.ts";
import { createFileSink, createStdoutSink } from "./file-sink.ts";
import { openInput } from "./input-file.ts";
import { type WalkedItem, type WalkOptions, walk, walkInputs } from "./walk.ts";

export const STDIN = "-";
const STDIN_NAME = byteStringFromText("stdin");

export interface PackOptions extends Omit<WriterOptions, "bases">, BaseOptions {
  /** Files and directories; "-" is standard input. One directory's contents go to the root. */
  readonly inputs?: readonly string[];
  /** Images beside the tree; "-" is standard input. */
  readonly streams?: readonly { readonly name: Stream["name"]; readonly path: string }[];
  /** The archive; "-" is standard output. */
  readonly output: string;
  /** Replace an existing output. */
  readonly force?: boolean;
  /** Do everything but write. */
  readonly dryRun?: boolean;
  readonly walk?: Pick<WalkOptions, "exclude" | "oneFileSystem" | "dereference">;
  /** Told how many bytes there will be, when that is known, before the first is read. */
  readonly onTotal?: (bytes: number) => void;
}

export interface PackResult extends WrittenArchive {
  /** What was left out or changed meanwhile. The archive of the rest is good. */
  readonly warnings: readonly Warning[];
  /** Bases that `auto:DIR` has chosen; undefined when nobody asked for it. */
  readonly chosenBases: readonly ChosenBase[] | undefined;
}

/** What can go wrong with one file of a tree without ending the packing. */
const TOLERATED: ReadonlySet<string> = new Set(["changed", "not_found", "permission", "io", "wrong_type"]);

interface Facts {
  readonly path: string;
  readonly stat: Stats;
}

function statInput(path: string): Facts | undefined {
  if (path === STDIN) return undefined;
  try {
    return { path, stat: statSync(path) };
  } catch (error) {
    throw fromSystemError(error, "read", path);
  }
}

/** @throws HexzError `output_is_input` when the output is an input, or lies in one that is a directory */
function checkOutput(output: string, inputs: readonly Facts[]): void {
  if (output === STDIN) {
    const { dev, ino } = fstatSync(1);
    if (inputs.every(({ stat }) => stat.dev !== dev || stat.ino !== ino || !stat.isFile())) return;
    throw new HexzError("output_is_input", "standard output is also an input");
  }
  const there = statSync(output, { throwIfNoEntry: false });
  const folder = realpathOf(dirname(resolve(output)));
  for (const { path, stat } of inputs) {
    if (there !== undefined && there.dev === stat.dev && there.ino === stat.ino) {
      throw new HexzError("output_is_input", `the output "${output}" is also an input`);
    }
    if (!stat.isDirectory() || folder === undefined) continue;
    const tree = realpathOf(resolve(path));
    if (tree !== undefined && (folder === tree || folder.startsWith(tree === "/" ? tree : `${tree}/`))) {
      throw new HexzError("output_is_input", `the output "${output}" lies in the input "${path}"`, {
        hint: "write it somewhere else, or to standard output",
      });
    }
  }
}

function realpathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Bytes to read, when no input is a directory or pipe. */
function totalOf(facts: readonly (Facts | undefined)[]): number | undefined {
  let total = 0;
  for (const fact of facts) {
    if (fact === undefined || !fact.stat.isFile()) return undefined;
    total += fact.stat.size;
  }
  return total;
}

/**
 * Packs inputs and streams into one archive. Nothing appears under the output's name unless all of it succeeded.
 * @throws HexzError; then nothing is left behind
 */
export async function pack(options: PackOptions): Promise<PackResult> {
  const { inputs = [], streams = [], output } = options;
  if (inputs.length + streams.length === 0) throw new HexzError("usage", "there is nothing to pack");
  if ([...inputs, ...streams.map(({ path }) => path)].filter((path) => path === STDIN).length > 1) {
    throw new HexzError("usage", "standard input can be packed once only");
  }
  const streamFacts = streams.map(({ path }) => statInput(path));
  const inputFacts = inputs.map(statInput);
  const facts = [...streamFacts, ...inputFacts];
  for (const fact of streamFacts) {
    if (fact?.stat.isDirectory()) throw new HexzError("wrong_type", `"${fact.path}" is a directory, not an image`);
  }
  checkOutput(
    output,
    facts.filter((fact) => fact !== undefined),
  );
  const total = totalOf(facts);
  if (total !== undefined) options.onTotal?.(total);

  const input = { inputFacts, total };
  const { bases, chosen, close } = await openBasesFor(output, options, (coding) => sketchOf(coding, options, input));
  try {
    return { ...(await packInto(openSink(options), { ...options, bases }, input)), chosenBases: chosen };
  } finally {
    await close();
  }
}

interface InputFacts {
  readonly inputFacts: readonly (Facts | undefined)[];
  /** Bytes to read, if known. */
  readonly total: number | undefined;
}

/** Reads all of the input once, to learn what it would have in common with other archives. */
async function sketchOf(coding: Coding, options: PackOptions, input: InputFacts): Promise<Sketch> {
  const { inputs = [], streams = [], signal } = options;
  if ([...inputs, ...streams.map(({ path }) => path)].includes(STDIN)) {
    throw new HexzError("usage", "--base auto:DIR reads the input twice, which standard input cannot be");
  }
  const { onProgress: _, metadata: __, level: ___, bases: ____, ...others } = options;
  const chunked = withChunkingOf(coding, others);
  const written = await packInto(createNullSink(), { ...chunked, compression: "none", signal }, input);
  return written.sketch;
}

type PackInto = Omit<PackOptions, "bases"> & Pick<WriterOptions, "bases">;

async function packInto(
  sink: Sink,
  options: PackInto,
  { inputFacts, total }: InputFacts,
): Promise<WrittenArchive & { warnings: readonly Warning[] }> {
  const warnings: Warning[] = [];
  let crew: { close(): Promise<void> } | undefined;
  let writer: ArchiveWriter | undefined;
  try {
    ({ writer, crew } = await createArchiveWriter(sink, options, total));
    for (const { name, path } of options.streams ?? []) {
      await packContent(path, (input) => writer!.addStream(name, input));
    }
    await packInputs(writer, options.inputs ?? [], inputFacts, options, warnings);
    const written = await writer.finish();
    return { ...written, warnings };
  } catch (error) {
    await (writer ?? sink).abort();
    throw error;
  } finally {
    await crew?.close();
  }
}

function openSink({ output, dryRun, force }: PackOptions): Sink {
  if (dryRun) return createNullSink();
  if (output === STDIN) return createStdoutSink();
  return createFileSink(output, { force: force === true });
}

async function packContent(path: string, add: (input: ReturnType<typeof openInput>) => Promise<void>): Promise<void> {
  const input = openInput(path === STDIN ? 0 : path);
  try {
    await add(input);
  } finally {
    input.close();
  }
}

function isStdout(): (dev: bigint, ino: bigint) => boolean {
  const stdout = fstatSync(1, { bigint: true });
  return (dev, ino) => stdout.dev === dev && stdout.ino === ino;
}

async function packInputs(
  writer: ArchiveWriter,
  inputs: readonly string[],
  facts: readonly (Facts | undefined)[],
  options: PackInto,
  warnings: Warning[],
): Promise<void> {
  const [only] = facts;
  const walkOptions: WalkOptions = {
    ...options.walk,
    onWarning: (warning) => warnings.push(warning),
    // redirected into a tree that is packed, the archive does not pack itself
    ...(options.output === STDIN && !options.dryRun ? { skip: isStdout() } : {}),
  };
  if (inputs.length === 0) return;
  if (inputs.length === 1 && only?.stat.isDirectory()) {
    for (const item of walk(inputs[0]!, walkOptions)) await packItem(writer, item, options, warnings, false);
    return;
  }
  const named = inputs.map((path, number) => ({ path, name: nameOf(path), fact: facts[number] }));
  const stdin = named.find(({ path }) => path === STDIN);
  const walked = named.filter(({ path }) => path !== STDIN);
  if (stdin !== undefined && walked.some(({ name }) => name === STDIN_NAME)) {
    throw new HexzError("usage", "two inputs have the name stdin");
  }
  const packStdin = () =>
    packContent(STDIN, (input) => writer.addFile({ path: STDIN_NAME, type: "file", mode: 0o644 }, input));
  let stdinWaits = stdin !== undefined;
  // A block device that is named itself is packed as what it holds.
  const deviceNames = new Set(walked.filter(({ fact }) => fact!.stat.isBlockDevice()).map(({ name }) => name));
  const topNames = new Set(walked.map(({ name }) => name));
  for (const item of walkInputs(walked, walkOptions)) {
    const { path } = item.entry;
    if (stdinWaits && (path.includes("/") || path > STDIN_NAME)) {
      await packStdin();
      stdinWaits = false;
    }
    const isTop = topNames.has(path);
    if (isTop && deviceNames.has(path)) {
      const { device: _, ...entry } = item.entry;
      await packContent(item.source.toString(), (input) => writer.addFile({ ...entry, type: "file" }, input));
    } else await packItem(writer, item, options, warnings, isTop);
  }
  if (stdinWaits) await packStdin();
}

/** The last component of a path as given, also for "." and "/". */
function nameOf(path: string): ByteString {
  if (path === STDIN) return STDIN_NAME;
  const name = basename(resolve(path));
  if (name === "") throw new HexzError("usage", "the root directory has no name; pack it alone");
  return byteStringOf(Buffer.from(name));
}

/** @param strict the item is an INPUT itself: any failure ends the packing */
async function packItem(
  writer: ArchiveWriter,
  { entry, source, facts, links }: WalkedItem,
  options: PackInto,
  warnings: Warning[],
  strict: boolean,
): Promise<void> {
  if (entry.type !== "file") return writer.addEntry(entry);
  if (entry.hardLink !== undefined) {
    if (writer.hasLinkTarget(entry.hardLink)) return writer.addEntry(entry);
    // Its first name could not be read: this one is tried as a file of its own.
    const { hardLink: _, ...file } = entry;
    return packItem(writer, { entry: file, source, facts, links }, options, warnings, strict);
  }
  try {
    const input = openInput(source, { expected: facts, dereference: options.walk?.dereference === true });
    try {
      await writer.addFile(entry, input, { linkable: links > 1 });
    } finally {
      input.close();
    }
  } catch (error) {
    if (strict || !(error instanceof HexzError) || !TOLERATED.has(error.code)) throw error;
    warnings.push({ path: entry.path, code: error.code, message: error.message });
  }
}
