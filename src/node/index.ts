// Hexz for Node: everything of `hexz`, and paths, directories, threads and native codecs.

export * from "../core/index.ts";
export { type MachineOptions, openArchiveFile, openArchiveSource } from "./archive.ts";
export { type CopyFileOptions, copyArchiveFile } from "./copy.ts";
export { type Extracted, type ExtractOptions, extractTree } from "./extract.ts";
export { createFileSink, createStdoutSink } from "./file-sink.ts";
export { openFileSource } from "./file-source.ts";
export { readPrivateKey, readPublicKey } from "./keys.ts";
export { type PackOptions, type PackResult, pack } from "./pack.ts";
export type { EngineChoice } from "./pool.ts";
export { type RepairOptions, repairArchiveFile } from "./repair.ts";
export { type SignedArchive, signArchiveFile } from "./sign.ts";
