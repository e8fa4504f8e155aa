// The tasks of an analysis: find where any chunking may cut, hash the chunks, see how long blocks become. Nothing that
// they yield is stored in an archive.

import { CODEC, type CodecId, type Engine } from "../engine.ts";
import { setTask, type Task, type Workspace } from "./task-record.ts";

export const SURVEY_KIND = { scan: 16, hash: 17, code: 18 } as const;

/** Bytes of one place where cuts are possible: offset, nothing, hash. */
export const FOUND_BYTES = 16;
/** How densely a region codes is judged by two pieces of it, coded with a quick Zstandard. */
export const REGION = 64 * 1024;
const PROBES = [16 * 1024, 48 * 1024];
const PROBE_BYTES = 8 * 1024;
const PROBE_LEVEL = 1;

export interface ScanWork {
  readonly bytes: Uint8Array;
  /** Offset in `bytes` where what is new begins, and its end. */
  readonly start: number;
  readonly end: number;
  /** Results: places that may be cut, their count (-1: more than there is room for), and how densely regions code. */
  readonly found: Uint8Array;
  readonly foundCount: Int32Array;
  readonly densities: Float32Array;
}

export function setScanTask(task: Task, { bytes, start, end, found, foundCount, densities }: ScanWork): void {
  const room = Math.floor(found.length / FOUND_BYTES);
  const places = [bytes.byteOffset, start, end, found.byteOffset, room, foundCount.byteOffset, densities.byteOffset];
  setTask(task, SURVEY_KIND.scan, ...places);
}

function runScan({ engine, gather }: Workspace, words: number[]): void {
  const [bytesAt, start, end, foundAt, room, countAt, densitiesAt] = words as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const { buffer } = engine.memory;
  new Int32Array(buffer, countAt, 1)[0] = engine.kernels.scanCuts(bytesAt, start, end, foundAt, room);
  const densities = new Float32Array(buffer, densitiesAt, Math.ceil((end - start) / REGION));
  for (let region = 0; region < densities.length; region++) {
    const at = start + region * REGION;
    const left = Math.min(REGION, end - at);
    let [plain, coded] = [0, 0];
    for (const probe of left < REGION ? [0] : PROBES) {
      const piece = new Uint8Array(buffer, bytesAt + at + probe, Math.min(PROBE_BYTES, left));
      plain += piece.length;
      coded += codedLength(engine, CODEC.zstd, PROBE_LEVEL, piece, gather);
    }
    densities[region] = coded / plain;
  }
}

/** How long some bytes are when they are stored as a block. */
function codedLength(engine: Engine, codec: CodecId, level: number, plain: Uint8Array, room: Uint8Array): number {
  const length = plain.length < 2 ? 0 : engine.encode(codec, level, plain, room.subarray(0, plain.length - 1));
  return length === 0 ? plain.length : length;
}

export interface HashWork {
  readonly bytes: Uint8Array;
  /** Offset and length of each chunk; the two top bits of the length do not count. */
  readonly list: Uint32Array;
  readonly count: number;
  /** Results: 64 bits for each, and the value of a fill or -1. */
  readonly hashes: Uint32Array;
  readonly fills: Int32Array;
}

/** @param jobs addresses, in memory: five words for each list */
export function setHashTask(task: Task, works: readonly HashWork[], jobs: Uint32Array): void {
  for (const [number, { bytes, list, count, hashes, fills }] of works.entries()) {
    jobs.set([bytes.byteOffset, list.byteOffset, count, hashes.byteOffset, fills.byteOffset], number * 5);
  }
  setTask(task, SURVEY_KIND.hash, works.length, jobs.byteOffset);
}

function runHash({ engine, gather }: Workspace, [lists, jobsAt]: number[]): void {
  const jobs = new Uint32Array(engine.memory.buffer, jobsAt!, lists! * 5);
  for (let at = 0; at < jobs.length; at += 5) {
    const [bytes, list, count, hashes, fills] = jobs.subarray(at, at + 5);
    engine.kernels.hashChunks(bytes!, list!, count!, hashes!, fills!, gather.byteOffset);
  }
}

export interface CodeWork {
  readonly plain: Uint8Array;
  /** Codec, level, and how long the pieces are that are coded each on its own, by turns. */
  readonly codings: Uint32Array;
  /** Results: the stored length for each. */
  readonly lengths: Uint32Array;
}

export const CODING_WORDS = 3;

export function setCodeTask(task: Task, { plain, codings, lengths }: CodeWork): void {
  const addresses = [codings.byteOffset, lengths.byteOffset];
  setTask(task, SURVEY_KIND.code, plain.byteOffset, plain.length, lengths.length, ...addresses);
}

function runCode({ engine, gather }: Workspace, [plainAt, length, count, codingsAt, lengthsAt]: number[]): void {
  const { buffer } = engine.memory;
  const plain = new Uint8Array(buffer, plainAt!, length!);
  const codings = new Uint32Array(buffer, codingsAt!, count! * CODING_WORDS);
  const lengths = new Uint32Array(buffer, lengthsAt!, count!);
  for (let number = 0; number < count!; number++) {
    const [codec, level, pieceLength] = codings.subarray(number * CODING_WORDS);
    let sum = 0;
    for (let at = 0; at < length!; at += pieceLength!) {
      sum += codedLength(engine, codec as CodecId, level!, plain.subarray(at, at + pieceLength!), gather);
    }
    lengths[number] = sum;
  }
}

/** Runs a task of an analysis; false when it is none. */
export function runSurveyTask(workspace: Workspace, kind: number, words: number[]): boolean {
  if (kind === SURVEY_KIND.scan) runScan(workspace, words);
  else if (kind === SURVEY_KIND.hash) runHash(workspace, words);
  else if (kind === SURVEY_KIND.code) runCode(workspace, words);
  else return false;
  return true;
}
