// Names are bytes. In memory a name is a string with one character (0 to 255) for each byte, so that comparison and
// concatenation are those of bytes and a lookup needs no decoding; text is made at the edge, for people.

import { HexzError } from "../errors.ts";

declare const byteString: unique symbol;
/** Bytes, one character each. */
export type ByteString = string & { readonly [byteString]: true };

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();
/** Arguments of one call. */
const PIECE = 4096;

export function byteStringOf(bytes: Uint8Array): ByteString {
  // `apply` takes any array-like, and is several times as fast as spreading one.
  if (bytes.length <= PIECE) return String.fromCharCode.apply(null, bytes as unknown as number[]) as ByteString;
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + PIECE) as unknown as number[]);
  }
  return text as ByteString;
}

export function bytesOf(name: ByteString): Uint8Array {
  const bytes = new Uint8Array(name.length);
  for (let at = 0; at < name.length; at++) bytes[at] = name.charCodeAt(at);
  return bytes;
}

/** The bytes of a text in UTF-8. */
export function byteStringFromText(text: string): ByteString {
  return byteStringOf(encoder.encode(text));
}

/** The text of a name, or undefined when it is not UTF-8. */
export function textOf(name: ByteString): string | undefined {
  try {
    return decoder.decode(bytesOf(name));
  } catch {
    return undefined;
  }
}

/** The name for people: UTF-8 where it is, other bytes as \xNN, a backslash doubled. `parsePathText` reads it back. */
export function displayName(name: ByteString): string {
  const text = textOf(name);
  if (text !== undefined) return text.replaceAll("\\", "\\\\");
  let shown = "";
  for (const character of name) {
    const code = character.charCodeAt(0);
    if (character === "\\") shown += "\\\\";
    else shown += code < 128 ? character : `\\x${code.toString(16).padStart(2, "0")}`;
  }
  return shown;
}

/** The bytes that displayName has shown. */
export function undisplayed(text: string): ByteString {
  const parts = text.split(/(\\\\|\\x[0-9a-fA-F]{2})/).map((part): string => {
    if (part === "\\\\") return "\\";
    if (/^\\x[0-9a-fA-F]{2}$/.test(part)) return String.fromCharCode(Number.parseInt(part.slice(2), 16));
    return byteStringFromText(part);
  });
  return parts.join("") as ByteString;
}

/** A PATH as a user types it: text with `\xNN` for bytes and `\\` for a backslash; outer slashes and "./" mean nothing. */
export function parsePathText(text: string): ByteString {
  return undisplayed(text)
    .split("/")
    .filter((component) => component !== "" && component !== ".")
    .join("/") as ByteString;
}

interface SplitPath {
  readonly directory: ByteString;
  readonly name: ByteString;
}

/** The path that was split last: it is often asked for again, and neighbours mostly share their directory. */
let split: SplitPath & { readonly path: ByteString } = {
  path: "" as ByteString,
  directory: "" as ByteString,
  name: "" as ByteString,
};

/** Directory and name of a path; the root has none. */
export function splitPath(path: ByteString): SplitPath {
  if (path === split.path) return split;
  const slash = path.lastIndexOf("/");
  const { directory } = split;
  const isNeighbour = slash > 0 && slash === directory.length && path.startsWith(directory);
  split = {
    path,
    directory: isNeighbour ? directory : (path.slice(0, Math.max(slash, 0)) as ByteString),
    name: path.slice(slash + 1) as ByteString,
  };
  return split;
}

export function joinPath(directory: ByteString, name: ByteString): ByteString {
  return (directory === "" ? name : `${directory}/${name}`) as ByteString;
}

/** A directory's path such that plain comparison orders by component: no name contains NUL. */
function directoryKey(directory: string): string {
  return directory.replaceAll("/", "\0");
}

/** Tree order: the root, then by directory (component by component), then by name; bytewise. */
export function comparePaths(a: ByteString, b: ByteString): number {
  if (a === b) return 0;
  if (a === "" || b === "") return a === "" ? -1 : 1;
  const { directory: left } = splitPath(a);
  const { directory: right } = splitPath(b);
  if (left === right) return a < b ? -1 : 1;
  return directoryKey(left) < directoryKey(right) ? -1 : 1;
}

/** Of the directory that was asked for last: neighbours mostly share it. */
let keyed = { directory: "", key: "" };

/** A text whose plain comparison is that of `comparePaths`, for sorting: no path has a NUL. */
export function sortKeyOf(path: ByteString): string {
  if (path === "") return "";
  const { directory, name } = splitPath(path);
  if (directory !== keyed.directory) keyed = { directory, key: directory.replaceAll("/", "\0\x01") };
  return `${keyed.key}\0\0${name}`;
}

/** Why `name` cannot be one component of a path, or undefined when it can. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "an empty component";
  if (name === "." || name === "..") return `the component "${name}"`;
  if (name.includes("\0")) return "a NUL byte";
  return undefined;
}

/** @throws HexzError `invalid` unless every component of a non-empty path is a usable name */
export function checkPath(path: ByteString): void {
  if (path === "") return;
  for (const component of path.split("/")) {
    const problem = nameProblem(component);
    if (problem !== undefined) {
      throw new HexzError("invalid", `the path ${JSON.stringify(displayName(path))} has ${problem}`, {
        data: { path: displayName(path) },
      });
    }
  }
}
