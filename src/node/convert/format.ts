// The seam between `convert` and a format: one file for each format beside this one, listed in registry.ts.

import type { Archive } from "../../core/read/archive.ts";
import type { Encryption } from "../../core/write/envelope-sink.ts";
import type { ContentSink } from "../../core/write/writer.ts";
import type { OpenOptions } from "../archive.ts";
import type { Warn } from "../make-archive.ts";

/** How much of a file `detect` is shown. */
export const DETECT_LENGTH = 64 * 1024;

/** What reading a format works with. */
export interface ImportContext {
  /** Takes entries in any order. */
  readonly writer: ContentSink;
  /** To be told of what the archive does not hold or cannot keep. */
  readonly warn: Warn;
  /** Told how many bytes of content there will be, where that is known before they are read. */
  expect(bytes: number): void;
  /** Told of every file beyond the inputs, before it is read. @throws HexzError when it is the output */
  alsoReads(path: string): void;
  /**
   * To be called with the file that was written, before it gets its name. Nobody calls when there is no such file: in a
   * dry run, and on standard output.
   */
  checkFinished(check: (path: string) => Promise<void>): void;
  readonly options: ImportOptions;
}

/** What some formats are told. */
export interface ImportOptions extends OpenOptions {
  /** Whether files that a disk image names may be opened. */
  readonly allowBacking?: boolean;
  /** Of the archive that is made. */
  readonly encryption?: Encryption;
}

/** A format that archives are made from. */
export interface ImportFormat {
  readonly name: string;
  /** Whether INPUT may be repeated, and "-". */
  readonly inputs: { readonly several: boolean; readonly stdin: boolean };
  /** Whether a file that begins like this is of the format; without it, `auto` never finds it. */
  detect?(start: Uint8Array): boolean | Promise<boolean>;
  /**
   * Writes everything that the inputs hold into the writer, which the caller finishes.
   * @throws HexzError `invalid`, `truncated`, `limit_exceeded`, … : then there is no archive
   */
  convert(inputs: readonly string[], context: ImportContext): Promise<void>;
}

export interface ExportOptions {
  /** Which entry, stream or container; undefined: the only one. */
  readonly path?: string;
  /** Replace an existing output. */
  readonly force?: boolean;
  /** A file that must not be replaced: the archive. */
  readonly protect?: { readonly dev: number; readonly ino: number };
  readonly onTotal?: (bytes: number) => void;
  readonly onProgress?: (bytes: number) => void;
}

/** A format that archives are turned into. */
export interface ExportFormat {
  readonly name: string;
  /** Whether it can be written to standard output. */
  readonly stdout: boolean;
  /**
   * Writes an archive to the path `output`, or to standard output where that is "-". The file appears complete or not
   * at all.
   * @returns how many bytes
   */
  write(archive: Archive, output: string, options: ExportOptions & { readonly warn: Warn }): Promise<number>;
}
