// Changing the key slots of an archive in place, so that it opens with the old or the new ones wherever the work stops
// (docs/format.md, "Encryption").

import type { DigestOf } from "../digest.ts";
import { ENVELOPE_HEAD_LENGTH } from "../format/envelope.ts";
import { checkCosts } from "./age.ts";
import type { Ciphers } from "./ciphers.ts";
import { sealArea, type UnlockedEnvelope } from "./keys.ts";

/** A file whose bytes are replaced where they are. */
export interface InPlace {
  readonly name: string;
  write(bytes: Uint8Array, offset: number): void | Promise<void>;
  /** Returns when everything written is durable. */
  sync(): void | Promise<void>;
}

/**
 * Writes the area that does not count first; only when that is durable, the one that does.
 * @throws HexzError `limit_exceeded` when the slots do not fit; nothing is written then
 */
export async function changeSlots(
  envelope: UnlockedEnvelope,
  slots: readonly Uint8Array[],
  to: InPlace,
  ciphers: Ciphers,
  digestOf: DigestOf,
): Promise<void> {
  const { areas, bytes, current, head, keys } = envelope;
  checkCosts(slots, to.name);
  const { areaLength } = head;
  const generation = areas[current]!.generation + 1;
  const area = await sealArea({ generation, slots }, { head: bytes, areaLength, key: keys.key }, ciphers, digestOf);
  for (const number of [1 - current, current]) {
    await to.write(area, ENVELOPE_HEAD_LENGTH + number * areaLength);
    await to.sync();
  }
}
