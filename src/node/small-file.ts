// A small file, written as outputs are: complete under its name, or not at all.

import { createFileSink, type FileSinkOptions } from "./file-sink.ts";

/** @throws HexzError `output_exists`, `permission`, `no_space` */
export async function writeSmallFile(path: string, bytes: Uint8Array, options: FileSinkOptions): Promise<void> {
  const sink = createFileSink(path, options);
  try {
    sink.write(bytes);
    await sink.finish();
  } catch (error) {
    sink.abort();
    throw error;
  }
}
