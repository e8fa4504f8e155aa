// What `hexz inspect` tells of an archive of format 1 besides: the keys of the original, and what it cannot know.

import { slotDocuments } from "../core/crypto/keys.ts";
import type { Archive } from "../core/read/archive.ts";
import { type Survey, surveyIo } from "../core/read/v1/survey.ts";

/** The figures of an archive, which those of format 1 must be counted for. */
export async function surveyOf(archive: Archive): Promise<Survey | undefined> {
  return archive.format1 === undefined ? undefined : archive.run(surveyIo(archive.format1));
}

/** The fields of the document that differ for format 1, and those that only it has. */
export function format1Fields({ format1 }: Archive, survey: Survey | undefined) {
  if (format1 === undefined || survey === undefined) return {};
  const { header, master } = format1.opened;
  const { data, references, zeros } = survey.main;
  const encrypted = header.encryption !== undefined;
  return {
    variable_blocks: header.variableBlocks,
    encrypted,
    key_slots: slotDocuments(encrypted ? ["passphrase"] : []),
    // It does not say whose it is, and covers no contents.
    signed: header.signature !== undefined,
    has_dictionary: header.dictionary !== undefined,
    has_primary: header.hasMain,
    has_secondary: header.hasAuxiliary,
    index_offset: header.indexOffset,
    primary_pages: master.main.pages.length,
    secondary_pages: master.auxiliary.pages.length,
    block_stats: {
      data_blocks: data.count,
      data_bytes: data.bytes,
      parent_ref_blocks: references.count,
      parent_ref_bytes: references.bytes,
      zero_blocks: zeros.count,
      zero_bytes: zeros.bytes,
    },
  };
}
