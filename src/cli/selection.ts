// Which entries of an archive a command is to take: by PATH arguments and by patterns.

import ignore from "ignore";
import { HexzError } from "../core/errors.ts";
import type { Entry } from "../core/format/entry.ts";
import { type ByteString, parsePathText, textOf } from "../core/format/path.ts";
import type { Stream } from "../core/format/root.ts";
import type { Archive } from "../core/read/archive.ts";

export interface Wishes {
  /** As typed. None: everything. */
  readonly paths: readonly string[];
  /** In the syntax of gitignore. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface Selection {
  readonly streams: readonly Stream[];
  readonly select: (entry: Entry) => boolean;
}

/** @throws HexzError `no_such_path` when the archive lacks one of the paths */
export async function selectionOf(archive: Archive, { paths, include, exclude }: Wishes): Promise<Selection> {
  const included = matcherOf(include);
  const excluded = matcherOf(exclude);
  const byPattern = (path: ByteString, isDirectory: boolean) => {
    // the root is what the others are in, not one of them
    if (path === "") return included === undefined;
    const text = (textOf(path) ?? path) + (isDirectory ? "/" : "");
    return included?.(text) !== false && excluded?.(text) !== true;
  };
  const isStreamWanted = ({ name }: Stream) => byPattern(name as string as ByteString, false);
  const selectByPattern = (entry: Entry) => byPattern(entry.path, entry.type === "directory");
  if (paths.length === 0) return { streams: archive.ownStreams.filter(isStreamWanted), select: selectByPattern };

  const streams = archive.streams.filter(({ name }) => paths.includes(name));
  const wanted = new Set<ByteString>();
  for (const path of paths) {
    // as everywhere, a stream goes first where both have a name
    if (streams.some(({ name }) => name === path)) continue;
    const entry = await archive.entry(path);
    if (entry === undefined) {
      const { name } = archive.source;
      throw new HexzError("no_such_path", `${name} has no entry "${path}"`, {
        hint: "hexz inspect --entries lists them",
        data: { path },
      });
    }
    wanted.add(parsePathText(path));
  }
  return {
    streams: streams.filter(isStreamWanted),
    select: (entry) => isBelow(entry.path, wanted) && selectByPattern(entry),
  };
}

/** Whether the path or a directory above it is wanted. */
function isBelow(path: ByteString, wanted: ReadonlySet<ByteString>): boolean {
  if (wanted.has("" as ByteString) || wanted.has(path)) return true;
  for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
    if (wanted.has(path.slice(0, slash) as ByteString)) return true;
  }
  return false;
}

function matcherOf(patterns: readonly string[]): ((path: string) => boolean) | undefined {
  if (patterns.length === 0) return undefined;
  const matcher = ignore({ ignorecase: false, allowRelativePaths: true }).add([...patterns]);
  return (path) => matcher.ignores(path);
}
