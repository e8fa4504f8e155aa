// `hexz build`: an archive of a directory or file, with settings for its kind of data.

import { Argument, Command, Option } from "@commander-js/extra-typings";
import { HexzError } from "../../core/errors.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { EXIT } from "../exit-codes.ts";
import { inputExitCode, inputsOf, withInputOptions } from "../input-options.ts";
import { refuseUrl } from "../open.ts";
import { PROFILE_NAMES, PROFILES, type Profile, type ProfileName } from "../profiles.ts";
import { formatSize } from "../sizes.ts";
import { printDocument, printText } from "../terminal.ts";
import { type WritingOptions, withCodingOptions, withOutputOptions, writeArchive } from "../writing-options.ts";

function define() {
  const build = new Command("hexz build")
    .summary("an archive of a directory or file, with settings for its kind of data")
    .description("Packs a directory or file with the settings of a profile; each can be overridden.")
    .usage("[options] SOURCE OUTPUT\n       hexz build --list-profiles")
    .addArgument(new Argument("[source]", "a directory, whose contents go to the root of the archive, or a file"))
    .addArgument(new Argument("[output]", "the archive; - is standard output"))
    .addOption(
      new Option("--profile <name>", "which settings").choices(PROFILE_NAMES).default("generic" satisfies ProfileName),
    )
    .option("--list-profiles", "print the profiles and their settings");
  return withOutputOptions(withCodingOptions(withInputOptions(build))).option(
    "--no-dictionary",
    "no dictionary, where the profile has one",
  );
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

/**
 * The profile, overridden by what was given. The chunks of a base are those that new ones must be like, whatever the
 * profile says.
 * @param given says whether an option was given
 */
function settingsOf(profile: Profile, options: Options, given: (name: string) => boolean): WritingOptions {
  const { compression, level, blockSize, minChunk, avgChunk, maxChunk } = profile;
  const own = given("compression") ? options.compression : compression;
  const isZstd = own === "zstd";
  const ownLevel = options.level ?? (isZstd ? level : undefined);
  const isFree = options.chunking !== "fixed" && options.base === undefined;
  const chunks = isFree ? { minChunk, avgChunk, maxChunk } : {};
  const named = { minChunk: options.minChunk, avgChunk: options.avgChunk, maxChunk: options.maxChunk };
  const wanted = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
  const settings: WritingOptions = {
    ...options,
    ...chunks,
    ...wanted,
    compression: own,
    dictionary: options.dictionary || undefined,
  };
  settings.blockSize = options.blockSize ?? blockSize;
  if (ownLevel !== undefined) settings.level = ownLevel;
  return settings;
}

function profileLines(): string[] {
  return PROFILE_NAMES.flatMap((name) => {
    const profile: Profile = PROFILES[name];
    const { summary, compression, level, blockSize, minChunk, avgChunk, maxChunk, dictionary } = profile;
    const codec = level === undefined ? compression : `${compression} level ${level}`;
    const chunks = [minChunk, avgChunk, maxChunk].map(formatSize).join(" / ");
    const more = dictionary ? ", a dictionary" : "";
    return [
      `${name.padEnd(10)}${summary}`,
      `${"".padEnd(10)}${codec}, blocks of ${formatSize(blockSize)}, chunks of ${chunks}${more}`,
    ];
  });
}

function profileDocument(name: ProfileName): object {
  const profile: Profile = PROFILES[name];
  const { summary, compression, level, blockSize, minChunk, avgChunk, maxChunk, dictionary } = profile;
  const chunking = { method: "cdc", min: minChunk, avg: avgChunk, max: maxChunk };
  return { name, summary, compression, level: level ?? null, block_size: blockSize, chunking, dictionary };
}

async function listProfiles(options: Options): Promise<void> {
  if (options.json === true) await printDocument({ profiles: PROFILE_NAMES.map(profileDocument) });
  else printText(`${profileLines().join("\n")}\n`);
}

async function run(
  paths: readonly [string | undefined, string | undefined],
  options: Options,
  calling: Calling,
  given: (name: string) => boolean,
): Promise<void> {
  if (options.listProfiles === true) {
    await listProfiles(options);
    calling.finish(EXIT.done);
    return;
  }
  const [source, output] = paths;
  if (source === undefined || output === undefined) {
    throw new HexzError("usage", "build takes a SOURCE and an OUTPUT", {
      hint: "hexz build --help shows how it is used",
    });
  }
  const plan = inputsOf([source], options);
  refuseUrl(output);
  const profile: Profile = PROFILES[options.profile];
  const settings = settingsOf(profile, options, given);
  const isWanted = profile.dictionary && settings.compression === "zstd" && options.dictionary === undefined;
  const dictionary = isWanted ? { trainDictionary: "where possible" as const } : {};
  await writeArchive({
    output,
    options: settings,
    calling,
    doing: "packing",
    extra: { profile: options.profile },
    async make(making, progress) {
      const { pack } = await import("../../node/pack.ts");
      return pack({ ...making, ...dictionary, ...plan, onTotal: progress.expect });
    },
    exitCode: inputExitCode,
  });
}

export const build: CommandSpec = {
  create(calling) {
    const command = define();
    const given = (name: string) => {
      const source = command.getOptionValueSource(name as "compression");
      return source !== undefined && source !== "default";
    };
    return command.action((source, output, options) => run([source, output], options, calling, given));
  },
  example: "hexz build rtl rtl.hxz --profile eda",
};
