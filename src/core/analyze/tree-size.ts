// How long the tree of an archive becomes: the leaves are made as the writer makes them, and forgotten.

import { ByteWriter } from "../bytes.ts";
import type { Engine } from "../engine.ts";
import type { Entry } from "../format/entry.ts";
import { encodePageBody, PAGE_KIND } from "../format/page.ts";
import type { ByteString } from "../format/path.ts";
import type { ContentRange } from "../format/record.ts";
import { TreeLeafBuilder, writeCheckedRecord } from "../format/tree-page.ts";
import { TARGETS } from "../limits.ts";

const PAGE_FRAME = 24;
/** Of a leaf, in the page above, without its path. */
const CHILD = 48;
const COPIES = 2;
const NO_DIGEST = new Uint8Array(32);

export class TreeSize {
  readonly #engine: Engine;
  readonly #record = new ByteWriter(1024);
  #leaf = new TreeLeafBuilder();
  #bytes = 0;
  #first = true;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @param content of a file */
  add(entry: Entry, content: ContentRange | undefined): void {
    if (this.#first && entry.path !== "") this.#add({ path: "" as ByteString, type: "directory" }, undefined);
    this.#add(entry, content);
  }

  #add(entry: Entry, content: ContentRange | undefined): void {
    this.#first = false;
    this.#record.clear();
    writeCheckedRecord(this.#record, entry, content);
    const length = this.#record.length + entry.path.length + 16;
    if (this.#leaf.count > 0 && this.#leaf.length + length > TARGETS.treeLeaf) this.#close();
    this.#leaf.add(entry.path, this.#record.view());
  }

  #close(): void {
    const { body } = encodePageBody(PAGE_KIND.treeLeaf, this.#leaf.encode(), this.#engine, () => NO_DIGEST);
    this.#bytes += COPIES * (body.length + PAGE_FRAME) + CHILD + this.#leaf.firstPath.length;
    this.#leaf = new TreeLeafBuilder();
  }

  /** Bytes of all leaves, both copies, and of what names them. Nothing may be added afterwards. */
  total(): number {
    if (this.#leaf.count > 0) this.#close();
    return this.#bytes;
  }
}
