// Containers: files of other formats whose bytes an archive has, recorded in its metadata (docs/format.md, "Containers").

import { HexzError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { nameProblem } from "./path.ts";

/** Part of the address space. */
export interface Stretch {
  readonly start: number;
  readonly size: number;
}

/** A file of another format. Its bytes stand together at `start`, or are put together as a list of pieces says. */
export type Container = {
  /** "tar", "hdf5", … */
  readonly format: string;
  /** Its name, without directories. */
  readonly name: string;
  /** Its length in bytes. */
  readonly size: number;
  /** What is known of it beside its members. */
  readonly metadata?: Readonly<Record<string, unknown>>;
} & ({ readonly start: number } | { readonly pieces: Stretch });

/** Whether a content lies in another one: in a container that is stored whole, for example. */
export function contentIn(others: readonly (Container | Stretch)[], { start, size }: Stretch): boolean {
  return others.some(
    (other) => "start" in other && other.start <= start && start + size <= other.start + other.size && size > 0,
  );
}

/** The value of the metadata's key `containers`. */
export function containersJson(containers: readonly Container[]): unknown {
  return containers.map(({ format, name, size, ...place }) => ({ format, name, size, ...place }));
}

/**
 * Reads what containersJson made of an archive's metadata.
 * @param what names the archive, for messages @throws HexzError `invalid`
 */
export function containersOf(metadata: Readonly<Record<string, unknown>>, what: string): Container[] {
  const { containers = [] } = metadata;
  if (!Array.isArray(containers)) throw invalid(what, "the containers are no list");
  return containers.map((value: unknown, number) => containerOf(value, `container ${number} of ${what}`));
}

function containerOf(value: unknown, what: string): Container {
  const { format, name, size, start, pieces, metadata } = (value ?? {}) as Record<string, unknown>;
  if (typeof format !== "string" || typeof name !== "string") throw invalid(what, "it has no name");
  const problem = name.includes("/") ? 'a "/"' : nameProblem(name);
  if (problem !== undefined) throw invalid(what, `its name has ${problem}`);
  if (metadata !== undefined && (typeof metadata !== "object" || metadata === null)) {
    throw invalid(what, "its metadata is no object");
  }
  const about = { format, name, size: bytesOf(size, what), ...(metadata && { metadata: { ...metadata } }) };
  if (pieces === undefined) return { ...about, start: bytesOf(start, what) };
  const { start: piecesStart, size: piecesSize } = (pieces ?? {}) as Record<string, unknown>;
  return { ...about, pieces: { start: bytesOf(piecesStart, what), size: bytesOf(piecesSize, what) } };
}

function bytesOf(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= LIMITS.bytes) return value;
  throw invalid(what, "a size or an address is no number of bytes");
}

function invalid(what: string, message: string): HexzError {
  return new HexzError("invalid", `${what} is invalid: ${message}`);
}
