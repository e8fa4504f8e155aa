// Checking an archive of format 1: all of its index, the bytes of all streams and of all that is restored from them, and
// what the originals would make of it. Header, index and metadata have no checksum; they are checked as far as they
// must fit the rest.

import { type ErrorCode, HexzError } from "../../errors.ts";
import type { Entry } from "../../format/entry.ts";
import { displayName } from "../../format/path.ts";
import { HEADER_LENGTH } from "../../format/v1/header.ts";
import type { Archive } from "../archive.ts";
import type { CheckResult } from "../check.ts";
import { type ContentOptions, checkContent } from "../check-content.ts";
import { Findings, noting, type Problem } from "../findings.ts";
import type { Format1 } from "./archive.ts";
import { misreadBy } from "./originals.ts";
import { STREAMS } from "./pages.ts";
import { surveyIo } from "./survey.ts";

const STREAM_NAMES = { main: "disk", auxiliary: "memory" } as const;

export async function checkFormat1(archive: Archive, format1: Format1, options: ContentOptions): Promise<CheckResult> {
  const findings = new Findings();
  const warnings = new Findings();
  if (format1.problem !== undefined) findings.fail("metadata", format1.problem);
  const survey = await noting(findings, "index", () => archive.run(surveyIo(format1)));
  if (survey !== undefined) {
    await checkSizes(archive, format1, findings, warnings);
    checkSpace(format1, survey.counts.codecs[0]?.storedBytes ?? 0, warnings);
  }
  const checkedBytes = await checkContent(archive, findings, options);
  for (const { name, start, size } of archive.streams) findings.tellLost(name, start, start + size);
  if (format1.problem === undefined) await checkEntries(archive, findings, options.sampleBytes === undefined);
  findings.tellRest();
  // Pages that cannot be read were told of.
  await noting(warnings, "index", () => warn(archive, format1, warnings, survey !== undefined));
  const problems = findings.problems();
  return { ok: problems.length === 0, checkedBytes, problems, warnings: warnings.problems() };
}

/** Streams whose blocks hold more than they say, or less. */
async function checkSizes(archive: Archive, format1: Format1, findings: Findings, warnings: Findings) {
  const { opened, lineage, manifest } = format1;
  const { pages } = lineage.members[0]!;
  const hasEnds = manifest?.kind === "tar" || opened.header.parentPaths.length > 0;
  for (const stream of STREAMS) {
    const { size } = opened.master[stream];
    const backed = await archive.run(pages.backed(stream));
    const path = STREAM_NAMES[stream];
    const sizes = `the stream ${path} has ${size} bytes, its blocks ${backed}`;
    if (backed > size) {
      const message = `${sizes}: bytes ${size} to ${backed} cannot be reached`;
      findings.add({ code: "invalid", where: "index", path, start: size, end: backed, message });
    } else if (backed < size) {
      const message = `${sizes}: what follows is the parent's, or zeros`;
      // Conversions of tar files are so by design; of others nothing says that these bytes are right.
      const where = { code: "invalid", where: "index", path, start: backed, end: size, message } as const;
      (hasEnds ? warnings : findings).add(where);
    }
  }
}

/** Bytes before the master index that belong to nothing that is listed. */
function checkSpace({ opened }: Format1, storedBytes: number, warnings: Findings): void {
  const { header, master } = opened;
  const pages = STREAMS.flatMap((stream) => master[stream].pages).reduce((sum, { length }) => sum + length, 0);
  const used = HEADER_LENGTH + (header.dictionary?.length ?? 0) + storedBytes + pages;
  if (used === header.indexOffset) return;
  const message =
    used < header.indexOffset
      ? `${header.indexOffset - used} bytes before the index belong to nothing that it lists`
      : "blocks or pages lie over each other";
  warnings.invalid("layout", message);
}

/** What has no address is read here; of the others, what is lost is known. */
async function checkEntries(archive: Archive, findings: Findings, isComplete: boolean): Promise<void> {
  const entries = await noting(findings, "tree", async () => archive.format1!.tree.list());
  for (const entry of entries ?? []) {
    if (entry.type !== "file") continue;
    const path = displayName(entry.path);
    if (entry.computed !== true) findings.tellLost(path, entry.start!, entry.start! + entry.size!);
    else if (isComplete) await checkComputed(archive, entry, path, findings);
  }
}

async function checkComputed(archive: Archive, entry: Entry, path: string, findings: Findings): Promise<void> {
  try {
    for await (const _ of archive.parts(archive.fileOf(entry))) {
      // read is good
    }
  } catch (error) {
    if (!(error instanceof HexzError) || error.code === "io" || error.code === "interrupted") throw error;
    const message = `"${path}" cannot be restored: ${error.message}`;
    findings.add({ code: error.code, where: "content", path, message });
  }
}

const PROGRAMS = { "0.5": "hexz 0.5 (Python)", "0.8": "hexz 0.8" } as const;

/** @param isWhole all pages of the archive could be read */
async function warn(archive: Archive, format1: Format1, warnings: Findings, isWhole: boolean): Promise<void> {
  const { opened, manifest, lineage } = format1;
  const { header, master } = opened;
  const add = (code: ErrorCode, where: Problem["where"], message: string) => warnings.add({ code, where, message });
  if (lineage.found.length > 0) {
    const where = lineage.found.join(", ");
    add("original_differs", "content", `blocks of parents were found in ${where}; the originals go by names alone`);
  }
  const memory = manifest?.members.find(({ path, size }) => path === "memory" && size > 0);
  if (manifest?.kind === "directory" && memory !== undefined && master.auxiliary.size > 0) {
    add("original_differs", "tree", `${PROGRAMS["0.8"]} extracts other bytes for the file "memory"`);
  }
  if (header.signature !== undefined) {
    const message = "the signature covers the master index and the metadata: no block, no page and not the header";
    add("untrusted", "layout", message);
  }
  if (!isWhole) return;
  if (master.main.pages.concat(master.auxiliary.pages).length > 0 && (await hasNoDigests(archive, format1))) {
    add("unsupported", "content", "blocks have a CRC-32 and no digest: made changes are not noticed");
  }
  for (const { program, count, stream, at } of await archive.run(misreadBy(format1))) {
    const where = `at byte ${at} of ${STREAM_NAMES[stream]}`;
    add(
      "original_differs",
      "content",
      `${PROGRAMS[program]} reads other bytes for ${count} references, the first ${where}`,
    );
  }
}

/** Whether blocks of the archive itself go without digests although nothing else authenticates them. */
async function hasNoDigests(archive: Archive, { opened, lineage }: Format1): Promise<boolean> {
  if (opened.header.encryption !== undefined) return false;
  const { pages } = lineage.members[0]!;
  const stream = pages.count("main") > 0 ? "main" : "auxiliary";
  const { entries } = await archive.run(pages.page(stream, 0));
  return entries.some((entry) => entry.kind === "data" && entry.digest === undefined);
}
