// Datasets of an HDF5 file in an archive, decoded when they are read (docs/format.md, "Derived contents").

import { displayName } from "../../core/format/path.ts";
import type { ArchiveFile } from "../../core/read/archive-file.ts";
import type { Derivation } from "../../core/read/parts.ts";
import { Hdf5Reader } from "./reader.ts";

/** For one archive: libhdf5 is loaded when the first value is read, once for each HDF5 file. */
export function createHdf5Derivation(): Derivation {
  const readers = new Map<number, Hdf5Reader>();
  const readerOf = (from: ArchiveFile): Hdf5Reader => {
    const known = readers.get(from.start!);
    if (known !== undefined) return known;
    const { name, size } = from;
    const reader = new Hdf5Reader({ name, size, readSync: (start, end) => from.readSync(start, end) });
    readers.set(from.start!, reader);
    return reader;
  };
  return {
    methods: {
      hdf5: (from, { parameter }, size) => ({
        size,
        // biome-ignore lint/correctness/useYield: libhdf5 reads by calls that wait
        *read(start, end) {
          return readerOf(from).values(displayName(parameter), start, end);
        },
      }),
    },
    close() {
      for (const reader of readers.values()) reader.close();
    },
  };
}
