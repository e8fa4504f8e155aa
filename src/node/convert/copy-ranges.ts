// Which stretches of an archive's address space are to be copied, so that everything that has a name is there.

import type { Stretch } from "../../core/format/containers.ts";
import type { Stream } from "../../core/format/root.ts";
import type { Archive } from "../../core/read/archive.ts";

export const endOf = ({ start, size }: Stretch): number => start + size;

/** Stretches that touch or overlap become one; what lies in a stream is left out. */
export function joined(named: readonly Stretch[], streams: readonly Stretch[]): Stretch[] {
  const outside = named.filter(
    (stretch) =>
      stretch.size > 0 && !streams.some(({ start, size }) => start <= stretch.start && endOf(stretch) <= start + size),
  );
  const stretches: { start: number; size: number }[] = [];
  for (const stretch of outside.toSorted((a, b) => a.start - b.start)) {
    const last = stretches.at(-1);
    if (last !== undefined && stretch.start <= endOf(last))
      last.size = Math.max(endOf(last), endOf(stretch)) - last.start;
    else stretches.push({ start: stretch.start, size: stretch.size });
  }
  return stretches;
}

/**
 * The streams that hold contents of their own. In format 1 files are parts of the stream disk as a rule: it is one of its
 * own where it has more than they have, but for zeros.
 * @param named what has a name
 */
export async function streamsToCopy(archive: Archive, named: readonly Stretch[]): Promise<readonly Stream[]> {
  const { format1, streams } = archive;
  if (format1?.manifest === undefined) return archive.ownStreams;
  const members = format1.manifest.members.map(({ offset: start, size }) => ({ start, size }));
  const own: Stream[] = [];
  for (const stream of streams) {
    const known = stream.name === "disk" ? [...named, ...members] : named;
    if (await hasMore(archive, stream, known)) own.push(stream);
  }
  return own;
}

/** Whether a stream has other bytes than zeros outside of what is known of it. */
async function hasMore(archive: Archive, stream: Stretch, known: readonly Stretch[]): Promise<boolean> {
  const gaps: { start: number; end: number }[] = [];
  let at = stream.start;
  for (const stretch of joined(known, [])) {
    if (stretch.start > at) gaps.push({ start: at, end: Math.min(stretch.start, endOf(stream)) });
    at = Math.max(at, endOf(stretch));
  }
  if (at < endOf(stream)) gaps.push({ start: at, end: endOf(stream) });
  const inside = gaps.filter(({ start, end }) => start < end);
  for await (const parts of archive.bulk(inside)) {
    for (const part of parts) {
      if ("error" in part) throw part.error;
      if ("bytes" in part ? part.bytes.some((byte) => byte !== 0) : part.fill !== 0 && part.end > part.start)
        return true;
    }
  }
  return false;
}
