// `hexz check`: every byte of an archive, or a sample, against its digests.

import { Command, Option } from "@commander-js/extra-typings";
import { HexzError } from "../../core/errors.ts";
import type { Archive } from "../../core/read/archive.ts";
import { type CheckOptions, type CheckResult, checkArchive } from "../../core/read/check.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { EXIT, EXIT_CODES } from "../exit-codes.ts";
import { openArgument } from "../open.ts";
import { WORKERS, withRunOptions } from "../options.ts";
import { problemDocument, problemText } from "../problems.ts";
import { createProgress, type Progress } from "../progress.ts";
import { readingOptions, withReadingOptions } from "../reading-options.ts";
import { formatSize, parseSize } from "../sizes.ts";
import { printDocument, printNote, printText } from "../terminal.ts";
import { printable } from "../text.ts";

function define() {
  return withRunOptions(
    withReadingOptions(
      new Command("hexz check")
        .summary("prove every byte of an archive, or a sample")
        .description("Reads an archive and checks every byte against its digests; names what is lost.")
        .argument("<archive>", "the archive; - is standard input")
        .addOption(new Option("--sample <amount>", "check so much of the content, chosen evenly: 5% or 1G"))
        .option("--parents", "check the parents of a thin archive, too, as archives of their own")
        .addOption(WORKERS),
    ),
  );
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

/** Bytes to check of so many. @throws HexzError `usage` */
function sampleBytes(sample: string, size: number): number {
  const percent = /^(\d+(?:\.\d+)?) ?%$/.exec(sample)?.[1];
  if (percent === undefined) return parseSize(sample);
  if (Number(percent) <= 100) return Math.ceil((size * Number(percent)) / 100);
  throw new HexzError("usage", `a sample of ${sample} is more than there is`);
}

async function checkPath(path: string, options: Options, progress: Progress): Promise<CheckResult> {
  const source = openArgument(path);
  const { openArchiveSource } = await import("../../node/archive.ts");
  const { sample } = options;
  try {
    const archive = await openArchiveSource(source, readingOptions(options));
    const size = archive.root.addressSpace;
    const bytes = sample === undefined ? undefined : sampleBytes(sample, size);
    progress.expect(Math.min(bytes ?? size, size));
    const checkOptions = { ...(bytes === undefined ? {} : { sampleBytes: bytes }), onProgress: progress.add };
    const result = await checkArchive(archive, checkOptions);
    if (options.parents !== true) return result;
    return (await checkParents(archive, options, checkOptions)).reduce(joined, result);
  } finally {
    await source.close?.();
  }
}

/** Checks the parents that are there as archives of their own; one that is missing is a problem of the child. */
async function checkParents(archive: Archive, options: Options, checkOptions: CheckOptions): Promise<CheckResult[]> {
  const { openArchiveFile } = await import("../../node/archive.ts");
  const results: CheckResult[] = [];
  for (const { source } of (await archive.run(archive.stores.all())).slice(1)) {
    if (source.path === undefined) continue;
    // the child's signers need not be the parents'
    const parent = await openArchiveFile(source.path, readingOptions({ ...options, requireSignedBy: undefined }));
    try {
      results.push(await checkArchive(parent, checkOptions));
    } finally {
      await parent.close();
    }
  }
  return results;
}

function joined(a: CheckResult, b: CheckResult): CheckResult {
  const problems = [...a.problems, ...b.problems];
  const known = a.warnings ?? b.warnings;
  const warnings = known && { warnings: [...(a.warnings ?? []), ...(b.warnings ?? [])] };
  return { ok: a.ok && b.ok, checkedBytes: a.checkedBytes + b.checkedBytes, problems, ...warnings };
}

async function run(path: string, options: Options, calling: Calling): Promise<void> {
  const { sample } = options;
  if (sample !== undefined) sampleBytes(sample, 0);
  const quiet = options.quiet === true || options.silent === true;
  const progress = createProgress(options.progress, quiet, "checking");
  let result: CheckResult;
  try {
    result = await checkPath(path, options, progress);
  } catch (error) {
    // What cannot even be opened was checked all the same.
    if (!(error instanceof HexzError) || EXIT_CODES[error.code] !== EXIT.bad) throw error;
    const { code, message } = error;
    result = { ok: false, checkedBytes: 0, problems: [{ code, where: "archive", message }] };
  } finally {
    progress.end();
  }
  const { ok, checkedBytes, problems, warnings } = result;
  if (options.json === true) {
    const found = problems.map(problemDocument);
    const told = warnings === undefined ? {} : { warnings: warnings.map(problemDocument) };
    await printDocument({ ok, checked_bytes: checkedBytes, sampled: sample ?? null, problems: found, ...told });
  } else {
    for (const warning of warnings ?? []) printNote(`hexz: warning: ${problemText(warning)}`);
    for (const problem of problems) printNote(`hexz: problem: ${problemText(problem)}`);
    const extent = sample === undefined ? "" : `, a sample of ${sample}`;
    const verdict = ok ? "good" : "bad";
    if (!quiet) printText(`${printable(path)}: ${verdict} (${formatSize(checkedBytes)} checked${extent})\n`);
  }
  const isOutside = problems.every(({ code }) => EXIT_CODES[code] === EXIT.outside);
  calling.finish(ok ? EXIT.done : isOutside ? EXIT.outside : EXIT.bad);
}

export const check: CommandSpec = {
  create: (calling) => define().action((path, options) => run(path, options, calling)),
  example: "hexz check backup.hxz --sample 5%",
};
