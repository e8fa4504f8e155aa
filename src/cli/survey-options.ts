// What `analyze` and `predict` have in common: how the input is measured, and how that is told.

import { Argument, Option } from "@commander-js/extra-typings";
import type { Warning } from "../core/errors.ts";
import type { Surveyed, SurveyOptions } from "../node/survey.ts";
import type { Calling } from "./catalogue.ts";
import { asUsage, EXIT } from "./exit-codes.ts";
import { inputExitCode } from "./input-options.ts";
import { sizeParser } from "./options.ts";
import { createProgress, type ProgressMode } from "./progress.ts";

export const MEASURED = new Argument(
  "[input...]",
  "files, directories, - for standard input, or archives, whose contents are measured",
);
export const SAMPLE = new Option(
  "--sample <size>",
  "read only so much, in evenly spread stretches of 1 or 2 MiB, and say how sure the figures are (default: all)",
).argParser(sizeParser);

interface Telling {
  readonly progress: ProgressMode;
  readonly quiet?: true | undefined;
  readonly silent?: true | undefined;
}

/** Measures with progress. */
export async function measure(
  options: Omit<SurveyOptions, "onTotal" | "onProgress">,
  telling: Telling,
): Promise<Surveyed> {
  const { surveyInputs } = await import("../node/survey.ts");
  const progress = createProgress(telling.progress, telling.quiet === true || telling.silent === true, "analyzing");
  try {
    return await surveyInputs({ ...options, onTotal: progress.expect, onProgress: progress.add });
  } catch (error) {
    throw asUsage(error);
  } finally {
    progress.end();
  }
}

/** Ends the command as its warnings say. */
export function finishWith(calling: Calling, warnings: readonly Warning[]): void {
  calling.finish(Math.max(EXIT.done, ...warnings.map(inputExitCode)));
}
