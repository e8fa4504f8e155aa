// `--to raw`: the bytes of one stream or file, with its zeros as holes where they are many.

import { HexzError } from "../../core/errors.ts";
import type { Archive } from "../../core/read/archive.ts";
import { extractFile, type FileContent } from "../extract-file.ts";
import { createStdoutSink } from "../file-sink.ts";
import { STDIO } from "../input-facts.ts";
import { writeParts } from "../write-range.ts";
import type { ExportFormat } from "./format.ts";

/** The stream or file of that path, or the only one. */
export async function contentOf(archive: Archive, path: string | undefined): Promise<FileContent> {
  const { root, ownStreams: streams, source } = archive;
  if (path !== undefined) return { file: await archive.file(path), sparse: true };
  const count = streams.length + root.counts.files;
  if (count !== 1) {
    throw new HexzError("usage", `${source.name} has ${count} files and streams: --path says which one`, {
      hint: "hexz inspect --entries lists them",
    });
  }
  const [stream] = streams;
  if (stream !== undefined) return { file: await archive.file(stream.name), sparse: stream.sparse };
  for await (const entry of archive.entries()) {
    if (entry.type === "file") return { file: archive.fileOf(entry), sparse: true };
  }
  throw new HexzError("invalid", `${source.name} counts a file but has none`);
}

export const raw: ExportFormat = {
  name: "raw",
  stdout: true,
  async write(archive, output, { path, onTotal, ...options }) {
    const content = await contentOf(archive, path);
    const { file } = content;
    onTotal?.(file.size);
    if (output !== STDIO) await extractFile(archive, content, output, options);
    else await writeParts(archive.parts(file), createStdoutSink(), options.onProgress);
    return file.size;
  },
};
