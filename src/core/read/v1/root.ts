// What format 2 says in its root, of an archive of format 1: as much as its header and master index tell.

import { CODEC } from "../../engine.ts";
import type { Coding, Counts, Root, Stream } from "../../format/root.ts";
import type { Opened1 } from "./open.ts";

const NONE = { count: 0, bytes: 0 };
const NO_ID = new Uint8Array(0);
const NO_PAGES = { depth: 0, pageCount: 0, children: [] };

/** Both streams, whatever they hold: the main one is a disk's, the auxiliary one a memory's. */
function streamsOf({ master: { main, auxiliary } }: Opened1): Stream[] {
  return [
    { name: "disk", start: 0, size: main.size, sparse: true },
    { name: "memory", start: main.size, size: auxiliary.size, sparse: true },
  ];
}

function codingOf({ header }: Opened1): Coding {
  const { blockSize, cdc, variableBlocks, compression } = header;
  const sizes =
    cdc === undefined
      ? { min: blockSize, avg: blockSize, max: blockSize }
      : { min: cdc.min, avg: 2 ** cdc.bits, max: cdc.max };
  return {
    chunking: variableBlocks ? "cdc" : "fixed",
    sizes,
    blockSize,
    codec: CODEC[compression],
    level: 0,
    encoder: "format 1",
  };
}

/** @param entries counts of the tree */
export function rootOf(opened: Opened1, entries?: Partial<Counts>): Root {
  const { main, auxiliary } = opened.master;
  const { codec } = codingOf(opened);
  return {
    addressSpace: main.size + auxiliary.size,
    state: 1,
    index: { ...NO_PAGES, pageCount: main.pages.length + auxiliary.pages.length },
    tree: NO_PAGES,
    streams: streamsOf(opened),
    coding: codingOf(opened),
    counts: {
      files: 0,
      directories: 0,
      symlinks: 0,
      other: 0,
      originalSize: main.size + auxiliary.size,
      unique: { ...NONE },
      duplicate: { ...NONE },
      parent: { ...NONE },
      fill: { ...NONE },
      codecs: [{ codec, blocks: 0, storedBytes: 0, plainBytes: 0 }],
      ...entries,
    },
    // They have no ids.
    parents: opened.header.parentPaths.map((hint) => ({ id: NO_ID, hint })),
    dictionaries: [],
    metadata: undefined,
    sketch: undefined,
    contentId: NO_ID,
    previous: undefined,
    salt: undefined,
  };
}
