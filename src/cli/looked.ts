// What the end of an archive tells, for a list of many: one read each; what cannot be read keeps its place.

import { hexOf } from "../core/bytes.ts";
import { HexzError } from "../core/errors.ts";
import type { ByteString } from "../core/format/path.ts";
import type { Tally } from "../core/format/root.ts";
import type { Member } from "../core/lineage.ts";
import type { RangeSource } from "../core/source/source.ts";
import { surveyOf } from "./inspect-format1.ts";
import { openToLook } from "./open.ts";
import type { ReadingOptions } from "./reading-options.ts";
import { textOrNull } from "./text.ts";

/** A file that should be an archive. */
export interface Looked extends Member {
  /** As it can be opened. */
  readonly path: ByteString;
  /** Of the file; undefined when it cannot even be opened. */
  readonly size: number | undefined;
  readonly facts:
    | {
        readonly originalSize: number;
        readonly added: Tally;
        readonly note: string | null;
        readonly created: string | null;
      }
    | undefined;
  readonly error: HexzError | undefined;
}

/** @throws only what is no HexzError */
export async function lookAt(path: ByteString, open: () => RangeSource, options: ReadingOptions): Promise<Looked> {
  let source: RangeSource | undefined;
  try {
    source = open();
    const { size } = source;
    const archive = await openToLook(source, options);
    const { parents } = archive.root;
    const counts = (await surveyOf(archive))?.counts ?? archive.root.counts;
    const { note, created } = await archive.metadata();
    return {
      path,
      id: archive.idText ?? undefined,
      parents: parents.map(({ id, hint }) => ({ id: id.length === 0 ? undefined : hexOf(id), hint })),
      size,
      facts: {
        originalSize: counts.originalSize,
        added: counts.unique,
        note: textOrNull(note),
        created: textOrNull(created),
      },
      error: undefined,
    };
  } catch (error) {
    if (!(error instanceof HexzError) || error.code === "interrupted") throw error;
    return { path, id: undefined, parents: [], size: source?.size, facts: undefined, error };
  } finally {
    await source?.close?.();
  }
}
