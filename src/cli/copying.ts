// What the commands have in common that make an archive of another one: options, what they say to the library, and the
// result.

import type { Command, OptionValues } from "@commander-js/extra-typings";
import { HexzError, type Warning } from "../core/errors.ts";
import type { CopiedArchive } from "../core/write/copier.ts";
import type { OpenOptions } from "../node/archive.ts";
import type { CopyOutput } from "../node/copy.ts";
import { readPrivateKey } from "../node/keys.ts";
import type { Calling } from "./catalogue.ts";
import { encryptionOf, withEncryptionOptions } from "./encryption-options.ts";
import { asUsage, EXIT } from "./exit-codes.ts";
import { refuseUrl } from "./open.ts";
import { FORCE, SIGN, withRunOptions } from "./options.ts";
import { createProgress } from "./progress.ts";
import { readingOptions, withReadingOptions } from "./reading-options.ts";
import { isTerminal } from "./terminal.ts";
import { tellWritten } from "./written.ts";

const STDOUT = "-";

export function withCopyingOptions<Arguments extends unknown[], Options extends OptionValues>(
  command: Command<Arguments, Options>,
) {
  return withRunOptions(withEncryptionOptions(withReadingOptions(command)).addOption(SIGN).addOption(FORCE));
}

type OptionsOf<C> = C extends Command<infer _, infer Options> ? Options : never;
// biome-ignore lint/complexity/noBannedTypes: a command without options of its own
export type CopyingOptions = OptionsOf<ReturnType<typeof withCopyingOptions<[], OptionsOf<Command<[], {}>>>>>;

/** One archive to make of another one. */
export interface CopyJob {
  readonly output: string;
  /** Paths that are read. */
  readonly inputs: readonly string[];
  readonly options: CopyingOptions;
  readonly calling: Calling;
  /** @returns the archive, and keys and lines of the command's own */
  make(copying: OpenOptions & CopyOutput): Promise<{
    written: CopiedArchive & { readonly warnings?: readonly Warning[] };
    extra?: Record<string, unknown>;
    lines?: string[];
  }>;
}

/** Makes an archive and tells of it. */
export async function writeCopy({ output, inputs, options, calling, make }: CopyJob): Promise<void> {
  for (const path of [...inputs, output]) refuseUrl(path);
  const onStdout = output === STDOUT;
  if (onStdout) calling.claimStdout();
  if (onStdout && isTerminal("stdout")) {
    throw new HexzError("usage", "an archive is not for a terminal", { hint: "redirect standard output" });
  }
  const encryption = await encryptionOf(options);
  const quiet = options.quiet === true || options.silent === true;
  const progress = createProgress(options.progress, quiet, "copying");
  const start = performance.now();
  try {
    const {
      written,
      extra,
      lines = [],
    } = await make({
      ...readingOptions(options),
      ...(encryption === undefined ? {} : { encryption }),
      output,
      signers: (options.sign ?? []).map(readPrivateKey),
      force: options.force === true,
      onTotal: progress.expect,
      onProgress: progress.add,
    });
    progress.end();
    const { count, storedBytes } = written.copied;
    const seconds = (performance.now() - start) / 1000;
    const copied = { copied_blocks: { count, stored_bytes: storedBytes } };
    const told = { output, written, seconds, warnings: written.warnings ?? [], extra: { ...copied, ...extra }, lines };
    await tellWritten(told, { json: options.json === true, quiet, onStdout });
  } catch (error) {
    throw asUsage(error);
  } finally {
    progress.end();
  }
  calling.finish(EXIT.done);
}
