// libhdf5 as WebAssembly (the optional package h5wasm). A file is read through a callback and is alone in a file system
// of its own, so nothing in it – external links, external storage, virtual sources – reaches another file.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Module as H5Module } from "h5wasm";
import { HexzError } from "../../core/errors.ts";

/** The bytes of an HDF5 file. */
export interface Hdf5Source {
  readonly name: string;
  readonly size: number;
  /** @throws what keeps it from reading exactly these bytes */
  readSync(start: number, end: number): Uint8Array;
}

export type Library = typeof H5Module;

/** An open HDF5 file. */
export interface Hdf5File {
  readonly source: Hdf5Source;
  readonly library: Library;
  /** libhdf5's handle. */
  readonly id: bigint;
  /**
   * Calls libhdf5, which answers with a negative number or throws when it fails.
   * @param what for messages: "read …"
   * @throws HexzError `unsupported` for a missing filter, `damaged` for what it cannot read, and what the source throws
   */
  call<T>(what: string, run: (library: Library) => T): T;
}

const PLUGINS = "/plugins";
const NO_FILTER = /required filter '([^']*)' is not registered|filter '?([\w ]+)'? .*not available/;

interface Emscripten {
  writeFile(path: string, bytes: Uint8Array): void;
  mkdir(path: string): void;
  lookupPath(path: string): { node: VirtualNode };
  getStream(fd: number): { stream_ops: object };
}

interface VirtualNode {
  node_ops: { getattr(node: VirtualNode): object };
  stream_ops: object;
}

interface Loaded {
  readonly library: Library;
  readonly files: Emscripten;
  /** What libhdf5 said of the last failures. */
  diagnostics: string;
}

async function load(): Promise<Loaded> {
  let h5wasm: typeof import("h5wasm");
  try {
    h5wasm = await import("h5wasm");
  } catch (cause) {
    throw new HexzError("unsupported", "HDF5 files are read by the package h5wasm, which is not installed", {
      hint: "npm install h5wasm",
      cause,
    });
  }
  const library = (await h5wasm.ready) as unknown as Library;
  const files = library.FS as unknown as Emscripten;
  const loaded: Loaded = { library, files, diagnostics: "" };
  const stderr = files.getStream(2);
  stderr.stream_ops = {
    ...stderr.stream_ops,
    write(_stream: unknown, bytes: Uint8Array, start: number, length: number): number {
      loaded.diagnostics += Buffer.from(bytes.subarray(start, start + length)).toString();
      return length;
    },
  };
  loadPlugins(loaded);
  return loaded;
}

/** More filters (blosc, lz4, lzf, zstd, …), where the package that has them is installed. */
function loadPlugins({ library, files }: Loaded): void {
  let folder: string;
  try {
    folder = join(dirname(createRequire(import.meta.url).resolve("h5wasm-plugins")), "plugins");
  } catch {
    return;
  }
  files.mkdir(PLUGINS);
  for (const name of readdirSync(folder)) files.writeFile(`${PLUGINS}/${name}`, readFileSync(join(folder, name)));
  library.insert_plugin_search_path(PLUGINS, 0);
}

/**
 * Opens the one file of this thread.
 * @throws HexzError `unsupported` without h5wasm, `invalid` when it is no HDF5 file
 */
export async function openHdf5(source: Hdf5Source): Promise<Hdf5File> {
  const loaded = await load();
  const { library, files } = loaded;
  const path = "/file.h5";
  // A failed read ends here: libhdf5 knows no exceptions.
  let failure: unknown;
  files.writeFile(path, new Uint8Array(0));
  const { node } = files.lookupPath(path);
  const { getattr } = node.node_ops;
  node.node_ops = { ...node.node_ops, getattr: (of) => ({ ...getattr(of), size: source.size }) };
  node.stream_ops = {
    ...node.stream_ops,
    read(_stream: unknown, into: Uint8Array, start: number, length: number, position: number): number {
      const count = Math.min(length, Math.max(0, source.size - position));
      try {
        into.set(source.readSync(position, position + count), start);
      } catch (error) {
        failure ??= error;
        return 0;
      }
      return count;
    },
    llseek(stream: { position: number }, offset: number, whence: number): number {
      return offset + [0, stream.position, source.size][whence]!;
    },
  };

  const call = <T>(what: string, run: (library: Library) => T): T => {
    loaded.diagnostics = "";
    failure = undefined;
    let result: T | undefined;
    try {
      result = run(library);
    } catch (error) {
      if (error instanceof HexzError) throw error;
    }
    if (failure !== undefined) throw failure;
    if (result !== undefined && !isNegative(result)) return result;
    throw explain(what, source.name, loaded.diagnostics);
  };

  let id = -1n;
  try {
    id = call("open it", () => library.open(path, library.H5F_ACC_RDONLY, false, -1, -1));
  } catch (error) {
    if (error instanceof HexzError && error.code === "damaged") {
      throw new HexzError("invalid", `${source.name} is not an HDF5 file that libhdf5 reads: ${error.data.reason}`);
    }
    throw error;
  }
  return { source, library, id, call };
}

const isNegative = (result: unknown) =>
  (typeof result === "number" && result < 0) || (typeof result === "bigint" && result < 0n);

/** libhdf5's stack of messages, from the call to the cause, as one sentence. */
function explain(what: string, name: string, diagnostics: string): HexzError {
  const filter = NO_FILTER.exec(diagnostics);
  if (filter !== null) {
    return new HexzError("unsupported", `cannot ${what} of ${name}: it needs the filter ${filter[1] ?? filter[2]}`, {
      hint: "npm install h5wasm-plugins",
    });
  }
  const reasons = [...diagnostics.matchAll(/^\s*#\d+: .* in \w+\(\): (.*)$/gm)].map(([, reason]) => reason!);
  const reason = reasons.at(-1) ?? "no reason given";
  return new HexzError("damaged", `cannot ${what} of ${name}: ${reason}`, { data: { reason } });
}
