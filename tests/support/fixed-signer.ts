// Keys that never change.

import type { Signer } from "../../src/core/index.ts";
import { signerOfSeed } from "../../src/node/ed25519.ts";

/** Number 0 and 1 sign the golden archive. */
export const fixedSigner = (number: number): Signer => signerOfSeed(new Uint8Array(32).fill(number + 1));
