// Packing paths: what the INPUTs are, what goes into the archive under which name, and what is left out with a warning.

import { fstatSync } from "node:fs";
import { basename, resolve } from "node:path";
import { HexzError } from "../core/errors.ts";
import { type ByteString, byteStringFromText, byteStringOf } from "../core/format/path.ts";
import type { Stream } from "../core/format/root.ts";
import type { ContentSink } from "../core/write/writer.ts";
import { openQcow2 } from "./disk/open-image.ts";
import { checkOutput, type Facts, STDIO, statInput, totalOf } from "./input-facts.ts";
import { openInput } from "./input-file.ts";
import { type InputFacts, type MadeArchive, type MakeOptions, makeArchive, type Warn } from "./make-archive.ts";
import { type WalkedItem, type WalkOptions, walk, walkInputs } from "./walk.ts";

const STDIN_NAME = byteStringFromText("stdin");

/** What to pack. */
export interface PackInputs {
  /** Files and directories; "-" is standard input. One directory's contents go to the root. */
  readonly inputs?: readonly string[];
  /** Images beside the tree; "-" is standard input. */
  readonly streams?: readonly StreamInput[];
  /** Whether the backing files of qcow2 images may be opened. */
  readonly allowBacking?: boolean;
  readonly walk?: Pick<WalkOptions, "exclude" | "oneFileSystem" | "dereference">;
}

export interface PackOptions extends MakeOptions, PackInputs {
  /** Told how many bytes there will be, when that is known, before the first is read. */
  readonly onTotal?: (bytes: number) => void;
}

export interface StreamInput {
  readonly name: Stream["name"];
  readonly path: string;
  /** What the file is; raw, the default, is taken as it is. */
  readonly format?: "raw" | "qcow2";
}

export type PackResult = MadeArchive;

/** What can go wrong with one file of a tree without ending the packing. */
const TOLERATED: ReadonlySet<string> = new Set(["changed", "not_found", "permission", "io", "wrong_type"]);

/** Where contents and entries go: an archive, or something that only looks at them. */
export type PackTarget = Pick<ContentSink, "addStream" | "addFile" | "addEntry" | "hasLinkTarget">;

/** Inputs that were found, and how to read them all. */
export interface PackPlan extends InputFacts {
  readonly facts: readonly (Facts | undefined)[];
  fill(target: PackTarget, warn: Warn, how: FillOptions): Promise<void>;
}

export interface FillOptions extends Pick<MakeOptions, "engine"> {
  /** Says which files are left out without a word. */
  readonly skip?: WalkOptions["skip"];
  /** Told of every backing file before it is opened; may refuse. */
  readonly onFile?: (path: string) => void;
}

/** Looks at what the inputs are. @throws HexzError `usage`, `not_found`, `permission`, `wrong_type` */
export function planPack(options: PackInputs): PackPlan {
  const { inputs = [], streams = [] } = options;
  if (inputs.length + streams.length === 0) throw new HexzError("usage", "there is nothing to pack");
  const paths = [...inputs, ...streams.map(({ path }) => path)];
  if (paths.filter((path) => path === STDIO).length > 1) {
    throw new HexzError("usage", "standard input can be packed once only");
  }
  for (const stream of streams) {
    if (isRaw(stream) || stream.path !== STDIO) continue;
    throw new HexzError("usage", "qcow2 is read from a file, not from standard input: it is not read in order");
  }
  const streamFacts = streams.map(({ path }) => statInput(path));
  const inputFacts = inputs.map(statInput);
  const facts = [...streamFacts, ...inputFacts];
  for (const fact of streamFacts) {
    if (fact?.stat.isDirectory()) throw new HexzError("wrong_type", `"${fact.path}" is a directory, not an image`);
  }
  return {
    facts,
    // how much a qcow2 image holds is known when it is opened
    total: streams.every(isRaw) ? totalOf(facts) : undefined,
    rereadable: !paths.includes(STDIO),
    async fill(target, warn, how) {
      for (const stream of streams) {
        if (isRaw(stream)) await packContent(stream.path, (input) => target.addStream(stream.name, input));
        else await packQcow2(target, stream, { ...how, allowBacking: options.allowBacking === true, warn });
      }
      const { skip } = how;
      const walking = { ...options.walk, onWarning: warn, ...(skip === undefined ? {} : { skip }) };
      await packInputs(target, inputs, inputFacts, walking, warn);
    },
  };
}

/**
 * Packs inputs and streams into one archive. Nothing appears under the output's name unless all of it succeeded.
 * @throws HexzError; then nothing is left behind
 */
export async function pack(options: PackOptions): Promise<PackResult> {
  const plan = planPack(options);
  const { output, engine = "auto" } = options;
  checkOutput(output, plan.facts);
  if (plan.total !== undefined) options.onTotal?.(plan.total);
  // redirected into a tree that is packed, the archive does not pack itself
  const skip = output === STDIO && !options.dryRun ? { skip: isStdout() } : {};
  const onFile = (path: string) => checkOutput(output, [statInput(path)]);
  return makeArchive(options, plan, (writer, warn) => plan.fill(writer, warn, { engine, onFile, ...skip }));
}

function isRaw({ format = "raw" }: StreamInput): boolean {
  return format === "raw";
}

async function packQcow2(
  target: PackTarget,
  stream: StreamInput,
  options: FillOptions & { allowBacking: boolean; warn: Warn },
): Promise<void> {
  const { allowBacking, engine = "auto", warn, onFile = () => {} } = options;
  const input = await openQcow2(stream.path, { allowBacking, engine, warn, onFile });
  try {
    await target.addStream(stream.name, input);
  } finally {
    input.close();
  }
}

async function packContent(
  path: string,
  add: (input: ReturnType<typeof openInput>) => Promise<unknown>,
): Promise<void> {
  const input = openInput(path === STDIO ? 0 : path);
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
  target: PackTarget,
  inputs: readonly string[],
  facts: readonly (Facts | undefined)[],
  walking: WalkOptions,
  warn: Warn,
): Promise<void> {
  const [only] = facts;
  if (inputs.length === 0) return;
  if (inputs.length === 1 && only?.stat.isDirectory()) {
    for (const item of walk(inputs[0]!, walking)) await packItem(target, item, walking, warn, false);
    return;
  }
  const named = inputs.map((path, number) => ({ path, name: nameOf(path), fact: facts[number] }));
  const stdin = named.find(({ path }) => path === STDIO);
  const walked = named.filter(({ path }) => path !== STDIO);
  if (stdin !== undefined && walked.some(({ name }) => name === STDIN_NAME)) {
    throw new HexzError("usage", "two inputs have the name stdin");
  }
  const packStdin = () =>
    packContent(STDIO, (input) => target.addFile({ path: STDIN_NAME, type: "file", mode: 0o644 }, input));
  let stdinWaits = stdin !== undefined;
  // A block device that is named itself is packed as what it holds.
  const deviceNames = new Set(walked.filter(({ fact }) => fact!.stat.isBlockDevice()).map(({ name }) => name));
  const topNames = new Set(walked.map(({ name }) => name));
  for (const item of walkInputs(walked, walking)) {
    const { path } = item.entry;
    if (stdinWaits && (path.includes("/") || path > STDIN_NAME)) {
      await packStdin();
      stdinWaits = false;
    }
    const isTop = topNames.has(path);
    if (isTop && deviceNames.has(path)) {
      const { device: _, ...entry } = item.entry;
      await packContent(item.source.toString(), (input) => target.addFile({ ...entry, type: "file" }, input));
    } else await packItem(target, item, walking, warn, isTop);
  }
  if (stdinWaits) await packStdin();
}

/** The last component of a path as given, also for "." and "/". */
function nameOf(path: string): ByteString {
  if (path === STDIO) return STDIN_NAME;
  const name = basename(resolve(path));
  if (name === "") throw new HexzError("usage", "the root directory has no name; pack it alone");
  return byteStringOf(Buffer.from(name));
}

/** @param strict the item is an INPUT itself: any failure ends the packing */
async function packItem(
  target: PackTarget,
  { entry, source, facts, links }: WalkedItem,
  walking: WalkOptions,
  warn: Warn,
  strict: boolean,
): Promise<void> {
  if (entry.type !== "file") return target.addEntry(entry);
  if (entry.hardLink !== undefined) {
    if (target.hasLinkTarget(entry.hardLink)) return target.addEntry(entry);
    // Its first name could not be read: this one is tried as a file of its own.
    const { hardLink: _, ...file } = entry;
    return packItem(target, { entry: file, source, facts, links }, walking, warn, strict);
  }
  try {
    const input = openInput(source, { expected: facts, dereference: walking.dereference === true });
    try {
      await target.addFile(entry, input, { linkable: links > 1 });
    } finally {
      input.close();
    }
  } catch (error) {
    if (strict || !(error instanceof HexzError) || !TOLERATED.has(error.code)) throw error;
    warn({ path: entry.path, code: error.code, message: error.message });
  }
}
