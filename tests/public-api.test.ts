// What the package exports, by name. A name that goes breaks somebody's program, one that comes must be kept: both are
// decided, not slipped in.

import { expect, test } from "vitest";
import * as core from "../src/core/index.ts";
import * as node from "../src/node/index.ts";

const CORE = [
  "Archive",
  "ArchiveFile",
  "ArchiveWriter",
  "ERROR_CODES",
  "HexzError",
  "byteStringFromText",
  "byteStringOf",
  "bytesOf",
  "checkArchive",
  "comparePaths",
  "contentOf",
  "createArchive",
  "createBlobSource",
  "createMemorySink",
  "createMemorySource",
  "diffArchives",
  "displayName",
  "hexOf",
  "openArchive",
  "parsePathText",
  "textOf",
  "verifyArchive",
];
const NODE = [
  "copyArchiveFile",
  "createFileSink",
  "createStdoutSink",
  "extractTree",
  "openArchiveFile",
  "openArchiveSource",
  "openFileSource",
  "pack",
  "readPrivateKey",
  "readPublicKey",
  "repairArchiveFile",
  "signArchiveFile",
];

test("hexz exports these names", () => {
  expect(Object.keys(core).sort()).toEqual(CORE);
});

test("hexz/node exports those of hexz and these", () => {
  expect(Object.keys(node).sort()).toEqual([...CORE, ...NODE].sort());
});
