// The reference decoder: every byte of the file belongs to something (docs/format.md, "Layers", "States",
// "Signatures", "Dictionaries"). Parity sections are in reference-parity.ts.

import { createPublicKey, verify } from "node:crypto";
import { ascii, Cursor, concat, equal, fail, hex, isZero, limit, rule } from "./reference-bytes.ts";
import {
  END_MARK_LENGTH,
  type EndMark,
  endMarkAt,
  HEAD_LENGTH,
  KIND,
  type Page,
  readPageAt,
  startsPage,
} from "./reference-pages.ts";
import { checkParity } from "./reference-parity.ts";
import type { State } from "./reference-state.ts";

interface Signature {
  key: Uint8Array;
  signature: Uint8Array;
}

/** What the next end mark must name besides its root. */
interface Places {
  signatures: Page | undefined;
  parity: { offset: number; length: number } | undefined;
}

/** `states` from the first to the last; the end mark at the end of the file names the last. */
export function checkLayout(file: Uint8Array, states: State[]): void {
  let at = HEAD_LENGTH;
  for (const [i, state] of states.entries()) {
    at = checkStateEnd(file, at, state, states.slice(0, i));
    at = checkMarks(file, at, state, states[i + 1]);
  }
  rule(at === file.length, `nothing explains the bytes from ${at}`);
}

/** The pages of a state in the order in which they stand at its end. */
function endPages(state: State): { page: Page; rank: number; copied: boolean }[] {
  const { tree, index, dictionaries, metadataPage } = state;
  return [
    ...tree.leaves.map(({ page }) => ({ page, rank: 0, copied: true })),
    ...tree.inner.map(({ page, level }) => ({ page, rank: 1 + level, copied: false })),
    ...index.leaves.map(({ page }) => ({ page, rank: 100, copied: true })),
    ...index.inner.map(({ page, level }) => ({ page, rank: 101 + level, copied: false })),
    ...dictionaries.filter(({ local }) => local).map(({ page }) => ({ page, rank: 200, copied: true })),
    ...(metadataPage === undefined ? [] : [{ page: metadataPage, rank: 300, copied: false }]),
  ];
}

/** Body and state end up to the root; returns where the root ends. */
function checkStateEnd(file: Uint8Array, start: number, state: State, earlier: State[]): number {
  const root = state.root.page;
  const known = new Set(earlier.flatMap(endPages).map(({ page }) => page.offset));
  const all = endPages(state);
  for (const { page } of all) {
    rule(
      page.offset >= start || known.has(page.offset),
      `the page at ${page.offset} is no page of an earlier state's end`,
    );
  }
  const own = all.filter(({ page }) => page.offset >= start).sort((a, b) => a.page.offset - b.page.offset);
  let at = own[0]?.page.offset;
  const bodyEnd = at;
  let rank = 0;
  for (const item of own) {
    rule(item.page.offset === at, `the pages of the state's end have a gap or an overlap at ${at}`);
    rule(item.rank >= rank, `the page at ${at} is out of order`);
    at = item.page.end;
    rank = item.rank;
  }
  checkBody(file, start, bodyEnd ?? start, state, earlier);
  checkPadding(file, at ?? start, state);
  rule(
    own.every(({ page }) => page.end <= root.offset),
    "a page lies behind the root",
  );
  return root.end;
}

function checkPadding(file: Uint8Array, start: number, { root }: State): void {
  const end = root.page.offset;
  rule(start <= end, `the root at ${end} overlaps what is before it`);
  rule(isZero(file.subarray(start, end)), `the padding before the root at ${end} is not zero`);
  rule(end === start || root.salt !== undefined, "padding is only inside an envelope");
}

/** Blocks, and one copy of each leaf and dictionary page. */
function checkBody(file: Uint8Array, start: number, end: number, state: State, earlier: State[]): void {
  const local = ({ index }: State) => [...index.blocks.values()].filter((block) => block.archive === 0);
  const before = new Set(earlier.flatMap(local).map((block) => `${block.offset} ${block.storedLength}`));
  const blocks = new Map(
    local(state)
      .filter(({ offset }) => offset >= start)
      .map((block) => [block.offset, block]),
  );
  for (const block of local(state)) {
    const old = before.has(`${block.offset} ${block.storedLength}`);
    rule(old || block.offset >= start, `the block at ${block.offset} is none of an earlier state`);
  }
  const copied = endPages(state).filter(({ page, copied }) => copied && page.offset >= start);
  const missing = new Map(copied.map(({ page }) => [hex(page.digest), page]));
  const copies = new Map<string, Page>();
  let at = start;
  while (at < end) {
    const block = blocks.get(at);
    if (block !== undefined) {
      blocks.delete(at);
      at += block.storedLength;
      continue;
    }
    if (!startsPage(file, at)) fail("invalid", `nothing explains the bytes from ${at}`);
    const page = readPageAt(file, at);
    const key = hex(page.digest);
    rule(missing.delete(key), `the page at ${at} is no copy of a page of the state's end, or the second one`);
    copies.set(key, page);
    at = page.end;
  }
  rule(at === end, `what begins before ${end} reaches into the state's end`);
  for (const block of blocks.values()) fail("invalid", `the block at ${block.offset} overlaps something else`);
  for (const page of missing.values()) fail("invalid", `the page at ${page.offset} has no copy in the body`);
  checkCopies(state, copies);
}

/** A leaf's copy comes after its blocks, a dictionary's before the blocks that need it. */
function checkCopies(state: State, copies: Map<string, Page>): void {
  for (const { page, blocks } of state.index.leaves) {
    const copy = copies.get(hex(page.digest));
    if (copy === undefined) continue;
    for (const block of blocks) {
      const late = block.archive === 0 && block.offset > copy.offset;
      rule(!late, `the copy at ${copy.offset} of an index leaf comes before its block at ${block.offset}`);
    }
  }
  for (const block of state.index.blocks.values()) {
    if (block.archive > 0 || block.dictionary === undefined) continue;
    const copy = copies.get(hex(state.dictionaries[block.dictionary]!.page.digest));
    rule(copy === undefined || copy.offset < block.offset, `the block at ${block.offset} comes before its dictionary`);
  }
}

/** The state's own end mark, then its appendices; returns where the last of them ends. */
function checkMarks(file: Uint8Array, start: number, state: State, next: State | undefined): number {
  const blocks = next ? [...next.index.blocks.values()].filter((block) => block.archive === 0) : [];
  const starts = new Set(blocks.map(({ offset }) => offset));
  const places: Places = { signatures: undefined, parity: undefined };
  let at = start;
  let signed: Signature[] = [];
  const readSignatures = (page: Page): void => {
    const all = decodeSignatures(page, state);
    for (const [i, { key }] of signed.entries()) {
      rule(all[i] !== undefined && equal(all[i].key, key), `the signatures page at ${page.offset} lacks earlier ones`);
    }
    signed = all;
    places.signatures = page;
    at = page.end;
  };
  if (!isEndMark(file, at)) {
    const page = readPageAt(file, at);
    rule(page.kind === KIND.signatures, `the page at ${at} follows a root and holds no signatures`);
    readSignatures(page);
  }
  let mark = checkMark(file, at, state, places);
  const salted = state.root.salt !== undefined;
  rule(!salted || (mark.offset + END_MARK_LENGTH) % 65_536 === 0, "a state in an envelope ends inside a segment");
  const behind = () => skipPadding(file, mark.offset + END_MARK_LENGTH, salted);
  for (at = behind(); !starts.has(at) && startsPage(file, at); at = behind()) {
    const page = readPageAt(file, at);
    if (page.kind === KIND.signatures) readSignatures(page);
    else if (page.kind === KIND.parity) {
      rule(!salted, `the parity section at ${at} is inside an envelope`);
      places.parity = { offset: at, length: checkParity(file, page, state.root.page, mark) };
      at += places.parity.length;
    } else break;
    mark = checkMark(file, at, state, places);
    rule(!salted || (mark.offset + END_MARK_LENGTH) % 65_536 === 0, "an appendix in an envelope ends inside a segment");
  }
  return mark.offset + END_MARK_LENGTH;
}

/** In an envelope, zeros stand before the page of an appendix; nothing else begins with them. */
function skipPadding(file: Uint8Array, start: number, salted: boolean): number {
  const length = salted ? file.subarray(start, start + 65_536).findIndex((byte) => byte !== 0) : 0;
  const at = start + Math.max(0, length);
  return startsPage(file, at) ? at : start;
}

const isEndMark = (file: Uint8Array, offset: number): boolean => endMarkAt(file, offset) !== undefined;

function checkMark(file: Uint8Array, offset: number, { root }: State, places: Places): EndMark {
  const mark = endMarkAt(file, offset) ?? fail("invalid", `there is no end mark at ${offset}`);
  const what = `the end mark at ${offset}`;
  rule(mark.rootOffset === root.page.offset && equal(mark.id, root.page.digest), `${what} names another root`);
  rule(mark.rootLength === root.page.body.length, `${what} says that its root has ${mark.rootLength} bytes`);
  rule(mark.signaturesOffset === (places.signatures?.offset ?? 0), `${what}: offset of the signatures`);
  rule(mark.signaturesLength === (places.signatures?.body.length ?? 0), `${what}: length of the signatures`);
  rule(mark.parityOffset === (places.parity?.offset ?? 0), `${what}: offset of the parity section`);
  rule(mark.parityLength === (places.parity?.length ?? 0), `${what}: length of the parity section`);
  return mark;
}

function decodeSignatures(page: Page, { root }: State): Signature[] {
  const cursor = new Cursor(page.payload, `the signatures page at ${page.offset}`);
  const count = cursor.u8();
  limit(count, 64, "number of signatures");
  rule(count > 0, `${cursor.what} is empty`);
  const message = concat(ascii("hexz archive v2\0"), root.page.digest);
  const signatures = Array.from({ length: count }, () => {
    const algorithm = cursor.u8();
    if (algorithm !== 1) fail("feature_unknown", `signature algorithm ${algorithm}`);
    return { key: cursor.take(32), signature: cursor.take(64) };
  });
  cursor.end();
  for (const { key, signature } of signatures) {
    const x = Buffer.from(key).toString("base64url");
    const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    rule(verify(null, message, publicKey, signature), `the signature of ${hex(key)} is wrong`);
  }
  return signatures;
}
