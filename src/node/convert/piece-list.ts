// The list of pieces of a container while it is read: spilled when it gets long, and packed as a content at the end.

import type { Container } from "../../core/format/containers.ts";
import { PieceListEncoder } from "../../core/format/pieces.ts";
import { createContentInput } from "../../core/write/bytes-input.ts";
import type { ContentSink } from "../../core/write/writer.ts";
import { openSpill } from "../spill.ts";

const SPILL_FROM = 64 * 1024;

export class PieceList {
  readonly encoder = new PieceListEncoder();
  readonly #scratch = openSpill();

  /** Call after every few records. */
  flush(from = SPILL_FROM): void {
    const { pending } = this.encoder;
    if (pending.length < from) return;
    this.#scratch.append(pending.view());
    pending.clear();
  }

  /** Packs the list and records the container. */
  async finish(writer: ContentSink, about: Pick<Container, "format" | "name" | "metadata">): Promise<void> {
    this.flush(1);
    const { start, size } = await writer.addContent(
      createContentInput(this.#scratch.read(), `the pieces of ${about.name}`),
    );
    writer.addContainer({ ...about, size: this.encoder.size, pieces: { start, size } });
  }

  close(): void {
    this.#scratch.close();
  }
}
