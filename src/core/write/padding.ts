// Zero padding, which makes what is written into an envelope end with a segment (docs/format.md, "Layers").

import type { Appender } from "./appender.ts";
import type { Sink } from "./sink.ts";

const ZEROS = new Uint8Array(64 * 1024);

/** Appends zeros so that so many bytes, which come next, are the last ones of a segment. Outside an envelope, nothing. */
export async function padBefore(appender: Appender, sink: Sink, length: number): Promise<void> {
  if (sink.envelope === undefined) return;
  const start = sink.envelope.endFor(appender.position + length) - length;
  while (appender.position < start) {
    appender.append(ZEROS.subarray(0, start - appender.position));
    await appender.flush();
  }
}
