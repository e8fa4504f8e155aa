// The bytes of a container, as pieces in their order: ranges of the address space, and what stands between them
// (docs/format.md, "Containers").

import type { Container } from "../format/containers.ts";
import { checkContainerSize, type Piece, PieceListDecoder } from "../format/pieces.ts";
import type { Archive } from "./archive.ts";
import { ArchiveFile } from "./archive-file.ts";

/** Bytes of a list of pieces that are read at once. */
const LIST_PIECE = 256 * 1024;

/** @throws HexzError `invalid`, `damaged` of the list; the bytes of its ranges are not read */
export async function* piecesOfContainer(archive: Archive, container: Container): AsyncGenerator<Piece> {
  const { name, size } = container;
  if ("start" in container) {
    archive.checkRange(name, container.start, size);
    yield { start: container.start, end: container.start + size };
    return;
  }
  const what = `the list of pieces of ${name} in ${archive.source.name}`;
  const { pieces } = container;
  archive.checkRange(name, pieces.start, pieces.size);
  const file = new ArchiveFile(archive, what, pieces.start, pieces.size);
  const decoder = new PieceListDecoder(what, archive.root.addressSpace);
  for (let at = 0; at < file.size; at += LIST_PIECE) {
    const end = Math.min(at + LIST_PIECE, file.size);
    for (const piece of decoder.pieces(await file.read(at, end), end === file.size)) {
      if (decoder.size > size) checkContainerSize(what, decoder.size, size);
      yield piece;
    }
  }
  checkContainerSize(what, decoder.size, size);
}
