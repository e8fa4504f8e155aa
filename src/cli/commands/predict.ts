// `hexz predict`: how large an archive of some input would be with one setting.

import { Command } from "@commander-js/extra-typings";
import type { Candidate } from "../../core/analyze/findings.ts";
import { CODEC, type CodecId } from "../../core/engine.ts";
import { HexzError } from "../../core/errors.ts";
import { resolveCoding } from "../../core/write/coding.ts";
import type { PackInputs } from "../../node/pack.ts";
import type { Surveyed } from "../../node/survey.ts";
import { candidateDocument, chunkingText, codecText, shortSize } from "../candidate-output.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { inputsOf, withInputOptions } from "../input-options.ts";
import { WORKERS, withRunOptions } from "../options.ts";
import { readingOptions } from "../reading-options.ts";
import { formatSize } from "../sizes.ts";
import { finishWith, MEASURED, measure, SAMPLE } from "../survey-options.ts";
import { printDocument, printText, printWarnings } from "../terminal.ts";
import { warningDocument } from "../text.ts";
import { codingOptionsOf, withCodingOptions } from "../writing-options.ts";

/** For one setting there is time to code more. */
const SAMPLE_FACTOR = 4;

function define() {
  const predict = new Command("hexz predict")
    .summary("how large an archive would be, without making it")
    .description(
      "Predicts the size of the archive that pack would make with the same options. All of the input is chunked, a sample of " +
        "the blocks is coded. With --base or --dictionary the input is packed without writing, which is exact. " +
        "In JSON, error and unique_error are bytes on either side, 0 where all was measured.",
    )
    .addArgument(MEASURED);
  return withRunOptions(withCodingOptions(withInputOptions(predict)).addOption(SAMPLE).addOption(WORKERS));
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

async function survey(inputs: Required<PackInputs>, options: Options): Promise<Surveyed> {
  const { chunking, sizes, blockSize, codec, level } = resolveCoding(codingOptionsOf(options), "");
  const codecs = codec === CODEC.stored ? [] : [{ codec: codec as CodecId, level, every: 1 }];
  const plans = [{ chunking: 0, blockSize, codecs }];
  const { workers, sample } = options;
  return measure(
    {
      ...inputs,
      measure: { chunkings: [{ method: chunking, sizes }], plans, sampleFactor: SAMPLE_FACTOR },
      reading: readingOptions(options),
      engine: options.engine,
      ...(workers === undefined ? {} : { workers }),
      ...(sample === undefined ? {} : { sampleBytes: sample }),
    },
    options,
  );
}

/** What is in bases is known by digests only, and a dictionary has to be trained: the work of packing is done. */
async function packDry(inputs: Required<PackInputs>, options: Options): Promise<Surveyed> {
  if (options.sample !== undefined) throw new HexzError("usage", "--sample does not go with --base or --dictionary");
  const { pack } = await import("../../node/pack.ts");
  const { base: bases = [], dictionary, trainDict } = options;
  const trainDictionary = dictionary === true || trainDict === true;
  const making = { ...readingOptions(options), ...codingOptionsOf(options), bases, trainDictionary };
  const { coding, counts, size, warnings } = await pack({ ...inputs, ...making, output: "-", dryRun: true });
  const candidate: Candidate = {
    chunking: { method: coding.chunking, sizes: coding.sizes },
    blockSize: coding.blockSize,
    codec: coding.codec as CodecId,
    level: coding.level,
    chunks: counts.unique.count + counts.duplicate.count + counts.parent.count + counts.fill.count,
    uniqueBytes: counts.unique.bytes,
    uniqueError: 0,
    compressedSize: size,
    error: 0,
    codedBytes: counts.unique.bytes,
  };
  const { originalSize: bytes } = counts;
  return { inputBytes: bytes, sampledBytes: bytes, candidates: [candidate], remaining: [], archives: [], warnings };
}

function lines({ inputBytes, sampledBytes }: Surveyed, candidate: Candidate): string[] {
  const { uniqueBytes, uniqueError, compressedSize, error, chunks } = candidate;
  const within = (bytes: number) => (bytes === 0 ? "" : ` ± ${formatSize(bytes)}`);
  const ratio = compressedSize === 0 ? 0 : inputBytes / compressedSize;
  const rows = [
    ["input", `${formatSize(inputBytes)} (${inputBytes})`],
    ...(sampledBytes === inputBytes ? [] : [["read", `${formatSize(sampledBytes)} (${sampledBytes})`]]),
    [
      "setting",
      `${chunkingText(candidate.chunking)}, blocks ${shortSize(candidate.blockSize)}, ${codecText(candidate)}`,
    ],
    ["chunks", String(chunks)],
    ["unique", `${formatSize(uniqueBytes)}${within(uniqueError)}`],
    ["archive size", `${formatSize(compressedSize)}${within(error)} (${compressedSize}), ${ratio.toFixed(2)} to 1`],
  ];
  return rows.map(([key, value]) => `${key!.padEnd(14)}${value}`);
}

async function run(paths: readonly string[], options: Options, calling: Calling): Promise<void> {
  const inputs = inputsOf(paths, options);
  const { base, dictionary, trainDict } = options;
  const isSurveyed = base === undefined && dictionary !== true && trainDict !== true;
  const surveyed = await (isSurveyed ? survey(inputs, options) : packDry(inputs, options));
  const { inputBytes, sampledBytes, candidates, warnings } = surveyed;
  const candidate = candidates.at(-1)!;
  if (options.json === true) {
    const figures = candidateDocument(candidate, inputBytes);
    const left = warnings.map(warningDocument);
    await printDocument({ input_bytes: inputBytes, sampled_bytes: sampledBytes, ...figures, warnings: left });
  } else {
    printWarnings(warnings);
    printText(`${lines(surveyed, candidate).join("\n")}\n`);
  }
  finishWith(calling, warnings);
}

export const predict: CommandSpec = {
  create: (calling) => define().action((paths, options) => run(paths, options, calling)),
  example: "hexz predict photos --compression zstd --block-size 256K",
};
