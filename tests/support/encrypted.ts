// Encrypted archives for tests: to one identity, of content that fills several segments.

import { generateIdentity, identityToRecipient } from "age-encryption";
import {
  type Archive,
  type CreateOptions,
  createMemorySource,
  openArchive,
  type RangeSource,
} from "../../src/core/index.ts";
import { type Plan, packPlan } from "./archives.ts";
import { randomBytes, randomFrom } from "./random.ts";

export const HEAD = 4096;
export const AREA = 16_384;
export const START = HEAD + 2 * AREA;
export const SEALED = 65_576;

export const identity = await generateIdentity();
export const recipient = await identityToRecipient(identity);
export const SECRETS = { identities: [identity] };

/** Random, so that nothing of it compresses. */
export const CONTENT = randomBytes(300_000, randomFrom(5));

export function encryptedPlan(
  content = CONTENT,
  encryption: CreateOptions["encryption"] = { recipients: [recipient] },
) {
  const plan: Plan = { streams: [{ name: "disk", content }], options: { encryption: encryption! } };
  return packPlan(plan);
}

/** Segment of that number, as it is stored. */
export const segmentOf = (file: Uint8Array, number: number) =>
  file.subarray(START + number * SEALED, START + (number + 1) * SEALED);

export const segmentsOf = (file: Uint8Array): Uint8Array[] =>
  Array.from({ length: (file.length - START) / SEALED }, (_, number) => segmentOf(file, number));

export function withSegments(file: Uint8Array, segments: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat([file.subarray(0, START), ...segments]));
}

/** What is asked of a source. */
export interface Recorded {
  readonly source: RangeSource;
  readonly ranges: { start: number; end: number }[];
}

export function recorded(bytes: Uint8Array): Recorded {
  const inner = createMemorySource(bytes);
  const ranges: { start: number; end: number }[] = [];
  const read = (start: number, end: number) => {
    ranges.push({ start, end });
    return inner.read(start, end);
  };
  return { source: { name: inner.name, size: inner.size, read }, ranges };
}

/** The code of what opening or reading everything throws; "right" when all bytes are. */
export async function outcomeOf(file: Uint8Array, secrets: object = SECRETS, content = CONTENT): Promise<string> {
  let archive: Archive;
  try {
    archive = await openArchive(file, { secrets });
    const found = await (await archive.file("disk")).read();
    return Buffer.compare(found, content) === 0 ? "right" : "wrong bytes";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}
