// What decodes the compressed clusters of qcow2 images here.

import { constants, inflateRawSync } from "node:zlib";
import type { Compression } from "../../core/disk/qcow2.ts";
import type { DecodeCluster } from "../../core/disk/qcow2-layer.ts";
import { zstdFrameLength } from "../../core/disk/zstd-frame.ts";
import { CODEC } from "../../core/engine.ts";
import { HexzError } from "../../core/errors.ts";
import { createPortableEngine } from "../../core/portable-engine.ts";
import { chooseEngine, type EngineChoice } from "../pool.ts";

const ENGINE_MEMORY = 1024 * 1024;

/** @param needed what the images use; Zstandard is loaded when it is among them */
export async function clusterDecoders(
  needed: readonly (Compression | undefined)[],
  choice: EngineChoice,
): Promise<Record<Compression, DecodeCluster>> {
  const decoders = { deflate: inflate, zstd: inflate };
  if (!needed.includes("zstd")) return decoders;
  const engine = chooseEngine(await createPortableEngine({ memoryBytes: ENGINE_MEMORY }), choice);
  await engine.load(CODEC.zstd);
  decoders.zstd = (coded, out) => engine.decode(CODEC.zstd, coded.subarray(0, zstdFrameLength(coded)), out);
  return decoders;
}

function inflate(coded: Uint8Array, out: Uint8Array): void {
  let plain: Uint8Array;
  try {
    plain = inflateRawSync(coded, { maxOutputLength: out.length, finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw new HexzError("damaged", (error as Error).message, { cause: error });
  }
  if (plain.length !== out.length) throw new HexzError("damaged", `it gives ${plain.length} of ${out.length} bytes`);
  out.set(plain);
}
