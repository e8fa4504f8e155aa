// Opens a block overlay of this machine: the data file and the log beside it.

import { join, parse } from "node:path";
import { decodeOverlayLog, type Overlay } from "../../core/disk/overlay.ts";
import { HexzError } from "../../core/errors.ts";
import { checkLimit, IMAGE_LIMITS } from "../../core/limits.ts";
import { shownPath } from "../errors.ts";
import { type FileSource, openFileSource } from "../file-source.ts";

/** An overlay that is open. */
export interface OpenOverlay extends Overlay {
  readonly data: FileSource;
  readonly logPath: string;
  close(): void;
}

/** The log of an overlay: its name with the last extension replaced. */
export function overlayLogPath(path: string): string {
  const { dir, name } = parse(path);
  return join(dir, `${name}.meta`);
}

/** @throws HexzError `not_found` when one of the two files is missing, `limit_exceeded` */
export function openOverlay(path: string): OpenOverlay {
  const logPath = overlayLogPath(path);
  if (logPath === join(path)) {
    throw new HexzError("usage", `"${path}" is the log of an overlay`, { hint: "name the data file beside it" });
  }
  const data = openFileSource(path);
  try {
    return { data, logPath, ...readLog(path, logPath), close: () => data.close() };
  } catch (error) {
    data.close();
    throw error;
  }
}

function readLog(path: string, logPath: string) {
  let log: FileSource;
  try {
    log = openFileSource(logPath);
  } catch (error) {
    if (!(error instanceof HexzError) || error.code !== "not_found") throw error;
    throw new HexzError("not_found", `${shownPath(path)} is no overlay: its log ${shownPath(logPath)} is not there`, {
      data: { path: shownPath(path), log: shownPath(logPath) },
      cause: error,
    });
  }
  try {
    checkLimit(`the length of ${log.name}`, log.size, IMAGE_LIMITS.overlayLog);
    return decodeOverlayLog(log.readSync(0, log.size), log.name);
  } finally {
    log.close();
  }
}
