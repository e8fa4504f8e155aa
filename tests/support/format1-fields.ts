// Which field of an archive of format 1 a byte belongs to, by docs/format-1.md alone: for tests that alter every byte.

export interface Field {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Walks over fixed fields and notes where they are. */
class Walk {
  readonly fields: Field[] = [];
  readonly #view: DataView;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset);
    this.at = at;
  }

  take(name: string, length: number): void {
    if (length > 0) this.fields.push({ name, start: this.at, end: this.at + length });
    this.at += length;
  }

  u32(name: string): number {
    this.take(name, 4);
    return this.#view.getUint32(this.at - 4, true);
  }

  u64(name: string): bigint {
    this.take(name, 8);
    return this.#view.getBigUint64(this.at - 8, true);
  }

  number(name: string): number {
    return Number(this.u64(name));
  }

  option<T>(name: string, read: () => T): T | undefined {
    this.take(`${name}, option`, 1);
    return this.#view.getUint8(this.at - 1) === 1 ? read() : undefined;
  }

  section(name: string): { offset: number; length: number } | undefined {
    const offset = this.option(name, () => this.number(name));
    const length = this.option(name, () => this.u32(name));
    return offset === undefined || length === undefined ? undefined : { offset, length };
  }
}

const PARENT = 0xffff_ffff_ffff_ffffn;

/** All fields, in the order of the file; blocks that are stored once are told of once. */
export function fieldsOf(bytes: Uint8Array): Field[] {
  const header = new Walk(bytes, 0);
  header.take("magic", 4);
  header.u32("version");
  header.u32("block size");
  const indexOffset = header.number("index offset");
  const parents = header.number("parents");
  for (let number = 0; number < parents; number++) header.take("parent path", header.number("parents"));
  const dictionary = header.section("dictionary");
  const metadata = header.section("metadata");
  const signature = header.section("signature");
  const encrypted = header.option("encryption", () => {
    header.take("salt", 16);
    return header.u32("iterations");
  });
  const isLz4 = header.u32("compression") === 0;
  for (const name of ["has main", "has auxiliary", "variable blocks"]) header.take(name, 1);
  // Archives before 0.8 end here, with zeros.
  header.option("chunk sizes", () => header.take("chunk sizes", 12));
  header.take("padding", 4096 - header.at);

  const master = new Walk(bytes, indexOffset);
  const pages: { offset: number; length: number }[] = [];
  for (const _ of ["main", "auxiliary"]) {
    const count = master.number("page count");
    for (let page = 0; page < count; page++) {
      pages.push({ offset: master.number("page offset"), length: master.u32("page length") });
      master.u64("page's first block");
      master.u64("page's start");
    }
  }
  for (const _ of ["main", "auxiliary"]) master.u64("stream size");

  const found = [...header.fields, ...master.fields];
  const at = (name: string, section: { offset: number; length: number } | undefined) => {
    if (section !== undefined && section.length > 0) {
      found.push({ name, start: section.offset, end: section.offset + section.length });
    }
  };
  at("dictionary bytes", dictionary);
  at("metadata bytes", metadata);
  at("signature bytes", signature);
  const seen = new Set<number>();
  for (const { offset } of pages) {
    const page = new Walk(bytes, offset);
    const count = page.number("entry count");
    for (let entry = 0; entry < count; entry++) {
      const start = new DataView(bytes.buffer, bytes.byteOffset + page.at);
      const place = start.getBigUint64(0, true);
      const length = start.getUint32(8, true);
      const kind = place === PARENT ? "reference" : place === 0n && length === 0 ? "zeros" : "data";
      for (const [name, size] of [
        ["offset", 8],
        ["stored length", 4],
        ["plain length", 4],
        ["checksum", 4],
        ["digest", 32],
      ] as const) {
        page.take(`${kind}: ${name}`, size);
      }
      if (kind !== "data" || seen.has(Number(place))) continue;
      seen.add(Number(place));
      const prefix = isLz4 && encrypted === undefined ? 4 : 0;
      found.push({ name: "length before the block", start: Number(place), end: Number(place) + prefix });
      found.push({ name: "block", start: Number(place) + prefix, end: Number(place) + length });
    }
    found.push(...page.fields);
  }
  return found.filter(({ start, end }) => end > start).sort((a, b) => a.start - b.start);
}
