// Dictionary pages: a Zstandard dictionary, as it is (docs/format.md, "Dictionaries").

import { HexzError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

const MAGIC = 0xec30_a437;
/** Magic and id. */
const HEAD_LENGTH = 8;
/** Of a page's body, what is not payload. */
const BODY_HEAD_LENGTH = 8;

/** The longest that fits into a page. */
export const DICTIONARY_MOST = LIMITS.pageBody - BODY_HEAD_LENGTH;

/** @param what for messages @throws HexzError `invalid` unless the bytes begin as a Zstandard dictionary with an id does */
export function checkDictionary(bytes: Uint8Array, what: string): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isOne = bytes.length > HEAD_LENGTH && view.getUint32(0, true) === MAGIC && view.getUint32(4, true) !== 0;
  if (!isOne) throw new HexzError("invalid", `${what} is not a Zstandard dictionary with an id`);
}

/** How long the dictionary of a page is: such pages are stored. */
export function dictionaryLength({ bodyLength }: { readonly bodyLength: number }): number {
  return bodyLength - BODY_HEAD_LENGTH;
}
