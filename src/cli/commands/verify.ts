// `hexz verify`: who has signed an archive, and that every byte of it is what was signed.

import { Command } from "@commander-js/extra-typings";
import { hexOf } from "../../core/bytes.ts";
import { HexzError } from "../../core/errors.ts";
import { type VerifiedArchive, verifyArchive } from "../../core/read/verify.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { EXIT, EXIT_CODES } from "../exit-codes.ts";
import { openArgument } from "../open.ts";
import { collect, WORKERS, withRunOptions } from "../options.ts";
import { problemDocument, problemText } from "../problems.ts";
import { createProgress, type Progress } from "../progress.ts";
import { readingOptions, withReadingOptions } from "../reading-options.ts";
import { formatSize } from "../sizes.ts";
import { printDocument, printNote, printText } from "../terminal.ts";
import { printable } from "../text.ts";

function define() {
  return withRunOptions(
    withReadingOptions(
      new Command("hexz verify")
        .summary("prove that an archive is what somebody signed")
        .description(
          "Proves that all KEYs have signed an archive and that every byte of it is what they signed. " +
            "Without a KEY it lists who has signed, and proves nothing. Signatures of format 1 do not cover the contents: " +
            "of such an archive --quick proves what they cover, and the rest cannot be proven.",
        )
        .usage("[options] [KEY...] ARCHIVE")
        .argument(
          "<path...>",
          "public keys (files, or 64 hexadecimal digits) and, last, the archive; - is standard input",
        )
        .option("--signature <file>", "a signature that is kept beside the archive; repeatable", collect)
        .option("--quick", "check the signatures and what they cover themselves, not the bytes below")
        .addOption(WORKERS),
    ),
  );
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

/** What is told: also of a file that could not be opened. */
interface Verdict extends VerifiedArchive {
  readonly id: string | undefined;
  /** By whomever. */
  readonly isSigned: boolean;
}

async function verifyPath(
  path: string,
  keys: readonly Uint8Array[],
  options: Options,
  progress: Progress,
): Promise<Verdict> {
  const { readSignature } = await import("../../node/sign.ts");
  const detached = (options.signature ?? []).map(readSignature);
  const source = openArgument(path);
  try {
    const { openArchiveSource } = await import("../../node/archive.ts");
    const archive = await openArchiveSource(source, readingOptions(options));
    progress.expect(archive.root.addressSpace);
    const quick = options.quick === true;
    const verified = await verifyArchive(archive, { keys, detached, quick, onProgress: progress.add });
    // A signature of format 1 does not say whose it is.
    const isSigned = verified.signatures.length > 0 || archive.format1?.opened.header.signature !== undefined;
    return { ...verified, id: archive.idText ?? undefined, isSigned };
  } finally {
    await source.close?.();
  }
}

function documentOf({ ok, id, signatures, checkedBytes, problems, warnings }: Verdict): object {
  return {
    ok,
    archive_id: id ?? null,
    signatures: signatures.map(({ publicKey, valid, trusted }) => ({ public_key: hexOf(publicKey), valid, trusted })),
    checked_bytes: checkedBytes,
    problems: problems.map(problemDocument),
    ...(warnings && { warnings: warnings.map(problemDocument) }),
  };
}

/** Why the answer is what it is, in one sentence. */
function reasonOf(verdict: Verdict, keyCount: number, quick: boolean): string {
  const { ok, isSigned, problems, checkedBytes, warnings } = verdict;
  if (ok && warnings !== undefined) return "its master index and metadata are what was signed; nothing else was proven";
  if (ok && quick) return "signed; the bytes below its root were not checked";
  if (ok) return `signed, and every byte is what was signed (${formatSize(checkedBytes)} checked)`;
  if (problems.length > 0) return "it is not what was signed, or cannot be proven to be";
  if (!isSigned) return "not signed";
  return keyCount === 0 ? "nothing was proven: no KEY was given" : "not signed by every KEY";
}

function printVerdict(path: string, verdict: Verdict, keyCount: number, options: Options): void {
  for (const problem of verdict.problems) printNote(`hexz: problem: ${problemText(problem)}`);
  for (const warning of verdict.warnings ?? []) printNote(`hexz: warning: ${problemText(warning)}`);
  if (options.quiet === true || options.silent === true) return;
  const lines = verdict.signatures.map(({ publicKey, valid, trusted }) => {
    return `${valid ? "signed by" : "WRONG signature of"} ${hexOf(publicKey)}${trusted ? ", a KEY" : ""}`;
  });
  if (verdict.id !== undefined) lines.push(`archive id: ${verdict.id}`);
  const reason = reasonOf(verdict, keyCount, options.quick === true);
  printText(`${[...lines, `${printable(path)}: ${reason}`].join("\n")}\n`);
}

async function run(paths: readonly string[], options: Options, calling: Calling): Promise<void> {
  const { readPublicKey } = await import("../../node/keys.ts");
  const keys = paths.slice(0, -1).map(readPublicKey);
  const path = paths.at(-1)!;
  if (keys.length === 0 && options.signature !== undefined) {
    throw new HexzError("usage", "a signature beside an archive does not say whose it is: name a KEY");
  }
  const quiet = options.quiet === true || options.silent === true;
  const progress = createProgress(options.progress, quiet, "verifying");
  let verdict: Verdict;
  try {
    verdict = await verifyPath(path, keys, options, progress);
  } catch (error) {
    // What cannot even be opened was answered all the same.
    if (!(error instanceof HexzError) || EXIT_CODES[error.code] !== EXIT.bad) throw error;
    const problems = [{ code: error.code, where: "archive", message: error.message }];
    verdict = { ok: false, id: undefined, isSigned: false, signatures: [], checkedBytes: 0, problems };
  } finally {
    progress.end();
  }
  if (options.json === true) await printDocument(documentOf(verdict));
  else printVerdict(path, verdict, keys.length, options);
  const { ok, problems } = verdict;
  const isOutside = problems.length > 0 && problems.every(({ code }) => EXIT_CODES[code] === EXIT.outside);
  calling.finish(ok ? EXIT.done : isOutside ? EXIT.outside : EXIT.bad);
}

export const verify: CommandSpec = {
  create: (calling) => define().action((paths, options) => run(paths, options, calling)),
  example: "hexz verify ~/.hexz/public.key backup.hxz",
};
