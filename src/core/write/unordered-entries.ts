// Entries that come in any order: kept until the last one is there, then given out in key order, names that come again
// and hard links settled (docs/format.md, "The writer's order").

import { ByteReader, ByteWriter } from "../bytes.ts";
import type { Warning } from "../errors.ts";
import type { Entry } from "../format/entry.ts";
import { type ByteString, comparePaths, displayName } from "../format/path.ts";
import { type ContentRange, readRecord } from "../format/record.ts";
import { writeCheckedRecord } from "../format/tree-page.ts";
import { isBefore, RecordSorter, type SortedRecord } from "./record-sorter.ts";
import type { OpenScratch } from "./scratch.ts";

/** Links to links to links …: a chain is followed so far. */
const MOST_STEPS = 40;
/** What a link's record says until its target is found. */
const NO_CONTENT: ContentRange = { start: 0, size: 0, sparse: false };

/** What an entry is: a link, whose target stands before its record, or derived. It is its order modulo KINDS. */
const KIND = { plain: 0, link: 1, derived: 2 } as const;
const KINDS = 4;

/** An entry in its place: as it came, with what `writeCheckedRecord` made of it; or a name of a file that has several. */
export type PlacedEntry = SortedRecord | { readonly entry: Entry; readonly content: ContentRange };

/** What became of a file with several names, or of a link to one. */
interface Settled {
  readonly path: ByteString;
  readonly order: number;
  readonly content: ContentRange;
  /** The name of the file that is no link. */
  readonly first: ByteString;
}

interface Link {
  readonly target: ByteString;
  readonly path: ByteString;
  readonly order: number;
}

export class UnorderedEntries {
  readonly #openScratch: OpenScratch;
  readonly #memoryBytes: number | undefined;
  readonly #entries: RecordSorter;
  readonly #warn: (warning: Warning) => void;
  readonly #sorters: RecordSorter[] = [];
  readonly #record = new ByteWriter(1024);
  #count = 0;
  #hasLinks = false;

  /** @param memoryBytes of one sorter, for tests */
  constructor(openScratch: OpenScratch, warn: (warning: Warning) => void, memoryBytes?: number) {
    this.#openScratch = openScratch;
    this.#memoryBytes = memoryBytes;
    this.#warn = warn;
    this.#entries = this.#openSorter();
  }

  #openSorter(): RecordSorter {
    const sorter = new RecordSorter(this.#openScratch, this.#memoryBytes);
    this.#sorters.push(sorter);
    return sorter;
  }

  /** @param content of a file that is no hard link */
  add(entry: Entry, content: ContentRange | undefined): void {
    const record = this.#record;
    record.clear();
    let kind: number = entry.derived === undefined ? KIND.plain : KIND.derived;
    if (entry.hardLink === undefined) writeCheckedRecord(record, entry, content);
    else {
      const { hardLink, ...own } = entry;
      kind = KIND.link;
      this.#hasLinks = true;
      writeCheckedRecord(record.name(hardLink), own, NO_CONTENT);
    }
    this.#entries.add(entry.path, this.#count++ * KINDS + kind, record.view());
  }

  /** All of them in key order. */
  *placed(): Generator<PlacedEntry> {
    const next = cursor(this.#hasLinks ? this.#settle().sorted() : []);
    let last: SortedRecord | undefined;
    let same = 0;
    for (const record of this.#entries.sorted()) {
      if (last !== undefined && last.key !== record.key) {
        const placed = this.#place(last, same, next);
        if (placed !== undefined) yield placed;
        same = 0;
      }
      last = record;
      same++;
    }
    const placed = last && this.#place(last, same, next);
    if (placed !== undefined) yield placed;
  }

  /** @param same how many there are of this path, of which it is the last @param next of what was settled */
  #place(record: SortedRecord, same: number, next: Cursor): PlacedEntry | undefined {
    if (same > 1) this.#left(record.path, "collision", `is there ${same} times; the last one counts`);
    if (!this.#hasLinks) return record;
    while (next.item !== undefined && isBefore(next.item, record)) next.step();
    const isSettled = next.item?.key === record.key && next.item.order === record.order;
    const own = isSettled ? settledOf(next.item!) : undefined;
    if (own !== undefined && own.first !== own.path) {
      return { entry: { ...entryOf(record), hardLink: own.first }, content: own.content };
    }
    const target = targetOf(record);
    if (target === undefined) return record;
    if (own !== undefined) return { entry: entryOf(record), content: own.content };
    this.#left(record.path, "no_such_path", `is left out: it links to "${displayName(target)}", which is no file`);
    return undefined;
  }

  #left(path: ByteString, code: Warning["code"], what: string): void {
    this.#warn({ path, code, message: `"${displayName(path)}" ${what}` });
  }

  /** Finds the file of every link: links are sorted by what they link to and met with the entries of those names. */
  #settle(): RecordSorter {
    let links = this.#openSorter();
    let link: SortedRecord | undefined;
    for (const record of this.#entries.sorted()) {
      // Of one path the last entry counts.
      if (link !== undefined && link.key !== record.key) addLinkOf(links, link);
      link = isLink(record) ? record : undefined;
    }
    if (link !== undefined) addLinkOf(links, link);
    for (let step = 0; ; step++) {
      const found = this.#openSorter();
      const further = this.#openSorter();
      const more = this.#meet(links, found, further);
      links.close();
      if (!more || step === MOST_STEPS) return found;
      found.close();
      links = further;
    }
  }

  /** @returns whether a link led to another link: then `further` has all links, with what they lead to in the end */
  #meet(links: RecordSorter, found: RecordSorter, further: RecordSorter): boolean {
    let more = false;
    const next = cursor(links.sorted());
    for (const { record, following } of withFollowing(this.#entries.sorted())) {
      const { key } = record;
      while (next.item !== undefined && next.item.key < key) next.step();
      if (next.item === undefined) break;
      if (next.item.key !== key) continue;
      // A link means the file that had the name when it was made; failing that, the first one after.
      const meant: Link[] = [];
      for (; next.item?.key === key && next.item.order < (following?.order ?? Number.POSITIVE_INFINITY); next.step()) {
        meant.push(linkOf(next.item));
      }
      if (meant.length === 0) continue;
      const target = targetOf(record);
      if (target !== undefined) more = true;
      for (const link of meant) addLink(further, { ...link, target: target ?? link.target });
      const entry = entryOf(record);
      if (target !== undefined || entry.type !== "file") continue;
      const content = { start: entry.start!, size: entry.size!, sparse: entry.sparse === true };
      const names = following === undefined ? [record, ...meant] : meant;
      const first = names.reduce(
        (least, { path: name }) => (comparePaths(name, least) < 0 ? name : least),
        names[0]!.path,
      );
      for (const name of names) addSettled(found, { path: name.path, order: name.order, content, first });
    }
    return more;
  }

  close(): void {
    for (const sorter of this.#sorters) sorter.close();
  }
}

/** Each record with the one behind it when that is of the same path. */
function* withFollowing(records: Iterable<SortedRecord>) {
  let record: SortedRecord | undefined;
  for (const next of records) {
    if (record !== undefined) yield { record, following: next.key === record.key ? next : undefined };
    record = next;
  }
  if (record !== undefined) yield { record, following: undefined };
}

interface Cursor {
  item: SortedRecord | undefined;
  step(): void;
}

/** Goes along a sequence beside another one. */
function cursor(records: Iterable<SortedRecord>): Cursor {
  const iterator = records[Symbol.iterator]();
  const ahead: Cursor = {
    item: undefined,
    step() {
      const next = iterator.next();
      ahead.item = next.done ? undefined : next.value;
    },
  };
  ahead.step();
  return ahead;
}

const isLink = ({ order }: SortedRecord): boolean => order % KINDS === KIND.link;

/** Whether the content of an entry as it came is computed from other content. */
export const isDerived = ({ order }: SortedRecord): boolean => order % KINDS === KIND.derived;

function targetOf(record: SortedRecord): ByteString | undefined {
  return isLink(record) ? new ByteReader(record.bytes, "the scratch").name() : undefined;
}

function entryOf(record: SortedRecord): Entry {
  const reader = new ByteReader(record.bytes, "the scratch");
  if (isLink(record)) reader.name();
  return readRecord(reader, record.path);
}

function addLinkOf(links: RecordSorter, record: SortedRecord): void {
  addLink(links, { path: record.path, order: record.order, target: targetOf(record)! });
}

function addLink(links: RecordSorter, { target, path, order }: Link): void {
  links.add(target, order, new ByteWriter(path.length + 8).name(path).view());
}

function linkOf({ path: target, order, bytes }: SortedRecord): Link {
  return { target, order, path: new ByteReader(bytes, "the scratch").name() };
}

function addSettled(found: RecordSorter, { path, order, content, first }: Settled): void {
  const { start, size, sparse } = content;
  const record = new ByteWriter(first.length + 24)
    .u64(start)
    .u64(size)
    .u8(sparse ? 1 : 0);
  found.add(path, order, record.name(first).view());
}

function settledOf({ path, order, bytes }: SortedRecord): Settled {
  const reader = new ByteReader(bytes, "the scratch");
  const content = { start: reader.u64(), size: reader.u64(), sparse: reader.u8() === 1 };
  return { path, order, content, first: reader.name() };
}
