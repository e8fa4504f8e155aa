// `hexz analyze`: which chunking and codec suit some data, measured; and what the original's model says.

import { Command } from "@commander-js/extra-typings";
import { applyModel } from "../../core/analyze/model.ts";
import { PRICES, recommend } from "../../core/analyze/recommend.ts";
import { BASELINE_CHUNKING, CHUNKINGS, PLANS } from "../../core/analyze/spec.ts";
import { type Analysis, analysisDocument, analysisLines } from "../analysis-output.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { inputsOf, withInputOptions } from "../input-options.ts";
import { WORKERS, withRunOptions } from "../options.ts";
import { packCommandLine } from "../pack-command.ts";
import { readingOptions, withReadingOptions } from "../reading-options.ts";
import { finishWith, MEASURED, measure, SAMPLE } from "../survey-options.ts";
import { printDocument, printText, printWarnings } from "../terminal.ts";
import { printable } from "../text.ts";

const saves = (factor: number) => `${Math.round((factor - 1) * 100)} %`;

function define() {
  const analyze = new Command("hexz analyze")
    .summary("which chunking and codec suit some data")
    .description(
      "Measures in one pass how large an archive would be with every candidate: chunkings, block sizes and codecs. Distinct bytes " +
        "are counted on all of the input, compression on a sample of the blocks, with an error that holds in 95 of 100 cases. " +
        "The recommendation is the smallest, but what costs more has to save more: " +
        `lz4 ${saves(PRICES.lz4)} over none, zstd ${saves(PRICES.zstd)} over lz4, its best levels ${saves(PRICES.slowZstd)} more, a dictionary ${saves(PRICES.dictionary)}, ` +
        `each doubling of blocks over 64K ${saves(PRICES.blockDoubling)}, each halving of chunks below 64K ` +
        `${saves(PRICES.chunkHalving)}, fixed chunks ${saves(PRICES.fixed)}. ` +
        "Beside it stands what DCAM, the model of the original program, would choose. In JSON, error and unique_error are bytes " +
        "on either side of compressed_size and unique_bytes, 0 where all was measured; price is what the recommendation compares.",
    )
    .addArgument(MEASURED);
  return withRunOptions(withReadingOptions(withInputOptions(analyze)).addOption(SAMPLE).addOption(WORKERS));
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

async function run(paths: readonly string[], options: Options, calling: Calling): Promise<void> {
  const inputs = inputsOf(paths, options);
  const { workers, sample } = options;
  const surveyed = await measure(
    {
      ...inputs,
      measure: { chunkings: CHUNKINGS, plans: PLANS },
      dictionaries: true,
      reading: readingOptions(options),
      engine: options.engine,
      ...(workers === undefined ? {} : { workers }),
      ...(sample === undefined ? {} : { sampleBytes: sample }),
    },
    options,
  );
  const { inputBytes, candidates, remaining, archives, warnings } = surveyed;
  const model = applyModel(inputBytes, remaining[BASELINE_CHUNKING]!, remaining);
  const recommended = recommend(candidates);
  const command = packCommandLine({ inputs: paths, options, archives: archives.length > 0 }, recommended);
  const analysis: Analysis = { surveyed, model, recommended, command };
  if (options.json === true) await printDocument(analysisDocument(analysis));
  else {
    printWarnings(warnings);
    printText(`${analysisLines(analysis).map(printable).join("\n")}\n`);
  }
  finishWith(calling, warnings);
}

export const analyze: CommandSpec = {
  create: (calling) => define().action((paths, options) => run(paths, options, calling)),
  example: "hexz analyze photos",
};
