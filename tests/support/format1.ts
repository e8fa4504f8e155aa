// The archives of format 1 in tests/format1: what the original programs wrote, and what was made by hand.

import { existsSync, readFileSync } from "node:fs";
import {
  type Archive,
  createMemorySource,
  type FindParent,
  openArchive,
  type ReadOptions,
} from "../../src/core/index.ts";

export const FORMAT1 = new URL("../format1/", import.meta.url);

export interface KeptStream {
  readonly size: number;
  readonly pages: number;
  readonly chunks: number;
  readonly blocks: Readonly<Record<"data" | "sparse" | "parent" | "repeated", number>>;
  readonly chunk_lengths?: readonly number[];
  readonly sha256: string;
  readonly backed?: { readonly size: number; readonly sha256: string };
}

/** What tests/format1/archives/manifest.json knows of an archive. */
export interface KeptArchive {
  readonly file: string;
  readonly password: string | null;
  readonly public_key?: string;
  readonly layout: string;
  readonly entry_bytes: number;
  readonly block_size: number;
  readonly index_offset: number;
  readonly compression: string;
  readonly encrypted: boolean;
  readonly variable_blocks: boolean;
  readonly cdc_params: readonly [number, number, number] | null;
  readonly parent_paths: readonly string[];
  readonly dictionary_bytes: number | null;
  readonly signature: readonly [number, number] | null;
  readonly metadata?: string | null;
  readonly streams: { readonly main: KeptStream; readonly auxiliary: KeptStream };
  readonly files?: readonly { path: string; size: number; mode: number; mtime: number; sha256: string }[];
  readonly tensors?: Readonly<Record<string, { dtype: string; shape: number[]; bytes: number; sha256: string }>>;
  readonly parents?: readonly string[];
  readonly problem: string | null;
  readonly original_reads: Readonly<Record<string, string>>;
}

/** What tests/format1/crafted/manifest.json knows of an archive. */
export interface CraftedArchive {
  readonly file: string;
  readonly expect: "read" | "refuse";
  readonly why: string;
  readonly password?: string;
  readonly parents?: readonly string[];
  readonly main?: { readonly size: number; readonly sha256: string };
  readonly auxiliary?: { readonly size: number; readonly sha256: string };
}

const json = (path: string): { archives: never[] } => JSON.parse(readFileSync(new URL(path, FORMAT1), "utf8"));

export const keptArchives: readonly KeptArchive[] = json("archives/manifest.json").archives;
export const craftedArchives: readonly CraftedArchive[] = json("crafted/manifest.json").archives;

export const bytesOfKept = (name: string) => new Uint8Array(readFileSync(new URL(`archives/${name}`, FORMAT1)));
export const bytesOfCrafted = (name: string) => new Uint8Array(readFileSync(new URL(`crafted/${name}`, FORMAT1)));

/** Parents among the archives of a folder, by their names: as beside the child. */
export function parentsAmong(folder: "archives" | "crafted" | "lineage"): FindParent {
  return ({ hint }) => {
    const name = hint.slice(hint.lastIndexOf("/") + 1);
    const url = new URL(`${folder}/${name}`, FORMAT1);
    return existsSync(url) ? [createMemorySource(new Uint8Array(readFileSync(url)), name)] : [name];
  };
}

/** Opens one of them as the library does. */
export function openFormat1(folder: "archives" | "crafted", name: string, options: ReadOptions = {}): Promise<Archive> {
  const source = createMemorySource(new Uint8Array(readFileSync(new URL(`${folder}/${name}`, FORMAT1))), name);
  return openArchive(source, { findParent: parentsAmong(folder), ...options });
}
