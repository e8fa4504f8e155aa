// `convert qcow2`: the disk that an image holds becomes the stream `disk`. `--to qcow2`: a stream or file becomes an
// image of its own, uncompressed, with nothing in it where the index knows of zeros.

import { looksLikeQcow2 } from "../../core/disk/qcow2.ts";
import { planQcow2 } from "../../core/disk/qcow2-plan.ts";
import { HexzError } from "../../core/errors.ts";
import type { Archive } from "../../core/read/archive.ts";
import type { Sink } from "../../core/write/sink.ts";
import { openQcow2 } from "../disk/open-image.ts";
import { refuseArchive, writeAroundZeros } from "../extract-file.ts";
import { createFileSink, createStdoutSink, type FileSink } from "../file-sink.ts";
import { STDIO } from "../input-facts.ts";
import { writeRanges } from "../write-range.ts";
import type { ExportFormat, ImportFormat } from "./format.ts";
import { contentOf } from "./raw.ts";

export const qcow2: ImportFormat = {
  name: "qcow2",
  inputs: { several: false, stdin: false },
  detect: looksLikeQcow2,
  async convert([path], { writer, warn, expect, alsoReads, options }) {
    const { allowBacking = false, engine = "auto" } = options;
    const input = await openQcow2(path!, { allowBacking, engine, warn, onFile: alsoReads });
    try {
      expect(input.size!);
      await writer.addStream("disk", input);
    } finally {
      input.close();
    }
  },
};

export const toQcow2: ExportFormat = {
  name: "qcow2",
  stdout: true,
  async write(archive, output, { path, force = false, protect, onTotal, onProgress }) {
    const hasDisk = archive.streams.some(({ name }) => name === "disk");
    const { start, size, name } = (await contentOf(archive, path ?? (hasDisk ? "disk" : undefined))).file;
    if (start === undefined) throw new HexzError("wrong_type", `"${name}" is restored from differences, it is no disk`);
    const plan = planQcow2(size, await dataRanges(archive, start, start + size));
    onTotal?.(plan.data.reduce((sum, range) => sum + range.end - range.start, 0));
    if (output !== STDIO) refuseArchive(output, protect);
    const sink = output === STDIO ? createStdoutSink() : sparse(createFileSink(output, { force }));
    try {
      for (const table of plan.tables()) await sink.write(table);
      const ranges = plan.data.map((range) => ({ start: start + range.start, end: start + range.end }));
      await writeRanges(archive, ranges, sink, onProgress);
      if (plan.padding > 0) await sink.write(new Uint8Array(plan.padding));
      await sink.finish();
    } catch (error) {
      await sink.abort();
      throw error;
    }
    return plan.length;
  },
};

/** Zeros become holes, as far as the index does not know them. */
function sparse(sink: FileSink): Sink {
  let position = 0;
  return {
    name: sink.name,
    write(bytes) {
      writeAroundZeros(sink, bytes, position);
      position += bytes.length;
    },
    finish: () => sink.finish(),
    abort: () => sink.abort(),
  };
}

/** What the index does not know to be zero, counted from `start`. */
async function dataRanges(archive: Archive, start: number, end: number): Promise<{ start: number; end: number }[]> {
  const ranges: { start: number; end: number }[] = [];
  for await (const { starts, fills } of archive.leaves()) {
    for (let chunk = 0; chunk < fills.length; chunk++) {
      const from = Math.max(starts[chunk]!, start) - start;
      const to = Math.min(starts[chunk + 1]!, end) - start;
      if (fills[chunk] === 0 || from >= to) continue;
      const last = ranges.at(-1);
      if (last?.end === from) last.end = to;
      else ranges.push({ start: from, end: to });
    }
  }
  return ranges;
}
