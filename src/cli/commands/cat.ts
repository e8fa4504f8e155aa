// `hexz cat`: a file or stream of an archive, or a range of it, to standard output.

import { Command, Option } from "@commander-js/extra-typings";
import { HexzError } from "../../core/errors.ts";
import type { Archive } from "../../core/read/archive.ts";
import type { ArchiveFile } from "../../core/read/archive-file.ts";
import type { RangeSource } from "../../core/source/source.ts";
import type { Calling, CommandSpec } from "../catalogue.ts";
import { EXIT } from "../exit-codes.ts";
import { openArgument } from "../open.ts";
import { WORKERS, withRunOptions } from "../options.ts";
import { createProgress } from "../progress.ts";
import { parseRange, resolveRange } from "../range.ts";
import { readingOptions, withReadingOptions } from "../reading-options.ts";
import { isTerminal } from "../terminal.ts";

/** Ranges up to this are not worth threads and native codecs, which take longer to load. */
const SMALL = 2 * 1024 * 1024;

function define() {
  return withRunOptions(
    withReadingOptions(
      new Command("hexz cat")
        .summary("write one file, or a range of it, to standard output")
        .description("Writes a file or stream of an archive, or a range of it, to standard output.")
        .argument("<archive>", "the archive; - is standard input")
        .argument("[path]", "file in the archive, or disk or memory; not needed where there is only one")
        .addOption(
          new Option(
            "--range <range>",
            "START-END (without END), START+LENGTH, START-; --range=-N are the last N bytes",
          ).argParser(parseRange),
        )
        .addOption(WORKERS),
    ),
  );
}

type Options = ReturnType<ReturnType<typeof define>["opts"]>;

/** The file of that path, or the only one. */
async function findFile(archive: Archive, path: string | undefined): Promise<ArchiveFile> {
  if (path !== undefined) return archive.file(path);
  const { root, ownStreams: streams, source } = archive;
  if (streams.length + root.counts.files !== 1) {
    const count = streams.length + root.counts.files;
    throw new HexzError("usage", `${source.name} has ${count} files and streams: PATH says which one`, {
      hint: "hexz inspect --entries lists them",
    });
  }
  const [stream] = streams;
  if (stream !== undefined) return archive.file(stream.name);
  for await (const entry of archive.entries()) if (entry.type === "file") return archive.fileOf(entry);
  throw new HexzError("invalid", `${source.name} counts a file but has none`);
}

async function copyRange(source: RangeSource, path: string | undefined, options: Options): Promise<void> {
  const [{ createStdoutSink }, { openArchiveSource }, { writeParts }] = await Promise.all([
    import("../../node/file-sink.ts"),
    import("../../node/archive.ts"),
    import("../../node/write-range.ts"),
  ]);
  const { engine } = options;
  const sink = createStdoutSink();
  // The small case first: it needs nothing but WebAssembly, and finds out whether this is one.
  const single = await openArchiveSource(source, {
    ...readingOptions(options),
    engine: engine === "auto" ? "wasm" : engine,
    workers: 1,
  });
  const file = await findFile(single, path);
  const { start, end } = resolveRange(options.range, file.size, file.name);
  if (end - start <= SMALL) {
    await sink.write(await file.read(start, end));
    return;
  }
  const archive = await openArchiveSource(source, readingOptions(options));
  const quiet = options.quiet === true || options.silent === true || isTerminal("stdout");
  const progress = createProgress(options.progress, quiet, "reading", end - start);
  try {
    await writeParts(archive.parts(file, start, end), sink, progress.add);
  } finally {
    progress.end();
  }
}

async function run(path: string, inner: string | undefined, options: Options, calling: Calling): Promise<void> {
  calling.claimStdout();
  const source = openArgument(path);
  try {
    await copyRange(source, inner, options);
  } finally {
    await source.close?.();
  }
  calling.finish(EXIT.done);
}

export const cat: CommandSpec = {
  create: (calling) => define().action((path, inner, options) => run(path, inner, options, calling)),
  example: "hexz cat backup.hxz photos/2024.raw --range 1M+64K > piece.raw",
};
