// Walks a FAT12, FAT16 or FAT32 file system from its root and says who owns which bytes. Every cluster is looked at once at
// most, so chains that meet, and directories that contain themselves, end.

import { HexzError } from "../errors.ts";
import type { ByteString } from "../format/path.ts";
import { LIMITS } from "../limits.ts";
import type { WalkedFileSystem } from "./ext.ts";
import {
  checkCluster,
  decodeFatEntry,
  ENTRY_LENGTH,
  FatDirectoryReader,
  type FatEntry,
  type FatLayout,
  fatEntryPlace,
} from "./fat-structures.ts";
import type { Claims, FileOwner } from "./owners.ts";
import { type DiskPart, type Fields, NumberSet } from "./paged.ts";

/** @throws HexzError when structures are broken: what was claimed until then holds */
export async function walkFat(part: DiskPart, layout: FatLayout, claims: Claims): Promise<WalkedFileSystem> {
  await new FatWalker(part, layout, claims).run();
  return { kind: layout.kind, label: layout.label, notes: [] };
}

class FatWalker {
  readonly #part: DiskPart;
  readonly #layout: FatLayout;
  readonly #claims: Claims;
  readonly #seen = new NumberSet();

  constructor(part: DiskPart, layout: FatLayout, claims: Claims) {
    this.#part = part;
    this.#layout = layout;
    this.#claims = claims;
  }

  async run(): Promise<void> {
    const { fatStart, fatLength, fats, rootStart, rootLength, rootCluster } = this.#layout;
    this.#area("boot sectors", 0, fatStart);
    this.#area("file allocation table", fatStart, fatStart + fats * fatLength);
    const root: FileOwner = { type: "directory", path: () => "" as ByteString };
    this.#claims.file(root, "content", this.#part.start + rootStart, this.#part.start + rootStart + rootLength);
    const clusters = rootCluster === 0 ? [] : await this.#chain(rootCluster, root);
    const open = [{ path: "" as ByteString, entries: this.#directory(clusters, rootLength > 0) }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for await (const { name, isDirectory, cluster } of next.entries) {
        if (next.path.length + name.length + 1 > LIMITS.path)
          throw new HexzError("limit_exceeded", "a path is too long");
        const path = (next.path === "" ? name : `${next.path}/${name}`) as ByteString;
        const owner: FileOwner = { type: isDirectory ? "directory" : "file", path: () => path };
        const chain = cluster === 0 ? [] : await this.#chain(cluster, owner, isDirectory);
        if (isDirectory) open.push({ path, entries: this.#directory(chain, false) });
      }
    }
    await this.#claimRest();
  }

  #area(area: string, start: number, end: number): void {
    this.#claims.area(area, this.#part.start + start, this.#part.start + end);
  }

  /** Claims the clusters of a chain. @returns them, where they are wanted */
  async #chain(first: number, owner: FileOwner, wanted = true): Promise<number[]> {
    const clusters: number[] = [];
    for (let cluster: number | undefined = first; cluster !== undefined; cluster = await this.#next(cluster)) {
      checkCluster(this.#layout, cluster);
      if (!this.#seen.add(cluster)) throw new HexzError("invalid", `cluster ${cluster} is used twice`);
      const at = this.#part.start + this.#placeOf(cluster);
      this.#claims.file(owner, "content", at, at + this.#layout.clusterSize);
      if (wanted) clusters.push(cluster);
    }
    return clusters;
  }

  #placeOf(cluster: number): number {
    return this.#layout.dataStart + (cluster - 2) * this.#layout.clusterSize;
  }

  async #next(cluster: number): Promise<number | undefined> {
    const { kind, fatStart } = this.#layout;
    const { at, length } = fatEntryPlace(kind, cluster);
    return decodeFatEntry(kind, cluster, await this.#part.read(fatStart + at, length));
  }

  async *#directory(clusters: readonly number[], hasOwnPlace: boolean): AsyncGenerator<FatEntry> {
    const { kind, rootStart, rootLength, clusterSize } = this.#layout;
    const reader = new FatDirectoryReader();
    const places = clusters.map((cluster) => [this.#placeOf(cluster), clusterSize] as const);
    if (hasOwnPlace) places.push([rootStart, rootLength]);
    for (const [start, length] of places) {
      const block: Fields = await this.#part.read(start, length);
      for (let at = 0; at + ENTRY_LENGTH <= length && !reader.ended; at += ENTRY_LENGTH) {
        const entry = reader.next(block.part(at, at + ENTRY_LENGTH), kind);
        if (entry !== undefined) yield entry;
      }
      if (reader.ended) return;
    }
  }

  async #claimRest(): Promise<void> {
    const { start, size } = this.#part;
    const { dataStart, clusterSize, clusters, end } = this.#layout;
    const behind = dataStart + clusters * clusterSize;
    for (const range of this.#claims.unclaimed(start + dataStart, start + behind)) {
      for (let at = range.start; at < range.end; ) {
        const cluster = Math.floor((at - start - dataStart) / clusterSize) + 2;
        const stop = Math.min(range.end, start + this.#placeOf(cluster + 1));
        const isFree = (await this.#next(cluster)) === 0;
        this.#claims.area(isFree ? "free space" : "used, but by no file that has a name", at, stop);
        at = stop;
      }
    }
    this.#area("free space", behind, end);
    if (end < size) this.#area("behind the file system", end, size);
  }
}
